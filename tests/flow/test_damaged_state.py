"""Whatever stands in the shared state, no mail is put off for it and nobody is passed by: damaged is as absent."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.address import NullPath, parse_address
from gateway.core.digest import About, Batch, Topic, build_digest
from gateway.core.facts import Answer
from gateway.core.modes import Mode
from gateway.core.policy import Policy, Wishes
from gateway.core.record import EventKind
from gateway.core.report import Identity, Stamp
from gateway.flow.accept import Profile
from gateway.flow.digests import Digests
from gateway.flow.history import History
from gateway.flow.modes import KEY, LOG, Modes, Order, give, read_log
from gateway.flow.options import Refusals
from gateway.flow.ports import SpoolError
from gateway.flow.receiving import UNKNOWN
from gateway.flow.reminders import Reminders
from gateway.flow.tally import KEEP, SLACK, WINDOW
from tests.fakes.clock import START, settle
from tests.flow import gate as gates
from tests.flow.gate import POLICY, RULES, Gate, with_fields
from tests.flow.test_notifications import LINE, TOPIC, told
from tests.flow.test_receipts import DAYS, DOMAIN, MDN, requests
from tests.flow.wishing import remark

DPO = "dpo@council.example"
GP = "gp@surgery.example"
MONTH = timedelta(days=30)
POLICY_TOLD: Policy = replace(
    POLICY,
    rules=(
        remark("Told", "surgery.example", Wishes(notify=(DPO,), receipt=True, remind_after=DAYS)),
        replace(RULES[1], wishes=Wishes(notify=(DPO,))),
        *RULES,
    ),
    receipts=DOMAIN,
)
GARBLED = with_fields(b"X-Classification: no level of ours")
ORDER = Order(
    mode=Mode.SOFT, until=START + 300 * WINDOW, reason="a", reference="b", operator="c", at=START, rule="Told"
)


def zoneless(value: bytes) -> bytes:
    """Its times without their zones, which are other times then, or none."""
    return value.replace(b"Z", b"").replace(b"+00:00", b"")


def moved(value: bytes) -> bytes:
    """Its times in another zone, at the very ends of the calendar."""
    return value.replace(b"Z", b"+23:59").replace(b"+00:00", b"+23:59").replace(b"2026", b"0001")


def far(value: bytes) -> bytes:
    """Its times at the other end."""
    return value.replace(b"2026", b"9999").replace(b"2027", b"9999")


def odd(value: bytes) -> bytes:
    """Its addresses are none, and end lines."""
    return value.replace(b"@", b"\\n")


def cut(at: int) -> Callable[[bytes], bytes]:
    return lambda value: value[:at]


def flipped(at: int, by: int) -> Callable[[bytes], bytes]:
    def flip(value: bytes) -> bytes:
        place = at % max(len(value), 1)
        return value[:place] + bytes(byte ^ by for byte in value[place : place + 1]) + value[place + 1 :]

    return flip


def always(value: bytes) -> Callable[[bytes], bytes]:
    return lambda _: value


DAMAGE = st.one_of(
    st.sampled_from([zoneless, moved, far, odd]),
    st.builds(cut, st.integers(0, 60)),
    st.builds(flipped, st.integers(0, 10_000), st.integers(1, 255)),
    st.binary(max_size=60).map(always),
    st.sampled_from([b"\xff", b"2026-03-02 x", b"9999-12-31T23:59:59-23:59 x", b"[]", b"[{}]", b"null", b"1"]).map(
        always
    ),
)


def watching() -> Gate:
    return Gate(policy=POLICY_TOLD)


def worker(gate: Gate) -> Modes:
    return Modes(gate.state, gate.clock, gate.book, gate.heard, lambda counts: None)


async def receive(gate: Gate, to: str) -> int:
    message = MDN % (b"1", b"displayed")
    return (await gate.hand_over(to, message=message, sender=NullPath.NULL)).code


async def live_through(how: Callable[[bytes], bytes]) -> None:
    gate, session = watching(), Profile("smtp", Refusals.SESSION)
    async with gate.running():
        for number in range(2):
            await gate.hand_over(GP, f"gp{number}@surgery.example", message=GARBLED)
            await gate.hand_over("a@forbidden.example")
        await settle()
        await give(ORDER, gate.state, POLICY_TOLD)
        assert await gate.shared.history.write()
        assert len({key.split("/")[0] for key in await gate.state.items("", 100)}) == 6, "each part has kept something"
        gate.state.damage(how)
        assert (await gate.hand_over(GP, "new@surgery.example", message=GARBLED)).code == 250
        assert (await gate.hand_over("a@forbidden.example", profile=session)).code == 550
        assert await receive(gate, requests(gate)[GP][0]) in (250, 550)
        await settle()
        assert "new@surgery.example" in gate.transports["tls"].carried
        again = History(gate.state, gate.clock, gates.KEY, gate.heard)
        for history in (gate.shared.history, again):
            assert len(await history.known([parse_address(GP).key])) == 1
            assert await history.write()
        modes = worker(gate)
        await modes.look()
        modes.current()
        read_log(await gate.state.items(LOG, 10))
        await gate.clock.advance(DAYS + WINDOW)
        for chore in (Digests, Reminders):
            await chore(gate.spool, gate.shared, gate.dispatch.committed).send()
        await settle()
        assert len(told(gate, DPO)) >= 3, "nobody is passed by"
        await give(replace(ORDER, at=gate.clock.now(), rule=""), gate.state, POLICY_TOLD)
    assert {where for where, _, _ in gate.heard.faults} <= {"modes", "digest"}


@given(how=DAMAGE)
@settings(max_examples=60, deadline=None)
def test_whatever_stands_in_the_state_mail_goes_on(how: Callable[[bytes], bytes]) -> None:
    asyncio.run(live_through(how))


@given(value=st.binary(max_size=100))
def test_any_bytes_as_the_beginning_of_a_window_open_one_now(value: bytes) -> None:
    async def go() -> None:
        gate = watching()
        assert await gate.shared.tally.opens(TOPIC)
        assert not await gate.shared.tally.opens(TOPIC)
        gate.state.damage(always(value))
        assert await gate.shared.tally.opens(TOPIC)
        assert not await gate.shared.tally.opens(TOPIC), "it is mended by then"
        await gate.shared.tally.add(TOPIC, [LINE])
        gate.state.damage(lambda kept: value if kept.startswith(b"{") else kept)
        await gate.shared.tally.add(TOPIC, [LINE, LINE])
        await gate.clock.advance(WINDOW + SLACK)
        (due,) = await gate.shared.tally.due()
        assert due.batch.count == 2

    asyncio.run(go())


@pytest.mark.parametrize("hours", [-25, -1, 1])
async def test_a_window_that_cannot_have_begun_then_begins_now(hours: int) -> None:
    gate = watching()
    await gate.shared.tally.opens(TOPIC)
    began = gate.clock.now() + timedelta(hours=hours)
    gate.state.damage(always(f"{began.isoformat()} mark".encode()))
    assert await gate.shared.tally.opens(TOPIC) == (hours != -1)


async def test_a_batch_of_another_topic_takes_no_lines() -> None:
    gate = watching()
    await gate.shared.tally.add(TOPIC, [LINE])
    gate.state.damage(lambda kept: kept.replace(b'"rule":"R"', b'"rule":"S"'))
    await gate.shared.tally.add(TOPIC, [LINE])
    await gate.clock.advance(WINDOW + SLACK)
    assert [(due.batch.topic.rule, due.batch.count) for due in await gate.shared.tally.due()] == [("R", 1)]


@pytest.mark.timeout(10)
async def test_a_rule_whose_name_alone_is_too_long_is_told_each_time_at_once() -> None:
    name = "n" * 70_000
    gate = Gate(policy=replace(POLICY, rules=(remark(name, "surgery.example", Wishes(notify=(DPO,))), *RULES)))
    with pytest.raises(SpoolError, match="too long"):
        await gate.shared.tally.add(Topic(about=About.RULE, rule=name, mailbox=DPO), [LINE])
    async with gate.running():
        for _ in range(2):
            assert (await gate.hand_over(GP)).code == 250
        await settle()
        assert len(gate.reports()) == 2


async def test_one_digest_that_cannot_be_made_keeps_no_other_back(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = watching()
    async with gate.running():
        await gate.shared.tally.add(replace(TOPIC, rule="Bad"), [LINE])
        await gate.shared.tally.add(TOPIC, [LINE])

        def build(batch: Batch, identity: Identity, stamp: Stamp) -> bytes:
            if batch.topic.rule == "Bad":
                raise ValueError("a bug")
            return build_digest(batch, identity, stamp)

        monkeypatch.setattr("gateway.flow.digests.build_digest", build)
        await gate.clock.advance(WINDOW + SLACK)
        await Digests(gate.spool, gate.shared, gate.dispatch.committed).send()
        await settle()
        assert len(told(gate, DPO)) == 1
    assert [where for where, _, _ in gate.heard.faults] == ["digest"]


@given(value=st.binary(max_size=100))
def test_a_beginning_that_cannot_be_read_is_a_beginning_now(value: bytes) -> None:
    async def go() -> None:
        gate, key = watching(), parse_address(GP).key
        await gate.hand_over(GP)
        await gate.shared.history.write()
        await gate.clock.advance(MONTH)
        stranger = [parse_address("new@surgery.example").key, key]
        found = await gate.shared.history.known(stranger)
        assert [fact.yes for fact in found.values() if isinstance(fact, Answer)] == [False, True]
        gate.state.damage(always(value))
        found = await gate.shared.history.known(stranger)
        assert [fact.yes for fact in found.values() if isinstance(fact, Answer)] == [True, True]
        restarted = History(gate.state, gate.clock, gates.KEY, gate.heard)
        gate.shared = replace(gate.shared, history=restarted)
        gate.restart()
        await gate.hand_over("other@surgery.example")
        assert await restarted.write()
        await gate.clock.advance(MONTH - timedelta(seconds=1))
        assert (await restarted.known(stranger))[stranger[0]] == found[stranger[0]]
        await gate.clock.advance(timedelta(seconds=1))
        later = await restarted.known(stranger)
        assert [fact.yes for fact in later.values() if isinstance(fact, Answer)] == [False, False]

    asyncio.run(go())


async def test_history_that_cannot_be_written_for_any_fault_is_written_again(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = watching()
    with monkeypatch.context() as for_now:
        for_now.setattr("gateway.flow.labels_seen.LabelsSeen.write", None)
        await gate.hand_over(GP)
        assert not await gate.shared.history.write()
    assert await gate.shared.history.write()
    assert [where for where, _, _ in gate.heard.faults] == ["history"]


async def test_modes_without_a_zone_are_not_obeyed_and_what_was_known_stays() -> None:
    gate = watching()
    modes, fresh = worker(gate), worker(gate)
    await give(ORDER, gate.state, POLICY_TOLD)
    await modes.look()
    gate.state.damage(zoneless)
    for one in (modes, fresh):
        await one.look()
    assert (len(modes.current()), len(fresh.current())) == (1, 0)
    assert read_log(await gate.state.items(LOG, 10)) == ()
    await give(replace(ORDER, rule="Controlled"), gate.state, POLICY_TOLD)
    await fresh.look()
    assert [rollout.rule for rollout in fresh.current()] == ["Controlled"]
    assert await gate.state.get(KEY) is not None


@pytest.mark.parametrize("how", [zoneless, odd, cut(40)])
async def test_who_was_asked_is_forgotten_where_it_cannot_be_read(how: Callable[[bytes], bytes]) -> None:
    gate = watching()
    async with gate.running():
        await gate.hand_over(GP)
        await settle()
        gate.state.damage(how)
        assert await receive(gate, requests(gate)[GP][0]) == UNKNOWN.code
        await gate.clock.advance(DAYS)
        await Reminders(gate.spool, gate.shared, gate.dispatch.committed).send()
        await settle()
    assert await gate.audit(EventKind.RECEIPT) == [] and gate.heard.faults == []


async def test_a_key_that_is_not_ours_keeps_no_reminder_back() -> None:
    gate = watching()
    async with gate.running():
        await gate.hand_over(GP)
        await settle()
        (key,) = await gate.state.items("receipt/asked/", 10)
        value = await gate.state.get(key)
        assert value is not None
        for end in ("", "x", "-1", "9" * 5000, "\u0663"):
            await gate.state.put(f"{key[:-1]}{end}", value, START + KEEP)
        await gate.clock.advance(DAYS)
        await Reminders(gate.spool, gate.shared, gate.dispatch.committed).send()
        await settle()
    assert [event.text.split(";")[0] for event in await gate.audit(EventKind.RECEIPT)] == ["none yet from 1 recipient"]
    assert gate.heard.faults == []
