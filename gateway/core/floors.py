"""What can be proven of a policy before any message: which mail can reach a rule, and whether its routes suffice.

Only level, button and automatic are enumerated; a condition on anything else may or may not hold. So a rule is judged
by every combination that no earlier rule certainly takes on these three alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import product

from gateway.core.address import Address
from gateway.core.conditions.base import Condition, Seen, look
from gateway.core.conditions.logic import All, AnyOf, Not, opposite
from gateway.core.conditions.message import AutomaticIs, ClassificationIs, IntentIs
from gateway.core.decision import Truth
from gateway.core.facts import Classification, Facts, Intent
from gateway.core.policy import Hold, Policy, Rule, Send
from gateway.core.tls import Protection

_BLANK = Facts(
    at=datetime(1970, 1, 1, tzinfo=UTC),
    classification=Classification(level="", source=""),
    intent=Intent.NONE,
    intent_source="",
    automatic=False,
    automatic_reason="",
    sender="",
    header_from=(),
    attachments=(),
    attachment_bytes=0,
    message_bytes=0,
)
_NOBODY = Address("nobody", "invalid")


@dataclass(frozen=True, slots=True)
class Combination:
    """One kind of mail, as far as level, button and automatic tell."""

    level: str
    intent: Intent
    automatic: bool

    def __str__(self) -> str:
        button = f" with the {self.intent.label.capitalize()} button" if self.intent else ""
        return f"{'automatic ' if self.automatic else ''}{self.level} mail{button}"


@dataclass(frozen=True, slots=True)
class Shortfall:
    """A rule would send ``mail`` by ``route``, which gives less than the floor."""

    rule: str
    route: str
    mail: Combination
    floor: Protection
    gives: Protection


def shortfalls(policy: Policy) -> tuple[Shortfall, ...]:
    """Every rule and route that can fall below the floor, each with the mail that needs most; empty for a sound policy.

    Rules that say ``below_floor`` are left out; a route that does not exist is another check's finding.
    """
    found: list[Shortfall] = []
    for rule, reaching in _reached(policy):
        if isinstance(rule.action, Send) and rule.below_floor is None:
            found += _short_routes(policy, rule, rule.action.chain, reaching)
    return tuple(found)


def unreachable(policy: Policy) -> tuple[Rule, ...]:
    """The rules that no mail can reach, because earlier ones certainly take it first."""
    seen: list[Condition | None] = []
    found: list[Rule] = []
    for rule, reaching in _reached(policy):
        if not reaching or rule.when in seen:
            found.append(rule)
        if not isinstance(rule.action, Hold):
            seen.append(rule.when)
    return tuple(found)


def _short_routes(
    policy: Policy, rule: Rule, chain: tuple[str, ...], reaching: tuple[Combination, ...]
) -> Iterator[Shortfall]:
    if not reaching:
        return
    floors = [(policy.floor(rule, c.level, c.intent, automatic=c.automatic), c) for c in reaching]
    floor, mail = max(floors, key=lambda pair: pair[0])
    for name in chain:
        route = policy.routes.get(name)
        if route is not None and route.gives < floor:
            yield Shortfall(rule.name, name, mail, floor, route.gives)


def _reached(policy: Policy) -> Iterator[tuple[Rule, tuple[Combination, ...]]]:
    """Each rule with the combinations that can reach and match it."""
    kinds = product(policy.reading.levels, Intent, (False, True))
    left = [Combination(level, intent, automatic) for level, intent, automatic in kinds]
    for rule in policy.rules:
        verdicts = [(mail, _judge_alone(rule.when, _seen(mail))) for mail in left]
        yield rule, tuple(mail for mail, truth in verdicts if truth is not Truth.NO_MATCH)
        if not isinstance(rule.action, Hold):
            left = [mail for mail, truth in verdicts if truth is not Truth.MATCH]


def _seen(mail: Combination) -> Seen:
    level = Classification(level=mail.level, source="")
    return look(replace(_BLANK, classification=level, intent=mail.intent, automatic=mail.automatic), _NOBODY)


def _judge_alone(condition: Condition | None, seen: Seen) -> Truth:
    """The condition's value when only level, button and automatic are known; anything else may or may not hold."""
    match condition:
        case None:
            return Truth.MATCH
        case ClassificationIs() | IntentIs() | AutomaticIs():
            return condition.truth(seen)
        case Not(part):
            return opposite(_judge_alone(part, seen))
        case All(parts):
            return _first((Truth.NO_MATCH, Truth.UNKNOWN, Truth.MATCH), parts, seen)
        case AnyOf(parts):
            return _first((Truth.MATCH, Truth.UNKNOWN, Truth.NO_MATCH), parts, seen)
        case _:
            return Truth.UNKNOWN


def _first(order: tuple[Truth, Truth, Truth], parts: tuple[Condition, ...], seen: Seen) -> Truth:
    """The value among the parts' that comes first in ``order``: all and any differ in nothing else."""
    values = {_judge_alone(part, seen) for part in parts}
    return next(value for value in order if value in values)
