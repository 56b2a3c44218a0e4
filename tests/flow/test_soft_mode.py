"""Soft mode: what would be refused for good waits, in the session, at the rules and at the next hop."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.core.address import NullPath
from gateway.core.domains import parse_party
from gateway.core.modes import Mode, Rollout
from gateway.core.record import EventKind, State
from gateway.flow.accept import Profile
from gateway.flow.options import Refusals
from tests.fakes.carrying import UNKNOWN_USER
from tests.fakes.clock import START, settle
from tests.flow.gate import ADVICE, HOUR, SENDER, Gate
from tests.flow.wishing import joined, wishing

DAY = 24 * HOUR
SOFT = Rollout(mode=Mode.SOFT, until=START + DAY)
SESSION = Profile("smtp", Refusals.SESSION)


async def test_session_refuses_for_now_what_it_would_refuse_for_good() -> None:
    gate = wishing(SOFT)
    answer = await gate.hand_over("a@forbidden.example", "b@forbidden.example", profile=SESSION)
    assert (answer.code, str(answer.status), answer.lines[0]) == (450, "4.7.1", ADVICE)
    assert gate.heard.refusals == [("smtp", "10.0.0.1", ADVICE, 450)]
    assert await gate.audit() == [] and gate.spool.bodies.files == {}
    await gate.clock.advance(DAY)
    assert (await gate.hand_over("a@forbidden.example", profile=SESSION)).code == 550


async def test_session_takes_a_message_that_somebody_gets() -> None:
    gate = wishing(SOFT)
    assert (await gate.hand_over("a@forbidden.example", "b@one.example", profile=SESSION)).is_positive


async def test_null_path_is_told_in_the_session() -> None:
    gate = wishing(SOFT)
    answer = await gate.hand_over("a@forbidden.example", "b@one.example", sender=NullPath.NULL)
    assert answer.code == 450


async def test_softened_refusal_is_reported_with_its_rule_when_the_mode_ends() -> None:
    gate = wishing(SOFT)
    async with gate.running():
        await gate.hand_over("a@forbidden.example")
        await gate.clock.advance(DAY - HOUR)
        assert await gate.ends() == {}
        await gate.clock.advance(3 * HOUR)
        assert await gate.ends() == {"a@forbidden.example": State.REPORTED}
        assert ADVICE.encode() in joined(gate.reports()[-1][1])


async def test_softened_refusal_that_outlives_its_time_goes_back_with_its_own_words() -> None:
    gate = wishing(replace(SOFT, until=START + 30 * DAY))
    async with gate.running():
        await gate.hand_over("a@forbidden.example")
        await gate.clock.advance(2 * DAY)
        text = joined(gate.reports()[-1][1])
    assert await gate.ends() == {"a@forbidden.example": State.REPORTED}
    assert f"What to do: {ADVICE}".encode() in text and b"could not be found out" not in text


def refusing(*rollouts: Rollout) -> Gate:
    """A gate whose next hop refuses for a while."""
    gate = wishing(*rollouts)
    gate.transports["tls"].script = lambda delivery, target, now: UNKNOWN_USER
    return gate


async def test_what_the_next_hop_refuses_is_tried_again_until_the_mode_ends() -> None:
    gate = refusing(SOFT)
    async with gate.running():
        await gate.hand_over("a@three.example")
        await gate.clock.advance(DAY - HOUR)
        assert await gate.ends() == {} and len(gate.transports["tls"].deliveries) > 3
        await gate.clock.advance(3 * HOUR)
        assert await gate.ends() == {"a@three.example": State.REPORTED}
        assert b"no such user" in gate.reports()[-1][1]
    first = (await gate.audit(EventKind.ATTEMPT))[0].outcome
    assert first is not None and str(getattr(first, "status", "")) == "4.1.1"


async def test_what_the_next_hop_refuses_all_the_time_ends_with_the_deadline() -> None:
    gate = refusing(replace(SOFT, until=START + 30 * DAY))
    async with gate.running():
        await gate.hand_over("a@three.example")
        await gate.clock.advance(2 * DAY)
        assert await gate.ends() == {"a@three.example": State.REPORTED}


@pytest.mark.parametrize(
    "rollout",
    [
        replace(SOFT, rule="Public"),
        replace(SOFT, senders=parse_party("other@council.example")),
        replace(SOFT, until=START),
        Rollout(mode=Mode.ENFORCE, until=START + DAY),
    ],
)
async def test_mode_softens_only_what_it_covers(rollout: Rollout) -> None:
    gate = refusing(rollout)
    async with gate.running():
        await gate.hand_over("a@three.example")
        await settle()
        assert await gate.ends() == {"a@three.example": State.REPORTED}


async def test_mode_of_an_operator_softens_too_and_our_own_mail_never() -> None:
    gate = refusing()
    gate.shared = replace(gate.shared, rollouts=lambda: (SOFT,))
    gate.restart()
    gate.transports["internal"].script = lambda delivery, target, now: UNKNOWN_USER
    async with gate.running():
        await gate.hand_over("a@three.example")
        await gate.hand_over("b@held.example")
        await gate.clock.advance(timedelta(minutes=30))
    assert await gate.ends() == {}
    assert [
        target.recipient.address
        for _, delivery in gate.transports["internal"].deliveries
        for target in delivery.targets
    ] == [SENDER], "the notice of the hold, once"
