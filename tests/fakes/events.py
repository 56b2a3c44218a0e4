"""Telemetry that remembers every fact it heard, in order."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.core.outcome import Outcome
from gateway.core.override import OverrideResult
from gateway.core.record import Message, RecipientRow
from gateway.core.route import Route


@dataclass
class Heard:
    """One list per fact."""

    accepted_rows: list[tuple[Message, tuple[RecipientRow, ...]]] = field(default_factory=list)
    refusals: list[tuple[str, str, str, int]] = field(default_factory=list)
    attempts: list[tuple[str, str, Outcome]] = field(default_factory=list)
    moves: list[tuple[str, str, str]] = field(default_factory=list)
    ends: list[tuple[Message, RecipientRow]] = field(default_factory=list)
    fell_short: list[tuple[Message, RecipientRow]] = field(default_factory=list)
    observed_short: list[tuple[Message, RecipientRow]] = field(default_factory=list)
    overrides: list[tuple[str, str, OverrideResult]] = field(default_factory=list)
    alerts: list[tuple[str, str, str]] = field(default_factory=list)
    faults: list[tuple[str, str, BaseException]] = field(default_factory=list)

    def accepted(self, message: Message, rows: Sequence[RecipientRow]) -> None:
        self.accepted_rows.append((message, tuple(rows)))

    def refused(self, listener: str, client: str, reason: str, code: int) -> None:
        self.refusals.append((listener, client, reason, code))

    def attempted(self, message: Message, row: RecipientRow, route: Route, outcome: Outcome) -> None:
        self.attempts.append((str(row.address), route.name, outcome))

    def moved(self, message: Message, row: RecipientRow, from_route: str, to_route: str) -> None:
        self.moves.append((str(row.address), from_route, to_route))

    def ended(self, message: Message, row: RecipientRow) -> None:
        self.ends.append((message, row))

    def unprotected(self, message: Message, row: RecipientRow) -> None:
        self.fell_short.append((message, row))

    def observed_unprotected(self, message: Message, row: RecipientRow) -> None:
        self.observed_short.append((message, row))

    def overridden(self, rule: str, sender: str, result: OverrideResult) -> None:
        self.overrides.append((rule, sender, result))

    def alert(self, name: str, queue_id: str, detail: str) -> None:
        self.alerts.append((name, queue_id, detail))

    def broken(self, where: str, queue_id: str, error: BaseException) -> None:
        self.faults.append((where, queue_id, error))
