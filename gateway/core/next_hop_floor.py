"""What every message to a domain is owed, whatever is in it: the floor below which nothing may ever leave for there.

It is a lower bound over all mail that the policy lets go there: of each rule that may decide, the least that one of its
routes demands. So it is as high as rules on the domain alone, and the register of partners, make it.

Left out on purpose: routes whose message is sealed, by us or by their next hop, because no other program takes them;
modes, which lower nothing here; and everything remote, which is `core.demand`'s.
"""

from collections.abc import Iterator
from functools import reduce
from typing import assert_never

from gateway.core.address import Address
from gateway.core.conditions.at_domain import ANYBODY, at_domain
from gateway.core.decision import Truth
from gateway.core.next_hop import NextHop
from gateway.core.policy import Choice, GoOn, Hold, Policy, Reject, Rule, Send
from gateway.core.registers.partners import Partner
from gateway.core.route import Declared, demand
from gateway.core.search import rank
from gateway.core.tls import CHANNEL_FOR, Channel, MxAuth, Protection, Requirement


def floor_of(hop: NextHop, policy: Policy) -> Requirement | None:
    """What all mail to a next hop is owed. A host in brackets may be anybody's way, so only its own partner counts."""
    if not hop.exact:
        return floor_at(hop.name, policy)
    partner = partner_at(hop.name, policy)
    channel = Channel.PLAIN if partner is None else CHANNEL_FOR.get(partner.tls)
    return None if channel is None else Requirement(MxAuth.NONE, channel)


def floor_at(domain: str, policy: Policy) -> Requirement | None:
    """The least that a connection for the domain's mail has to be; None if no message may go there as it is."""
    partner = partner_at(domain, policy)
    owed = partner.tls if partner is not None else Protection.NONE
    demands = [each for rule, send in _may_decide(domain, policy) for each in _demands(rule, send, policy, owed)]
    return reduce(_both_give, demands) if demands else None


def partner_at(domain: str, policy: Policy) -> Partner | None:
    """The entry that stands for every mailbox at the domain."""
    return policy.registers.partners.of(Address(ANYBODY, domain))


def _both_give(one: Requirement, other: Requirement) -> Requirement:
    return Requirement(min(one.mx, other.mx), min(one.channel, other.channel))


def _may_decide(domain: str, policy: Policy) -> list[tuple[Rule, Send]]:
    """The rules that send, and that some message to the domain may meet."""
    possible = list(_met(domain, policy))
    sending = [(rule, rule.action) for rule, _ in possible if isinstance(rule.action, Send)]
    if policy.choose is Choice.FIRST:
        return sending
    # The rule that protects most decides, so none that protects less than one that certainly matches.
    certain = [rule.action for rule, truth in possible if truth is Truth.MATCH and _ends(rule)]
    best = min(rank(action, Truth.MATCH, policy) for action in certain)
    return [(rule, send) for rule, send in sending if rank(send, Truth.MATCH, policy) <= best]


def _met(domain: str, policy: Policy) -> Iterator[tuple[Rule, Truth]]:
    """Up to the rule that takes all that is left; where the most secure decides, all of them."""
    for rule in policy.rules:  # pragma: no branch - the last rule takes whatever comes
        truth = at_domain(rule.when, domain)
        if truth is Truth.NO_MATCH:
            continue
        yield rule, truth
        if truth is Truth.MATCH and _ends(rule) and policy.choose is Choice.FIRST:
            return


def _ends(rule: Rule) -> bool:
    """Whether nothing that it matches goes on to the rules behind it."""
    match rule.action:
        case Send():
            return True
        case Reject():
            return not rule.overridable
        case Hold() | GoOn():
            return False
        case _:  # pragma: no cover - the type checker proves that there is no other.
            assert_never(rule.action)


def _demands(rule: Rule, send: Send, policy: Policy, partner: Protection) -> Iterator[Requirement]:
    """What each route of the rule demands of a connection that carries the message as it is."""
    least = Protection.NONE if rule.below_floor is not None else min(policy.floors.values(), default=Protection.NONE)
    for name in send.chain:
        route = policy.routes.get(name)
        if route is None or route.declared in (Declared.SEALED, Declared.SEALING):
            continue
        demanded = demand(route, max(least, partner))
        if demanded is not None:
            yield demanded
