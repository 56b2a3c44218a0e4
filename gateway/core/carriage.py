"""What an MTA in front of us may carry by itself: a pure judgement over a decision and the routes in force.

An MTA sends to its own next hops, by MX or inside, and knows nothing of our hosts, of sealing, or of a second route.
Left out on purpose: whether it keeps to the floor, which it is told of by the field and the TLS policy that we serve.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from gateway.core.decision import Decision, Held, Routed
from gateway.core.effects import NOTHING, Effects
from gateway.core.mapping import NO_SUFFIXES
from gateway.core.route import Declared, Route
from gateway.core.tls import Channel, Protection

BY_MX: Final = "mx"


def may_stay(decision: Decision, routes: Mapping[str, Route], *, inside: bool) -> bool:
    """Whether nothing at all is asked for that an MTA would not do anyway; ``inside`` is whether we own the domain."""
    return _causes_nothing(decision.effects) and needs_no_protection(decision, routes, inside=inside)


def needs_no_protection(decision: Decision, routes: Mapping[str, Route], *, inside: bool) -> bool:
    """Whether it goes inside, or by MX without any floor, and that is not only because its rule is observed.

    An internal route says where the gateway would send it; the MTA goes by the domain, so only ours counts as inside.
    """
    if not isinstance(decision, Routed) or decision.instead is not None:
        return False
    route = routes.get(decision.chain[0])
    if route is None or route.add_header or route.suffixes != NO_SUFFIXES:
        return False
    if route.declared is Declared.INTERNAL:
        return inside
    return _is_opportunistic(route) and decision.floor is Protection.NONE


def why_not_carried(decision: Routed | Held, routes: Mapping[str, Route], *, inside: bool) -> str:
    """What an MTA cannot do of it, as the end of a sentence; empty if it can send it by the first route."""
    name, effects = decision.chain[0], decision.effects
    route = routes.get(name)
    if route is None or not (_is_by_mx(route) or (inside and route.declared is Declared.INTERNAL)):
        return f"send it by the route {name}"
    if route.add_header or effects.edits:
        return "change its header as the rule asks"
    if effects.copies or effects.receipt:
        return "make the copies and receipts that the rule asks for"
    return ""


def _is_opportunistic(route: Route) -> bool:
    return _is_by_mx(route) and route.demands is Channel.PLAIN and not route.authentic


def _is_by_mx(route: Route) -> bool:
    return route.transport == BY_MX and route.declared is Declared.CONNECTION and route.suffixes == NO_SUFFIXES


def _causes_nothing(effects: Effects) -> bool:
    """A level that was raised shows in the floor."""
    return effects is NOTHING or replace(effects, raised="") == NOTHING
