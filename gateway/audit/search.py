"""Searches the audit: first which messages are meant, then all that it says of them.

It reads everything more than once and keeps queue ids only, so that a long trail needs little memory.
"""

from collections.abc import Iterator

from gateway.audit.trails import Trail
from gateway.core.audit_query import By, Chosen, Entry, Query, names


def search(trail: Trail, query: Query) -> Iterator[Entry]:
    """All events of the messages that are meant, oldest first. Raises OSError, SpoolError."""
    entries = trail.entries_of(frozenset(chosen(trail, query)))
    for person in (criterion.value for criterion in query.criteria if criterion.by is By.PERSON):
        entries = _concerning(person.casefold(), entries)
    return entries


def chosen(trail: Trail, query: Query) -> tuple[str, ...]:
    """The queue ids of those messages, oldest first. Raises as `search` does."""
    found = Chosen(query)
    for text in dict.fromkeys(criterion.value.strip("<>") for criterion in query.criteria) or ("",):
        for entry in trail.entries(text):
            found.look(entry)
    if query.criteria and query.timed:
        # What happened at that time need not mention what was asked for.
        for entry in trail.entries_of(found.begun):
            found.look(entry)
    return found.queue_ids


def _concerning(person: str, entries: Iterator[Entry]) -> Iterator[Entry]:
    """Leaves out the other recipients of what somebody got: they are somebody else's data. Who wrote it, sees all."""
    wrote: set[str] = set()
    for entry in entries:
        persons = entry.persons
        if any(names(person, text) for text in (persons.sender, persons.author, persons.header_sender)):
            wrote.add(entry.record.queue_id)
        recipient = persons.recipient
        if not recipient or names(person, recipient) or entry.record.queue_id in wrote:
            yield entry
