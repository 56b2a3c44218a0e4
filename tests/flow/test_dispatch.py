"""The dispatcher: whom it tells, what it does with our own faults, and that every recipient has exactly one end."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.core.address import Address, NullPath
from gateway.core.envelope import Notify, Ret
from gateway.core.facts import Lookup
from gateway.core.outcome import Cause, Delivered, Outcome
from gateway.core.policy import Rule, Send
from gateway.core.record import EventKind, State
from gateway.core.template import Template
from gateway.core.tls import Protection, Starttls
from gateway.flow.dispatch import LINGERS, Dispatch
from gateway.flow.options import QueueOptions
from gateway.flow.ports import Delivery, Lease, LeaseLost, QueueFilter, Settlement, SpoolError, SpoolFull
from gateway.flow.release import release
from gateway.flow.traffic import pause
from tests.fakes.carrying import (
    CLEAR,
    DELIVERED,
    IN_CLEAR,
    NO_STARTTLS,
    UNKNOWN_USER,
    deferred,
)
from tests.fakes.clock import START, settle
from tests.flow.gate import HOUR, MESSAGE, ROUTES, Gate, recipient, with_fields, with_rules

DAY = 24 * HOUR
ALL = QueueFilter(states=frozenset(State))


async def test_delivery_has_the_message_byte_for_byte_below_the_edited_header() -> None:
    gate = Gate()
    async with gate.running():
        await gate.hand_over("gp@tls.example", message=with_fields(b"Bcc: hidden@x.example"))
        await settle()
    ((_, delivery),) = gate.transports["tls"].deliveries
    assert delivery.header.endswith(MESSAGE[: MESSAGE.index(b"\r\n\r\n") + 4])
    assert delivery.header.startswith(b"X-Sealpost-Hop: v1; ")
    assert b"\r\nReceived: from exchange ([10.0.0.1])" in delivery.header and b"hidden" not in delivery.header
    assert (delivery.body.inline or b"")[delivery.body_offset :] == b"The body.\r\n"
    assert (delivery.floor, delivery.route.name, delivery.destination) == (Protection.ENCRYPTED, "tls", "tls.example")
    assert not delivery.smtputf8


async def test_route_header_replaces_what_the_client_sent() -> None:
    gate = Gate()
    gate.transports["tls"].script = lambda delivery, target, now: NO_STARTTLS
    async with gate.running():
        await gate.hand_over("gp@tls.example", message=with_fields(b"x-encrypt: no"))
        await settle()
    ((_, delivery),) = gate.transports["encrypted"].deliveries
    assert b"X-Encrypt: yes\r\n" in delivery.header and b"x-encrypt: no" not in delivery.header
    assert b"x-encrypt: no" in gate.transports["tls"].deliveries[0][1].header


async def test_two_domains_never_share_a_delivery_but_at_a_host_that_carries_both() -> None:
    gate = Gate()
    async with gate.running():
        await gate.hand_over(
            "a@one.example", "b@two.example", "c@one.example", "d@council.example", "e@council.example"
        )
        await settle()
    shared = [[str(t.recipient.address) for t in d.targets] for _, d in gate.transports["tls"].deliveries]
    assert shared == [["a@one.example", "c@one.example"], ["b@two.example"]]
    assert gate.transports["internal"].carried == ["d@council.example", "e@council.example"]
    assert len(gate.transports["internal"].deliveries) == 1


async def test_delivery_is_named_the_same_on_every_repeat() -> None:
    gate = Gate()
    gate.transports["tls"].script = lambda delivery, target, now: deferred(Cause.MAYBE) if now == START else DELIVERED
    async with gate.running():
        await gate.hand_over("a@one.example")
        await gate.clock.advance(HOUR)
    first, second = (delivery for _, delivery in gate.transports["tls"].deliveries)
    assert first.delivery_id == second.delivery_id
    assert first.targets == second.targets


async def test_recipients_beyond_a_hundred_go_in_a_further_delivery() -> None:
    gate = Gate()
    async with gate.running():
        await gate.hand_over(*[f"r{n}@one.example" for n in range(205)])
        await settle()
    assert [len(delivery.targets) for _, delivery in gate.transports["tls"].deliveries] == [100, 100, 5]
    assert len(await gate.ends()) == 205


async def test_first_failed_handshake_is_remembered_until_the_route_changes() -> None:
    gate = Gate()
    gate.transports["opportunistic"].script = lambda delivery, target, now: (
        DELIVERED if target.handshake_failed_for else deferred(Cause.PROTECTION, handshake_failed=True)
    )
    async with gate.running():
        await gate.hand_over("a@one.example", message=with_fields(b"X-Classification: public"))
        await gate.clock.advance(HOUR)
    targets = [delivery.targets[0].handshake_failed_for for _, delivery in gate.transports["opportunistic"].deliveries]
    assert targets == [None, timedelta(minutes=5.5)]


async def test_transport_that_breaks_defers_and_is_heard_of() -> None:
    gate = Gate()
    broken = RuntimeError("a bug")

    def script(delivery: Delivery, target: object, now: object) -> Outcome:
        if now == START:
            raise broken
        return DELIVERED

    gate.transports["tls"].script = script
    async with gate.running():
        await gate.hand_over("a@one.example")
        await settle()
        assert gate.heard.faults == [("transport mx", gate.heard.faults[0][1], broken)]
        assert await gate.ends() == {}
        await gate.clock.advance(timedelta(minutes=6))
        assert await gate.ends() == {"a@one.example": State.DELIVERED}


async def test_recipient_that_the_answer_lacks_is_deferred_and_its_neighbour_ends() -> None:
    gate = Gate()
    gate.transports["tls"].script = lambda delivery, target, now: (
        None if target.number == 0 and now == START else DELIVERED
    )
    async with gate.running():
        await gate.hand_over("a@one.example", "b@one.example")
        await settle()
        assert await gate.ends() == {"b@one.example": State.DELIVERED}
        await gate.clock.advance(HOUR)
        assert gate.transports["tls"].carried == ["a@one.example", "b@one.example", "a@one.example"]


async def test_route_that_vanished_defers_with_an_alert_until_it_is_back() -> None:
    gate = Gate()
    gate.reload(routes={name: route for name, route in ROUTES.items() if name != "tls"})
    async with gate.running():
        await gate.hand_over("a@one.example")
        await settle()
        assert [alert[0] for alert in gate.heard.alerts] == ["route-missing"]
        assert await gate.ends() == {}
    gate.reload(routes=ROUTES)
    async with gate.running():
        await gate.clock.advance(HOUR)
        assert await gate.ends() == {"a@one.example": State.DELIVERED}


async def test_route_that_is_too_weak_is_not_used() -> None:
    gate = Gate()
    async with gate.running():
        await gate.hand_over("a@one.example", message=with_fields(b"X-Sealpost-Intent: encrypted"))
        await gate.clock.advance(6 * DAY)
    assert gate.transports["tls"].carried == []
    assert {alert[0] for alert in gate.heard.alerts} == {"route-too-weak"}
    assert await gate.ends() == {"a@one.example": State.REPORTED}


async def test_transport_that_lets_a_message_leave_unprotected_is_counted() -> None:
    gate = Gate()
    gate.transports["tls"].script = lambda delivery, target, now: IN_CLEAR
    async with gate.running():
        await gate.hand_over("a@one.example")
        await gate.hand_over("b@one.example", message=with_fields(b"X-Classification: public"))
        gate.transports["opportunistic"].script = lambda delivery, target, now: IN_CLEAR
        await settle()
    assert [str(row.address) for _, row in gate.heard.fell_short] == ["a@one.example"]
    attempts = [event.outcome for event in await gate.audit(EventKind.ATTEMPT)]
    assert any(isinstance(outcome, Delivered) and outcome.evidence == CLEAR for outcome in attempts)


@pytest.mark.parametrize(
    ("notify", "relayed_dsn", "told"),
    [((), False, 0), ((Notify.SUCCESS,), False, 1), ((Notify.SUCCESS,), True, 0), ((Notify.FAILURE,), False, 0)],
)
async def test_success_is_reported_only_if_asked_for_and_not_passed_on(
    notify: tuple[Notify, ...], relayed_dsn: bool, told: int
) -> None:
    gate = Gate()
    gate.transports["tls"].script = lambda delivery, target, now: replace(DELIVERED, relayed_dsn=relayed_dsn)
    async with gate.running():
        await gate.hand_over(recipient("a@one.example", *notify))
        await settle()
    assert [b"Action: relayed" in report for _, report in gate.reports()] == [True] * told


@pytest.mark.parametrize(
    ("notify", "fields", "notices"),
    [
        ((), (), 1),
        ((Notify.DELAY,), (), 1),
        ((Notify.FAILURE,), (), 0),
        ((Notify.NEVER,), (), 0),
        ((), (b"X-Classification: public",), 0),
        ((), (b"Auto-Submitted: auto-generated",), 0),
    ],
)
async def test_delay_notice_is_for_protected_mail_whose_sender_wants_it(
    notify: tuple[Notify, ...], fields: tuple[bytes, ...], notices: int
) -> None:
    gate = Gate()
    for transport in (gate.transports["tls"], gate.transports["opportunistic"]):
        transport.script = lambda delivery, target, now: deferred(Cause.REPLY_4XX)
    async with gate.running():
        await gate.hand_over(recipient("a@one.example", *notify), message=with_fields(*fields))
        await gate.clock.advance(40 * HOUR)
    assert len(gate.reports()) == notices


async def test_notice_about_another_way_is_not_for_automatic_mail_nor_against_notify_never() -> None:
    gate = Gate()
    gate.transports["tls"].script = lambda delivery, target, now: NO_STARTTLS
    async with gate.running():
        await gate.hand_over(recipient("a@one.example", Notify.NEVER), "b@one.example")
        await gate.hand_over("c@one.example", message=with_fields(b"Auto-Submitted: auto-generated"))
        await settle()
    ((_, notice),) = gate.reports()
    assert b"b@one.example" in notice and b"a@one.example" not in notice
    assert set((await gate.ends()).values()) == {State.DELIVERED}


async def test_one_report_per_message_and_pass_names_all_that_failed_in_it() -> None:
    gate = Gate()
    gate.transports["tls"].script = lambda delivery, target, now: DELIVERED if target.number == 1 else UNKNOWN_USER
    async with gate.running():
        await gate.hand_over("a@one.example", "b@one.example", "c@one.example")
        await settle()
    ((_, report),) = gate.reports()
    assert report.count(b"Final-Recipient: ") == 2
    assert b"a@one.example" in report and b"c@one.example" in report


async def test_failing_report_never_causes_another() -> None:
    gate = Gate()
    gate.transports["tls"].script = lambda delivery, target, now: UNKNOWN_USER
    gate.transports["internal"].script = lambda delivery, target, now: UNKNOWN_USER
    async with gate.running():
        await gate.hand_over("a@one.example")
        await gate.clock.advance(DAY)
    assert len(gate.transports["internal"].deliveries) == 1
    ended = [(event.address, event.state) for event in await gate.audit(EventKind.ENDED)]
    assert ended == [
        ("a@one.example", State.REPORTED),
        ("officer@council.example", State.UNREPORTABLE),
    ]


async def test_failure_of_null_path_mail_is_audited_without_a_report() -> None:
    gate = Gate()
    gate.transports["tls"].script = lambda delivery, target, now: UNKNOWN_USER
    async with gate.running():
        await gate.hand_over("a@one.example", sender=NullPath.NULL)
        await settle()
    assert await gate.ends() == {"a@one.example": State.UNREPORTABLE}
    assert gate.reports() == []


async def test_report_without_room_keeps_its_recipient_waiting_and_records_its_neighbour() -> None:
    gate = Gate()
    gate.transports["tls"].script = lambda delivery, target, now: DELIVERED if target.number == 0 else UNKNOWN_USER
    async with gate.running():
        await gate.hand_over("a@one.example", "b@one.example")
        gate.spool.bodies.refuse = SpoolFull("no room")
        await settle()
        assert await gate.ends() == {"a@one.example": State.DELIVERED}
        gate.spool.bodies.refuse = None
        await gate.clock.advance(HOUR)
        assert await gate.ends() == {"a@one.example": State.DELIVERED, "b@one.example": State.REPORTED}
        assert gate.transports["tls"].carried.count("a@one.example") == 1


async def test_report_about_a_message_below_its_floor_repeats_nothing_of_it() -> None:
    lowered = Rule(name="Agreed", when=None, action=Send(("opportunistic",)), advice=Template(""), below_floor="agreed")
    gate = Gate(policy=with_rules(lowered))
    gate.transports["opportunistic"].script = lambda delivery, target, now: UNKNOWN_USER
    async with gate.running():
        await gate.hand_over("a@one.example", ret=Ret.FULL)
        await settle()
    ((_, report),) = gate.reports()
    assert b"a@one.example" in report
    assert b"planted" not in report and b"The body." not in report


async def test_delay_notice_without_room_comes_the_next_time() -> None:
    gate = Gate()
    gate.transports["tls"].script = lambda delivery, target, now: deferred(Cause.REPLY_4XX)
    async with gate.running():
        await gate.hand_over("a@one.example")
        await gate.clock.advance(HOUR - timedelta(seconds=1))
        gate.spool.bodies.refuse = SpoolFull("no room")
        await gate.clock.advance(timedelta(seconds=1))
        gate.spool.bodies.refuse = None
        await gate.clock.advance(3 * HOUR)
        assert len(gate.reports()) == 1


async def test_settlement_that_fails_is_tried_again_when_the_lease_has_run_out() -> None:
    gate = Gate()
    async with gate.running():
        gate.transports["tls"].gate = asyncio.Event()
        await gate.hand_over("a@one.example")
        await settle()
        gate.spool.refuse = SpoolError("the disk broke")
        gate.transports["tls"].gate.set()
        await settle()
        assert [fault[0] for fault in gate.heard.faults] == ["dispatch"]
        gate.spool.refuse = None
        assert await gate.ends() == {}
        await gate.clock.advance(HOUR)
        assert await gate.ends() == {"a@one.example": State.DELIVERED}
        assert gate.transports["tls"].carried == ["a@one.example", "a@one.example"]


async def test_damaged_message_is_deferred_and_reported_without_its_header_at_the_deadline() -> None:
    gate = Gate()
    gate.spool.bodies.inline = 10
    async with gate.running():
        gate.transports["tls"].script = lambda delivery, target, now: deferred(Cause.DNS)
        await gate.hand_over("a@one.example")
        await settle()
        for path in gate.spool.bodies.files:
            gate.spool.bodies.files[path] = b"damaged"
        await gate.clock.advance(3 * DAY)
    assert await gate.ends() == {"a@one.example": State.REPORTED}
    assert {where for where, _, _ in gate.heard.faults} == {"body"}


async def test_lost_lease_is_an_alert_and_nothing_else() -> None:
    gate = Gate()

    async def lost(lease: Lease, settlement: Settlement) -> None:
        raise LeaseLost("gone")

    gate.spool.settle = lost  # pyright: ignore[reportAttributeAccessIssue]
    async with gate.running():
        await gate.hand_over("a@one.example")
        await settle()
    assert [alert[0] for alert in gate.heard.alerts] == ["lease-lost"]
    assert gate.heard.faults == []


async def test_long_delivery_keeps_its_lease() -> None:
    gate = Gate()
    gate.transports["tls"].gate = asyncio.Event()
    async with gate.running():
        await gate.hand_over("a@one.example")
        await gate.clock.advance(2 * HOUR)
        assert gate.transports["tls"].carried == ["a@one.example"]
        gate.transports["tls"].gate.set()
        await settle()
        assert await gate.ends() == {"a@one.example": State.DELIVERED}


async def test_lease_that_cannot_be_renewed_is_settled_all_the_same_if_nobody_took_it() -> None:
    gate = Gate()
    gate.transports["tls"].gate = asyncio.Event()
    asked: list[Lease] = []

    async def refuse(lease: Lease, until: object) -> Lease:
        asked.append(lease)
        raise SpoolError("not now")

    gate.spool.renew = refuse  # pyright: ignore[reportAttributeAccessIssue]
    async with gate.running():
        await gate.hand_over("a@one.example")
        await gate.clock.advance(timedelta(minutes=14))
        gate.transports["tls"].gate.set()
        await settle()
        assert len(asked) > 1, "it is tried again while there is time"
        assert await gate.ends() == {"a@one.example": State.DELIVERED}


async def test_spool_that_fails_for_a_while_does_not_end_the_loop() -> None:
    gate = Gate()
    claim = gate.spool.claim

    async def refuse(*_: object) -> tuple[Lease, ...]:
        raise SpoolError("not now")

    gate.spool.claim = refuse  # pyright: ignore[reportAttributeAccessIssue]
    async with gate.running():
        await gate.hand_over("a@one.example")
        await settle()
        gate.spool.claim = claim
        await gate.clock.advance(timedelta(seconds=5))
        assert await gate.ends() == {"a@one.example": State.DELIVERED}


async def test_open_recipient_is_decided_again_with_the_accepting_policy() -> None:
    gate = Gate()
    await gate.hand_over("a@asks.example")
    gate.reload(policy=replace(gate.policy, hash="policy-2", rules=gate.policy.rules[-1:]))
    async with gate.running():
        await gate.clock.advance(47 * HOUR)
        assert gate.transports["tls"].carried == []
        gate.lookups.table[Lookup.STARTTLS, "asks.example"] = Starttls.YES
        await gate.clock.advance(HOUR)
        assert await gate.ends() == {"a@asks.example": State.DELIVERED}
    decided = await gate.audit(EventKind.DECIDED)
    first, late = (event for event in decided if event.address == "a@asks.example")
    assert first.decision is not None and late.decision is not None
    assert (first.decision.rule, late.decision.rule) == ("Only with TLS", "Controlled")


async def test_open_recipient_that_turns_out_refused_is_reported() -> None:
    gate = Gate()
    async with gate.running():
        await gate.hand_over("a@asks.example")
        gate.lookups.table[Lookup.STARTTLS, "asks.example"] = Starttls.NO
        await gate.clock.advance(HOUR)
        assert await gate.ends() == {"a@asks.example": State.REPORTED}
        assert gate.transports["tls"].carried == []
        assert b"Rule: Only with TLS" in gate.reports()[-1][1]


async def test_open_recipient_that_stays_open_is_noticed_and_then_given_back_at_48_hours() -> None:
    gate = Gate()
    async with gate.running():
        await gate.hand_over("a@asks.example")
        await gate.clock.advance(48 * HOUR - timedelta(seconds=1))
        assert [at for at, _ in gate.reports()] == [START + HOUR]
        assert await gate.ends() == {}
        await gate.clock.advance(timedelta(seconds=1))
        assert await gate.ends() == {"a@asks.example": State.REPORTED}
        assert b"Status: 4.4.7" in gate.reports()[-1][1]


async def test_recipient_decided_late_begins_its_retries_anew() -> None:
    gate = Gate()
    gate.transports["tls"].script = lambda delivery, target, now: deferred(Cause.REPLY_4XX)
    async with gate.running():
        await gate.hand_over("a@asks.example")
        await gate.clock.advance(20 * HOUR)
        gate.lookups.table[Lookup.STARTTLS, "asks.example"] = Starttls.YES
        await gate.clock.advance(4 * HOUR)
    first, second, *_ = (at for at, _ in gate.transports["tls"].deliveries)
    assert second - first == timedelta(minutes=5.5)


async def test_recipient_decided_at_the_last_moment_is_attempted_once() -> None:
    gate = Gate()
    gate.transports["tls"].script = lambda delivery, target, now: deferred(Cause.REPLY_4XX)
    async with gate.running():
        await gate.hand_over("a@asks.example")
        await gate.clock.advance(48 * HOUR - timedelta(seconds=1))
        gate.lookups.table[Lookup.STARTTLS, "asks.example"] = Starttls.YES
        await gate.clock.advance(timedelta(seconds=1))
        assert gate.transports["tls"].carried == ["a@asks.example"]
        assert await gate.ends() == {"a@asks.example": State.REPORTED}


@pytest.mark.parametrize("how", ["gone", "unreadable"])
async def test_open_recipient_whose_policy_cannot_be_had_is_given_back_in_time(how: str) -> None:
    gate = Gate()
    await gate.hand_over("a@asks.example")
    gate.reload(policy=replace(gate.policy, hash="policy-2"))
    if how == "gone":
        gate.spool._policies.clear()
    else:
        gate.policies.clear()
    async with gate.running():
        gate.lookups.table[Lookup.STARTTLS, "asks.example"] = Starttls.YES
        await gate.clock.advance(3 * DAY)
    assert await gate.ends() == {"a@asks.example": State.REPORTED}
    if how == "gone":
        assert {alert[0] for alert in gate.heard.alerts} == {"policy-missing"}
    else:
        assert {fault[0] for fault in gate.heard.faults} == {"policy"}


async def test_held_recipient_that_nobody_releases_is_given_back() -> None:
    gate = Gate()
    async with gate.running():
        await gate.hand_over("a@held.example")
        await gate.clock.advance(3 * DAY - timedelta(seconds=1))
        assert await gate.ends() == {}
        await gate.clock.advance(timedelta(seconds=1))
        assert await gate.ends() == {"a@held.example": State.REPORTED}
        assert gate.transports["tls"].carried == []
        held, back = [report.replace(b"=\r\n", b"") for _, report in gate.reports()]
        assert b"comes back to you on 5 March 2026" in held and b"nobody released it in time" in back


async def test_released_recipient_goes_by_its_route_with_its_whole_time() -> None:
    gate = Gate()
    gate.transports["tls"].script = lambda delivery, target, now: deferred(Cause.PROTECTION)
    async with gate.running():
        await gate.hand_over("a@held.example", "b@one.example")
        await gate.clock.advance(2 * DAY)
        queue_id = gate.heard.accepted_rows[0][0].queue_id
        change = release("governance", gate.shared.planner, gate.clock.now())
        assert await gate.spool.operate(queue_id, None, change) == 1, "the other recipient waits for no release"
        gate.dispatch.wake()
        await gate.clock.advance(2 * DAY - timedelta(seconds=1))
        assert "a@held.example" not in await gate.ends()
        await gate.clock.advance(timedelta(seconds=1))
        assert (await gate.ends())["a@held.example"] is State.DELIVERED
    (told,) = await gate.audit(EventKind.OPERATOR)
    assert (told.text, told.address) == ("released by governance", "a@held.example")


async def test_dead_destination_waits_without_blocking_others() -> None:
    gate = Gate(queue=QueueOptions(per_destination=4, in_flight=8))
    gate.transports["tls"].script = lambda delivery, target, now: (
        deferred(Cause.UNREACHABLE) if delivery.destination == "dead.example" and now < START + 2 * HOUR else DELIVERED
    )
    async with gate.running():
        for number in range(50):
            await gate.hand_over(f"r{number}@dead.example")
        await gate.hand_over("a@alive.example")
        await settle()
        carried = gate.transports["tls"].carried
        assert "a@alive.example" in carried
        assert len(carried) <= 1 + 4, "the first cohort shows that it is dead, and the rest are left alone"
        await gate.clock.advance(5 * HOUR)
        assert len(await gate.ends()) == 51
    # One at a time while it is dead, at most one in each pause (and those of the first cohort).
    attempts = sum(
        d.destination == "dead.example" and at < START + 2 * HOUR for at, d in gate.transports["tls"].deliveries
    )
    assert attempts <= 4 + 2 * 60 // 5 + 10


SILENT = frozenset(f"silent{number}.example" for number in range(6))


async def test_hosts_that_say_nothing_keep_no_place_from_others() -> None:
    gate = Gate(queue=QueueOptions(per_destination=2, in_flight=4))
    transport = gate.transports["tls"]
    transport.gate, transport.silent = asyncio.Event(), SILENT
    async with gate.running():
        for domain in sorted(SILENT):
            await gate.hand_over(f"a@{domain}")
        for number in range(9):
            await gate.hand_over(f"a{number}@alive.example")
        await settle()
        assert transport.active == 4, "all places are taken"
        await gate.clock.advance(LINGERS - timedelta(milliseconds=1))
        assert transport.active == 4
        await gate.clock.advance(timedelta(milliseconds=1))
        assert transport.active == len(SILENT)
        assert len(transport.carried) == len(SILENT) + 9
        assert (gate.traffic.active, gate.traffic.lingering) == (2, 4)
        transport.gate.set()
        await settle()
        assert len(await gate.ends()) == len(SILENT) + 9
    assert (gate.traffic.active, gate.traffic.lingering) == (0, 0)


async def test_too_many_that_linger_keep_their_places_and_the_loop_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.flow.traffic._MOST_LINGERING", 1)
    gate = Gate(queue=QueueOptions(per_destination=2, in_flight=2))
    transport = gate.transports["tls"]
    transport.gate, transport.silent = asyncio.Event(), SILENT
    async with gate.running():
        for domain in sorted(SILENT):
            await gate.hand_over(f"a@{domain}")
        await gate.clock.advance(timedelta(minutes=1))
        assert transport.active == 3
        assert 100 < next(gate.clock._order) < 1000, "it looks again now and then"
        transport.gate.set()
        await settle()
        assert len(await gate.ends()) == len(SILENT)


async def test_what_may_not_linger_for_its_size_does_not_keep_smaller_ones_from_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.flow.traffic._MOST_BYTES", 1000)
    gate = Gate(queue=QueueOptions(per_destination=2, in_flight=2))
    transport = gate.transports["tls"]
    transport.gate, transport.silent = asyncio.Event(), SILENT
    async with gate.running():
        await gate.hand_over("a@silent0.example", message=MESSAGE + b"x" * 1000 + b"\r\n")
        await gate.hand_over("a@silent1.example")
        await gate.hand_over("a@alive.example")
        await gate.clock.advance(LINGERS)
        assert "a@alive.example" in transport.carried
        assert (gate.traffic.active, gate.traffic.lingering) == (1, 1)
        transport.gate.set()


@pytest.mark.parametrize("silent", [True, False])
async def test_an_adopted_spool_has_its_turn_though_it_has_nothing_under_way_itself(silent: bool) -> None:
    gate = Gate(queue=QueueOptions(per_destination=20, in_flight=20))
    other = Gate(queue=gate.queue, clock=gate.clock)
    second, transport = Dispatch(other.spool, gate.shared, gate.traffic), gate.transports["tls"]
    transport.gate = one_by_one = OneByOne()
    async with gate.running(), asyncio.TaskGroup() as tasks:
        for number in range(20):
            await gate.hand_over(f"a@own{number}.example")
        await settle()
        await other.hand_over("a@adopted.example")
        tasks.create_task(second.run())
        await settle()
        if silent:
            # Those that linger give twenty places up at once, and none of them ends.
            await gate.clock.advance(LINGERS)
            await gate.hand_over("a@new.example")
        else:
            one_by_one.release()
            await settle()
            # One place alone, and the first loop has it.
            await gate.hand_over("a@new.example")
            await settle()
            assert "a@adopted.example" not in transport.carried
            for _ in range(5):
                one_by_one.release()
        await settle()
        assert "a@adopted.example" in transport.carried
        for _ in range(30):
            one_by_one.release()
        second.stop()


async def test_paused_destination_is_tried_at_the_end_of_its_pause() -> None:
    gate = Gate()
    gate.transports["tls"].script = lambda delivery, target, now: (
        deferred(Cause.UNREACHABLE) if now == START else DELIVERED
    )
    async with gate.running():
        await gate.hand_over("a@dead.example")
        await settle()
        await gate.hand_over("b@dead.example")
        await gate.clock.advance(pause(gate.queue.retry_min, 1) - timedelta(seconds=1))
        assert gate.transports["tls"].carried == ["a@dead.example"]
        await gate.clock.advance(timedelta(seconds=1))
        assert gate.transports["tls"].carried == ["a@dead.example", "b@dead.example"]


async def test_destination_that_answered_for_one_recipient_is_not_paused() -> None:
    gate = Gate()
    gate.transports["tls"].script = lambda delivery, target, now: (
        deferred(Cause.UNREACHABLE) if target.number == 0 else DELIVERED
    )
    async with gate.running():
        await gate.hand_over("a@one.example", "b@one.example")
        await settle()
        assert gate.traffic.next_change(gate.clock.now()) is None


async def test_limits_of_concurrency_hold_and_everything_is_delivered() -> None:
    gate = Gate(queue=QueueOptions(per_destination=3, in_flight=5))
    gate.transports["tls"].gate = asyncio.Event()
    async with gate.running():
        for number in range(20):
            await gate.hand_over(f"r{number}@one.example")
            await gate.hand_over(f"r{number}@two.example")
        await settle()
        by_domain = [delivery.destination for _, delivery in gate.transports["tls"].deliveries]
        assert 1 < by_domain.count("one.example") <= 3 and 1 < by_domain.count("two.example") <= 3
        gate.transports["tls"].gate.set()
        await settle()
        assert len(await gate.ends()) == 40
    assert 1 < gate.transports["tls"].most_active <= 5


def counting_claims(gate: Gate) -> list[int]:
    """A list that grows with each claim of the gate's spool."""
    seen: list[int] = []
    claim = gate.spool.claim

    async def counted(now: datetime, limit: int, not_to: frozenset[str]) -> tuple[Lease, ...]:
        seen.append(limit)
        return await claim(now, limit, not_to)

    gate.spool.claim = counted  # pyright: ignore[reportAttributeAccessIssue]
    return seen


async def test_new_mail_goes_without_asking_the_spool_for_it() -> None:
    gate = Gate()
    claims = counting_claims(gate)
    async with gate.running():
        asked = len(claims)
        for number in range(5):
            await gate.hand_over(f"r{number}@one.example", f"r{number}@two.example")
        await settle()
        assert len(await gate.ends()) == 10 and len(claims) == asked
        gate.transports["tls"].script = lambda delivery, target, now: UNKNOWN_USER
        await gate.hand_over("unknown@one.example")
        await settle()
        assert len(gate.reports()) == 1, "a report that an attempt has caused is looked for"


async def test_new_mail_that_may_have_changed_meanwhile_is_claimed() -> None:
    gate = Gate()
    gate.spool.lease = lambda entry, next_hop: None  # pyright: ignore[reportAttributeAccessIssue]
    async with gate.running():
        await gate.hand_over("a@one.example")
        await settle()
        assert await gate.ends() == {"a@one.example": State.DELIVERED}
        assert gate.traffic.active == 0


class OneByOne(asyncio.Event):
    """Lets one delivery through for each `release`."""

    def __init__(self) -> None:
        super().__init__()
        self._free = asyncio.Semaphore(0)

    async def wait(self) -> Literal[True]:
        return await self._free.acquire()

    def release(self) -> None:
        self._free.release()


async def test_new_mail_stands_in_line_behind_what_waits_for_the_same_hop_and_passes_the_others() -> None:
    gate = Gate(queue=QueueOptions(per_destination=4, in_flight=20))
    transport = gate.transports["tls"]
    transport.gate = one_by_one = OneByOne()
    async with gate.running():
        for number in range(6):
            await gate.hand_over(f"r{number}@one.example")
        await settle()
        gate.dispatch.wake()
        for number in range(6, 12):
            await settle()
            one_by_one.release()
            await settle()
            await gate.hand_over(f"r{number}@one.example")
        await gate.hand_over("a@two.example")
        await settle()
        for _ in range(13):
            one_by_one.release()
        await settle()
    to_one = [address for address in transport.carried if address.endswith("@one.example")]
    assert to_one == [f"r{number}@one.example" for number in range(12)]
    assert transport.carried.index("a@two.example") < len(to_one)


async def test_two_loops_share_their_limits() -> None:
    gate = Gate(queue=QueueOptions(per_destination=2, in_flight=2))
    other = Gate(queue=gate.queue, clock=gate.clock)
    second = Dispatch(other.spool, gate.shared, gate.traffic)
    gate.transports["tls"].gate = asyncio.Event()
    for number in range(4):
        await gate.hand_over(f"a{number}@one.example")
        await other.hand_over(f"b{number}@two.example")
    async with gate.running(), asyncio.TaskGroup() as tasks:
        tasks.create_task(second.run())
        await settle()
        assert gate.transports["tls"].most_active == 2
        gate.transports["tls"].gate.set()
        await settle()
        assert gate.transports["tls"].most_active == 2
        assert len(gate.transports["tls"].carried) == 8
        second.stop()


async def test_stop_lets_what_is_under_way_end_and_starts_nothing_more() -> None:
    gate = Gate()
    gate.transports["tls"].gate = asyncio.Event()
    await gate.hand_over("a@one.example")
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(gate.dispatch.run())
        await settle()
        gate.dispatch.stop()
        await gate.hand_over("b@two.example")
        await settle()
        assert not running.done()
        gate.transports["tls"].gate.set()
        await settle()
        assert running.done()
    assert await gate.ends() == {"a@one.example": State.DELIVERED}


async def test_reload_neither_drops_nor_repeats_what_is_in_hand() -> None:
    gate = Gate()
    gate.transports["tls"].gate = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        old = gate.dispatch
        tasks.create_task(old.run())
        await gate.hand_over("a@one.example")
        await settle()
        gate.reload(routes={**ROUTES, "tls": replace(ROUTES["tls"], give_up_after=HOUR)})
        old.stop()
        async with gate.running():
            await gate.hand_over("b@two.example")
            await settle()
            gate.transports["tls"].gate.set()
            await settle()
    assert gate.transports["tls"].carried == ["a@one.example", "b@two.example"]
    limits = [delivery.route.give_up_after for _, delivery in gate.transports["tls"].deliveries]
    assert limits == [48 * HOUR, HOUR]
    assert set((await gate.ends()).values()) == {State.DELIVERED}


async def test_restart_loses_nothing_and_repeats_only_what_was_in_flight() -> None:
    gate = Gate()
    gate.transports["tls"].script = lambda delivery, target, now: (
        deferred(Cause.REPLY_4XX) if target.number == 1 and now < START + HOUR else DELIVERED
    )
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(gate.dispatch.run())
        await gate.hand_over("a@one.example", "b@one.example")
        await settle()
        gate.transports["tls"].gate = asyncio.Event()
        await gate.hand_over("c@one.example")
        await settle()
        first.cancel()
        await settle()
    gate.transports["tls"].gate = None
    gate.restart()
    async with gate.running():
        await gate.clock.advance(3 * HOUR)
        assert set((await gate.ends()).values()) == {State.DELIVERED}
    carried = gate.transports["tls"].carried
    assert (carried.count("a@one.example"), carried.count("c@one.example")) == (1, 2)
    assert len(await gate.ends()) == 3


OUTCOMES: Mapping[str, Outcome] = {
    "delivered": DELIVERED,
    "declined": NO_STARTTLS,
    "failed": UNKNOWN_USER,
    **{cause.value: deferred(cause) for cause in Cause},
}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    script=st.lists(st.sampled_from([*OUTCOMES, "missing", "raise"]), min_size=1, max_size=8),
    domains=st.lists(st.sampled_from(["one", "two", "forbidden", "held", "asks", "council"]), min_size=1, max_size=5),
    restart_at=st.integers(min_value=0, max_value=200),
)
def test_every_recipient_has_exactly_one_end(script: list[str], domains: list[str], restart_at: int) -> None:
    asyncio.run(_every_recipient_ends(script, [f"r{n}@{name}.example" for n, name in enumerate(domains)], restart_at))


async def _every_recipient_ends(script: list[str], addresses: list[str], restart_at: int) -> None:
    gate = Gate()
    steps = iter(script * 10_000)

    def play(delivery: Delivery, target: object, now: object) -> Outcome | None:
        step = next(steps)
        if step == "raise":
            raise RuntimeError("a bug")
        return OUTCOMES.get(step)

    for transport in gate.transports.values():
        transport.script = play
    async with gate.running():
        await gate.hand_over(*addresses)
        await gate.clock.advance(restart_at * HOUR)
    gate.restart()
    async with gate.running():
        await gate.clock.advance(30 * DAY)
    assert set(await gate.ends()) == set(addresses)
    assert await gate.spool.query(ALL, None, 10) == ()


async def test_our_own_mail_speaks_for_the_policy_in_force() -> None:
    gate = Gate()
    assert gate.shared.identity.marks == ("[SECURE]",)
    assert gate.shared.identity.buttonless == frozenset()
    organisation = replace(gate.policy.organisation, contact="The new desk")
    first, *rest = gate.policy.rules
    rules, roles = (replace(first, ignores_buttons=True), *rest), {"dpo": Address("privacy", "council.example")}
    gate.reload(policy=replace(gate.policy, organisation=organisation, rules=rules, roles=roles))
    assert gate.shared.identity.contact == "The new desk"
    assert gate.shared.identity.buttonless == {first.name}
    assert gate.shared.identity.roles == roles
