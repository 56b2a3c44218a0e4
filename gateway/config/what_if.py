"""Messages that nobody sent: an envelope and outside facts for `explain` and the policy's own tests, and a decision in
the words of both."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import assert_never

from gateway.core.address import Address, ReversePath
from gateway.core.decide import Ruling
from gateway.core.decision import Decision, Held, Open, Refused, Routed
from gateway.core.envelope import Admission, Client, Envelope, Recipient
from gateway.core.facts import Facts, Lookup, Scan
from gateway.core.policy import Policy
from gateway.core.route import Route, demand
from gateway.core.tls import Channel, Protection, Starttls
from gateway.flow.accept import NOT_OURS as NOT_OUR_FROM
from gateway.listeners.smtp_replies import NOT_OURS as NOT_OUR_SENDER

_CLIENT = Client(identity="what if", how=Admission.LOCAL, address="127.0.0.1", helo="localhost", tls=None)


@dataclass(frozen=True, slots=True)
class Described:
    """A decision as people and scripts read it: ``action`` is route, reject, hold or open; ``floor`` its word."""

    rule: str
    action: str
    route: tuple[str, ...]
    floor: str
    reason: str
    advice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One message, what is known of it, and a ruling for each recipient; ``tls`` is what was assumed of them.

    ``door`` is the sentence of a refusal that no rule is asked for; None for mail that comes in. ``answered`` is
    whether anybody is told of a failure.
    """

    message: str
    door: str | None
    answered: bool
    scan: Scan
    facts: Facts
    policy: Policy
    policy_file: str
    rulings: tuple[tuple[Address, Ruling], ...]
    tls: Starttls


def door(sender: ReversePath, facts: Facts, policy: Policy) -> str | None:
    """How the door refuses mail that is not ours, whichever client sends it; None if it does not (`Accept`)."""
    if isinstance(sender, Address):
        return None if policy.owns(sender.domain) else f"MAIL is refused: {NOT_OUR_SENDER}"
    domains = [address.rpartition("@")[2].casefold() for address in facts.header_from]
    if domains and all(policy.owns(domain) for domain in domains):
        return None
    return f"the message is refused: {NOT_OUR_FROM}"


def answered(sender: ReversePath, facts: Facts) -> bool:
    """Whether the sender is told of a failure, as `gateway.core.report.answers` has it of a message."""
    return isinstance(sender, Address) and sender.local.casefold() != "mailer-daemon" and not facts.automatic


def describe(decision: Decision) -> Described:
    """The decision in words."""
    match decision:
        case Routed(chain=chain):
            action, route = "route", chain
        case Held(chain=chain):
            action, route = "hold", chain
        case Refused():
            action, route = "reject", ()
        case Open():
            action, route = "open", ()
        case _:
            assert_never(decision)
    return Described(decision.rule, action, route, decision.floor.label, decision.reason, decision.advice)


def envelope(sender: ReversePath, recipients: Iterable[Address]) -> Envelope:
    """As if an admitted client had sent it."""
    named = tuple(Recipient(address=address) for address in dict.fromkeys(recipients))
    return Envelope(client=_CLIENT, listener="what if", reverse_path=sender, recipients=named)


def with_tls(facts: Facts, recipients: Iterable[Address], tls: Starttls) -> Facts:
    """The facts with what is assumed of the recipients' STARTTLS."""
    outside = {(Lookup.STARTTLS, address.domain): tls for address in recipients}
    return replace(facts, outside=MappingProxyType(outside))


def likely_route(decision: Decision, routes: Mapping[str, Route], tls: Starttls) -> str | None:
    """The route that would carry it if the recipient's hosts are as assumed; None if it would come back.

    Only routes to the recipient's own MX hosts depend on their STARTTLS; what cannot be told counts as a yes.
    """
    chain = describe(decision).route
    return next((name for name in chain if name in routes and _carries(routes[name], decision.floor, tls)), None)


def _carries(route: Route, floor: Protection, tls: Starttls) -> bool:
    wanted = demand(route, floor)
    if wanted is None:
        return False
    return route.transport != "mx" or tls is not Starttls.NO or wanted.channel is Channel.PLAIN
