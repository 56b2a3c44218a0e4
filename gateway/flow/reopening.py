"""Open recipients: decided again, with the policy that accepted them, until the facts are there or time is over."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from gateway.core.chronicle import row_event
from gateway.core.decision import Decision, Open, Refused
from gateway.core.facts import Facts
from gateway.core.plan import left_out
from gateway.core.policy import Policy
from gateway.core.progress import EXPIRED, Ending, GiveBack
from gateway.core.record import EventKind, Message, RecipientRow
from gateway.core.refusal import softly_refused
from gateway.core.reply import Status
from gateway.flow.notices import decided_late
from gateway.flow.ports import Spool
from gateway.flow.rulings import rule
from gateway.flow.settling import Change, Settling
from gateway.flow.shared import Shared

_REFUSED: Final = GiveBack(Ending.REFUSED, Status(5, 7, 1))
_UNDECIDED: Final = Status(4, 4, 3)


class Reopening:
    """Decides the open rows of one message again."""

    def __init__(self, shared: Shared, spool: Spool, message: Message) -> None:
        self._shared = shared
        self._spool = spool
        self._message = message
        self._settling = Settling(shared, message)

    async def decide(self, rows: Sequence[RecipientRow]) -> list[Change]:
        """One change for each row, in order. A policy that is gone leaves them open, and somebody hears of it."""
        facts, policy = self._message.facts, await self._policy()
        if facts is None or policy is None:
            now = self._shared.clock.now()
            return [self._still_open(row, row.decision, now) for row in rows]
        decisions = await self._decisions(rows, facts, policy)
        now = self._shared.clock.now()
        return [
            self._still_open(row, decision, now)
            if isinstance(decision, Open)
            else self._decided(row, decision, left_out(decision, policy), now)
            for row, decision in zip(rows, decisions, strict=True)
        ]

    async def _decisions(self, rows: Sequence[RecipientRow], facts: Facts, policy: Policy) -> Sequence[Decision]:
        """Rows that a fault of ours keeps from being decided stay as they are, and their deadline holds."""
        addresses, shared = [row.address for row in rows], self._shared
        now, rollouts = shared.clock.now(), shared.rollouts()
        try:
            wait = shared.queue.door_wait
            rulings = await rule(facts, addresses, policy, shared.lookups, wait, rollouts=rollouts, at=now)
            return rulings.decisions
        except Exception as error:
            shared.events.broken("decide", self._message.queue_id, error)
            return [row.decision for row in rows]

    async def _policy(self) -> Policy | None:
        queue_id, policy_hash = self._message.queue_id, self._message.policy_hash
        try:
            policy = await self._shared.book.recall(policy_hash, self._spool)
        except Exception as error:
            self._shared.events.broken("policy", queue_id, error)
            return None
        if policy is None:
            self._shared.events.alert("policy-missing", queue_id, f"the policy {policy_hash} was not kept")
        return policy

    def _still_open(self, row: RecipientRow, decision: Decision, now: datetime) -> Change:
        tried = replace(row, decision=decision, attempts=row.attempts + 1)
        if now >= row.deadline:
            softened = isinstance(decision, Open) and softly_refused(decision)
            back = _REFUSED if softened else GiveBack(Ending.EXPIRED, EXPIRED)
            return replace(self._settling.given_back(tried, back, now), before=row)
        due_at = min(self._settling.next_try(tried, now), row.deadline)
        return replace(self._settling.again(tried, due_at, now, _UNDECIDED), before=row)

    def _decided(self, row: RecipientRow, decision: Decision, without: str, now: datetime) -> Change:
        placed = self._shared.planner.place(replace(row, attempts=0, left_out=without), decision, now)
        decided = row_event(self._message, placed, EventKind.DECIDED, now, "decided late, when the facts were there")
        if not isinstance(decision, Refused):
            if decision.effects.copies and not set(decision.effects.copies) <= _copied(row.decision):
                why = "a recipient was decided too late for the copy for the record that its rules ask for"
                self._shared.events.alert("copy-missed", self._message.queue_id, why)
            told = decided_late(self._message, row, placed)
            return Change(before=row, after=placed, events=(decided,), told=told)
        back = self._settling.given_back(placed, _REFUSED, now)
        return replace(back, before=row, events=(decided, *back.events))


def _copied(decision: Decision) -> frozenset[str]:
    """The mailboxes that had their copy at the door, before the recipient was decided (see `flow.copies`)."""
    softened = isinstance(decision, Open) and softly_refused(decision)
    return frozenset() if softened else frozenset(decision.effects.copies)
