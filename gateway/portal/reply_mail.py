"""A reply from the portal as mail, from what somebody outside typed: pure, and marked so that nobody takes it for ours.

It comes from the portal's own address, because only for that do SPF and DKIM speak; the outside person is in Reply-To.
A name that somebody typed never stands beside our own domain: it would be "IT Service Desk" one day. Left out on
purpose: Auto-Submitted, because a person wrote it, and the text of what is replied to.
"""

import email.policy
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from typing import Final

from gateway.core.address import Address
from gateway.core.given_name import given_name
from gateway.core.header import read_header
from gateway.core.mail_names import mailbox
from gateway.core.sealed import Reader
from gateway.core.trace import date_text
from gateway.portal.readable import one_line, readable

MARK: Final = "X-Sealpost-External"
SCAN: Final = "X-Sealpost-Scan"
# What the header, the boundaries, and the fields of twenty files with long names take at most.
_AROUND: Final = 48 * 1024
_MAILBOX_BYTES: Final = 32 * 1024
# A line of base64 holds 57 bytes in 78 (RFC 2045 section 6.8).
_LINE: Final = 57
_ENCODED_LINE: Final = 78
_LONGEST_SUBJECT: Final = 400
_LONGEST_NAME: Final = 150
_ID: Final = re.compile(rb"<[!-;=?-~]{3,240}>")
_RE: Final = re.compile(r"(?:re|aw|sv|tr)\s*:", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ReplyFile:
    """A file of the reply; ``name`` fits any system."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What was typed and chosen. ``scanned`` says that a scanner found nothing in the files."""

    text: str
    files: Sequence[ReplyFile]
    scanned: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """What stands over it. ``message_id`` is without brackets, ``answers`` the original's with them, or empty."""

    reader: Reader
    who: str
    sender: Address
    subject: str
    message_id: str
    answers: str
    now: datetime


def room(most: int) -> int:
    """How many bytes of text and files fit into a mail of ``most`` bytes."""
    return max(0, (most - _AROUND) // _ENCODED_LINE * _LINE)


def digest_of(key: str, reply: Reply) -> str:
    """The same for the same form with the same in it, and for nothing else."""
    digest = hashlib.sha256()
    for piece in (key, reply.text, *(file.name for file in reply.files)):
        digest.update(len(piece).to_bytes(8, "big") + piece.encode("utf-8", "replace"))
    for file in reply.files:
        digest.update(hashlib.sha256(file.content).digest())
    return digest.hexdigest()[:40]


def message_id_of(beginning: bytes) -> str:
    """The Message-ID with its brackets from the first bytes of a message; empty if it has none that can be repeated."""
    header = read_header(beginning.partition(b"\r\n\r\n")[0][:_MAILBOX_BYTES])
    values = [one.value for one in header.fields if one.name.casefold() == "message-id"]
    found = _ID.fullmatch(values[0].strip()) if values else None
    return found[0].decode("ascii") if found else ""


def build_reply(head: Headline, reply: Reply) -> bytes:
    """The message, CRLF line ends; UTF-8 in its header only where an address needs it (RFC 6532)."""
    addresses = (head.reader.address, head.reader.sender, head.sender)
    policy = email.policy.SMTP if all(one.is_ascii for one in addresses) else email.policy.SMTPUTF8
    mail = EmailMessage(policy=policy)
    mail["Subject"] = _subject(head.subject)
    mail["Date"] = date_text(head.now)
    mail["Message-ID"] = f"<{head.message_id}>"
    if head.answers:
        mail["In-Reply-To"] = mail["References"] = head.answers
    mail[MARK] = "reply from the portal"
    if reply.files:
        mail[SCAN] = "clean" if reply.scanned else "not scanned"
    mail.set_content(_body(head, reply), cte="base64")
    for file in reply.files:
        mail.add_attachment(file.content, maintype="application", subtype="octet-stream", filename=file.name)
    return _people(head).encode() + mail.as_bytes()


def _people(head: Headline) -> str:
    """Not by `email`, which forgets the quotes of a name that it folds, and decodes words inside an address."""
    reader = head.reader
    return (
        f"From: {mailbox(_name(reader.address), head.sender)}\r\nTo: {reader.sender}\r\nReply-To: {reader.address}\r\n"
    )


def _name(address: Address) -> str:
    """The address as it is registered; of a very long one its end, which says whose it is."""
    whole = str(address)
    shown = whole if len(whole) <= _LONGEST_NAME else f"...{whole[-_LONGEST_NAME:]}"
    return f"{shown} (outside, by portal)"


def _subject(subject: str) -> str:
    # An encoded word that somebody typed (RFC 2047) would be read once more.
    bare = one_line(subject)[:_LONGEST_SUBJECT].replace("=?", "= ?")
    return bare if _RE.match(bare) else f"Re: {bare}".strip()


def _body(head: Headline, reply: Reply) -> str:
    name = given_name(head.who)
    named = f' and gave the name "{name}"' if name else ""
    lines = [
        f"[From outside: written on the portal by whoever opened the message to {head.reader.address}{named}.]",
    ]
    if reply.files and not reply.scanned:
        lines.append("[The attached files were not scanned.]")
    return "\n".join([*lines, "", readable(reply.text), ""])
