"""Leaving a judged message with the MTA that brought it, or turning it away because that cannot carry it.

What is left there is audited like any other, and its recipients end so. An MTA has one answer for all recipients:
whatever they do not share is refused as a whole, with the names of those for whom it cannot leave.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, assert_never

from gateway.core.carriage import may_stay, needs_no_protection, why_not_carried
from gateway.core.decision import Decision, Held, Open, Refused, Routed, asked_for
from gateway.core.edits import Add
from gateway.core.envelope import Recipient
from gateway.core.policy import Policy
from gateway.core.record import Message
from gateway.core.refusal import postponement
from gateway.core.result import Result, result_field
from gateway.core.tls import Protection
from gateway.flow.custody import Custody, Fate, Left, Quarantined, TurnedAway
from gateway.flow.rulings import Rulings
from gateway.flow.shared import Shared
from gateway.flow.taking import Taking

_SEND_APART: Final = "Send it to this recipient in a message of its own."
_NOT_HERE: Final = "Ask for another way: this mail system cannot carry it as the rule demands."


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """For one message under one policy."""

    taking: Taking
    shared: Shared
    policy: Policy
    custody: Custody

    async def judge(self, message: Message, rulings: Rulings, told: str) -> Fate | None:
        """What becomes of it without us; None if we have to carry it. Raises SpoolError, and then nothing happened."""
        match self.custody:
            case Custody.RELAY:
                return None
            case Custody.TAKEOVER:
                stays = _as_it_is(message) and self._may_all_stay(message, rulings)
                return Left(await self._leave(message, rulings, told)) if stays else None
            case Custody.GATE:
                return await self._gate(message, rulings, told)
            case Custody.TAG:
                return Left(await self._leave(message, rulings, told))
            case _:
                assert_never(self.custody)

    async def _gate(self, message: Message, rulings: Rulings, told: str) -> Fate:
        decided = tuple(
            (recipient, self._for_mta(recipient, decision)) for recipient, decision in _pairs(message, rulings)
        )
        decisions = tuple(decision for _, decision in decided)
        refused = [(recipient, decision) for recipient, decision in decided if isinstance(decision, Refused)]
        if refused:
            return TurnedAway(await self.taking.refuse(message, replace(rulings, decisions=decisions), refused))
        missing = [(recipient, decision) for recipient, decision in decided if isinstance(decision, Open)]
        if missing:
            return TurnedAway(postponement(missing, self.policy.organisation.contact))
        held = [(recipient, decision) for recipient, decision in decided if isinstance(decision, Held)]
        if held and len(held) < len(decided):
            apart = [(recipient, _refused(decision, _SEND_APART)) for recipient, decision in held]
            return TurnedAway(await self.taking.refuse(message, _with(rulings, decided, apart), apart))
        fields = await self._leave(message, rulings, f"{told}; kept in the MTA's quarantine" if held else told)
        return Quarantined(held[0][1].rule, fields) if held else Left(fields)

    def _may_all_stay(self, message: Message, rulings: Rulings) -> bool:
        routes = self.policy.routes
        return all(
            may_stay(decision, routes, inside=self._inside(recipient))
            for recipient, decision in _pairs(message, rulings)
        )

    def _inside(self, recipient: Recipient) -> bool:
        return self.policy.owns(recipient.address.domain)

    def _for_mta(self, recipient: Recipient, decision: Decision) -> Decision:
        """As it was decided, but refused where the MTA could not do that; what is only observed is not refused."""
        if not isinstance(decision, Routed | Held) or _is_observed(decision):
            return decision
        why = why_not_carried(decision, self.policy.routes, inside=self._inside(recipient))
        reason = f"{decision.reason}; the mail system that you sent it by cannot {why}"
        return _refused(replace(decision, reason=reason), decision.advice or _NOT_HERE) if why else decision

    async def _leave(self, message: Message, rulings: Rulings, told: str) -> tuple[Add, ...]:
        rows = await self.taking.leave(message, rulings, told)
        for row in rows:
            # The MTA shows nothing of how it delivers, so what was demanded and not enforced counts as missing.
            if self._unenforced(row.recipient, row.decision):
                self.shared.events.observed_unprotected(message, row)
        if self.custody is Custody.TAKEOVER:
            return ()
        floor = max((asked_for(row.decision) for row in rows), default=Protection.NONE)
        level = rulings.facts.classification.level
        mark = Result(queue_id=message.queue_id, mode=self.custody.value)
        return (result_field(mark, floor, level, message.message_id, self.shared.system.hop_key),)

    def _unenforced(self, recipient: Recipient, decision: Decision) -> bool:
        if self.custody is Custody.TAG:
            return not needs_no_protection(decision, self.policy.routes, inside=self._inside(recipient))
        return _is_observed(decision)


def _pairs(message: Message, rulings: Rulings) -> Iterator[tuple[Recipient, Decision]]:
    return zip(message.envelope.recipients, rulings.decisions, strict=True)


def _is_observed(decision: Decision) -> bool:
    return isinstance(decision, Routed) and decision.instead is not None


def _as_it_is(message: Message) -> bool:
    """Whether it may go on without any change: no field of ours in it, no mark in its subject, no REQUIRETLS."""
    return all(isinstance(edit, Add) for edit in message.edits) and not message.envelope.require_tls


def _refused(decision: Routed | Held, advice: str) -> Refused:
    return Refused(
        rule=decision.rule,
        floor=decision.floor,
        reason=decision.reason,
        advice=advice,
        effects=decision.effects,
    )


def _with(
    rulings: Rulings, decided: Sequence[tuple[Recipient, Decision]], others: Sequence[tuple[Recipient, Refused]]
) -> Rulings:
    changed = dict[Recipient, Decision](others)
    return replace(rulings, decisions=tuple(changed.get(recipient, decision) for recipient, decision in decided))
