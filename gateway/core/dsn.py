"""A report as a message: RFC 3464 fields in the multipart/report of RFC 6522, with text and HTML for a person.

The header block of the original comes back, or the whole of it where the caller may return that (RFC 3461 RET); of a
protected message only the fields that say who, when and which. Left out on purpose: message/global-delivery-status; an
address that is not ASCII is written as utf-8-addr-xtext (RFC 6533 section 3), which the plain type may hold.
"""

import binascii
import re
from typing import Final, assert_never

from gateway.core.address import Address
from gateway.core.outcome import Declined, Deferred, Delivered, Failed, Remote, Sealed
from gateway.core.paragraph import Paragraph, markup, plain
from gateway.core.report import Identity, Item, Purpose, Report, Stamp, reader_of
from gateway.core.report_text import happened, paragraphs, subject
from gateway.core.trace import date_text, helo_text

_ACTIONS: Final = {Purpose.FAILED: "failed", Purpose.DELAYED: "delayed", Purpose.RELAYED: "relayed"}

# What a report may repeat of a remote server's words, and of the original's header block.
_LONGEST_DIAGNOSTIC: Final = 400
_MOST_HEADER: Final = 64 * 1024
_FOLD_AT: Final = 76

# All that comes back of a protected message: who, when and which. Any other field, known or not, may hold words of it,
# and so may a subject. A line with a control character or a bare line end is no field to everybody, and stays out.
_HARMLESS = re.compile(
    rb"^(?:(Subject)|From|To|Cc|Date|Message-ID|In-Reply-To|References|Received|Sensitivity):"
    rb"[^\x00-\x08\x0a-\x1f\x7f]*\r\n(?:[ \t][^\x00-\x08\x0a-\x1f\x7f]*\r\n)*",
    re.IGNORECASE | re.MULTILINE,
)
_SUBJECT = re.compile(rb"^Subject[ \t]*:([^\n]*\n(?:[ \t][^\n]*\n)*)", re.IGNORECASE | re.MULTILINE)
_MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,240}>")
_XTEXT = re.compile(r"\+([0-9A-F]{2})")
_LONGEST_SUBJECT: Final = 200
_LONGEST_LINE: Final = 998


def build(report: Report, identity: Identity, stamp: Stamp) -> bytes:
    """The message, CRLF line ends, ASCII but for the reader's own address that is not."""
    written = paragraphs(report, identity), subject(report), happened(report.purpose)
    if report.purpose not in _ACTIONS:
        kind, body = "alternative", alternatives(*written, stamp.boundary)
    else:
        kind = "report; report-type=delivery-status"
        # No boundary begins with another: a reader that compares beginnings only would end the outer one early.
        inner = f"text-{stamp.boundary}"
        body = _multipart(
            stamp.boundary,
            f'Content-Type: multipart/alternative;\r\n\tboundary="{inner}"\r\n\r\n'.encode()
            + alternatives(*written, inner),
            _status_part(report, identity),
            _original_part(report),
        )
    return _header(report, identity, stamp, kind) + body


def _header(report: Report, identity: Identity, stamp: Stamp, kind: str) -> bytes:
    original = report.message.message_id.strip()
    thread = f"In-Reply-To: {original}\r\nReferences: {original}\r\n" if _MESSAGE_ID.fullmatch(original) else ""
    sender = identity.postmaster if identity.postmaster.is_ascii else f"MAILER-DAEMON@{identity.hostname}"
    return (
        f"From: Mail Delivery System <{sender}>\r\n"
        f"To: <{reader_of(report.message)}>\r\n"
        f"Subject: {_subject(report)}\r\n"
        f"Date: {date_text(stamp.now)}\r\n"
        f"Message-ID: <{stamp.message_id}@{identity.hostname}>\r\n"
        f"{thread}"
        "Auto-Submitted: auto-replied\r\n"
        "X-Auto-Response-Suppress: All\r\n"
        "MIME-Version: 1.0\r\n"
        f'Content-Type: multipart/{kind};\r\n\tboundary="{stamp.boundary}"\r\n\r\n'
    ).encode()


def _subject(report: Report) -> str:
    """Neutral for protected mail; else the original's behind it, as it stood (encoded words and all) if it is short."""
    text = subject(report)
    match = None if report.protected else _SUBJECT.search(report.header)
    if match is None:
        return text
    original = " ".join(match[1].decode("latin-1").split())
    if not original or len(original) > _LONGEST_SUBJECT or not (original.isascii() and original.isprintable()):
        return text
    return f"{text}\r\n ({original})" if not original.startswith("=?") else f"{text}\r\n {original}"


def alternatives(parts: tuple[Paragraph, ...], title: str, heading: str, boundary: str) -> bytes:
    """The content of a multipart/alternative: what a person reads, as plain text and as HTML."""
    return _multipart(boundary, _text("plain", plain(parts)), _text("html", markup(parts, title, heading)))


def _text(kind: str, text: str) -> bytes:
    head = f"Content-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    return head.encode() + _quoted_printable(text.encode())


def _quoted_printable(data: bytes) -> bytes:
    lines = (binascii.b2a_qp(line, quotetabs=False, istext=True) for line in data.split(b"\r\n"))
    return b"\r\n".join(line.replace(b"=\n", b"=\r\n") for line in lines)


def _multipart(boundary: str, *parts: bytes) -> bytes:
    mark = f"--{boundary}".encode()
    return b"".join(mark + b"\r\n" + part + b"\r\n" for part in parts) + mark + b"--\r\n"


def _status_part(report: Report, identity: Identity) -> bytes:
    """RFC 3464 section 2.1: the fields of the message, then a group for each recipient, empty lines between."""
    groups = [_message_fields(report, identity), *(_recipient_fields(report, item) for item in report.items)]
    text = "\r\n\r\n".join("\r\n".join(fields) for fields in groups)
    return f"Content-Type: message/delivery-status\r\n\r\n{text}\r\n".encode("ascii")


def _message_fields(report: Report, identity: Identity) -> list[str]:
    """RFC 3464 section 2.2."""
    envelope = report.message.envelope
    fields = [_field("Reporting-MTA", f"dns; {identity.hostname}")]
    if envelope.envid is not None:
        fields.insert(0, _field("Original-Envelope-Id", _from_xtext(envelope.envid)))
    if envelope.client.helo:
        fields.append(_field("Received-From-MTA", f"dns; {helo_text(envelope.client)}"))
    return [*fields, f"Arrival-Date: {date_text(report.message.accepted_at)}"]


def _recipient_fields(report: Report, item: Item) -> list[str]:
    """RFC 3464 section 2.3."""
    fields = [_field("Final-Recipient", _typed(item.recipient.address))]
    if item.recipient.orcpt is not None:
        fields.insert(0, _field("Original-Recipient", _from_xtext(item.recipient.orcpt)))
    fields += [f"Action: {_ACTIONS[report.purpose]}", f"Status: {item.status}"]
    remote = _remote(item)
    if remote is not None:
        fields.append(_field("Remote-MTA", f"dns; {remote.host}"))
    if (diagnostic := _diagnostic(item, remote)) is not None:
        fields.append(_field("Diagnostic-Code", diagnostic))
    for name, moment in (("Last-Attempt-Date", item.attempted_at), ("Will-Retry-Until", item.until)):
        fields += [f"{name}: {date_text(moment)}"] if moment is not None else []
    return [*fields, f"Final-Log-ID: {report.message.queue_id}"]


def _remote(item: Item) -> Remote | None:
    match item.outcome:
        case Delivered() | Deferred() | Failed():
            return item.outcome.remote
        case Declined() | Sealed() | None:
            return None
        case _:  # pragma: no cover - the type checker proves that there is no other.
            assert_never(item.outcome)


def _diagnostic(item: Item, remote: Remote | None) -> str | None:
    """The remote's words with type smtp; ours have a type of our own, because ``smtp`` would claim a reply."""
    if remote is not None:
        status = f"{remote.reply.status} " if remote.reply.status is not None else ""
        return f"smtp; {remote.reply.code} {status}{' '.join(remote.reply.lines)}"
    match item.outcome:
        case Deferred() | Declined() | Failed():
            return f"x-sealpost; {item.outcome.status} {item.outcome.detail}"
        case Delivered() | Sealed() | None:
            return None
        case _:  # pragma: no cover - the type checker proves that there is no other.
            assert_never(item.outcome)


def _field(name: str, value: str) -> str:
    """One field without anything that could end it early, folded between words (RFC 5322 section 2.2.3)."""
    clean = "".join(char if " " <= char <= "~" else "?" for char in value)[:_LONGEST_DIAGNOSTIC]
    lines, line = list[str](), f"{name}:"
    for word in clean.split():
        if len(line) + 1 + len(word) > _FOLD_AT and line.strip() and line != f"{name}:":
            lines.append(line)
            line = ""
        line = f"{line} {word}"
    return "\r\n".join([*lines, line])


def _typed(address: Address) -> str:
    if address.is_ascii:
        return f"rfc822; {address}"
    escaped = "".join(
        char if char.isascii() and char not in "\\+=" else f"\\x{{{ord(char):X}}}" for char in address.local
    )
    return f"utf-8; {escaped}@{address.domain}"


def _from_xtext(text: str) -> str:
    """RFC 3461 section 4; what was encoded may be anything, so `_field` cleans it."""
    return _XTEXT.sub(lambda match: chr(int(match[1], 16)), text)


def _original_part(report: Report) -> bytes:
    if report.full is not None and not report.protected:
        return b"Content-Type: message/rfc822\r\n\r\n" + report.full
    header = _harmless_fields(report.header) if report.protected else report.header
    if len(header) > _MOST_HEADER:
        header = header[: header.rfind(b"\n", 0, _MOST_HEADER) + 1]
    header = header.rstrip(b"\r\n") + b"\r\n"
    if header.isascii() and b"\0" not in header and max(map(len, header.split(b"\r\n"))) <= _LONGEST_LINE:
        return b"Content-Type: text/rfc822-headers\r\n\r\n" + header
    head = b"Content-Type: text/rfc822-headers\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    return head + _quoted_printable(header)


def _harmless_fields(header: bytes) -> bytes:
    fields = _HARMLESS.finditer(header)
    return b"".join([b"Subject: (not repeated here)\r\n" if field[1] else field[0] for field in fields])
