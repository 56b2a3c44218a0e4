"""Roll-out modes by order: in force in every worker within seconds, and over by themselves."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from gateway.core.decision import Refused, Routed
from gateway.core.domains import Group, parse_domains, parse_party
from gateway.core.modes import Mode, Rollout
from gateway.core.policy import Policy
from gateway.core.record import EventKind
from gateway.flow import modes
from gateway.flow.modes import KEY, LOG, Modes, Order, give, read_log, read_orders, resolve
from tests.fakes.clock import START
from tests.flow.gate import HOUR, POLICY, SENDER, Gate

SENDERS = POLICY.groups
UNTIL = START + 2 * HOUR


def order(**given: Any) -> Order:
    start: dict[str, Any] = {
        "mode": Mode.SOFT,
        "until": UNTIL,
        "reason": "a pilot",
        "reference": "CHG-7",
        "operator": "operator",
        "at": START,
    }
    return Order(**{**start, **given})


OBSERVE = order(mode=Mode.OBSERVE, baseline="opportunistic")


class Worker:
    """What one worker knows of the orders."""

    def __init__(self, gate: Gate) -> None:
        self.counts: list[Mapping[Mode, int]] = []
        self.modes = Modes(gate.state, gate.clock, gate.book, gate.heard, self.counts.append)
        self.active = lambda: {mode.value: count for mode, count in self.counts[-1].items() if count}


async def test_an_order_takes_effect_in_every_worker_within_five_seconds_and_ends_by_itself() -> None:
    gate = Gate()
    workers = [Worker(gate), Worker(gate)]
    tasks = [asyncio.create_task(worker.modes.run()) for worker in workers]
    await gate.clock.advance(HOUR)
    await give(replace(OBSERVE, at=gate.clock.now()), gate.state, POLICY)
    await gate.clock.advance(timedelta(seconds=5))
    for worker in workers:
        assert worker.modes.current() == (
            Rollout(mode=Mode.OBSERVE, until=UNTIL, baseline="opportunistic", reason="a pilot", reference="CHG-7"),
        )
        assert worker.active() == {"observe": 1}
    text = "observe for everything until 2026-03-02 11:00 UTC"
    assert gate.heard.alerts == [("mode-active", "", text)] * 2
    await gate.clock.advance_to(UNTIL)
    assert [worker.modes.current() for worker in workers] == [(), ()]
    await gate.clock.advance(timedelta(seconds=5))
    assert [worker.active() for worker in workers] == [{}, {}]
    assert gate.heard.alerts[2:] == [("mode-ended", "", text)] * 2
    for task in tasks:
        task.cancel()


async def test_mail_is_decided_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate()
    worker = Worker(gate)
    gate.shared = replace(gate.shared, rollouts=worker.modes.current)
    gate.restart()
    await gate.hand_over("a@forbidden.example")
    await give(replace(OBSERVE, rule="Forbidden"), gate.state, POLICY)
    await worker.modes.look()
    await gate.hand_over("b@forbidden.example")
    await gate.clock.advance_to(UNTIL)
    await gate.hand_over("c@forbidden.example")
    decided = [event for event in await gate.audit(EventKind.DECIDED) if event.address != str(SENDER)]
    assert [type(event.decision) for event in decided] == [Refused, Routed, Refused]
    observed = decided[1].decision
    assert isinstance(observed, Routed)
    assert observed.chain == ("opportunistic",)


async def test_one_of_the_same_scope_is_replaced_and_others_stay() -> None:
    gate = Gate()
    for each in (
        order(),
        order(rule="Public"),
        order(sender="officer@council.example"),
        order(rule="Public", sender="council.example"),
        order(mode=Mode.ENFORCE, rule="Public", at=START + timedelta(seconds=4)),
    ):
        await give(each, gate.state, POLICY)
        await gate.clock.advance(timedelta(seconds=1))
    kept = read_orders(await gate.state.get(KEY))
    assert [(each.mode, each.rule, each.sender) for each in kept] == [
        (Mode.SOFT, "", ""),
        (Mode.SOFT, "", "officer@council.example"),
        (Mode.SOFT, "Public", "council.example"),
        (Mode.ENFORCE, "Public", ""),
    ]
    await gate.clock.advance_to(UNTIL - HOUR)
    await give(order(at=UNTIL - HOUR, until=UNTIL + HOUR, rule="Public"), gate.state, POLICY)
    await gate.clock.advance_to(UNTIL)
    await give(order(at=UNTIL, until=UNTIL + HOUR, rule="Forbidden"), gate.state, POLICY)
    assert [each.rule for each in read_orders(await gate.state.get(KEY))] == ["Public", "Forbidden"]
    await gate.clock.advance(HOUR)
    assert await gate.state.get(KEY) is None


async def test_every_order_is_kept_for_the_record() -> None:
    gate = Gate()
    await give(order(), gate.state, POLICY)
    await give(order(mode=Mode.ENFORCE, at=START + HOUR), gate.state, POLICY)
    await gate.state.put(f"{LOG}damaged", b"no order", UNTIL)
    log = read_log(await gate.state.items(LOG, 100))
    assert [(each.mode, each.operator, each.reason, each.reference) for each in log] == [
        (Mode.SOFT, "operator", "a pilot", "CHG-7"),
        (Mode.ENFORCE, "operator", "a pilot", "CHG-7"),
    ]
    await gate.clock.advance(399 * 24 * HOUR)
    assert len(await gate.state.items(LOG, 100)) == 2


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"until": START}, "in the future"),
        ({"until": START + timedelta(days=367)}, "within a year"),
        ({"rule": "Nobody's"}, "no rule `Nobody's`; known are "),
        ({"rule": "Publik"}, "no rule `Publik`, did you mean `Public`"),
        ({"mode": Mode.OBSERVE, "baseline": "oportunistic"}, "is no route, did you mean `opportunistic`"),
        ({"mode": Mode.OBSERVE}, "`` is no route"),
        ({"mode": Mode.OBSERVE, "baseline": "nowhere"}, "`nowhere` is no route"),
        ({"baseline": "tls"}, "only what is observed"),
        ({"sender": "group:nobody"}, "no group `nobody`"),
        ({"sender": "group:pilot"}, "no group `pilot`, did you mean `pilots`"),
        ({"mode": Mode.ENFORCE}, "nothing to end: enforce for everything holds; in force: soft for rule Public until"),
        ({"mode": Mode.ENFORCE, "rule": "Forbidden"}, "nothing to end: enforce for rule Forbidden holds"),
        ({"mode": Mode.ENFORCE, "rule": "Publik"}, "did you mean `Public`"),
        ({"sender": "not an address"}, "not a domain"),
    ],
)
async def test_what_cannot_be_is_refused_and_changes_nothing(given: dict[str, Any], text: str) -> None:
    gate = Gate()
    policy = replace(POLICY, groups={**POLICY.groups, "pilots": parse_party("council.example")})
    await give(order(rule="Public"), gate.state, policy)
    before = await gate.state.items("", 100)
    with pytest.raises(ValueError, match=text):
        await give(order(**given), gate.state, policy)
    assert await gate.state.items("", 100) == before


async def test_there_are_not_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modes, "MOST", 2)
    gate = Gate()
    await give(order(rule="Public"), gate.state, POLICY)
    await give(order(rule="Forbidden"), gate.state, POLICY)
    with pytest.raises(ValueError, match="2 modes in force already"):
        await give(order(), gate.state, POLICY)
    await give(order(rule="Public", mode=Mode.ENFORCE), gate.state, POLICY)


async def test_fifty_are_in_force_and_no_more() -> None:
    gate = Gate()
    for number in range(50):
        await give(order(sender=f"officer{number}@council.example"), gate.state, POLICY)
    with pytest.raises(ValueError, match="50 modes in force already"):
        await give(order(sender="officer50@council.example"), gate.state, POLICY)
    kept = read_orders(await gate.state.get(KEY))
    assert [each.sender for each in kept] == [f"officer{number}@council.example" for number in range(50)]


async def test_a_memory_that_fails_leaves_what_was_known_to_its_end_and_is_told_once() -> None:
    gate = Gate()
    worker = Worker(gate)
    await give(OBSERVE, gate.state, POLICY)
    await worker.modes.look()
    gate.state.failing = True
    for _ in range(3):
        await worker.modes.look()
    assert len(worker.modes.current()) == 1
    assert [where for where, _, _ in gate.heard.faults] == ["modes"]
    await gate.clock.advance_to(UNTIL)
    assert worker.modes.current() == ()
    gate.state.failing = False
    await worker.modes.look()
    await gate.state.put(KEY, b"damaged", UNTIL + HOUR)
    await worker.modes.look()
    assert [where for where, _, _ in gate.heard.faults] == ["modes", "modes"]
    await give(replace(OBSERVE, at=UNTIL, until=UNTIL + HOUR), gate.state, POLICY)
    await worker.modes.look()
    assert len(worker.modes.current()) == 1


async def test_what_the_policy_no_longer_names_is_enforced() -> None:
    gate = Gate()
    worker = Worker(gate)
    await give(order(rule="Public"), gate.state, POLICY)
    await give(order(rule="Forbidden"), gate.state, POLICY)
    gate.reload(replace(POLICY, rules=tuple(rule for rule in POLICY.rules if rule.name != "Public")))
    worker = Worker(gate)
    await worker.modes.look()
    assert [rollout.rule for rollout in worker.modes.current()] == ["Forbidden"]


async def test_the_policys_own_modes_are_told_and_counted_but_not_repeated() -> None:
    senders = resolve(order(sender="council.example"), POLICY).senders
    own = Rollout(mode=Mode.SOFT, until=UNTIL, rule="Public", senders=senders)
    gate = Gate(policy=replace(POLICY, rollouts=(own,)))
    worker = Worker(gate)
    await give(OBSERVE, gate.state, POLICY)
    await worker.modes.look()
    assert [rollout.mode for rollout in worker.modes.current()] == [Mode.OBSERVE]
    assert worker.active() == {"soft": 1, "observe": 1}
    assert sorted(text for _, _, text in gate.heard.alerts) == [
        "observe for everything until 2026-03-02 11:00 UTC",
        "soft for rule Public and senders council.example until 2026-03-02 11:00 UTC, by the policy",
    ]
    await gate.clock.advance_to(UNTIL)
    await worker.modes.look()
    assert worker.active() == {}


MONTH = START + timedelta(days=30)
ENDING = {"mode": Mode.ENFORCE, "rule": "Forbidden"}
OBSERVED = Rollout(mode=Mode.OBSERVE, until=MONTH, rule="Forbidden", baseline="opportunistic")


def observing(*rollouts: Rollout) -> Policy:
    return replace(POLICY, rollouts=rollouts or (OBSERVED,))


@pytest.mark.parametrize("until", [START + HOUR, UNTIL])
async def test_what_is_enforced_by_order_stays_so_until_all_that_it_ends_is_over(until: datetime) -> None:
    gate = Gate(policy=observing())
    worker = Worker(gate)
    gate.shared = replace(gate.shared, rollouts=worker.modes.current)
    gate.restart()
    await worker.modes.look()
    await gate.hand_over("before@forbidden.example")
    await give(order(**ENDING, until=until), gate.state, observing())
    await worker.modes.look()
    await gate.hand_over("soon@forbidden.example")
    await gate.clock.advance(3 * HOUR)
    await worker.modes.look()
    await gate.hand_over("later@forbidden.example")
    decided = [event for event in await gate.audit(EventKind.DECIDED) if event.address != str(SENDER)]
    assert [type(event.decision) for event in decided] == [Routed, Refused, Refused]
    assert [rollout.until for rollout in worker.modes.current()] == [MONTH]
    await gate.clock.advance_to(MONTH)
    assert worker.modes.current() == ()
    assert await gate.state.get(KEY) is None


async def test_what_is_ended_is_told_as_ended_and_enforcing_is_no_mode_to_be_told() -> None:
    gate = Gate(policy=observing())
    worker = Worker(gate)
    await worker.modes.look()
    await give(order(**ENDING), gate.state, observing())
    await worker.modes.look()
    text = "observe for rule Forbidden until 2026-04-01 09:00 UTC, by the policy"
    assert gate.heard.alerts == [("mode-active", "", text), ("mode-ended", "", text)]
    assert worker.counts == [{Mode.SOFT: 0, Mode.OBSERVE: 1}, {Mode.SOFT: 0, Mode.OBSERVE: 0}]


async def test_enforcing_twice_is_refused_the_second_time() -> None:
    gate = Gate()
    await give(order(**ENDING), gate.state, observing())
    before = await gate.state.items("", 100)
    with pytest.raises(ValueError, match=r"nothing to end: enforce for rule Forbidden holds$"):
        await give(order(**ENDING, at=START + HOUR), gate.state, observing())
    assert await gate.state.items("", 100) == before


async def test_a_mode_after_it_ends_without_bringing_the_policys_back() -> None:
    gate = Gate(policy=observing())
    worker = Worker(gate)
    await give(order(**ENDING), gate.state, observing())
    await give(order(rule="Forbidden"), gate.state, observing())
    await worker.modes.look()
    assert [rollout.mode for rollout in worker.modes.current()] == [Mode.ENFORCE, Mode.SOFT]
    # To enforce once more ends the soft one, and outlasts the policy's still.
    await give(order(**ENDING, at=START + HOUR), gate.state, observing())
    await worker.modes.look()
    await gate.clock.advance(3 * HOUR)
    assert [(rollout.mode, rollout.until) for rollout in worker.modes.current()] == [(Mode.ENFORCE, MONTH)]


async def test_it_lasts_as_long_as_a_wider_mode_or_order_that_it_excepts_from() -> None:
    gate, policy = Gate(), observing(replace(OBSERVED, rule=""))
    await give(order(until=MONTH + HOUR), gate.state, policy)
    await give(order(rule="Public", until=MONTH + 2 * HOUR), gate.state, policy)
    await give(order(**ENDING), gate.state, policy)
    assert read_orders(await gate.state.get(KEY))[-1].until == MONTH + HOUR


async def test_a_mode_of_the_whole_organisation_can_be_ended() -> None:
    inside = Group("the organisation", domains=parse_domains(POLICY.organisation.domains))
    gate, policy = Gate(), observing(replace(OBSERVED, rule="", senders=inside))
    ending = order(mode=Mode.ENFORCE, sender="organisation")
    await give(ending, gate.state, policy)
    assert resolve(ending, policy).senders == inside
    [kept] = read_orders(await gate.state.get(KEY))
    assert kept.until == MONTH


def test_a_group_is_the_policys() -> None:
    group = resolve(order(sender="officer@council.example"), POLICY).senders
    assert group is not None
    assert SENDER in group
    policy = replace(POLICY, groups={"pilots": group})
    assert resolve(order(sender="group:pilots"), policy).senders is group
    assert str(order(sender="group:pilots", rule="Public")) == (
        "soft for rule Public and senders group:pilots until 2026-03-02 11:00 UTC"
    )


def test_no_order_is_no_order() -> None:
    assert read_orders(None) == ()
    with pytest.raises(ValueError, match="JSON"):
        read_orders(b"damaged")
    assert isinstance(UNTIL, datetime)
