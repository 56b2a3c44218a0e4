"""Records to JSON and back, for the columns that hold them whole (pydantic reads the shapes from the dataclasses).

Defaults are left out, so a changed default would change what is stored: that takes a new `schema.VERSION`. A body's
bytes are never in the JSON, nor are the sender's own words where there are keys. The facts' outside map, whose keys are
pairs, is kept as a list beside the record.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from gateway.core.chronicle import without_words
from gateway.core.facts import Attachment, Facts, Label, LabelResult, Lookup, OutsideFact
from gateway.core.record import BodyRef, Entry, Event, Message, RecipientRow
from gateway.flow.ports import SpoolError
from gateway.spool.body_keys import BodyKeys, plain_size

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

_Outside: TypeAlias = list[tuple[Lookup, str, OutsideFact]]


@dataclass(slots=True)
class _StoredMessage:
    message: Message
    outside: _Outside
    words: str = ""  # The facts' `_Words` as base64 of sealed JSON, if there are keys.
    key: str = ""  # The mark of the key that sealed the body, which a damaged body would not tell.


@dataclass(slots=True)
class _Words:
    """What `without_words` takes out."""

    labels: tuple[Label, ...]
    attachments: tuple[Attachment, ...]


@dataclass(slots=True)
class _StoredEvent:
    event: Event
    outside: _Outside


_MESSAGE: Final = TypeAdapter(_StoredMessage)
_EVENT: Final = TypeAdapter(_StoredEvent)
_WORDS: Final = TypeAdapter(_Words)
_ROW: Final = TypeAdapter(RecipientRow)

MessageRow: TypeAlias = tuple[str, int, str, str | None, str, bytes | None]
"""queue_id, accepted_at, policy_hash, path, record, body."""
RecipientColumns: TypeAlias = tuple[str, int, str, str, str, int | None, str]
"""queue_id, number, state, domain, next_hop, due_at, record."""
EventRow: TypeAlias = tuple[int, str, str, str]
"""at, queue_id, message_id, record."""


class Unreadable(SpoolError):
    """A stored record is damaged, or of another version than the table says."""


def micros(at: datetime) -> int:
    """Microseconds since 1970."""
    return (at - _EPOCH) // _MICROSECOND


def moment(at: int) -> datetime:
    """The time of so many microseconds since 1970."""
    return _EPOCH + at * _MICROSECOND


def encode_message(message: Message, keys: BodyKeys) -> MessageRow:
    """The row of ``messages``. Raises SpoolError for text that is not Unicode."""
    body = message.body
    bare, words = _without_words(message if body.inline is None else replace(message, body=_bare(body)), keys)
    stored = _StoredMessage(bare, _outside(message.facts), words, keys.first)
    return (
        message.queue_id,
        micros(message.accepted_at),
        message.policy_hash,
        body.path,
        _dump(_MESSAGE, stored, exclude={"message": {"facts": {"outside"}}}),
        keys.seal(body.inline) if body.inline is not None else None,
    )


def decode_message(record: str, body: bytes | None, keys: BodyKeys) -> Message:
    """The message; without ``body`` an inline one has an empty path, and cannot be opened.

    Without any keys the facts of one that is sealed have none of the sender's words. Raises SpoolError.
    """
    stored = _load(_MESSAGE, record)
    message = _with_words(stored.message, stored.words, keys)
    if message.facts is not None and stored.outside:
        message = replace(message, facts=_with_outside(message.facts, stored.outside))
    if body is not None:
        opened = keys.open(body, message.body.size)
        message = replace(message, body=replace(message.body, inline=opened, path=None))
    return message


def key_of(record: str) -> str:
    """The mark of the key that sealed the message's body; empty if it lies there as it came. Raises Unreadable."""
    return _load(_MESSAGE, record).key


def encode_row(queue_id: str, row: RecipientRow) -> RecipientColumns:
    """The row of ``recipients``. Raises SpoolError for text that is not Unicode."""
    due_at = micros(row.due_at) if row.state.waits else None
    return queue_id, row.number, row.state.value, row.address.domain, row.next_hop, due_at, _dump(_ROW, row)


def decode_row(record: str) -> RecipientRow:
    """The recipient. Raises Unreadable."""
    return _load(_ROW, record)


def encode_event(event: Event) -> EventRow:
    """The row of ``events``. Raises SpoolError for text that is not Unicode."""
    stored = _StoredEvent(event, _outside(event.facts))
    record = _dump(_EVENT, stored, exclude={"event": {"facts": {"outside"}}})
    return micros(event.at), event.queue_id, event.message_id, record


def decode_event(record: str) -> Event:
    """The event. Raises Unreadable."""
    stored = _load(_EVENT, record)
    if stored.event.facts is not None and stored.outside:
        return replace(stored.event, facts=_with_outside(stored.event.facts, stored.outside))
    return stored.event


def encode_entry(entry: Entry, keys: BodyKeys) -> tuple[MessageRow | None, list[RecipientColumns], list[EventRow]]:
    """All rows of an entry; one whose recipients have all ended leaves its events only."""
    events = [encode_event(event) for event in entry.events]
    if not any(row.state.waits for row in entry.rows):
        return None, [], events
    return encode_message(entry.message, keys), [encode_row(entry.message.queue_id, row) for row in entry.rows], events


def _without_words(message: Message, keys: BodyKeys) -> tuple[Message, str]:
    """Names of files, and labels that name no level, say as much as a subject does, so they lie sealed too."""
    facts = message.facts
    if facts is None or not keys:
        return message, ""
    words = _Words(facts.classification.labels, facts.attachments)
    if not words.attachments and all(label.result is LabelResult.LEVEL for label in words.labels):
        return message, ""
    return replace(message, facts=without_words(facts)), b64encode(keys.seal(_dump(_WORDS, words).encode())).decode()


def _with_words(message: Message, words: str, keys: BodyKeys) -> Message:
    facts = message.facts
    if facts is None or not words or not keys:
        return message
    sealed = b64decode(words)
    found = _load(_WORDS, keys.open(sealed, plain_size(len(sealed))).decode())
    classification = replace(facts.classification, labels=found.labels)
    return replace(message, facts=replace(facts, classification=classification, attachments=found.attachments))


def _bare(body: BodyRef) -> BodyRef:
    return BodyRef(size=body.size, sha256=body.sha256, path="")


def _outside(facts: Facts | None) -> _Outside:
    return [(lookup, domain, fact) for (lookup, domain), fact in facts.outside.items()] if facts is not None else []


def _with_outside(facts: Facts, outside: Iterable[tuple[Lookup, str, OutsideFact]]) -> Facts:
    found: Mapping[tuple[Lookup, str], OutsideFact] = {(lookup, domain): fact for lookup, domain, fact in outside}
    return replace(facts, outside=found)


_Exclude: TypeAlias = dict[str, dict[str, set[str]]]
_Stored = TypeVar("_Stored")


def _dump(adapter: TypeAdapter[_Stored], value: _Stored, exclude: _Exclude | None = None) -> str:
    try:
        return adapter.dump_json(value, exclude=exclude, exclude_defaults=True).decode()
    except (PydanticSerializationError, UnicodeError) as error:
        raise SpoolError(f"a record cannot be stored: {type(error).__name__}") from error


def _load(adapter: TypeAdapter[_Stored], record: str) -> _Stored:
    try:
        return adapter.validate_json(record)
    except (ValidationError, ValueError) as error:
        raise Unreadable("a stored record is damaged") from error
