"""What a breach report (GDPR article 33, within 72 hours) needs to know of one message: who could read what, and how.

Put together from the audit alone, so that it says what was recorded and not what is configured today. Left out on
purpose: content, subject and names of files, which the audit does not have; whether the breach is to be reported.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from gateway.core.audit_query import Entry
from gateway.core.grade import Grade
from gateway.core.record import EventKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """One recipient: what was decided, and how its copy travelled. ``grade`` is empty for one that never left."""

    number: int | None
    address: str = ""
    rule: str = ""
    decision: str = ""
    floor: str = ""
    route: str = ""
    grade: str = ""
    host: str = ""
    tls: str = ""
    cipher: str = ""
    certificate: str = ""
    attempts: int = 0
    left_at: str = ""
    end: str = ""
    ended_at: str = ""

    @property
    def protection(self) -> str:
        """The grade in a sentence."""
        if not self.grade:
            return "it did not leave" if self.ended_at else "nothing is recorded of its leaving"
        known = next((grade.meaning for grade in Grade if grade == self.grade), "")
        return f"{self.grade}: {known}" if known else self.grade


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """One message with all its recipients and its timeline, oldest first. Sizes are in bytes, times ISO 8601 in UTC."""

    queue_id: str
    message_id: str = ""
    sender: str = ""
    author: str = ""
    header_sender: str = ""
    reference: str = ""
    accepted_at: str = ""
    level: str = ""
    level_source: str = ""
    intent: str = ""
    files: int = 0
    bytes: int = 0
    found: tuple[str, ...] = ()
    policy: str = ""
    recipients: tuple[Exposure, ...]
    timeline: tuple[Entry, ...]


def breach_of(entries: Sequence[Entry]) -> Breach:
    """Of all events of one message; at least one."""
    queue_id = entries[0].record.queue_id
    breach = Breach(queue_id=queue_id, recipients=_exposures(entries), timeline=tuple(entries))
    accepted = next((entry for entry in entries if entry.record.kind == EventKind.ACCEPTED), None)
    if accepted is None:
        return breach
    record, persons = accepted.record, accepted.persons
    return replace(
        breach,
        message_id=persons.message_id,
        sender=persons.sender,
        author=persons.author,
        header_sender=persons.header_sender,
        reference=persons.reference,
        accepted_at=record.at,
        level=record.level,
        level_source=record.level_source,
        intent=record.intent,
        files=record.files,
        bytes=record.bytes,
        found=record.found,
        policy=record.policy,
    )


def _exposures(entries: Iterable[Entry]) -> tuple[Exposure, ...]:
    found: dict[int, Exposure] = {}
    for entry in entries:
        number = entry.record.number
        if number is not None:
            found[number] = _after(found.get(number, Exposure(number=number)), entry)
    return tuple(found[number] for number in sorted(found))


def _after(exposure: Exposure, entry: Entry) -> Exposure:
    """The recipient after one more event."""
    record = entry.record
    exposure = replace(
        exposure, address=entry.persons.recipient or exposure.address, route=record.route or exposure.route
    )
    if record.kind == EventKind.DECIDED:
        exposure = replace(exposure, rule=record.rule, decision=record.decision, floor=record.floor)
    if record.kind == EventKind.ATTEMPT:
        exposure = replace(exposure, attempts=exposure.attempts + 1)
    if record.outcome in ("delivered", "sealed"):
        exposure = replace(
            exposure,
            grade=record.grade,
            host=record.host,
            tls=record.tls,
            cipher=record.cipher,
            certificate=record.certificate,
            left_at=record.at,
        )
    if record.kind == EventKind.ENDED:
        exposure = replace(exposure, end=record.end, ended_at=record.at)
    return exposure
