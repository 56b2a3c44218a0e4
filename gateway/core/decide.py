"""The decision for one recipient: first match wins, and an unknown stops the search rather than being a no.

Pure and total: for any facts and any loaded policy there is a decision, and never an exception. How a recipient
moves along its chain later is the dispatcher's.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from gateway.core.address import Address
from gateway.core.conditions.base import Need, Seen, Verdict, look
from gateway.core.decision import Decision, Held, Open, Refused, Routed, Tried, Truth
from gateway.core.facts import Facts
from gateway.core.policy import Hold, Policy, Rule, Send
from gateway.core.route import Route
from gateway.core.sizes import exactly, roughly
from gateway.core.tls import Protection


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """A decision, the rules that were looked at on the way, and the outside facts that an Open one lacks."""

    decision: Decision
    tried: tuple[Tried, ...]
    lacks: frozenset[Need] = frozenset()


_ALWAYS: Final = Verdict(Truth.MATCH, "it has no condition")


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A rule that matches or may match."""

    rule: Rule
    verdict: Verdict


def decide(facts: Facts, recipient: Address, policy: Policy) -> Ruling:
    """Decides for one recipient.

    The candidates are the rules that may match, up to the first that certainly ends the search. They are settled
    from the last to the first, so that an unknown one is passed over only if it would make no difference.
    """
    tried, candidates = _search(look(facts, recipient), policy)
    decision = _end(candidates[-1], facts, policy)
    for candidate in reversed(candidates[:-1]):
        decision = _settle(candidate, decision, facts, policy)
    lacks = (need for candidate in candidates for need in candidate.verdict.lacks)
    return Ruling(decision=decision, tried=tried, lacks=frozenset(lacks if isinstance(decision, Open) else ()))


def wanted(facts: Facts, recipients: Iterable[Address], policy: Policy) -> frozenset[Need]:
    """The lookups without which these recipients cannot be decided; empty for a policy whose rules read none."""
    if not policy.lookups:
        return frozenset()
    return frozenset[Need]().union(*(decide(facts, recipient, policy).lacks for recipient in recipients))


def _search(seen: Seen, policy: Policy) -> tuple[tuple[Tried, ...], list[_Candidate]]:
    tried: list[Tried] = []
    candidates: list[_Candidate] = []
    for rule in policy.rules:  # pragma: no branch - the last rule has no condition, so the loop always breaks
        verdict = _ALWAYS if rule.when is None else rule.when.judge(seen)
        tried.append(Tried(rule=rule.name, result=verdict.truth, why=verdict.why))
        if verdict.truth is Truth.NO_MATCH:
            continue
        candidates.append(_Candidate(rule, verdict))
        if verdict.truth is Truth.MATCH and not isinstance(rule.action, Hold):
            break
    return tuple(tried), candidates


def _settle(candidate: _Candidate, behind: Decision, facts: Facts, policy: Policy) -> Decision:
    """The decision with this candidate in front of ``behind``, which holds if it does not match."""
    holds = isinstance(candidate.rule.action, Hold)
    matched = _hold(candidate, behind) if holds else _end(candidate, facts, policy)
    if candidate.verdict.truth is Truth.MATCH:
        return matched
    return behind if _same(matched, behind) else _open(candidate, matched, behind)


def _end(candidate: _Candidate, facts: Facts, policy: Policy) -> Decision:
    rule = candidate.rule
    floor = policy.floor(rule, facts.classification.level, facts.intent, automatic=facts.automatic)
    if isinstance(rule.action, Send):
        return _send(candidate, rule.action.chain, floor, facts, policy)
    return Refused(rule=rule.name, floor=floor, reason=candidate.verdict.why, advice=rule.advice.text)


def _send(
    candidate: _Candidate, chain: tuple[str, ...], original: Protection, facts: Facts, policy: Policy
) -> Routed | Refused:
    """Leaves out the routes whose size is passed: that is a certain no of theirs, known before any attempt (M5)."""
    rule = candidate.rule
    over = {name: text for name in chain if (text := _over_limit(policy.routes.get(name), facts))}
    fitting = tuple(name for name in chain if name not in over)
    if not fitting:
        reason = ". ".join(dict.fromkeys(over.values()))
        return Refused(rule=rule.name, floor=original, reason=reason, advice=rule.advice.text)
    floor = original if rule.below_floor is None else min(original, _weakest(fitting, policy.routes, original))
    return Routed(
        rule=rule.name,
        chain=fitting,
        floor=floor,
        original_floor=original,
        reason="; ".join([candidate.verdict.why, *(f"not by {name}: {text}" for name, text in over.items())]),
        advice=rule.advice.text,
        lowered_because=rule.below_floor if floor < original else None,
    )


def _over_limit(route: Route | None, facts: Facts) -> str:
    """The sentence that says which limit of the route is passed; empty if none is."""
    if route is None:
        return ""
    if route.max_attachments is not None and facts.attachment_bytes > route.max_attachments:
        return _limit_text("The attached files come to", facts.attachment_bytes, route.max_attachments)
    if route.max_message is not None and facts.message_bytes > route.max_message:
        return _limit_text("The message comes to", facts.message_bytes, route.max_message)
    return ""


def _limit_text(subject: str, size: int, limit: int) -> str:
    text = f"{subject} {roughly(size)}, the limit is {exactly(limit)}"
    if roughly(size) != roughly(limit):
        return text
    return f"{text} ({size - limit} {'byte' if size - limit == 1 else 'bytes'} too much)"


def _weakest(chain: tuple[str, ...], routes: Mapping[str, Route], otherwise: Protection) -> Protection:
    return min((routes[name].gives for name in chain if name in routes), default=otherwise)


def _hold(candidate: _Candidate, behind: Decision) -> Decision:
    """Holds what the rules behind would send; what they refuse, or cannot tell, needs no person."""
    if not isinstance(behind, Routed | Held):
        return behind
    return Held(
        rule=candidate.rule.name,
        chain=behind.chain,
        floor=behind.floor,
        reason=candidate.verdict.why,
        advice=candidate.rule.advice.text,
    )


def _same(one: Decision, other: Decision) -> bool:
    """Whether it makes no difference which of them holds: the same end, chain and floor."""
    if isinstance(one, Open) or type(one) is not type(other):
        return False
    chains = (getattr(one, "chain", ()), getattr(other, "chain", ()))
    return chains[0] == chains[1] and one.floor == other.floor


def _open(candidate: _Candidate, matched: Decision, behind: Decision) -> Open:
    """Cannot be told yet; the floor is the highest that may turn out to hold."""
    missing = tuple(f"{lookup.value} of {domain}" for lookup, domain in candidate.verdict.lacks)
    further = behind.missing if isinstance(behind, Open) else ()
    return Open(
        rule=candidate.rule.name,
        missing=tuple(dict.fromkeys(missing + further)),
        floor=max(matched.floor, behind.floor),
        reason=candidate.verdict.why,
        advice=candidate.rule.advice.text,
    )
