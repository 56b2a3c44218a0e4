"""From a decision to a row of the queue: which route is entered when, and which instants end it.

Pure: the routes in force come in through `Ways`, the time as an argument. What an attempt's outcome means is
`core.progress`; that a row is stored is the spool's.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Protocol, assert_never

from gateway.core.decision import Decision, Held, Open, Refused, Routed
from gateway.core.envelope import Recipient
from gateway.core.policy import Policy, Send
from gateway.core.record import RecipientRow, State
from gateway.core.route import Route, demand

HELD: Final = "held"
"""The next hop of what a person has to decide: those whom the rule names, or an operator."""

HELD_BY_OPERATOR: Final = "held by an operator"
"""The next hop of what an operator stopped; nobody else releases it."""

OPEN_FOR: Final = timedelta(hours=48)
"""How long a recipient may wait for the facts that its rule reads, from acceptance (design: decision)."""


class Ways(Protocol):
    """The routes in force."""

    def route(self, name: str) -> Route | None:
        """The route, or None if no route has that name (any more)."""
        ...

    def next_hop(self, name: str, domain: str) -> str:
        """The key of concurrency and back-off for mail to ``domain`` by that route."""
        ...


def chain_of(decision: Decision) -> tuple[str, ...]:
    """The routes in order; a held recipient has them for its release, a refused or open one has none."""
    match decision:
        case Routed() | Held():
            return decision.chain
        case Refused() | Open():
            return ()
        case _:  # pragma: no cover - the type checker proves that there is no other.
            assert_never(decision)


@dataclass(frozen=True, slots=True)
class Planner:
    """Makes and moves rows. ``max_age`` ends everything, counted from acceptance; ``hold_max`` a hold."""

    ways: Ways
    max_age: timedelta
    hold_max: timedelta

    def start(self, number: int, recipient: Recipient, decision: Decision, accepted_at: datetime) -> RecipientRow:
        """The row of a recipient just decided. A refused one is REFUSED; the caller says if it is reported instead."""
        expires_at = accepted_at + self.max_age
        row = RecipientRow(
            number=number,
            recipient=recipient,
            decision=decision,
            state=State.REFUSED,
            entered_at=accepted_at,
            deadline=expires_at,
            expires_at=expires_at,
            due_at=accepted_at,
        )
        return self.place(row, decision, accepted_at)

    def place(self, row: RecipientRow, decision: Decision, now: datetime) -> RecipientRow:
        """The row under a (new) decision. An open recipient that is decided late keeps the time of its acceptance."""
        match decision:
            case Routed():
                return self._enter(row, decision, 0, row.entered_at, now)
            case Refused():
                return replace(row, decision=decision, state=State.REFUSED)
            case Held():
                return self._hold(replace(row, decision=decision), HELD, now)
            case Open():
                until = min(row.entered_at + OPEN_FOR, row.expires_at)
                hop = f"open:{row.address.domain}"
                return replace(row, decision=decision, state=State.OPEN, next_hop=hop, deadline=until)
            case _:  # pragma: no cover - the type checker proves that there is no other.
                assert_never(decision)

    def move(self, row: RecipientRow, index: int, now: datetime) -> RecipientRow:
        """The row on a later route of its chain; its time there runs from now."""
        return self._enter(row, row.decision, index, now, now)

    def hold(self, row: RecipientRow, now: datetime) -> RecipientRow:
        """A row that waits is stopped by an operator, where it stands in its chain."""
        return self._hold(row, HELD_BY_OPERATOR, now)

    def release(self, row: RecipientRow, now: datetime) -> RecipientRow:
        """A held row enters the route on which it was held, for a rule's hold the first; an open one waits on.

        The time that it was held does not count towards ``max_age``.
        """
        free = replace(row, entered_at=now, due_at=now, expires_at=row.expires_at + (now - row.entered_at))
        if isinstance(row.decision, Open):
            return self.place(free, row.decision, now)
        return self._enter(free, row.decision, row.route_index, now, now)

    def reroute(self, row: RecipientRow, name: str, now: datetime) -> RecipientRow | None:
        """The row on one other route, held if it was; None if that cannot give the floor, or it is not decided yet."""
        decision, route = row.decision, self.ways.route(name)
        if not isinstance(decision, Routed | Held) or route is None or demand(route, decision.floor) is None:
            return None
        other = replace(decision, chain=(name,), without=())
        if row.state is State.HELD:
            return replace(row, decision=other, route_index=0)
        return self._enter(row, other, 0, now, now)

    def _hold(self, row: RecipientRow, next_hop: str, now: datetime) -> RecipientRow:
        until = now + self.hold_max
        return replace(row, state=State.HELD, next_hop=next_hop, entered_at=now, deadline=until, due_at=until)

    def following(self, row: RecipientRow, taken: tuple[str, ...]) -> int | None:
        """The next route that can give the floor and was not taken on an earlier pass.

        A route that no longer exists counts: entering it defers with an alert, while passing it over would turn our
        own mistake into a report.
        """
        chain = chain_of(row.decision)
        for index in range(row.route_index + 1, len(chain)):
            route = self.ways.route(chain[index])
            if chain[index] not in taken and (route is None or demand(route, row.decision.floor) is not None):
                return index
        return None

    def _enter(
        self, row: RecipientRow, decision: Decision, index: int, entered_at: datetime, now: datetime
    ) -> RecipientRow:
        name = chain_of(decision)[index]
        route = self.ways.route(name)
        limit = _shorter(route.give_up_after if route is not None else None, _patience(decision, index))
        deadline = row.expires_at if limit is None else min(entered_at + limit, row.expires_at)
        return replace(
            row,
            decision=decision,
            state=State.QUEUED,
            route_index=index,
            next_hop=self.ways.next_hop(name, row.address.domain),
            entered_at=entered_at,
            deadline=deadline,
            due_at=now,
            first_handshake_failure=None,
        )


def left_out(decision: Decision, policy: Policy) -> str:
    """The route that the rule names first, if the decision had to leave it out (a limit of size); else empty (R17)."""
    if not isinstance(decision, Routed) or decision.instead is not None:
        return ""
    rule = next((rule for rule in policy.rules if rule.name == decision.rule), None)
    if rule is None or not isinstance(rule.action, Send) or rule.action.chain[0] in decision.chain:
        return ""
    return rule.action.chain[0]


def _patience(decision: Decision, index: int) -> timedelta | None:
    """How long the recipient may be kept on that route, whatever the route says; the last one has no other behind."""
    last = index == len(chain_of(decision)) - 1
    return decision.patience if isinstance(decision, Routed | Held) and not last else None


def _shorter(one: timedelta | None, other: timedelta | None) -> timedelta | None:
    return min((limit for limit in (one, other) if limit is not None), default=None)
