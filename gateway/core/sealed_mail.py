"""Our mail about sealed messages, whole: to their readers outside, and to the people who sent them.

The words are those of `core.sealed_words`, `core.sender_words` and `core.sealed_news`. Left out on purpose: when it is
sent, and by which way.
"""

from datetime import datetime
from typing import Protocol

from gateway.core.address import Address
from gateway.core.dsn import alternatives
from gateway.core.letter import build_letter
from gateway.core.mail_names import field_text, mailbox, one_line
from gateway.core.paragraph import Paragraph, when
from gateway.core.report import Identity, Stamp
from gateway.core.sealed import Reader
from gateway.core.sealed_news import disowned, locked, opened
from gateway.core.sealed_words import Invitation, Office, coded, handed, invited, reminded
from gateway.core.sender_words import Confirmation, Passwords, confirmed, passwords
from gateway.core.trace import date_text


class Writer(Office, Protocol):
    """An office with the address that its letters come from."""

    @property
    def sender(self) -> Address: ...


def build_notification(invitation: Invitation, office: Writer, identity: Identity, stamp: Stamp) -> bytes:
    """The letter that a message waits for one reader; with its text in it, if the invitation has that."""
    parts = handed(invitation, office) if invitation.lines else invited(invitation, office)
    neutral = f"A protected message for you from {office.organisation}"
    return _from_person(invitation, office, invitation.subject or neutral, parts, identity, stamp)


def build_reminder(invitation: Invitation, office: Writer, identity: Identity, stamp: Stamp) -> bytes:
    """The one letter that it waits still."""
    subject = f"Not opened yet: a protected message for you from {office.organisation}"
    return _from_person(invitation, office, subject, reminded(invitation, office), identity, stamp)


def build_code(code: str, reader: Reader, portal: Writer, identity: Identity, stamp: Stamp) -> bytes:
    """The letter with a code. Its subject does not hold the code: that is shown on locked screens."""
    head = f"From: {mailbox(portal.organisation, portal.sender)}\r\n"
    subject = f"Your code for the protected message from {portal.organisation}"
    return _outside(head, reader.address, subject, coded(code, reader, portal), identity, stamp)


def build_confirmation(confirmation: Confirmation, identity: Identity, stamp: Stamp) -> bytes:
    """What the sender hears when it was sealed; it may hold passphrases."""
    subject = f"Sealed: your message of {when(confirmation.accepted_at)}"
    return _inside(confirmation.to, subject, "Sealed", confirmed(confirmation, identity), identity, stamp)


def build_password(letter: Passwords, identity: Identity, stamp: Stamp) -> bytes:
    """What the sender hears when it left as a protected file; it holds the password."""
    subject = f"Password for your message of {when(letter.accepted_at)}"
    return _inside(letter.to, subject, "Password", passwords(letter, identity), identity, stamp)


def build_receipt(reader: Reader, at: datetime, who: str, link: str, identity: Identity, stamp: Stamp) -> bytes:
    """What the sender hears of the first opening. ``who`` is a name that was given; ``link`` is `sender_page`'s."""
    subject = f"Opened: your message of {when(reader.sealed_at)}"
    return _inside(reader.sender, subject, "Opened", opened(reader, at, who, link, identity), identity, stamp)


def build_locked(reader: Reader, link: str, identity: Identity, stamp: Stamp) -> bytes:
    """What the sender hears when a reader is locked out."""
    subject = f"Locked: your message of {when(reader.sealed_at)}"
    return _inside(reader.sender, subject, "Locked", locked(reader, link, identity), identity, stamp)


def build_disowned(reader: Reader, who: str, to: Address, link: str, identity: Identity, stamp: Stamp) -> bytes:
    """What the sender or an officer hears of "this is not for me"; without ``link`` for who may not change it."""
    subject = f"Not for them: a message of {when(reader.sealed_at)}"
    return _inside(to, subject, "Not for them", disowned(reader, who, link, identity), identity, stamp)


def _inside(
    to: Address, subject: str, heading: str, parts: tuple[Paragraph, ...], identity: Identity, stamp: Stamp
) -> bytes:
    whole = tuple(part.in_lines() for part in parts)
    return build_letter(str(to), subject, whole, identity, stamp, heading=heading)


def _from_person(
    invitation: Invitation,
    office: Writer,
    subject: str,
    parts: tuple[Paragraph, ...],
    identity: Identity,
    stamp: Stamp,
) -> bytes:
    """From an address of the organisation's own, for which SPF and DKIM speak; the answer goes to the person."""
    reader = invitation.reader
    name = f"{invitation.author or reader.sender} via {office.organisation}"
    head = f"From: {mailbox(name, office.sender)}\r\n"
    # An address beyond ASCII would ask SMTPUTF8 of a mail system that may not have it; the letter names it anyway.
    if reader.sender.is_ascii or not reader.address.is_ascii:
        head += f"Reply-To: <{reader.sender}>\r\n"
    return _outside(head, reader.address, subject, parts, identity, stamp)


def _outside(
    head: str, to: Address, subject: str, parts: tuple[Paragraph, ...], identity: Identity, stamp: Stamp
) -> bytes:
    header = (
        f"{head}"
        f"To: <{to}>\r\n"
        f"Subject: {field_text(subject)}\r\n"
        f"Date: {date_text(stamp.now)}\r\n"
        f"Message-ID: <{stamp.message_id}@{identity.hostname}>\r\n"
        "Auto-Submitted: auto-generated\r\n"
        "X-Auto-Response-Suppress: All\r\n"
        "MIME-Version: 1.0\r\n"
        f'Content-Type: multipart/alternative;\r\n\tboundary="{stamp.boundary}"\r\n\r\n'
    )
    return header.encode() + alternatives(parts, one_line(subject), "", stamp.boundary)
