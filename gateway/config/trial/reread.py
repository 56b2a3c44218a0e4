"""Facts of the audit as another policy would have read them: labels again, as far as they were recorded.

No message is at hand, so whatever only the message could tell is None: not recorded, and never guessed.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from gateway.core.address import Address
from gateway.core.defaults import Origin, default_level, system_of
from gateway.core.facts import Classification, Facts, Field, Label, LabelResult, Scan
from gateway.core.labels import HeaderSource, LabelSource, read_labels
from gateway.core.policy import Policy
from gateway.core.reading import Reading
from gateway.core.registers.systems import System

_CUT: Final = 100
"""Characters; a label that was recorded with so many may have had more."""


@dataclass(frozen=True, slots=True)
class Reader:
    """What of a policy decides how a message is read."""

    reading: Reading
    systems: tuple[System, ...]


def reader_of(policy: Policy) -> Reader:
    """The policy's."""
    return Reader(policy.reading, policy.registers.systems)


def reread(facts: Facts, then: Reader | None, now: Reader) -> Facts | None:
    """The facts under ``now``; ``then`` is what they were read under, None if nobody knows that any more."""
    if then == now:
        return facts
    if then is None or _intent(then.reading) != _intent(now.reading):
        return None
    labels = _labels(facts.classification.labels, then.reading, now.reading)
    found = None if labels is None else _classification(facts, labels, now)
    return None if found is None else replace(facts, classification=found)


def _intent(reading: Reading) -> tuple[object, ...]:
    return reading.intent_header, reading.intent_marks


def _classification(facts: Facts, labels: tuple[Label, ...], now: Reader) -> Classification | None:
    """As `gateway.core.classify` does it; a malformed header stays one."""
    levels = now.reading.levels
    garbled = next((f"garbled: {label.source}" for label in labels if label.result is LabelResult.GARBLED), None)
    if garbled is None and facts.classification.source.startswith("garbled: malformed"):
        garbled = facts.classification.source
    if garbled is not None:
        return Classification(level=levels[-1], source=garbled, labels=labels)
    named = ((level, label.source) for level in reversed(levels) for label in labels if label.level == level)
    found = next(named, None) or _default(facts, now)
    return None if found is None else Classification(level=found[0], source=found[1], labels=labels)


def _default(facts: Facts, now: Reader) -> tuple[str, str] | None:
    """The client's address is not in the audit, so where a network is asked for, nothing can be said."""
    if any(default.network is not None for default in now.reading.defaults):
        return None
    if any(system.networks for system in now.systems):
        return None
    local, at, domain = facts.sender.rpartition("@")
    origin = Origin(listener=facts.listener, client=None, sender=Address(local, domain) if at else None)
    return default_level(now.reading.defaults, system_of(now.systems, origin), now.reading.default, origin)


def _labels(found: tuple[Label, ...], then: Reading, now: Reading) -> tuple[Label, ...] | None:
    """The labels again. Of the sources only header fields' values may differ: their text was recorded in any case."""
    old, new = _apart(then.sources, now.sources), _apart(now.sources, then.sources)
    if then.levels != now.levels or not _same_fields(old, new):
        return None
    names = {source.origin: source.name for source in old if isinstance(source, HeaderSource)}
    texts = [label for label in found if label.source in names]
    if any(len(label.raw) >= _CUT or (label.result is not LabelResult.LEVEL and not label.raw) for label in texts):
        return None
    fields = tuple(Field(names[label.source], label.raw.encode()) for label in texts)
    scan = Scan(fields=fields, attachments=(), message_bytes=0, header_bytes=0)
    kept = [label for label in found if label.source not in names]
    return (*kept, *read_labels(scan, new, now.levels))


def _apart(sources: Iterable[LabelSource], others: Iterable[LabelSource]) -> tuple[LabelSource, ...]:
    there = tuple(others)
    return tuple(source for source in sources if source not in there)


def _same_fields(old: tuple[LabelSource, ...], new: tuple[LabelSource, ...]) -> bool:
    """Whether both are header fields of the same names, so that the audit has what either would have read."""
    fields = [
        sorted(source.name.casefold() for source in each if isinstance(source, HeaderSource)) for each in (old, new)
    ]
    return fields[0] == fields[1] and len(fields[0]) == len(old) and len(fields[1]) == len(new)
