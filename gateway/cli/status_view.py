"""The gateway on one screen: what `sealpost status` and `sealpost top` print, and the JSON of both."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pydantic import TypeAdapter
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from gateway.app.messages import View
from gateway.cli.queue_view import Json, outcome_json, outcome_line, when
from gateway.core.record import State
from gateway.flow.ports import QueueSize
from gateway.spool.stuck import Stuck
from gateway.telemetry.figures import Figures

SHOWN: Final = 5
"""Rows of each table."""

_VIEW: Final = TypeAdapter(View)
_GRADES: Final = ("plain", "encrypted", "verified", "pinned", "mta-sts", "dane")
_REJECT: Final = "reject"
_LABEL: Final = 11
_BAD: Final = "bold red"


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What the gateway says of itself, and what waits in its spool: two looks, one behind the other."""

    view: View
    queue: QueueSize
    stuck: tuple[Stuck, ...]

    @property
    def trouble(self) -> str:
        """Why a person is needed now; empty if nobody is."""
        view, figures = self.view, self.view.figures
        return "; ".join(
            filter(
                None,
                (
                    f"not ready: {view.not_ready}" if view.not_ready else "",
                    f"{figures.unprotected} deliveries below their floor" if figures.unprotected else "",
                    "" if figures.reload_good else "the last reload was refused, so an older configuration is in force",
                ),
            )
        )


def as_json(snapshot: Snapshot) -> dict[str, Json]:
    """Keys are added at times, never renamed. Times are ISO 8601 in UTC."""
    said = _VIEW.dump_python(snapshot.view, mode="json", exclude={"kind"})
    return {
        **said,
        "trouble": snapshot.trouble or None,
        "queue": {
            "waiting": {state.value: count for state, count in snapshot.queue.waiting.items()},
            "oldest": when(snapshot.queue.oldest) if snapshot.queue.oldest else None,
        },
        "stuck": [_stuck_json(each) for each in snapshot.stuck],
    }


def _stuck_json(each: Stuck) -> dict[str, Json]:
    return {
        "next_hop": each.next_hop or None,
        "state": each.state.value,
        "recipients": each.recipients,
        "queue_id": each.queue_id,
        "since": when(each.since),
        "last": outcome_json(each.last) if each.last else None,
    }


def screen(snapshot: Snapshot, before: Snapshot | None = None) -> RenderableType:
    """All of it; with an earlier one also how fast mail flows."""
    parts: list[RenderableType] = [_line(*each) for each in _lines(snapshot, before)]
    for table in (_stuck(snapshot), _refusing(snapshot.view.figures), _partners(snapshot.view.figures)):
        if table.row_count:
            parts += ["", table]
    return Group(*parts)


def _line(label: str, text: str, style: str = "") -> Text:
    return Text.assemble((f"{label:<{_LABEL}}", "bold"), (text, style))


def _lines(snapshot: Snapshot, before: Snapshot | None) -> Iterator[tuple[str, str] | tuple[str, str, str]]:
    view, figures = snapshot.view, snapshot.view.figures
    up = span(view.at - view.started_at)
    yield ("Gateway", f"not ready: {view.not_ready}", _BAD) if view.not_ready else ("Gateway", f"ready, for {up}")
    loaded = f", loaded {when(figures.reload_at)}" if figures.reload_at else ""
    yield "Policy", f"{view.policy[:12]}{loaded}, sealpost {view.version}"
    if not figures.reload_good:
        yield "Reload", "the last one was refused; the log says why", _BAD
    if figures.modes:
        yield "Modes", f"not all is enforced: {', '.join(figures.modes)}", _BAD
    yield "Listeners", ", ".join(f"{each.serves} {each.address}" for each in view.listeners)
    yield "Workers", _workers(view)
    yield "Flow", _flow(figures) + (_pace(snapshot, before) if before is not None else "")
    below = f"{figures.unprotected} deliveries below their floor: an incident" if figures.unprotected else ""
    observed = f"; {figures.observed_unprotected} below it while only observed" if figures.observed_unprotected else ""
    yield "Protection", f"{below or 'nothing left below its floor'}{observed}", _BAD if below else ""
    yield "Queue", _queue(snapshot.queue, view.at)
    alerts = ", ".join(f"{each.name} {each.count}" for each in figures.alerts)
    faults = f"; {figures.broken} faults of ours" if figures.broken else ""
    yield "Alerts", f"{alerts or 'none'}{faults}", _BAD if alerts or faults else ""


def _workers(view: View) -> str:
    told = [
        f"{each.number} {each.problem or 'fine'} (shard {', '.join(map(str, each.shards)) or 'none'})"
        for each in view.workers
    ]
    restarts = view.figures.restarts
    return ", ".join(told) + (f"; {restarts} replaced" if restarts else "")


def _flow(figures: Figures) -> str:
    ends = "".join(f", {each.count} {each.name}" for each in figures.ended)
    taken = f"{figures.received} messages taken, {figures.refused} commands or messages refused in the session"
    return f"{taken}; recipients{ends[1:] or ' have not ended yet'}"


def _pace(snapshot: Snapshot, before: Snapshot) -> str:
    seconds = (snapshot.view.at - before.view.at).total_seconds()
    if seconds <= 0:
        return ""
    came = (snapshot.view.figures.received - before.view.figures.received) / seconds
    ended = (_ended(snapshot) - _ended(before)) / seconds
    return f"; now {max(came, 0):.1f} messages/s in, {max(ended, 0):.1f} recipients/s done"


def _ended(snapshot: Snapshot) -> int:
    return sum(each.count for each in snapshot.view.figures.ended)


def _queue(queue: QueueSize, now: datetime) -> str:
    waiting = ", ".join(f"{count} {state.value}" for state, count in queue.waiting.items() if count)
    if not waiting or queue.oldest is None:
        return "nothing waits"
    return f"{waiting}; the oldest for {span(now - queue.oldest)}"


def _stuck(snapshot: Snapshot) -> Table:
    table = _table("Waits for", "State", "Recipients", "Oldest", "Last attempt")
    for each in snapshot.stuck[:SHOWN]:
        last = outcome_line(each.last) if each.last else _untried(each.state)
        age = span(snapshot.view.at - each.since)
        _add(table, each.next_hop or "nobody yet", each.state.value, str(each.recipients), age, last)
    return table


def _untried(state: State) -> str:
    return "waits for a person" if state is State.HELD else "none yet"


def _refusing(figures: Figures) -> Table:
    table = _table("Refuses most", "Recipients")
    for each in [each for each in figures.rules if each.action == _REJECT][:SHOWN]:
        _add(table, each.rule, str(each.count))
    return table


def _partners(figures: Figures) -> Table:
    table = _table("Weakest partners", "Domain", "TLS", "Certificate ends in")
    for each in figures.partners[:SHOWN]:
        days = "unknown" if each.days is None else f"{each.days:.0f} days"
        _add(table, each.partner, each.domain, _grade(each.grade), days)
    return table


def _grade(grade: int | None) -> str:
    if grade is None:
        return "unknown"
    return _GRADES[grade] if 0 <= grade < len(_GRADES) else "takes no mail"


def _table(*names: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in names:
        table.add_column(name, overflow="fold")
    return table


def _add(table: Table, *cells: str) -> None:
    table.add_row(*map(escape, cells))


def span(length: timedelta) -> str:
    """In words, the two largest units."""
    seconds = max(0, int(length.total_seconds()))
    for unit, size, lesser, least in (("d", 86_400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if seconds >= size:
            rest = seconds % size // least
            return f"{seconds // size} {unit}" + (f" {rest} {lesser}" if rest else "")
    return f"{seconds} s"
