"""How a breach pack is shown: a page for whoever reports, and JSON; what was taken out of the audit is named so."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from gateway.cli.audit_view import entry_json, words
from gateway.cli.evidence_view import Json
from gateway.cli.portal_view import history_lines, package_json
from gateway.config.describe.document import Bullets, Document, Paragraph, Rows, Section
from gateway.core.audit_query import Entry
from gateway.core.breach import Breach, Exposure
from gateway.core.sealed import Happened, PackageId, Reader


@dataclass(frozen=True, slots=True)
class Package:
    """One sealed copy as it stands now, and all that happened to it."""

    package: PackageId
    readers: tuple[Reader, ...]
    history: tuple[Happened, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """``trail`` says in a sentence whether the audit verifies."""

    made_at: datetime
    breach: Breach
    packages: tuple[Package, ...]
    trail: str


def pack_json(pack: Pack) -> dict[str, Json]:
    """For programs."""
    breach = pack.breach
    told: dict[str, Json] = asdict(replace(breach, recipients=(), timeline=()))
    return {
        "made_at": pack.made_at.isoformat(),
        "audit": pack.trail,
        **told,
        "recipients": [{**asdict(each), "protection": each.protection} for each in breach.recipients],
        "sealed": [package_json(one.package, one.readers, one.history) for one in pack.packages],
        "timeline": [entry_json(entry) for entry in breach.timeline],
    }


def pack_document(pack: Pack) -> Document:
    """For people."""
    breach = pack.breach
    lead = f"Message {breach.queue_id}, put together on {pack.made_at:%Y-%m-%d %H:%M} UTC from the audit. {pack.trail}"
    return Document(
        title="What is recorded for a breach report",
        lead=lead,
        sections=(
            Section("The message", (Rows("As it was accepted", ("What", "Recorded"), tuple(_facts(breach))),)),
            Section(
                "Who could read it",
                (Rows("How each copy travelled", _HEAD, tuple(map(_recipient, breach.recipients))),),
            ),
            Section("Sealed copies", _sealed(pack.packages)),
            Section("All that happened", (Rows("Oldest first, UTC", _EVENTS, tuple(map(_event, breach.timeline))),)),
        ),
    )


_HEAD = ("Recipient", "Rule", "Decision", "Least protection", "Route", "Protection achieved", "Host", "TLS", "End")
_EVENTS = ("When", "What", "Recipient", "Route", "Told")
_UNKNOWN = "not recorded, or taken out"


def _facts(breach: Breach) -> Iterator[tuple[str, str]]:
    yield "Message-ID", breach.message_id or _UNKNOWN
    yield "Sent by (envelope)", breach.sender or _UNKNOWN
    yield "From", breach.author or _UNKNOWN
    if breach.header_sender:
        yield "Sender", breach.header_sender
    if breach.reference:
        yield "Disclosure reference", breach.reference
    yield "Accepted", _moment(breach.accepted_at)
    yield "Label", f"{breach.level} (from: {breach.level_source})" if breach.level else _UNKNOWN
    yield "Size", f"{breach.bytes} bytes with {breach.files} files"
    yield "Patterns found in it", ", ".join(breach.found) or "none"
    yield "Policy", breach.policy or _UNKNOWN


def _recipient(each: Exposure) -> tuple[str, ...]:
    tls = ", ".join(part for part in (each.tls, each.cipher) if part)
    end = f"{each.end}, {_moment(each.ended_at)}" if each.end else "still waits"
    return (
        each.address or _UNKNOWN,
        each.rule,
        each.decision,
        each.floor,
        each.route,
        each.protection,
        each.host,
        tls,
        end,
    )


def _sealed(packages: Sequence[Package]) -> tuple[Paragraph | Bullets | Rows, ...]:
    if not packages:
        return (Paragraph("None lies here."),)
    rows = tuple(
        (str(reader.address), _opened(reader), reader.access.value, f"{reader.expires_at:%Y-%m-%d %H:%M}")
        for one in packages
        for reader in one.readers
    )
    lines = tuple(line for one in packages for line in history_lines(one.history))
    return (Rows("As they stand now", ("Recipient", "Opened", "State", "Until (UTC)"), rows), Bullets(lines))


def _opened(reader: Reader) -> str:
    if reader.opened_at is None:
        return "not opened"
    return f"opened {reader.opened} times, first {reader.opened_at:%Y-%m-%d %H:%M}"


def _event(entry: Entry) -> tuple[str, ...]:
    record = entry.record
    return (_moment(record.at), record.kind, entry.persons.recipient, record.route, words(entry))


def _moment(text: str) -> str:
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M:%S}" if text else ""
