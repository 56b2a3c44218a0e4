"""Which messages a question to the audit means: each criterion is met by one of a message's events, in any order.

Who sent a message, its ACCEPTED alone tells, and its rule only each DECIDED: so messages are chosen, and not events.
Left out on purpose: values that were taken out, which nothing finds any more.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import assert_never

from gateway.core.audit_record import Persons, Record


class By(StrEnum):
    """What a criterion looks at. PERSON is an address in any place, such as in what an operator wrote."""

    SENDER = "sender"
    RECIPIENT = "recipient"
    PERSON = "person"
    MESSAGE_ID = "message-id"
    QUEUE_ID = "queue-id"
    REFERENCE = "reference"
    RULE = "rule"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One event of the audit; ``taken`` names the personal values that were taken out of it."""

    shard: int
    seq: int
    record: Record
    persons: Persons
    taken: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Criterion:
    """``value`` is compared without regard to case; a sender or recipient may be ``@domain``."""

    by: By
    value: str

    def met_by(self, entry: Entry) -> bool:
        """Whether this event says so."""
        persons, value = entry.persons, self.value.casefold()
        match self.by:
            case By.SENDER:
                return any(_is(value, who) for who in (persons.sender, persons.author, persons.header_sender))
            case By.RECIPIENT:
                return _is(value, persons.recipient)
            case By.PERSON:
                return any(names(value, text) for _, text in persons.items())
            case By.MESSAGE_ID:
                return persons.message_id.casefold().strip("<>") == value.strip("<>")
            case By.QUEUE_ID:
                return entry.record.queue_id.casefold() == value
            case By.REFERENCE:
                return persons.reference.casefold() == value
            case By.RULE:
                return entry.record.rule.casefold() == value
            case _:
                assert_never(self.by)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """All criteria hold, and something of the message happened from ``since`` on and before ``until``."""

    criteria: tuple[Criterion, ...] = ()
    since: datetime | None = None
    until: datetime | None = None

    @property
    def timed(self) -> bool:
        """Whether it asks for a time."""
        return self.since is not None or self.until is not None

    @property
    def needs(self) -> int:
        """How many things have to be found of a message."""
        return len(self.criteria) + 1

    def met_by(self, entry: Entry) -> frozenset[int]:
        """The numbers of those that this event meets; the time has the last."""
        met = {number for number, criterion in enumerate(self.criteria) if criterion.met_by(entry)}
        if self._in_time(datetime.fromisoformat(entry.record.at)):
            met.add(len(self.criteria))
        return frozenset(met)

    def _in_time(self, at: datetime) -> bool:
        return (self.since is None or at >= self.since) and (self.until is None or at < self.until)


@dataclass(slots=True)
class Chosen:
    """Collects the queue ids of messages that meet a query; asked of every event once."""

    query: Query
    _met: dict[str, frozenset[int]] = field(default_factory=dict[str, frozenset[int]])

    def look(self, entry: Entry) -> None:
        """Notes what this event meets; what meets nothing is not kept."""
        if met := self.query.met_by(entry):
            self._met[entry.record.queue_id] = self._met.get(entry.record.queue_id, frozenset()) | met

    @property
    def begun(self) -> frozenset[str]:
        """Those of which something was found."""
        return frozenset(self._met)

    @property
    def queue_ids(self) -> tuple[str, ...]:
        """Those of which everything was found, in the order in which they were first met."""
        return tuple(queue_id for queue_id, met in self._met.items() if len(met) == self.query.needs)


def names(value: str, text: str) -> bool:
    """Whether the text has that address in it, as a whole: not `amy@one.example` for `my@one.example`."""
    text = text.casefold()
    start = text.find(value)
    while start >= 0:
        before, after = text[start - 1 : start], text[start + len(value) : start + len(value) + 1]
        if not _continues(before) and not _continues(after):
            return True
        start = text.find(value, start + 1)
    return False


def _continues(char: str) -> bool:
    return char.isalnum() or (char != "" and char in "-_+=~!#$%&*/^{|}@")


def _is(value: str, text: str) -> bool:
    """Whether a field is, or lists, that address, or one of that ``@domain``."""
    if value.startswith("@"):
        return any(part.strip().rstrip(">").endswith(value) for part in text.casefold().split(","))
    return names(value, text)
