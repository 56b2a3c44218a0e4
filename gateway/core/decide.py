"""The decision for one recipient: an unknown stops the search for the rule that decides, rather than being a no.

Pure and total: for any facts and any loaded policy there is a decision, and never an exception. Which rules matter is
`core.search`'s, what a chain comes to `core.sending`'s; how a recipient moves along its chain is the dispatcher's.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from gateway.core.address import Address
from gateway.core.conditions.base import Need, look
from gateway.core.consequences import also, consequences, possible
from gateway.core.decision import Decision, Held, Open, Refused, Routed, Truth, asked_for
from gateway.core.effects import NOTHING, Effects
from gateway.core.facts import Classification, Facts, Lookup
from gateway.core.policy import GoOn, Hold, Policy, Reject, Send
from gateway.core.search import Candidate, search
from gateway.core.sending import demand_on, send
from gateway.core.tls import Protection

_NOTHING_LACKS: Final[frozenset[Need]] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """A decision, the outside facts that an Open one lacks, and the level that held in the end (rules may raise it).

    ``may_decide`` are the rules of which one decides once everything is known, and those that would hold what a rule
    behind them gives back; empty where ``decision.rule`` decides alone.
    """

    decision: Decision
    classification: Classification
    lacks: frozenset[Need] = _NOTHING_LACKS
    may_decide: tuple[str, ...] = ()


def decide(facts: Facts, recipient: Address, policy: Policy) -> Ruling:
    """Decides for one recipient.

    The candidates are the rules that may match, up to the first that certainly ends the search. They are settled
    from the last to the first, so that an unknown one is passed over only if it would make no difference. What it would
    cause besides is a difference if somebody can still look it up; if nobody can, it is caused: rather too much is told
    and kept than too little. (An unknown remark decides nothing and causes nothing.)
    """
    candidates = search(look(facts, recipient), policy)
    steps = _steps(candidates)
    decision = _outcome(steps[-1], policy)
    for step in reversed(steps[:-1]):
        decision = _settle(step, decision, policy)
    classification = candidates[-1].seen.facts.classification
    if classification.level != facts.classification.level:
        decision = replace(decision, effects=replace(decision.effects, raised=classification.level))
    return Ruling(
        decision=decision,
        classification=classification,
        lacks=_lacking(candidates) if isinstance(decision, Open) else _NOTHING_LACKS,
        may_decide=_may_decide(candidates, policy),
    )


def wanted(facts: Facts, recipients: Iterable[Address], policy: Policy) -> frozenset[Need]:
    """The lookups without which these recipients cannot be decided; empty for a policy whose rules read none."""
    if not policy.lookups:
        return _NOTHING_LACKS
    return frozenset[Need]().union(*(decide(facts, recipient, policy).lacks for recipient in recipients))


def _lacking(candidates: Iterable[Candidate]) -> frozenset[Need]:
    unknown = (candidate for candidate in candidates if candidate.truth is Truth.UNKNOWN)
    return frozenset(need for candidate in unknown for need in candidate.lacks)


def _may_decide(candidates: list[Candidate], policy: Policy) -> tuple[str, ...]:
    if all(candidate.truth is Truth.MATCH for candidate in candidates):
        last = candidates[-1].action
        holds = [each.rule.name for each in candidates if isinstance(each.action, Hold)]
        return (*holds, candidates[-1].rule.name) if holds and isinstance(last, Reject) else ()
    if isinstance(candidates[-1].action, GoOn):  # Where the level is not known, neither is what follows.
        return tuple(rule.name for rule in policy.rules if not isinstance(rule.action, GoOn))
    return tuple(candidate.rule.name for candidate in candidates if not isinstance(candidate.action, GoOn))


@dataclass(frozen=True, slots=True)
class _Step:
    """A candidate, and the remarks in front of it, which hold whatever comes of it."""

    candidate: Candidate
    remarks: tuple[Candidate, ...] = ()


def _steps(candidates: list[Candidate]) -> list[_Step]:
    steps: list[_Step] = []
    remarks: tuple[Candidate, ...] = ()
    for candidate in candidates:
        if isinstance(candidate.action, GoOn) and candidate.truth is Truth.MATCH:
            remarks = (*remarks, candidate)
        else:
            steps.append(_Step(candidate, remarks))
            remarks = ()
    return steps


def _settle(step: _Step, behind: Decision, policy: Policy) -> Decision:
    """The decision with this candidate in front of ``behind``, which holds if it does not match."""
    candidate = step.candidate
    role = candidate.action.role if isinstance(candidate.action, Hold) else None
    if candidate.truth is Truth.MATCH and role is not None:
        return _hold(step, role, behind, policy)
    unsaid = _Step(candidate)
    matched = _outcome(unsaid, policy) if role is None else _hold(unsaid, role, behind, policy)
    more = _more(candidate, behind, policy)
    waits = not _same(matched, behind) or (more is not NOTHING and bool(candidate.lacks))
    settled = _open(candidate, matched, behind, policy) if waits else also(more, behind)
    return also(consequences(step.remarks, policy), settled)


def _more(candidate: Candidate, behind: Decision, policy: Policy) -> Effects:
    """What the candidate would cause, if any of that is missing from what is caused ``behind`` it."""
    effects = possible(candidate, policy)
    return NOTHING if behind.effects.with_more(effects) == behind.effects else effects


def _outcome(step: _Step, policy: Policy) -> Decision:
    """What an end comes to, if it matches."""
    candidate = step.candidate
    effects = consequences((*step.remarks, candidate), policy)
    match candidate.action:
        case Send():
            return send(candidate, candidate.action, policy, effects)
        case Reject():
            return _refuse(candidate, policy, effects)
        case _:
            return _open_level(candidate, policy, effects)


def _open_level(candidate: Candidate, policy: Policy, effects: Effects) -> Open:
    """The level of all that follows hangs on this one, so whatever any level is owed may have to be met."""
    return Open(
        rule=candidate.rule.name,
        missing=_missing(candidate),
        floor=Protection.SEALED,
        reason=candidate.why,
        advice=_advice(candidate, policy),
        effects=effects,
    )


def _refuse(candidate: Candidate, policy: Policy, effects: Effects) -> Refused:
    return Refused(
        rule=candidate.rule.name,
        floor=demand_on(candidate, policy).floor,
        reason=candidate.why,
        advice=_advice(candidate, policy),
        overridable=candidate.rule.overridable,
        effects=effects,
    )


def _hold(step: _Step, role: str, behind: Decision, policy: Policy) -> Decision:
    """Holds what the rules behind would send; what they refuse, or cannot tell, needs no person."""
    candidate = step.candidate
    effects = consequences((*step.remarks, candidate), policy)
    if not isinstance(behind, Routed | Held):
        return also(effects, behind)
    return Held(
        rule=candidate.rule.name,
        chain=behind.chain,
        floor=behind.floor,
        reason=candidate.why,
        advice=_advice(candidate, policy),
        role=role,
        overridable=candidate.rule.overridable,
        effects=effects.with_more(behind.effects),
        lowered_from=behind.original_floor if behind.lowered_because is not None else None,
        lowered_because=behind.lowered_because,
        patience=behind.patience,
        without=behind.without,
    )


def _same(one: Decision, other: Decision) -> bool:
    """Whether it makes no difference which of them holds: the same end, chain, floor, and who may release it."""
    match one, other:
        case Routed(), Routed():
            return one.chain == other.chain and one.floor == other.floor
        case Held(), Held():
            return one.chain == other.chain and one.floor == other.floor and one.role == other.role
        case Refused(), Refused():
            return one.floor == other.floor
        case _:
            return False


def _open(candidate: Candidate, matched: Decision, behind: Decision, policy: Policy) -> Open:
    """Cannot be told yet; the floor is the highest that may turn out to be asked for."""
    further = behind.missing if isinstance(behind, Open) else ()
    return Open(
        rule=candidate.rule.name,
        missing=tuple(dict.fromkeys(_missing(candidate) + further)),
        floor=max(asked_for(matched), asked_for(behind)),
        reason=candidate.why,
        advice=_advice(candidate, policy),
    )


def _missing(candidate: Candidate) -> tuple[str, ...]:
    """The outside facts that it lacks; where there are none, the reason why it cannot be told."""
    return tuple(_named(*need) for need in candidate.lacks) or (candidate.why,)


def _named(lookup: Lookup, key: str) -> str:
    # What a message was refused for before is asked by a hash, which tells nobody anything.
    return lookup.value if lookup is Lookup.RESENT else f"{lookup.value} of {key}"


def _advice(candidate: Candidate, policy: Policy) -> str:
    return candidate.fill(candidate.rule.advice, policy.organisation.contact)
