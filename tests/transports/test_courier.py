"""Kept sessions, stale ones, and more recipients than one transaction takes."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.core.outcome import Cause, Deferred, Delivered, Failed, Outcome
from gateway.core.tls import Channel
from gateway.transports.mx import Mx
from tests.fakes import certificates
from tests.fakes.mail_world import World, a_delivery, a_route, world
from tests.fakes.mx import OFFERS, Script

MX = "mx.example"


async def deliver(
    at: World, demands: Channel = Channel.ENCRYPTED, domain: str = f"{MX}.test", recipients: tuple[str, ...] = ("bob",)
) -> list[Outcome]:
    route = a_route(demands)
    outcomes = await Mx(route, Mx.Options(), at.network).deliver(a_delivery(route, domain, recipients=recipients))
    assert len(outcomes) == len(recipients)
    return [outcomes[number] for number in sorted(outcomes)]


def good(**more: object) -> Script:
    return Script(tls=certificates.good(MX), **more)  # pyright: ignore[reportArgumentType]


async def test_the_next_message_uses_the_same_connection(tmp_path: Path) -> None:
    async with world(tmp_path, {MX: good()}) as at:
        for _ in range(3):
            assert isinstance((await deliver(at))[0], Delivered)
        (conversation,) = at.hosts[MX].conversations
        assert len(conversation.received) == 3


async def test_two_domains_on_one_host_share_a_connection_but_never_a_transaction(tmp_path: Path) -> None:
    async with world(tmp_path, {MX: good()}, {"two.test": {"MX": [f"10 {MX}."]}}) as at:
        await deliver(at)
        await deliver(at, domain="two.test")
        (conversation,) = at.hosts[MX].conversations
        assert [message.rcpts for message in conversation.received] == [
            (f"RCPT TO:<bob@{MX}.test>",),
            ("RCPT TO:<bob@two.test>",),
        ]


async def test_a_kept_connection_is_no_way_around_a_higher_demand(tmp_path: Path) -> None:
    async with world(tmp_path, {MX: good()}) as at:
        for demands in (Channel.ENCRYPTED, Channel.PKIX, Channel.ENCRYPTED, Channel.PLAIN):
            (outcome,) = await deliver(at, demands)
            assert isinstance(outcome, Delivered)
            assert outcome.evidence.verified or demands is not Channel.PKIX
        assert len(at.hosts[MX].conversations) == 2


async def test_a_connection_in_clear_is_not_used_for_what_must_be_encrypted(tmp_path: Path) -> None:
    async with world(tmp_path, {MX: Script()}) as at:
        assert isinstance((await deliver(at, Channel.PLAIN))[0], Delivered)
        at.hosts[MX].script = good()
        (outcome,) = await deliver(at, Channel.ENCRYPTED)
        assert isinstance(outcome, Delivered)
        assert outcome.evidence.tls_version
        assert [message.tls is None for message in at.hosts[MX].received] == [True, False]


@pytest.mark.parametrize("flaw", [Script(closes_at="MAIL"), Script(replies={"MAIL": "421 4.4.2 idle"})])
async def test_a_kept_connection_that_died_is_replaced_at_once(flaw: Script, tmp_path: Path) -> None:
    async with world(tmp_path, {MX: Script()}) as at:
        await deliver(at, Channel.PLAIN)
        at.hosts[MX].conversations[0].script = flaw
        (outcome,) = await deliver(at, Channel.PLAIN)
        assert isinstance(outcome, Delivered)
        assert [len(conversation.received) for conversation in at.hosts[MX].conversations] == [1, 1]


async def test_a_new_connection_that_dies_at_mail_is_not_tried_for_ever(tmp_path: Path) -> None:
    async with world(tmp_path, {MX: Script(replies={"MAIL": "421 4.3.2 busy"})}) as at:
        (outcome,) = await deliver(at, Channel.PLAIN)
        assert isinstance(outcome, Deferred)
        assert outcome.cause is Cause.REPLY_4XX
        assert outcome.remote is not None
        assert len(at.hosts[MX].conversations) == 1


@pytest.mark.parametrize(
    ("limit", "recipients", "sizes"),
    [("RCPTMAX=2", 5, [2, 2, 1]), ("RCPTMAX=1", 2, [1, 1]), ("RCPTMAX=500", 150, [100, 50]), ("", 101, [100, 1])],
)
async def test_recipients_are_shared_out_as_the_host_takes_them(
    limit: str, recipients: int, sizes: list[int], tmp_path: Path
) -> None:
    async with world(tmp_path, {MX: good(extensions=(*OFFERS, f"LIMITS {limit}"))}) as at:
        outcomes = await deliver(at, recipients=tuple(f"r{number}" for number in range(recipients)))
        assert all(isinstance(outcome, Delivered) for outcome in outcomes)
        assert [len(message.rcpts) for message in at.hosts[MX].received] == sizes
        assert len({rcpt for message in at.hosts[MX].received for rcpt in message.rcpts}) == recipients


async def test_recipients_whose_turn_never_came_are_deferred(tmp_path: Path) -> None:
    domain = f"{MX}.test"
    script = good(extensions=("LIMITS RCPTMAX=1",), replies={f"RCPT b@{domain}": "550 5.1.1 no"})
    async with world(tmp_path, {MX: script}) as at:
        first, second, third = await deliver(at, recipients=("a", "b", "c"))
        assert isinstance(first, Delivered)
        assert isinstance(second, Failed)
        assert isinstance(third, Deferred)
        assert third.cause is Cause.UNREACHABLE


async def test_a_session_that_ends_between_two_transactions_keeps_what_was_delivered(tmp_path: Path) -> None:
    script = good(extensions=("LIMITS RCPTMAX=1",), replies={"MAIL": "250 ok"})
    async with world(tmp_path, {MX: script}) as at:
        host = at.hosts[MX]
        host.script = replace(script, replies={".": "250 2.0.0 taken\r\n421 4.3.2 bye"})
        outcomes = await deliver(at, recipients=("a", "b"))
        assert [type(outcome) for outcome in outcomes] == [Delivered, Deferred]


async def test_a_delivery_that_is_cancelled_leaves_no_connection_behind(tmp_path: Path) -> None:
    async with world(tmp_path, {MX: good(silent_at=".")}) as at:
        task = asyncio.ensure_future(deliver(at))
        await at.hosts[MX].called.wait()
        await at.hosts[MX].conversations[0].fell_silent.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(at.network.pool) == 0
        assert at.hosts[MX].received == []


async def test_closing_a_transport_says_quit(tmp_path: Path) -> None:
    async with world(tmp_path, {MX: good()}) as at:
        await deliver(at)
        await Mx(a_route(), Mx.Options(), at.network).aclose()
        await at.hosts[MX].over()
        assert at.hosts[MX].said().endswith(b"QUIT\r\n")
