"""Tokens given out and redeemed: each works once, for one message, with a reason that the audit keeps.

They are kept in the shared state. Where that fails, or has lost a token, there is no override and the mail stays
refused; nothing about a token ever makes accepting a message fail.
"""

import hmac
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from pydantic import TypeAdapter, ValidationError

from gateway.core.address import Address
from gateway.core.decision import Decision
from gateway.core.facts import Facts
from gateway.core.override import (
    MOST_RECIPIENTS,
    VALID_FOR,
    Grant,
    Mark,
    OverrideResult,
    lifted,
    may_stop,
    named_by,
    new_token,
    serves,
    token_id,
)
from gateway.core.policy import Policy
from gateway.core.record import Message
from gateway.core.report import answers
from gateway.flow.ports import SpoolError
from gateway.flow.rulings import Rulings
from gateway.flow.shared import Shared

_GIVEN: Final = "override/given/"
_USED: Final = "override/used/"
_GRANT: Final = TypeAdapter(Grant)
_REMEMBERED: Final = VALID_FOR + timedelta(days=1)
"""That a token was used is kept longer than the token, so that forgetting can only refuse."""

Judge: TypeAlias = Callable[[Facts, Sequence[Address]], Awaitable[Rulings]]
"""Decides for some of the message's recipients again, with other facts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A message that comes with marks: its recipients in order, and its policy.

    ``content`` is the same when the same message comes again (`core.content`); empty for one that never does.
    """

    addresses: Sequence[Address]
    content: bytes
    policy: Policy
    judge: Judge


@dataclass(frozen=True, slots=True)
class _Claim:
    """A mark whose token is known, and its name in the state."""

    id: str
    mark: Mark
    grant: Grant


class Overrides:
    """For one message; made where it is needed."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._key = shared.system.hop_key

    async def issue(self, message: Message, stopped: Iterable[tuple[str, Address]]) -> Mapping[str, str]:
        """A token for each rule that stopped a recipient and may be overridden; none that could not be kept."""
        if not answers(message):
            return {}
        recipients: dict[str, set[str]] = {}
        for rule, address in stopped:
            recipients.setdefault(rule, set()).add(address.key)
        until, sender = self._shared.clock.now() + VALID_FOR, str(message.envelope.reverse_path)
        grants = [
            Grant(rule=rule, sender=sender, recipients=frozenset(keys), until=until)
            for rule, keys in recipients.items()
            if len(keys) <= MOST_RECIPIENTS
        ]
        tokens = {grant.rule: new_token(self._key, self._shared.ids.new()) for grant in grants}
        return tokens if await self._keep({tokens[grant.rule]: grant for grant in grants}, until) else {}

    async def _keep(self, grants: Mapping[str, Grant], until: datetime) -> bool:
        values = {_GIVEN + token_id(self._key, token): _GRANT.dump_json(grant) for token, grant in grants.items()}
        try:
            if values:
                await self._shared.state.put_many(values, until)
        except (SpoolError, ValueError) as error:
            self._shared.events.broken("override", "", error)
            return False
        return True

    async def overrule(self, judged: Rulings, marks: Sequence[Mark], attempt: Attempt) -> tuple[Rulings, str]:
        """The decisions without the rules that the marks' tokens let this message pass, and the audit's sentence.

        The sentence is empty if no override was granted.
        """
        claims = await self._claims(judged.facts, marks, attempt.policy)
        while claims:
            final = await _lift(judged, claims, attempt)
            decided = _by_address(attempt.addresses, final)
            lifting = (claim for claim in claims if claim.grant.rule in final.facts.overridden)
            serving = [claim for claim in lifting if serves(claim.grant, decided)]
            failed = [claim for claim in serving if not await self._redeem(claim, judged.facts, attempt)]
            if not failed:
                self._tell(claims, serving)
                return final, _sentences(serving)
            claims = [claim for claim in claims if claim not in failed]
        return judged, ""

    async def _claims(self, facts: Facts, marks: Sequence[Mark], policy: Policy) -> list[_Claim]:
        """The tokens that are this sender's, with a reason, for a rule that may be overridden."""
        overridable = frozenset(rule.name for rule in policy.rules if rule.overridable)
        ids = {token_id(self._key, mark.token): mark for mark in marks}
        try:
            found = await self._shared.state.get_many([_GIVEN + id for id in ids])
        except SpoolError as error:
            self._shared.events.broken("override", "", error)
            self._count(facts, marks, OverrideResult.UNAVAILABLE)
            return []
        claims: list[_Claim] = []
        for id, mark in ids.items():
            grant = _read(found.get(_GIVEN + id))
            if grant is None:
                self._count(facts, [mark], OverrideResult.UNKNOWN)
            elif not grant.holds(facts.sender, overridable, self._shared.clock.now()):
                self._count(facts, [mark], OverrideResult.OTHER)
            elif not mark.has_reason:
                self._count(facts, [mark], OverrideResult.NO_REASON)
            else:
                claims.append(_Claim(id, mark, grant))
        return claims

    async def _redeem(self, claim: _Claim, facts: Facts, attempt: Attempt) -> bool:
        """Whether the token is this message's now; the same message again, after a 451, has it already."""
        identity, until = self._identity(attempt), self._shared.clock.now() + _REMEMBERED
        try:
            holder = await self._shared.state.put_if_absent(_USED + claim.id, identity, until)
        except SpoolError as error:
            self._shared.events.broken("override", "", error)
            self._count(facts, [claim.mark], OverrideResult.UNAVAILABLE)
            return False
        if holder != identity:
            self._count(facts, [claim.mark], OverrideResult.USED)
        return holder == identity

    def _identity(self, attempt: Attempt) -> bytes:
        """What is kept tells nobody who guesses a content whether the guess is right."""
        content = attempt.content or self._shared.ids.new().encode()
        return hmac.digest(self._key, b"content\n" + content, "sha256")

    def _tell(self, claims: Sequence[_Claim], serving: Sequence[_Claim]) -> None:
        for claim in claims:
            result = OverrideResult.GRANTED if claim in serving else OverrideResult.NOT_USED
            self._shared.events.overridden(claim.grant.rule, claim.grant.sender, result)

    def _count(self, facts: Facts, marks: Sequence[Mark], result: OverrideResult) -> None:
        for _ in marks:
            self._shared.events.overridden("", facts.sender, result)


async def _lift(judged: Rulings, claims: Sequence[_Claim], attempt: Attempt) -> Rulings:
    """Behind a rule that is passed another may stop the message, for which there is a token too."""
    rulings, named = judged, named_by(claim.grant for claim in claims)
    while more := lifted(named, _by_address(attempt.addresses, rulings)) - rulings.facts.overridden:
        rulings = await attempt.judge(_passing(rulings.facts, rulings.facts.overridden | more), attempt.addresses)
    while wrong := await _wrongly(rulings.facts, named, attempt):
        rulings = await attempt.judge(_passing(rulings.facts, rulings.facts.overridden - wrong), attempt.addresses)
    return rulings


async def _wrongly(facts: Facts, named: Mapping[str, frozenset[str]], attempt: Attempt) -> frozenset[str]:
    """The lifted rules that would stop somebody whom no token for them names, were they alone in force again.

    Another rule had stopped that recipient before it, so that nobody saw this one.
    """
    wrong: set[str] = set()
    for rule in sorted(facts.overridden):
        others = [address for address in attempt.addresses if address.key not in named[rule]]
        if others:
            judged = await attempt.judge(_passing(facts, facts.overridden - {rule}), others)
            if any(may_stop(decision, rule) for decision in judged.decisions):
                wrong.add(rule)
    return frozenset(wrong)


def _passing(facts: Facts, rules: frozenset[str]) -> Facts:
    return replace(facts, overridden=rules)


def _by_address(addresses: Sequence[Address], rulings: Rulings) -> Mapping[Address, Decision]:
    return dict(zip(addresses, rulings.decisions, strict=True))


def _sentences(claims: Sequence[_Claim]) -> str:
    return "; ".join(f"override of {one.grant.rule} by {one.grant.sender}: {one.mark.reason}" for one in claims)


def _read(value: bytes | None) -> Grant | None:
    """The grant, or None for nothing, for what a newer gateway may have written, and for a damaged one."""
    try:
        grant = _GRANT.validate_json(value) if value is not None else None
    except ValidationError:
        return None
    return grant if grant is not None and grant.until.tzinfo is not None else None
