"""Messages that nobody sent: an envelope and outside facts for `explain` and the policy's own tests, and a decision in
the words of both."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import assert_never

from gateway.core.address import Address, ReversePath
from gateway.core.conditions.base import Need
from gateway.core.decision import Decision, Held, Open, Refused, Routed
from gateway.core.effects import Effects
from gateway.core.envelope import Admission, Client, Envelope, Recipient
from gateway.core.facts import Answer, Facts, Lookup, Missing, OutsideFact
from gateway.core.policy import Policy
from gateway.core.route import Route, demand
from gateway.core.tls import Channel, Protection, Starttls
from gateway.flow.accept import NOT_OURS as NOT_OUR_FROM
from gateway.listeners.smtp_replies import NOT_OURS as NOT_OUR_SENDER


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """How the message is thought to come in: by which listener, from which address."""

    listener: str = "what if"
    client: str = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumed:
    """What is assumed of the world outside, as it is for most mail; None is not known.

    ``tls`` is whether the recipients offer STARTTLS, ``known`` whether somebody here wrote to them before, ``resent``
    whether the message was refused before at a higher level.
    """

    tls: Starttls = Starttls.UNKNOWN
    known: bool | None = True
    resent: bool | None = False

    def of(self, need: Need) -> OutsideFact:
        """The answer to one question."""
        match need[0]:
            case Lookup.STARTTLS:
                return self.tls
            case Lookup.KNOWN:
                return _answer(self.known, "known already")
            case Lookup.RESENT:
                return _answer(self.resent, "refused before")
            case _:
                assert_never(need[0])


class _World(Mapping[Need, OutsideFact]):
    """Answers every question and lists none, because nobody knows beforehand what rules will ask."""

    def __init__(self, assumed: Assumed) -> None:
        self._assumed = assumed

    def __getitem__(self, need: Need) -> OutsideFact:
        return self._assumed.of(need)

    def __iter__(self) -> Iterator[Need]:
        return iter(())

    def __len__(self) -> int:
        return 0


def _answer(yes: bool | None, what: str) -> OutsideFact:
    if yes is None:
        return Missing("nobody was asked")
    return Answer(yes, f"it is assumed to be {what}" if yes else f"it is assumed not to be {what}")


@dataclass(frozen=True, slots=True)
class Described:
    """A decision as people and scripts read it: ``action`` is route, reject, hold or open; ``floor`` its word.

    ``role`` is who may release what is held, ``overridable`` whether the sender gets a one-time token, ``patience`` the
    longest that a route but the last keeps it.
    """

    rule: str
    action: str
    route: tuple[str, ...]
    floor: str
    reason: str
    advice: str
    effects: Effects
    role: str = ""
    overridable: bool = False
    patience: timedelta | None = None


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
    told = Described(
        rule=decision.rule,
        action="open",
        route=(),
        floor=decision.floor.label,
        reason=decision.reason,
        advice=decision.advice,
        effects=decision.effects,
    )
    match decision:
        case Routed():
            return replace(told, action="route", route=decision.chain, patience=decision.patience)
        case Held():
            told = replace(told, role=decision.role, overridable=decision.overridable)
            return replace(told, action="hold", route=decision.chain, patience=decision.patience)
        case Refused():
            return replace(told, action="reject", overridable=decision.overridable)
        case Open():
            return told
        case _:
            assert_never(decision)


def envelope(sender: ReversePath, recipients: Iterable[Address], by: Door | None = None) -> Envelope:
    """As if an admitted client had sent it."""
    by = by or Door()
    client = Client(identity="what if", how=Admission.LOCAL, address=by.client, helo="localhost", tls=None)
    named = tuple(Recipient(address=address) for address in dict.fromkeys(recipients))
    return Envelope(client=client, listener=by.listener, reverse_path=sender, recipients=named)


def with_outside(facts: Facts, assumed: Assumed) -> Facts:
    """The facts with what is assumed of the world outside, whatever a rule asks."""
    return replace(facts, outside=_World(assumed))


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
