"""How an operator's change is carried out: look up, ask, tell the gateway in parts, say what came of it.

What is asked about is what is done: the recipients are looked up once, and sent to the gateway by their numbers.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import Progress

from gateway.app.messages import MOST_PICKS, AskStatus, Changed, Operation, Pick
from gateway.cli.errors import Finding, Usage
from gateway.cli.queue_choice import Choice
from gateway.cli.queue_view import item_line
from gateway.cli.reload import ask_gateway, spool_of
from gateway.core.record import QueueId, State
from gateway.spool.reader import ShardReader

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON; keys are added at times, never renamed.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]

Picks = tuple[Pick, ...]

_SHOWN: Final = 5
_MOST_NUMBERS: Final = 4000
"""Recipients in one request, which the gateway reads whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """``verb`` is asked about, ``done`` told; ``states`` are what it changes, ``idle`` says that none of them is there.

    ``asks``: even for messages that were named.
    """

    verb: str
    done: str
    states: frozenset[State]
    idle: str = "waits in the queue"
    left: str = "are in hand at the moment, or were changed meanwhile"
    asks: bool = False


@dataclass(frozen=True, slots=True)
class _Found:
    """The recipients that were meant, by message, and the first of them as lines."""

    numbers: Mapping[QueueId, tuple[int, ...]]
    lines: tuple[str, ...]

    @property
    def recipients(self) -> int:
        return sum(map(len, self.numbers.values()))


class Doing:
    """One command."""

    def __init__(self, act: Act, meant: Choice, *, every: bool, yes: bool, as_json: bool) -> None:
        """Raises Usage for no choice at all without ``every``, and for both."""
        if (meant.filters or bool(meant.ids)) is every:
            raise Usage("name queue ids, or say which mail is meant (--domain, --rule …), or say --all")
        self._act = act
        self._meant = meant
        self._yes = yes
        self._as_json = as_json

    def run(self, config: Path | None, operation: Callable[[Picks], Operation]) -> None:
        """Raises Usage if no gateway runs, and Finding if nothing was changed."""
        spool = spool_of(config)
        ask_gateway(spool, AskStatus())
        found = self._look(ShardReader(spool))
        if not found.numbers:
            raise Finding(f"no recipient of {self._whose()} {self._act.idle}")
        self._confirm(found)
        changed = self._send(spool, found, operation)
        self._tell(found, changed)

    def _whose(self) -> str:
        ids = self._meant.ids
        return f"message {ids[0]}" if len(ids) == 1 and not self._meant.filters else "what is meant"

    def _look(self, reader: ShardReader) -> _Found:
        numbers: dict[QueueId, list[int]] = {}
        lines: list[str] = []
        for item in self._meant.items(reader, self._act.states):
            numbers.setdefault(item.message.queue_id, []).append(item.row.number)
            if len(lines) < _SHOWN:
                lines.append(item_line(item))
        return _Found({queue_id: tuple(those) for queue_id, those in numbers.items()}, tuple(lines))

    def _confirm(self, found: _Found) -> None:
        if self._yes or (self._meant.ids and not self._act.asks):
            return
        for line in found.lines:
            typer.echo(line, err=True)
        if found.recipients > len(found.lines):
            typer.echo(f"… and {found.recipients - len(found.lines)} more", err=True)
        what = f"{_count(found.recipients, 'recipient')} of {_count(len(found.numbers), 'message')}"
        typer.confirm(f"{self._act.verb.capitalize()}: {what}?", abort=True, err=True)

    def _send(self, spool: Path, found: _Found, operation: Callable[[Picks], Operation]) -> int:
        """How many recipients were changed. Raises Finding with what was done before, if the gateway cannot go on."""
        changed = 0
        with Progress(console=Console(stderr=True), transient=True, disable=len(found.numbers) <= MOST_PICKS) as bar:
            task = bar.add_task(self._act.done, total=len(found.numbers))
            for picks in _parts(found.numbers):
                answer = ask_gateway(spool, operation(picks))
                match answer:
                    case Changed():
                        changed += answer.recipients
                    case _:
                        before = f" ({_count(changed, 'recipient')} {self._act.done} before)" if changed else ""
                        raise Finding(f"{answer.text}{before}")
                bar.advance(task, len(picks))
        return changed

    def _tell(self, found: _Found, changed: int) -> None:
        left = found.recipients - changed
        others = f"{left if changed else _count(left, 'recipient')} {'others ' if changed else ''}{self._act.left}"
        if self._as_json:
            told = {"messages": len(found.numbers), "recipients": changed, "left": left}
            typer.echo(json.dumps(told))
        elif changed:
            typer.echo(f"{_count(changed, 'recipient')} {self._act.done}{f'; {others}' if left else ''}")
        if not changed:
            raise Finding(f"nothing was changed: {others}")


def _parts(numbers: Mapping[QueueId, tuple[int, ...]]) -> Iterator[Picks]:
    """As many messages as one request may hold."""
    part: list[Pick] = []
    size = 0
    for queue_id, those in numbers.items():
        if part and (len(part) == MOST_PICKS or size + len(those) > _MOST_NUMBERS):
            yield tuple(part)
            part, size = [], 0
        part.append(Pick(queue_id=queue_id, numbers=those))
        size += len(those)
    yield tuple(part)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
