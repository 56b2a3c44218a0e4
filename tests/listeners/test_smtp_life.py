"""How a conversation ends: clients that leave, that are silent, that are too many, and a server that stops."""

import asyncio
import socket
import struct
from datetime import timedelta
from ipaddress import ip_network

import pytest

from gateway.listeners.options import Allow
from tests.listeners.smtp_rig import LONG, rig, with_options

SHORT = timedelta(seconds=0.2)
TAKEN = "421 4.3.2 too busy, the connection is needed for another client, try again later"
CONTENT = b"A: b\r\n\r\nc\r\n"


async def test_client_that_breaks_off_in_the_content_leaves_nothing_behind() -> None:
    async with rig() as running:
        client = await running.greeted()
        await client.envelope()
        await client.ask(b"DATA")
        await client.send(CONTENT + b".\r")
        client.reset()
        await running.accept.last.discarding.wait()
        assert not running.accept.last.finishing.is_set()
        other = await running.greeted()
        assert (await other.message()).startswith("250 ")


@pytest.mark.parametrize("command", [b"BDAT 5\r\nA: b\r", b"BDAT 100 LAST\r\nA: b\r\n"])
async def test_client_that_leaves_within_or_between_chunks_leaves_nothing_behind(command: bytes) -> None:
    async with rig() as running:
        client = await running.greeted()
        await client.envelope()
        await client.send(command)
        await client.close()
        # The server has read all of it, and the end, before the listener counts the client out.
        assert await running.listener.drain(LONG)
        assert running.accept.last.discarded == 1
        assert not running.accept.last.finishing.is_set()


async def test_client_that_breaks_off_during_the_commit_does_not_cancel_it() -> None:
    async with rig(open_gate=False) as running:
        client = await running.greeted()
        await client.envelope()
        await client.ask(b"DATA")
        await client.send(CONTENT + b".\r\n")
        await running.accept.last.finishing.wait()
        client.reset()
        # Another whole conversation fits in, so that the server has certainly seen the end of the first.
        other = await running.greeted()
        await other.ask(b"NOOP")
        running.accept.gate.set()
        assert await running.listener.drain(LONG)
        assert running.accept.messages == [CONTENT]
        assert not running.accept.last.cancelled
        assert running.accept.last.discarded == 0


async def test_client_that_half_closes_still_gets_every_reply() -> None:
    async with rig(open_gate=False) as running:
        client = await running.connect()
        await client.send(b"EHLO x\r\nMAIL FROM:<a@council.example>\r\nRCPT TO:<b@x.example>\r\nDATA\r\n")
        answers = await client.replies(5)
        assert [answer[:3] for answer in answers] == ["220", "250", "250", "250", "354"]
        await client.send(CONTENT + b".\r\nQUIT\r\n")
        client.writer.write_eof()
        await running.accept.last.finishing.wait()
        running.accept.gate.set()
        assert await client.replies(2) == ["250 2.0.0 queued as 000-1", "221 2.0.0 bye"]
        assert await client.rest() == ""
        assert running.accept.messages == [CONTENT]


async def test_silent_client_hears_421() -> None:
    async with rig(with_options(timeout=SHORT)) as running:
        client = await running.greeted()
        assert await client.reply() == "421 4.4.2 timeout, closing the connection"
        assert await client.rest() == ""


async def test_client_silent_in_the_content_hears_421_and_leaves_nothing_behind() -> None:
    async with rig(with_options(timeout=SHORT)) as running:
        client = await running.greeted()
        await client.envelope()
        await client.ask(b"DATA")
        await client.send(CONTENT)
        assert (await client.reply()).startswith("421 4.4.2 ")
        assert await client.rest() == ""
        assert running.accept.last.discarded == 1


async def test_client_that_keeps_sending_is_not_cut_off() -> None:
    async with rig(with_options(timeout=timedelta(seconds=0.4))) as running:
        client = await running.greeted()
        await client.envelope()
        await client.ask(b"DATA")
        for _ in range(6):
            await client.send(CONTENT)
            await asyncio.sleep(0.1)
        await client.send(b".\r\n")
        assert (await client.reply()).startswith("250 ")
        assert running.accept.messages == [CONTENT * 6]


async def test_commit_has_all_the_time_it_needs() -> None:
    async with rig(with_options(timeout=SHORT), open_gate=False) as running:
        client = await running.greeted()
        await client.envelope()
        await client.ask(b"DATA")
        await client.send(CONTENT + b".\r\n")
        await running.accept.last.finishing.wait()
        await asyncio.sleep(3 * SHORT.total_seconds())
        running.accept.gate.set()
        assert (await client.reply()).startswith("250 ")
        assert (await client.reply()).startswith("421 4.4.2 ")


async def test_client_that_never_reads_its_replies_is_cut_off() -> None:
    async with rig(with_options(timeout=SHORT), send_buffer=4096) as running:
        client = await running.greeted()
        await client.envelope()
        client.writer.transport.pause_reading()  # pyright: ignore[reportAttributeAccessIssue] - a transport of a socket can.
        with pytest.raises(ConnectionError):
            while True:
                await client.send(b"RCPT TO:<b@x.example>\r\n" * 1000)
        assert await running.listener.drain(LONG)


async def test_too_many_connections_from_one_address_are_turned_away_until_one_leaves() -> None:
    async with rig(with_options(max_per_address=2)) as running:
        first, second = await running.greeted(), await running.greeted()
        third = await running.connect()
        assert (await third.reply()).startswith("421 4.7.0 ")
        assert await third.rest() == ""
        assert [code for _, _, code in running.events.refusals] == [421]
        await first.close()
        while (await (fourth := await running.connect()).reply()).startswith("421 "):
            await fourth.close()
        assert (await fourth.ask(b"EHLO x")).startswith("250-")
        assert (await second.message()).startswith("250 ")


async def test_admitted_client_finds_a_place_where_strangers_have_taken_all() -> None:
    office = (Allow(networks=(ip_network("127.0.0.2/32"),)),)
    async with rig(with_options(max_connections=3, allow=office)) as running:
        strangers = [await running.greeted() for _ in range(3)]
        late = await running.connect()
        assert (await late.reply()).startswith("421 4.7.0 ")
        client = await running.connect(local="127.0.0.2")
        await client.hello()
        assert await strangers[0].reply() == TAKEN
        assert await strangers[0].rest() == ""
        assert (await client.message()).startswith("250 ")
        assert await strangers[1].ask(b"NOOP") == "250 2.0.0 OK"


async def test_client_with_one_connection_finds_a_place_where_another_sends_slowly_on_all() -> None:
    async with rig(with_options(max_connections=3)) as running:
        slow = [await running.greeted() for _ in range(3)]
        for client in slow:
            await client.envelope()
            assert (await client.ask(b"DATA")).startswith("354 ")
            await client.send(CONTENT)
        other = await running.connect(local="127.0.0.2")
        await other.hello()
        assert (await other.message()).startswith("250 ")
        assert await slow[0].reply() == TAKEN
        assert running.accept.submissions[0].discarded == 1
        await slow[1].send(b".\r\n")
        assert (await slow[1].reply()).startswith("250 ")


async def test_commit_in_progress_keeps_its_place() -> None:
    async with rig(with_options(max_connections=2), open_gate=False) as running:
        clients = [await running.greeted() for _ in range(2)]
        for client in clients:
            await client.envelope()
            await client.ask(b"DATA")
            await client.send(CONTENT + b".\r\n")
            await running.accept.last.finishing.wait()
        other = await running.connect(local="127.0.0.2")
        assert (await other.reply()).startswith("421 4.7.0 ")
        running.accept.gate.set()
        for client in clients:
            assert (await client.reply()).startswith("250 ")
            assert await client.ask(b"NOOP") == "250 2.0.0 OK"


async def test_dual_stack_listener_sees_ipv4_clients_as_ipv4() -> None:
    async with rig(host="::") as running:
        for host, address in (("127.0.0.1", "127.0.0.1"), ("::1", "::1")):
            client = await running.connect(host=host)
            await client.hello()
            assert (await client.message()).startswith("250 ")
            assert running.accept.last.envelope.client.address == address


async def test_drain_lets_transactions_end_and_sends_idle_clients_away() -> None:
    async with rig(open_gate=False) as running:
        idle, mailing, committing = [await running.greeted() for _ in range(3)]
        await mailing.envelope()
        await committing.envelope()
        await committing.ask(b"DATA")
        await committing.send(CONTENT + b".\r\n")
        await running.accept.last.finishing.wait()
        draining = asyncio.create_task(running.listener.drain(LONG))
        assert await idle.reply() == "421 4.3.2 the service is closing down, try again later"
        with pytest.raises(ConnectionRefusedError):
            await running.connect()
        running.accept.gate.set()
        for client, answer in (
            (committing, await committing.reply()),
            (mailing, await mailing.data(CONTENT + b".\r\n")),
        ):
            assert answer.startswith("250 ")
            assert (await client.reply()).startswith("421 4.3.2 ")
            assert await client.rest() == ""
        assert await draining
        assert running.accept.messages == [CONTENT, CONTENT]


async def test_drain_gives_up_on_a_client_that_does_not_end_its_message() -> None:
    async with rig() as running:
        client = await running.greeted()
        await client.envelope()
        await client.ask(b"DATA")
        await client.send(CONTENT)
        assert not await running.listener.drain(SHORT)
        assert (await client.reply()).startswith("421 4.3.2 ")
        assert await client.rest() == ""
        assert running.accept.last.discarded == 1


async def test_stopping_at_once_still_answers_a_commit_in_progress() -> None:
    async with rig(open_gate=False) as running:
        committing, sending = await running.greeted(), await running.greeted()
        for client, content in ((committing, CONTENT + b".\r\n"), (sending, CONTENT)):
            await client.envelope()
            await client.ask(b"DATA")
            await client.send(content)
        await running.accept.submissions[0].finishing.wait()
        running.serving.cancel()
        assert (await sending.reply()).startswith("421 4.3.2 ")
        running.accept.gate.set()
        assert (await committing.reply()).startswith("250 ")
        assert (await committing.reply()).startswith("421 4.3.2 ")
        assert running.accept.messages == [CONTENT]
        assert running.accept.submissions[1].discarded == 1
        with pytest.raises(asyncio.CancelledError):
            await running.serving


async def test_second_cancellation_breaks_even_a_commit_but_does_not_take_its_body_away() -> None:
    async with rig(open_gate=False) as running:
        client = await running.greeted()
        await client.envelope()
        await client.ask(b"DATA")
        await client.send(CONTENT + b".\r\n")
        await running.accept.last.finishing.wait()
        running.serving.cancel()
        # One turn of the loop brings the first cancellation home; the second meets the wait for the commit.
        await asyncio.sleep(0)
        running.serving.cancel()
        assert "250" not in await client.rest()
        assert running.accept.last.cancelled
        assert running.accept.last.discarded == 0


@pytest.mark.parametrize("sent", [b"NOOP " + b"x" * 600_000, b"MAIL FROM:<a@counc"], ids=["an endless", "an open"])
@pytest.mark.parametrize("broken", [True, False])
async def test_client_that_leaves_within_a_line_is_forgotten(sent: bytes, broken: bool) -> None:
    async with rig() as running:
        client = await running.greeted()
        await client.send(sent)
        if broken:
            client.reset()
        await client.close()
        assert await running.listener._connections.gone(LONG)
        assert running.events.faults == []


async def test_connection_that_arrives_while_closing_is_told_so() -> None:
    async with rig() as running:
        staying = await running.greeted()
        await staying.envelope()
        # Not through `drain`, which closes the socket: this one was accepted at the last moment.
        running.listener._connections.retire()
        late = await running.connect()
        assert (await late.reply()).startswith("421 4.3.2 ")
        assert await late.rest() == ""


async def test_client_that_is_gone_before_it_is_greeted_is_nobody() -> None:
    async with rig() as running:
        for _ in range(20):
            sock = socket.create_connection(("127.0.0.1", running.port))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()
        client = await running.greeted()
        assert (await client.message()).startswith("250 ")
        assert running.events.faults == []
