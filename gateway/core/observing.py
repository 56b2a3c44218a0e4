"""What a roll-out mode makes of a decision: observed mail leaves by a named baseline route, a softened refusal waits.

The one place where mail may leave below its floor on purpose: such a decision says so (`Routed.instead`), and what
leaves unprotected by it is counted apart.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from gateway.core.address import Address
from gateway.core.decide import Ruling
from gateway.core.decision import Decision, Held, Instead, Open, Refused, Routed, asked_for
from gateway.core.modes import Mode, Rollout, in_force
from gateway.core.policy import Policy
from gateway.core.route import Declared
from gateway.core.tls import Protection

SOFT_END: Final = "the end of soft mode"
"""What an Open decision waits for where a refusal is softened."""

_ACTIONS: Final = {Routed: "route", Held: "hold", Refused: "reject", Open: "open"}


def apply(ruling: Ruling, sender: Address | None, rollouts: Sequence[Rollout], policy: Policy, at: datetime) -> Ruling:
    """The ruling as the mode in force has it at that time; the same where none is.

    Where it cannot be told yet which rule decides, it is observed only if all that may are: what is enforced is never
    let out because something was not known. An Open one waits, and the mode is asked again of what it comes to.
    """
    decision = ruling.decision
    rollout = in_force(rollouts, at, decision.rule, sender) if rollouts else None
    if rollout is None:
        return ruling
    if rollout.mode is Mode.OBSERVE and not _stays(decision, policy):
        others = (in_force(rollouts, at, rule, sender) for rule in ruling.may_decide)
        if not all(_like(rollout, other) for other in others):
            return ruling
        return replace(ruling, decision=_observed(decision, rollout), lacks=frozenset())
    if rollout.mode is Mode.SOFT and isinstance(decision, Refused):
        return replace(ruling, decision=_softened(decision))
    return ruling


def _like(rollout: Rollout, other: Rollout | None) -> bool:
    """Whether the other lets mail out by the same way."""
    return other is not None and (other.mode, other.baseline) == (rollout.mode, rollout.baseline)


def _stays(decision: Decision, policy: Policy) -> bool:
    """Mail that does not leave the organisation goes as it was decided: the baseline is a way out."""
    if not isinstance(decision, Routed):
        return False
    routes = [policy.routes.get(name) for name in decision.chain]
    return all(route is not None and route.declared is Declared.INTERNAL for route in routes)


def _observed(decision: Decision, rollout: Rollout) -> Routed:
    """By the baseline route, with nothing asked of it and no other effect; what it would have been is recorded."""
    return Routed(
        rule=decision.rule,
        chain=(rollout.baseline,),
        floor=Protection.NONE,
        original_floor=asked_for(decision),
        reason=f"only observed until {rollout.until.astimezone(UTC):%Y-%m-%d %H:%M} UTC; {decision.reason}",
        advice=decision.advice,
        instead=Instead(
            rule=decision.rule,
            action=_ACTIONS[type(decision)],
            chain=decision.chain if isinstance(decision, Routed | Held) else (),
            floor=decision.floor,
        ),
    )


def _softened(decision: Refused) -> Open:
    """Decided again until the mode ends, or the reason for the refusal."""
    return Open(
        rule=decision.rule,
        missing=(SOFT_END,),
        floor=decision.floor,
        reason=decision.reason,
        advice=decision.advice,
        effects=decision.effects,
    )
