"""What can be proven of a policy before any message: which mail can reach a rule, and whether its routes suffice.

Only level, button and automatic are enumerated; a condition on anything else may or may not hold. So each kind of mail
takes every way through the rules that it could take, levels raised on the way included. What a partner's entry demands
is met when a recipient is decided.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

from gateway.core.conditions.alone import alone
from gateway.core.conditions.base import Condition
from gateway.core.decision import Truth
from gateway.core.facts import Intent
from gateway.core.policy import Choice, GoOn, Hold, Policy, Rule, Send
from gateway.core.search import rank
from gateway.core.tls import Protection


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


@dataclass(frozen=True, slots=True)
class _Step:
    """A rule that mail of this kind matches, or may match. ``truth`` is what the kind alone tells."""

    rule: Rule
    mail: Combination
    truth: Truth


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
    """The rules that no mail can reach, because others certainly take it first."""
    taken: list[Condition | None] = []
    found: list[Rule] = []
    for rule, reaching in _reached(policy):
        if not reaching or rule.when in taken:
            found.append(rule)
        if rule.wishes.raises is not None:
            # The same condition may hold from here on where it did not before.
            taken.clear()
        elif _takes(rule) and policy.choose is Choice.FIRST:
            taken.append(rule.when)
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
    """Each rule with the combinations that can reach and match it, in the order of the levels."""
    reaching: list[dict[Combination, None]] = [{} for _ in policy.rules]
    places = {rule.name: at for at, rule in enumerate(policy.rules)}
    for kind in product(policy.reading.levels, Intent, (False, True)):
        for way in _ways(policy, Combination(*kind), 0):
            for step in way if policy.choose is Choice.FIRST else _most_secure(way, policy):
                reaching[places[step.rule.name]][step.mail] = None
    for rule, mail in zip(policy.rules, reaching, strict=True):
        yield rule, tuple(mail)


def _ways(policy: Policy, mail: Combination, start: int) -> Iterator[list[_Step]]:
    """Every way through the rules from ``start`` on; it forks where the level may or may not be raised."""
    way: list[_Step] = []
    for at in range(start, len(policy.rules)):
        rule = policy.rules[at]
        truth = alone(rule.when, (mail.level, mail.intent, mail.automatic))
        if truth is Truth.NO_MATCH:
            continue
        way.append(_Step(rule, mail, truth))
        if truth is Truth.MATCH and _takes(rule) and policy.choose is Choice.FIRST:
            break
        raised = _raised(mail, rule, policy.reading.levels)
        if raised != mail and truth is not Truth.MATCH:
            for rest in _ways(policy, raised, at + 1):
                yield [*way, *rest]
        elif truth is Truth.MATCH:
            mail = raised
    yield way


def _raised(mail: Combination, rule: Rule, levels: tuple[str, ...]) -> Combination:
    level = rule.wishes.raises
    higher = level is not None and levels.index(level) > levels.index(mail.level)
    return replace(mail, level=level) if level is not None and higher else mail


def _takes(rule: Rule) -> bool:
    """Whether nothing that it certainly matches reaches the rules behind it; a one-time token could let it pass."""
    return not isinstance(rule.action, Hold | GoOn) and not rule.overridable


def _most_secure(way: list[_Step], policy: Policy) -> Iterator[_Step]:
    """Up to the one that certainly decides, in the order of what protects most; all owe the level at the end."""
    level = way[-1].mail.level
    ordered = sorted(way, key=lambda step: rank(step.rule.action, Truth.MATCH, policy))
    for step in ordered:  # pragma: no branch - the last rule takes whatever comes, so the loop always returns
        yield replace(step, mail=replace(step.mail, level=level))
        if step.truth is Truth.MATCH and _takes(step.rule):
            return
