"""What a rule with a route comes to for one recipient: its chain without the routes that cannot be, and its floor.

A route is left out where its size limit is passed (M5), unless the register of exceptions has a line for these two:
that is certain before any attempt. What the partner's entry demands raises the floor, and so the demand on each
connection; a route that cannot meet it whatever the connection is left out too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gateway.core.decision import Refused, Routed
from gateway.core.effects import Effects
from gateway.core.policy import Policy, Send
from gateway.core.registers.exceptions import Waiver
from gateway.core.registers.partners import Partner
from gateway.core.route import Route
from gateway.core.route import demand as requirement_for
from gateway.core.search import Candidate
from gateway.core.sizes import exactly, roughly
from gateway.core.tls import Protection

_NOBODY: Final = Partner(name="")


@dataclass(frozen=True, slots=True)
class Demand:
    """What the candidate's rule has to meet: ``own`` is its floor, ``partner`` the recipient's entry."""

    own: Protection
    partner: Partner

    @property
    def floor(self) -> Protection:
        """The higher of the two."""
        return max(self.own, self.partner.tls)


def demand_on(candidate: Candidate, policy: Policy) -> Demand:
    """The floor of the rule's level and button, and what the recipient's organisation is owed."""
    facts = candidate.seen.facts
    own = policy.floor(candidate.rule, facts.classification.level, facts.intent, automatic=facts.automatic)
    return Demand(own, policy.registers.partners.of(candidate.seen.recipient) or _NOBODY)


def send(candidate: Candidate, action: Send, policy: Policy, effects: Effects) -> Routed | Refused:
    """By the routes that remain; given back, with every reason, if none does."""
    rule, demand = candidate.rule, demand_on(candidate, policy)
    advice = candidate.fill(rule.advice, policy.organisation.contact)
    out, notes = _left_out(candidate, action, demand.partner, policy)
    fitting = tuple(name for name in action.chain if name not in out)
    if not fitting:
        reason = ". ".join(dict.fromkeys(out.values()))
        return Refused(rule=rule.name, floor=demand.floor, reason=reason, advice=advice, effects=effects)
    floor = demand.floor
    if rule.below_floor is not None:
        floor = max(demand.partner.tls, min(floor, _weakest(fitting, policy.routes, floor)))
    return Routed(
        rule=rule.name,
        chain=fitting,
        floor=floor,
        original_floor=demand.floor,
        reason="; ".join([candidate.why, *notes, *(f"not by {name}: {text}" for name, text in out.items())]),
        advice=advice,
        lowered_because=rule.below_floor if floor < demand.floor else None,
        patience=demand.partner.most_wait,
        without=tuple(f"It cannot go by {name}: {text[:1].lower()}{text[1:]}." for name, text in out.items()),
        effects=effects,
    )


def _left_out(
    candidate: Candidate, action: Send, partner: Partner, policy: Policy
) -> tuple[Mapping[str, str], list[str]]:
    """Why each route that is left out is, and which exceptions keep others in."""
    out: dict[str, str] = {}
    notes: list[str] = []
    for name in action.chain:
        route = policy.routes.get(name)
        if route is None:
            continue
        if requirement_for(route, partner.tls) is None:
            out[name] = f"Mail to {partner.name} has to be {partner.tls.label}, and this gives {route.gives.label}"
        elif passed := _passed_limit(route, candidate, policy, notes):
            out[name] = passed
    return out, notes


def _passed_limit(route: Route, candidate: Candidate, policy: Policy, notes: list[str]) -> str:
    """The sentence that says which limit of the route is passed; empty if none is. Exceptions used are noted."""
    facts = candidate.seen.facts
    if route.max_attachments is not None and facts.attachment_bytes > route.max_attachments:
        waiver = _waiver(route, candidate, policy)
        limit = route.max_attachments if waiver is None else max(waiver.up_to, route.max_attachments)
        if waiver is None or facts.attachment_bytes > limit:
            return _limit_text("The attached files come to", facts.attachment_bytes, limit)
        notes.append(f"up to {exactly(limit)} by {route.name} under the exception {waiver.reference}")
    if route.max_message is not None and facts.message_bytes > route.max_message:
        return _limit_text("The message comes to", facts.message_bytes, route.max_message)
    return ""


def _waiver(route: Route, candidate: Candidate, policy: Policy) -> Waiver | None:
    """The exception that allows most between these two on the message's day."""
    seen = candidate.seen
    day = seen.facts.at.date()
    applying = (
        waiver for waiver in policy.registers.waivers if waiver.applies(route.name, seen.sender, seen.recipient, day)
    )
    return max(applying, key=lambda waiver: waiver.up_to, default=None)


def _limit_text(subject: str, size: int, limit: int) -> str:
    text = f"{subject} {roughly(size)}, the limit is {exactly(limit)}"
    if roughly(size) != roughly(limit):
        return text
    return f"{text} ({size - limit} {'byte' if size - limit == 1 else 'bytes'} too much)"


def _weakest(chain: tuple[str, ...], routes: Mapping[str, Route], otherwise: Protection) -> Protection:
    return min((routes[name].gives for name in chain if name in routes), default=otherwise)
