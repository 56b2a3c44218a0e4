"""Every rule that was looked at, in order, and why it did or did not match: for people, not for the way of the mail."""

from gateway.core.address import Address
from gateway.core.conditions.base import look
from gateway.core.decision import Tried, Truth
from gateway.core.facts import Facts
from gateway.core.policy import Choice, GoOn, Policy, Reject, Send
from gateway.core.search import action_of, lifted


def explain(facts: Facts, recipient: Address, policy: Policy) -> tuple[Tried, ...]:
    """The rules up to the one that ends the search, without the shortcuts that `decide` takes."""
    seen = look(facts, recipient)
    tried: list[Tried] = []
    for rule in policy.rules:
        truth = Truth.MATCH if rule.when is None else rule.when.truth(seen)
        why = "it has no condition" if rule.when is None else rule.when.why(seen)
        action = action_of(rule, seen.facts)
        passed = truth is Truth.MATCH and action is not rule.action
        tried.append(
            Tried(rule=rule.name, result=truth, why=f"{why}; passed over by a one-time token" if passed else why)
        )
        behind = lifted(seen, rule, policy)
        if truth is Truth.MATCH:
            if isinstance(action, Send | Reject) and policy.choose is Choice.FIRST:
                break
            seen = behind
        elif truth is Truth.UNKNOWN and isinstance(action, GoOn) and behind is not seen:
            break
    return tuple(tried)
