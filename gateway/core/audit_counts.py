"""The audit counted without names: for freedom-of-information requests and yearly reports.

A recipient is counted once, in the month of its end, by what is known of it then. Left out on purpose: who they were,
and small counts, which whoever publishes them has to look at.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from gateway.core.audit_query import Entry
from gateway.core.record import EventKind


@dataclass(frozen=True, slots=True, order=True)
class Group:
    """Recipients that are counted together; ``month`` is YYYY-MM. Empty is what the audit does not tell."""

    month: str
    level: str = ""
    rule: str = ""
    decision: str = ""
    route: str = ""
    grade: str = ""
    end: str = ""


@dataclass(slots=True)
class _Story:
    """What is known of one recipient up to now."""

    rule: str = ""
    decision: str = ""
    route: str = ""
    grade: str = ""


@dataclass(slots=True)
class _Counting:
    levels: dict[str, str] = field(default_factory=dict[str, str])
    stories: dict[tuple[str, int | None], _Story] = field(default_factory=dict[tuple[str, "int | None"], _Story])
    counts: Counter[Group] = field(default_factory=Counter[Group])


def counts(entries: Iterable[Entry]) -> tuple[tuple[Group, int], ...]:
    """The groups in order, each with its number of recipients."""
    counting = _Counting()
    for entry in entries:
        _count(counting, entry)
    return tuple(sorted(counting.counts.items()))


def _count(counting: _Counting, entry: Entry) -> None:
    record = entry.record
    if record.kind == EventKind.ACCEPTED:
        counting.levels[record.queue_id] = record.level
        return
    key = (record.queue_id, record.number)
    story = counting.stories.setdefault(key, _Story())
    if record.kind == EventKind.DECIDED:
        story.rule, story.decision = record.rule, record.decision
    story.route = record.route or story.route
    if record.outcome in ("delivered", "sealed"):
        story.grade = record.grade
    if record.kind == EventKind.ENDED:
        del counting.stories[key]
        counting.counts[_group(counting.levels.get(record.queue_id, ""), story, entry)] += 1


def _group(level: str, story: _Story, entry: Entry) -> Group:
    return Group(
        month=entry.record.at[:7],
        level=level,
        rule=story.rule,
        decision=story.decision,
        route=story.route,
        grade=story.grade,
        end=entry.record.end,
    )
