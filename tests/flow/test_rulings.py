import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.core.address import parse_address
from gateway.core.conditions.base import Need
from gateway.core.conditions.message import ClassificationIs
from gateway.core.conditions.outside import StarttlsIs
from gateway.core.decision import Open, Refused, Routed
from gateway.core.domains import parse_party
from gateway.core.facts import Lookup, Missing, OutsideFact
from gateway.core.modes import Mode, Rollout
from gateway.core.policy import Reject
from gateway.core.tls import Starttls
from gateway.flow.rulings import Rulings, rule
from tests.fixtures.build import BOB, NOON, facts, policy
from tests.fixtures.build import rule as made_rule

WAIT = timedelta(seconds=5)
CONTROLLED = ClassificationIs(frozenset({"controlled"}))
REFUSING = made_rule("no", CONTROLLED, Reject()), made_rule("last", None, "tls")
OBSERVED = Rollout(mode=Mode.OBSERVE, until=NOON + timedelta(hours=1), baseline="opportunistic")
SOFT = Rollout(mode=Mode.SOFT, until=NOON + timedelta(hours=1), senders=parse_party("officer@council.example"))


class Asked:
    """Answers every need with a no, and remembers what was asked."""

    def __init__(self) -> None:
        self.needs: list[frozenset[Need]] = []

    async def look_up(self, wanted: frozenset[Need], wait: timedelta) -> Mapping[Need, OutsideFact]:
        self.needs.append(wanted)
        return dict.fromkeys(wanted, Starttls.NO)


async def decided(*rollouts: Rollout, later: timedelta = timedelta(), own: tuple[Rollout, ...] = ()) -> Rulings:
    made = policy(*REFUSING, rollouts=own)
    return await rule(facts(), [BOB], made, Asked(), WAIT, rollouts=rollouts, at=NOON + later)


async def test_without_modes_the_policy_decides() -> None:
    assert isinstance((await decided()).decisions[0], Refused)


async def test_the_modes_of_the_policy_and_those_given_take_effect() -> None:
    for rulings in (await decided(OBSERVED), await decided(own=(OBSERVED,))):
        decision = rulings.decisions[0]
        assert isinstance(decision, Routed)
        assert (decision.chain, decision.rule) == (("opportunistic",), "no")
    assert isinstance((await decided(SOFT)).decisions[0], Open)


async def test_what_is_given_comes_behind_the_policys_own() -> None:
    enforced = Rollout(mode=Mode.ENFORCE, until=NOON + timedelta(hours=1))
    assert isinstance((await decided(enforced, own=(OBSERVED,))).decisions[0], Refused)
    assert isinstance((await decided(OBSERVED, own=(enforced,))).decisions[0], Routed)


async def test_a_softened_refusal_that_is_decided_again_later_is_refused_at_last() -> None:
    assert isinstance((await decided(SOFT, later=timedelta(minutes=59))).decisions[0], Open)
    assert isinstance((await decided(SOFT, later=timedelta(hours=1))).decisions[0], Refused)


async def test_without_a_time_the_messages_own_counts() -> None:
    rulings = await rule(facts(), [BOB], policy(*REFUSING), Asked(), WAIT, rollouts=[OBSERVED])
    assert isinstance(rulings.decisions[0], Routed)


class Unanswered:
    """Knows nothing in time."""

    async def look_up(self, wanted: frozenset[Need], wait: timedelta) -> Mapping[Need, OutsideFact]:
        return dict.fromkeys(wanted, Missing("no answer"))


async def test_an_answer_that_fails_lets_nothing_out_that_an_enforced_rule_may_refuse() -> None:
    asking = policy(made_rule("if", StarttlsIs(Starttls.NO), "encrypted"), *REFUSING)
    observed = replace(OBSERVED, rule="if")
    at_the_door = await rule(facts(), [BOB], asking, Unanswered(), WAIT, rollouts=[observed])
    assert isinstance(at_the_door.decisions[0], Open)
    later = await rule(at_the_door.facts, [BOB], asking, Asked(), WAIT, rollouts=[observed])
    decision = later.decisions[0]
    assert isinstance(decision, Routed)
    assert decision.instead is not None
    whole = await rule(facts(), [BOB], asking, Unanswered(), WAIT, rollouts=[OBSERVED])
    assert isinstance(whole.decisions[0], Routed)


async def test_what_is_observed_is_looked_up_first_so_that_the_record_is_true() -> None:
    asking = policy(made_rule("if", StarttlsIs(Starttls.NO), "encrypted"), made_rule("last", None, "secure"))
    asked = Asked()
    rulings = await rule(facts(), [BOB], asking, asked, WAIT, rollouts=[OBSERVED])
    assert asked.needs == [frozenset({(Lookup.STARTTLS, "partner.example")})]
    decision = rulings.decisions[0]
    assert isinstance(decision, Routed)
    assert decision.instead is not None
    assert (decision.instead.action, decision.instead.chain) == ("route", ("encrypted",))
    assert rulings.facts.outside == {(Lookup.STARTTLS, "partner.example"): Starttls.NO}


@pytest.mark.parametrize("rollouts", [(), (OBSERVED,)])
async def test_others_have_their_turn_while_many_recipients_are_decided(rollouts: tuple[Rollout, ...]) -> None:
    turns: list[int] = []

    async def other() -> None:
        while True:
            turns.append(len(turns))
            await asyncio.sleep(0)

    recipients = [parse_address(f"a{number}@partner.example") for number in range(120)]
    task = asyncio.create_task(other())
    rulings = await rule(facts(), recipients, policy(*REFUSING), Asked(), WAIT, rollouts=rollouts)
    task.cancel()
    assert len(turns) == (4 if rollouts else 2)
    assert len(rulings.decisions) == len(recipients)
