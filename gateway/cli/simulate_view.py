"""`sealpost simulate` for people and scripts: counts by rule and by route, then the messages that change."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

from gateway.config.trial.compare import Change, End
from gateway.config.trial.replay import Changed, Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """The policy's file, how far back it was tried, and what came out."""

    policy: str
    since: datetime
    tally: Tally


class PairJson(TypedDict):
    """So many recipients went one way and would go another."""

    was: str
    would: str
    count: int


class ReasonJson(TypedDict):
    """What was not recorded, and for how many recipients."""

    reason: str
    count: int


class EndJson(TypedDict):
    """A decision as it is compared; ``route`` is a chain, empty for what is given back."""

    rule: str
    action: str
    route: list[str]
    floor: str


class ChangedJson(TypedDict):
    """One recipient for whom something changes."""

    change: str
    queue_id: str
    recipient: str
    was: EndJson
    would: EndJson
    why: str


class SimulateJson(TypedDict):
    """The whole answer; keys may be added, none is renamed. All counts but ``messages`` are of recipients."""

    policy: str
    since: str
    messages: int
    less_protected: int
    more_protected: int
    another_way: int
    unchanged: int
    not_recorded: int
    damaged_events: int
    by_rule: list[PairJson]
    by_route: list[PairJson]
    not_recorded_because: list[ReasonJson]
    changes: list[ChangedJson]


def as_json(told: Simulated) -> SimulateJson:
    """The answer as plain values."""
    tally = told.tally
    return {
        "policy": told.policy,
        "since": told.since.isoformat(timespec="seconds"),
        "messages": tally.messages,
        "less_protected": tally.kinds[Change.LESS],
        "more_protected": tally.kinds[Change.MORE],
        "another_way": tally.kinds[Change.OTHER],
        "unchanged": tally.kinds[Change.NONE],
        "not_recorded": tally.kinds[Change.UNRECORDED],
        "damaged_events": tally.damaged,
        "by_rule": _pairs(tally.rules),
        "by_route": _pairs(tally.routes),
        "not_recorded_because": [{"reason": reason, "count": count} for reason, count in tally.unknown.most_common()],
        "changes": [_changed(each) for each in tally.changes],
    }


def _pairs(counts: Counter[tuple[str, str]]) -> list[PairJson]:
    return [{"was": was, "would": would, "count": count} for (was, would), count in counts.most_common()]


def _changed(changed: Changed) -> ChangedJson:
    return {
        "change": changed.change.value,
        "queue_id": changed.queue_id,
        "recipient": changed.recipient,
        "was": _end(changed.was),
        "would": _end(changed.would),
        "why": changed.why,
    }


def _end(end: End) -> EndJson:
    return {"rule": end.rule, "action": end.action, "route": list(end.route), "floor": end.floor.label}


def as_lines(told: Simulated) -> Iterator[str]:
    """The answer as lines."""
    tally = told.tally
    counted = f"{_count(tally.messages, 'message')}, {_count(tally.kinds.total(), 'recipient')}"
    yield f"{told.policy}: {counted} since {told.since.date()}"
    if tally.damaged:
        yield f"  {_count(tally.damaged, 'audit event')} could not be read"
    for change in Change:
        yield f"  {tally.kinds[change]:>9,}  {change.value}"
    yield from _table("By rule", tally.rules)
    yield from _table("By route", tally.routes)
    if tally.unknown:
        yield "Not recorded"
        for reason, count in tally.unknown.most_common():
            yield f"  {count:>9,}  {reason}"
    yield from _messages(tally)


def _table(title: str, counts: Counter[tuple[str, str]]) -> Iterator[str]:
    if counts:
        yield title
    for (was, would), count in counts.most_common():
        yield f"  {count:>9,}  {was} → {would}"


def _messages(tally: Tally) -> Iterator[str]:
    changes = sum(tally.kinds[change] for change in (Change.LESS, Change.MORE, Change.OTHER))
    if tally.changes:
        yield f"Messages that change ({len(tally.changes):,} of {changes:,})"
    for each in tally.changes:
        yield f"  {each.change.value}: {each.queue_id}  {each.recipient}"
        yield f"    was    {_line(each.was)}"
        yield f"    would  {_line(each.would)}, because {each.why}"


def _line(end: End) -> str:
    return f"“{end.rule}”: {end.route_text}, never below {end.floor.label}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
