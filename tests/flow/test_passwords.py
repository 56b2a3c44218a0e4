"""Who sent a message that left as an archive is told its password, once, whatever else fails; nobody else is."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from gateway.core.envelope import Notify
from gateway.core.outcome import Outcome
from gateway.core.policy import Rule, Send
from gateway.core.record import State
from gateway.core.route import Declared, Route
from gateway.core.sealing import Method, Sealing, archive_secret_name
from gateway.core.template import Template
from gateway.core.tls import Channel, Protection
from gateway.flow.lease_work import PASSWORD_WITHIN
from gateway.flow.passwords import UNTOLD
from gateway.flow.pending import ROOM_EVERY
from gateway.flow.ports import Delivery, SpoolFull, Target
from tests.fakes.carrying import DELIVERED, UNKNOWN_USER
from tests.fakes.clock import settle
from tests.flow.gate import MESSAGE, Gate, recipient, with_fields, with_rules
from tests.flow.sealing import letters, sealing_gate, store_of, text

ANN, AMY, BOB = "ann@one.example", "amy@one.example", "bob@two.example"
ARCHIVE = Route(name="encrypted", transport="archive", demands=Channel.PLAIN, declared=Declared.SEALING)
POLICY = with_rules(Rule(name="All", when=None, action=Send(("encrypted",)), advice=Template("")))


def archive_gate() -> Gate:
    """Its route makes an archive of each delivery; the password lies in the store before it leaves."""
    gate = sealing_gate(policy=POLICY)
    gate.reload(routes={**gate.routes, "encrypted": ARCHIVE})
    gate.transports["encrypted"].host = None

    def archived(delivery: Delivery, target: Target, now: datetime) -> Outcome:
        name = archive_secret_name(delivery.queue_id, min(each.number for each in delivery.targets))
        store_of(gate).words[name] = f"words of {delivery.destination}"
        return replace(DELIVERED, sealing=Sealing(method=Method.ARCHIVE, detail="a file", package=name))

    gate.transports["encrypted"].script = archived
    return gate


async def test_recipients_who_share_a_file_share_a_password_and_others_have_another() -> None:
    gate = archive_gate()
    async with gate.running():
        await gate.hand_over(ANN, BOB, AMY)
        await settle()
    one, two = letters(gate, "internal")
    assert [mail["Subject"].partition(" for")[0] for mail in (one, two)] == ["Password", "Password"]
    assert f"\n{ANN}, {AMY}\nPassword: words of one.example\n" in text(one) and BOB not in text(one)
    assert f"\n{BOB}\nPassword: words of two.example\n" in text(two)
    assert {delivery.floor for _, delivery in gate.transports["internal"].deliveries} == {Protection.VERIFIED}
    assert letters(gate) == []
    assert await gate.ends() == dict.fromkeys((ANN, AMY, BOB), State.DELIVERED)


async def test_it_is_told_also_to_who_wishes_to_hear_nothing_and_to_automatic_senders() -> None:
    gate = archive_gate()
    async with gate.running():
        await gate.hand_over(recipient(ANN, Notify.NEVER), message=with_fields(b"Auto-Submitted: auto-generated"))
        await settle()
    (mail,) = letters(gate, "internal")
    assert mail["To"] == "officer@council.example" and "Password: words of one.example" in text(mail)


async def test_without_anybody_to_tell_it_is_an_operators_affair() -> None:
    gate = archive_gate()
    async with gate.running():
        await gate.hand_over(ANN, sender=replace(gate.shared.identity.postmaster, local="MAILER-DAEMON"))
        await settle()
    assert letters(gate, "internal") == [] and [name for name, _, _ in gate.heard.alerts] == [UNTOLD]
    assert await gate.ends() == {ANN: State.DELIVERED}


async def test_no_password_is_told_of_a_file_that_did_not_leave_or_is_none() -> None:
    gate = archive_gate()
    archived = gate.transports["encrypted"].script
    gate.transports["encrypted"].script = lambda delivery, target, now: (
        UNKNOWN_USER
        if str(target.recipient.address) == ANN
        else replace(DELIVERED, sealing=Sealing(method=Method.SMIME, detail="x"))
        if str(target.recipient.address) == AMY
        else archived(delivery, target, now)
    )
    async with gate.running():
        await gate.hand_over(ANN, AMY)
        await settle()
    (report,) = letters(gate, "internal")
    assert report["Subject"].startswith("Not delivered")


@pytest.mark.parametrize("full", [True, False])
async def test_it_is_told_when_there_is_room_and_the_file_is_not_sent_again(full: bool) -> None:
    gate = archive_gate()
    async with gate.running():
        gate.transports["encrypted"].gate = asyncio.Event()
        await gate.hand_over(ANN)
        await settle()
        gate.spool.bodies.refuse = SpoolFull("no room") if full else None
        store_of(gate).down = not full
        gate.transports["encrypted"].gate.set()
        await gate.clock.advance(20 * ROOM_EVERY)
        assert await gate.ends() == {} and letters(gate, "internal") == []
        gate.spool.bodies.refuse, store_of(gate).down = None, False
        await gate.clock.advance(ROOM_EVERY)
        (mail,) = letters(gate, "internal")
        assert "Password: words of one.example" in text(mail)
        await gate.clock.advance(timedelta(hours=2))
    assert await gate.ends() == {ANN: State.DELIVERED}
    assert gate.transports["encrypted"].carried == [ANN] and len(letters(gate, "internal")) == 1


async def test_a_password_that_is_gone_is_waited_for_an_hour_and_then_an_operators_affair() -> None:
    gate = archive_gate()
    gate.transports["encrypted"].script = lambda delivery, target, now: replace(
        DELIVERED, sealing=Sealing(method=Method.ARCHIVE, detail="a file", package="archive/gone")
    )
    async with gate.running():
        await gate.hand_over(ANN, message=MESSAGE)
        await gate.clock.advance(PASSWORD_WITHIN + ROOM_EVERY)
    assert await gate.ends() == {ANN: State.DELIVERED}
    assert [name for name, _, _ in gate.heard.alerts] == [UNTOLD]
    assert [where for where, _, _ in gate.heard.faults] == ["report", "password"]
    assert gate.transports["encrypted"].carried == [ANN]
