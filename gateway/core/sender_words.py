"""What letters say to the sender of a message just sealed: how it is opened, and what to pass on.

They go to the inside alone, because passphrases stand in them. Left out on purpose: any word of the message, who reads
a letter (`gateway.flow.passwords`), and what is told later (`core.sealed_news`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, assert_never

from gateway.core.address import Address
from gateway.core.decision import Held, Routed
from gateway.core.outcome import Cause, Declined, Deferred
from gateway.core.paragraph import Paragraph, when
from gateway.core.record import QueueId, RecipientRow
from gateway.core.report import Identity
from gateway.core.report_text import cause
from gateway.core.sealed import PackageId, Reader
from gateway.core.sealed_words import Office
from gateway.core.sealing import Unlock
from gateway.core.sender_link import SenderLink

LINK_AFTER: Final = timedelta(days=35)
"""How long the sender's link outlives a message: it is there for a week, and can then be extended by four."""
_MOST_NAMED: Final = 10


@dataclass(frozen=True, slots=True)
class Confirmed:
    """One recipient of a message just sealed. ``passphrase`` is empty where none is shown.

    ``why`` are sentences on why it goes this way and by none before; empty on the first.
    """

    reader: Reader
    passphrase: str
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """What ``to`` hears of recipients of one message; there is at least one. ``links`` are the sender's pages."""

    to: Address
    accepted_at: datetime
    recipients: Sequence[Confirmed]
    links: Mapping[PackageId, str]


@dataclass(frozen=True, slots=True)
class Locked:
    """A file that opens with a password, and who got it."""

    password: str
    recipients: Sequence[Address]


@dataclass(frozen=True, slots=True, kw_only=True)
class Passwords:
    """What ``to`` hears of the protected files that one message became; there is at least one."""

    to: Address
    sender: Address
    accepted_at: datetime
    queue_id: QueueId
    files: Sequence[Locked]


def sender_page(reader: Reader, office: Office, key: bytes) -> str:
    """The link by which the sender looks after that package; ``key`` is the hop key."""
    return office.url + SenderLink(reader.package, reader.expires_at + LINK_AFTER).path(key)


def why_this_way(row: RecipientRow) -> tuple[str, ...]:
    """Why the routes before could not carry it, as the row stood before this one did; none on the first."""
    without = row.decision.without if isinstance(row.decision, Routed | Held) else ()
    if not row.route_index:
        return without
    last = row.last
    told = isinstance(last, Declined) or (isinstance(last, Deferred) and last.cause is Cause.PROTECTION)
    why = cause(last) if told else "An earlier way could not carry it protected in time."
    return (why, *without)


def confirmed(confirmation: Confirmation, identity: Identity) -> tuple[Paragraph, ...]:
    """It lies sealed."""
    recipients = confirmation.recipients
    tell = any(one.passphrase for one in recipients)
    step = "What to do: tell each passphrase below by telephone, not by mail." if tell else "You need not do anything."
    count = "1 recipient, who is" if len(recipients) == 1 else f"{len(recipients)} recipients, who are"
    first = (
        step,
        f"Your message of {when(confirmation.accepted_at)} waits protected for {count} sent a link to it."
        " If that cannot be delivered, you are told.",
    )
    return (
        Paragraph("", first),
        *_each(recipients),
        _pages(confirmation),
        closing(recipients[0].reader.queue_id, identity),
    )


def passwords(letter: Passwords, identity: Identity) -> tuple[Paragraph, ...]:
    """It left as a file with a password."""
    first = (
        "What to do: tell the password below by telephone or by a text message, not by mail.",
        f"Your message of {when(letter.accepted_at)} was sent as a protected file. Nobody can open it without that.",
    )
    each = [
        Paragraph(
            _named(file.recipients),
            (
                f"Password: {file.password}",
                f"To pass on: The password for the file from {letter.sender} is: {file.password}",
            ),
        )
        for file in letter.files
    ]
    return (Paragraph("", first), *each, closing(letter.queue_id, identity))


def _each(recipients: Sequence[Confirmed]) -> tuple[Paragraph, ...]:
    """A paragraph for each recipient; those of whom the same is to be said share one."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for one in recipients:
        alike.setdefault(_lines(one), []).append(str(one.reader.address))
    return tuple(Paragraph(", ".join(who), lines) for lines, who in alike.items())


def _lines(one: Confirmed) -> tuple[str, ...]:
    reader = one.reader
    why = (f"Why this way: {' '.join(one.why)}",) if one.why else ()
    shown = (
        (
            f"Passphrase: {one.passphrase}",
            f"To pass on: The passphrase for the message from {reader.sender} is: {one.passphrase}",
        )
        if one.passphrase
        else ()
    )
    return (f"Opened with: {_opened_with(reader)}", *shown, f"Open until: {when(reader.expires_at)}", *why)


def _opened_with(reader: Reader) -> str:
    spoken = "the passphrase that was agreed with them" if reader.agreed else "the passphrase that you tell them"
    match reader.unlock:
        case Unlock.MAIL:
            return "a code that is sent to their mailbox when they ask for it."
        case Unlock.VERIFIED_MAIL:
            return f"a code, if their mailbox can be reached over a protected connection; else {spoken}."
        case Unlock.PASSPHRASE:
            return f"{spoken}."
        case _:  # pragma: no cover - the type checker proves that there is no other.
            assert_never(reader.unlock)


def _pages(confirmation: Confirmation) -> Paragraph:
    heading = "See who has opened it, close it, or give more time"
    if len(confirmation.links) == 1:
        return Paragraph(heading, tuple(confirmation.links.values()))
    lines = list[str]()
    for package, link in confirmation.links.items():
        readers = [one.reader.address for one in confirmation.recipients if one.reader.package == package]
        lines += [f"For {_named(readers)}:", link]
    return Paragraph(heading, tuple(lines))


def _named(addresses: Sequence[Address]) -> str:
    more = f" and {len(addresses) - _MOST_NAMED} more" if len(addresses) > _MOST_NAMED else ""
    return ", ".join(map(str, addresses[:_MOST_NAMED])) + more


def closing(queue_id: QueueId, identity: Identity) -> Paragraph:
    """Whom to ask, and what to say there."""
    number = f"Questions: {identity.contact}. Please name the number {queue_id}."
    return Paragraph("", (number, f"Sent to the wrong person? Report it now: {identity.contact}."))
