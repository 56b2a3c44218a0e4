"""The message itself: its end, its limits, its line ends, and every way in which taking it can fail."""

import asyncio
from ipaddress import ip_network

import pytest

from gateway.core.reply import reply
from gateway.core.scan import TooComplex
from gateway.flow.ports import SpoolError, SpoolFull
from gateway.listeners.options import Allow
from tests.listeners.smtp_rig import LOOPBACK, rig, with_options


@pytest.mark.parametrize(
    "content",
    [
        b"A: b\r\n\r\nx\n.\nMAIL FROM:<evil@council.example>\r\n.\r\n",
        b"A: b\r\n\r\nx\n.\r\nMAIL FROM:<evil@council.example>\r\n.\r\n",
        b"A: b\r\n\r\nx\r\n.\nMAIL FROM:<evil@council.example>\r\n.\r\n",
        b"A: b\r\n\r\nx\r.\rMAIL FROM:<evil@council.example>\r\n.\r\n",
        b"A: b\r\n\r\nx\r\n.\rMAIL FROM:<evil@council.example>\r\n.\r\n",
        b"A: b\r\n\r\nx\r.\r\nMAIL FROM:<evil@council.example>\r\n.\r\n",
        b"A: b\n\nx\r\n.\r\n",
        b"A: b\r\n\r\nx\r\r\n.\r\n",
        b"A: b\r\n\r\n\r\n\n.\r\n\r\n.\r\n",
    ],
)
async def test_smuggled_end_of_data_is_no_end_and_refuses_the_message(content: bytes) -> None:
    async with rig() as running:
        client = await running.greeted()
        await client.envelope()
        assert (await client.data(content)).startswith("550 5.5.2 ")
        # The next command is heard once: nothing of the content was taken for one.
        assert await client.ask(b"NOOP") == "250 2.0.0 OK"
        assert running.accept.messages == []
        assert running.accept.last.discarded == 1
        assert [code for _, _, code in running.events.refusals] == [550]
        assert (await client.message()).startswith("250 ")


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        (b".\r\n", b""),
        (b"\r\n.\r\n", b"\r\n"),
        (b"A: b\r\n\r\n..\r\n...\r\n.x\r\n.\r\n", b"A: b\r\n\r\n.\r\n..\r\nx\r\n"),
        (b"A: b\r\n\r\n\x00\xff\xe9\r\n.\r\n", b"A: b\r\n\r\n\x00\xff\xe9\r\n"),
        (b"A: " + b"x" * 300_000 + b"\r\n\r\n.\r\n", b"A: " + b"x" * 300_000 + b"\r\n\r\n"),
    ],
    ids=["nothing", "an empty line", "stuffed dots", "NUL and 8-bit without 8BITMIME", "a long line"],
)
async def test_content_arrives_byte_for_byte(content: bytes, kept: bytes) -> None:
    async with rig() as running:
        client = await running.greeted()
        await client.envelope()
        assert (await client.data(content)).startswith("250 ")
        assert running.accept.messages == [kept]


async def test_ten_megabyte_header_line_is_passed_on_in_blocks() -> None:
    async with rig() as running:
        client = await running.greeted()
        await client.envelope()
        assert (await client.data(b"A: " + b"x" * 10_000_000 + b"\r\n\r\n.\r\n")).startswith("250 ")
        assert len(running.accept.last.content) == 10_000_007
        assert max(len(block) for block in running.accept.last.blocks) <= 256 * 1024


async def test_size_limit_is_exact_and_the_rest_is_drained() -> None:
    async with rig(with_options(max_message=1000)) as running:
        client = await running.greeted()
        fits = b"A: b\r\n\r\n" + b"." + b"." * 990 + b"\r\n"
        await client.envelope()
        # One stuffed dot more on the wire does not count.
        assert (await client.data(fits + b".\r\n")).startswith("250 ")
        assert len(running.accept.last.content) == 1000
        await client.envelope()
        assert (await client.data(b"x" + fits + b"y" * 1_000_000 + b"\r\n.\r\n")).startswith("552 5.3.4 ")
        assert running.accept.last.discarded == 1
        assert len(running.accept.messages) == 1
        assert (await client.message()).startswith("250 ")


@pytest.mark.parametrize(
    ("error", "expected", "is_fault"),
    [
        (SpoolFull("full"), "452 4.3.1 ", False),
        (SpoolError("broken"), "451 4.3.0 ", True),
        (TooComplex("the message has more than 1000 parts"), "554 5.6.0 the message has more than 1000 parts", False),
        (OSError("/secret/path"), "451 4.3.0 ", True),
        (RuntimeError("secret"), "451 4.3.0 ", True),
    ],
)
@pytest.mark.parametrize("where", ["write", "finish"])
async def test_fault_while_taking_a_message_is_one_reply_behind_its_end(
    where: str, error: Exception, expected: str, is_fault: bool
) -> None:
    async with rig() as running:
        client = await running.greeted()
        if where == "write":
            running.accept.write_error = error
        else:
            running.accept.answer = error
        answer = await client.message(b"A: b\r\n\r\nQUIT\r\nMAIL FROM:<x@council.example>\r\n.\r\n")
        assert answer.startswith(expected)
        assert "secret" not in answer
        assert running.accept.last.discarded == 1
        assert running.events.faults == ([error] if is_fault else [])
        assert [code for _, _, code in running.events.refusals] == [int(expected[:3])]
        running.accept.write_error, running.accept.answer = None, reply(250, "2.0.0", "queued")
        assert await client.message() == "250 2.0.0 queued"


async def test_full_spool_is_said_before_the_content_is_asked_for() -> None:
    async with rig() as running:
        client = await running.greeted()
        running.accept.begin_error = SpoolFull("full")
        await client.envelope()
        assert (await client.ask(b"DATA")).startswith("452 4.3.1 ")
        assert (await client.ask(b"DATA")).startswith("503 5.5.1 ")
        running.accept.begin_error = None
        assert (await client.message()).startswith("250 ")


async def test_unexpected_fault_in_a_command_is_451_without_a_word_of_it() -> None:
    async with rig() as running:
        client = await running.greeted()
        running.accept.sender_error = RuntimeError("secret")
        assert await client.ask(b"MAIL FROM:<a@council.example>") == "451 4.3.0 a fault on our side, try again later"
        assert await client.ask(b"NOOP") == "250 2.0.0 OK"
        assert [str(fault) for fault in running.events.faults] == ["secret"]


async def test_unexpected_fault_at_data_ends_the_conversation_lest_content_be_taken_for_commands() -> None:
    async with rig() as running:
        client = await running.greeted()
        running.accept.begin_error = RuntimeError("secret")
        await client.envelope()
        await client.send(b"DATA\r\nMAIL FROM:<evil@council.example>\r\n.\r\n")
        assert (await client.reply()).startswith("451 4.3.0 ")
        assert (await client.reply()).startswith("421 4.7.0 ")
        assert await client.rest() == ""


async def test_refusal_of_the_policy_is_passed_on_and_is_no_fault() -> None:
    async with rig() as running:
        running.accept.answer = reply(550, "5.7.1", "rule X: ask the Service Desk")
        client = await running.greeted()
        assert await client.message() == "550 5.7.1 rule X: ask the Service Desk"
        assert running.accept.last.discarded == 0
        assert running.events.refusals == []
        running.accept.answer = reply(250, "2.0.0", "queued")
        assert await client.message() == "250 2.0.0 queued"


# BDAT (RFC 3030).


async def test_chunks_make_one_message_and_dots_are_nothing_special() -> None:
    async with rig() as running:
        client = await running.greeted()
        await client.envelope()
        chunks = [b"A: b\r", b"\n\r\n..x\r\n.\r\n", b"", b"y" * 300_000 + b"\r\n"]
        for chunk in chunks:
            await client.send(b"BDAT %d\r\n" % len(chunk) + chunk)
            assert await client.reply() == "250 2.0.0 OK"
        assert await client.ask(b"BDAT 0 LAST") == "250 2.0.0 queued as 000-1"
        assert running.accept.messages == [b"".join(chunks)]
        assert (await client.message()).startswith("250 ")


async def test_message_in_one_chunk_gets_the_line_end_that_data_would_give() -> None:
    async with rig() as running:
        client = await running.greeted()
        await client.envelope()
        await client.send(b"bdat 9 last\r\nA: b\r\n\r\ncNOOP\r\n")
        assert await client.replies(2) == ["250 2.0.0 queued as 000-1", "250 2.0.0 OK"]
        assert running.accept.messages == [b"A: b\r\n\r\nc\r\n"]


@pytest.mark.parametrize("chunks", [[b"A: b\n", b"c\r\n"], [b"A: b\r", b"c\r\n"], [b"A: b\r\n", b"c\r"]])
async def test_bare_line_end_in_chunks_is_refused(chunks: list[bytes]) -> None:
    async with rig() as running:
        client = await running.greeted()
        await client.envelope()
        for chunk in chunks:
            await client.send(b"BDAT %d\r\n" % len(chunk) + chunk)
        await client.send(b"BDAT 0 LAST\r\n")
        answers = await client.replies(len(chunks) + 1)
        assert any(answer.startswith("550 5.5.2 ") for answer in answers)
        assert running.accept.messages == []
        await client.ask(b"RSET")
        assert (await client.message()).startswith("250 ")


async def test_chunk_is_read_even_when_it_is_refused() -> None:
    async with rig(with_options(max_message=100)) as running:
        client = await running.greeted()
        content = b"MAIL FROM:<evil@council.example>\r\n"
        chunk = b"BDAT %d\r\n" % len(content) + content
        await client.send(chunk)
        assert (await client.reply()).startswith("503 5.5.1 ")
        await client.ask(b"MAIL FROM:<a@council.example>")
        await client.send(chunk)
        assert (await client.reply()).startswith("554 5.5.1 ")
        await client.ask(b"RCPT TO:<b@x.example>")
        running.accept.begin_error = SpoolFull("full")
        await client.send(chunk)
        assert (await client.reply()).startswith("452 4.3.1 ")
        running.accept.begin_error = None
        await client.envelope()
        for expected in ("250 ", "250 ", "552 5.3.4 ", "503 5.5.1 "):
            await client.send(chunk)
            assert (await client.reply()).startswith(expected)
        assert running.accept.last.discarded == 1
        assert (await client.message()).startswith("250 ")


async def test_commands_between_chunks_are_out_of_order_and_reset_gives_the_message_up() -> None:
    async with rig() as running:
        client = await running.greeted()
        await client.envelope()
        await client.send(b"BDAT 6\r\nA: b\r\n")
        assert await client.reply() == "250 2.0.0 OK"
        assert (await client.ask(b"RCPT TO:<c@x.example>")).startswith("503 5.5.1 ")
        assert (await client.ask(b"DATA")).startswith("503 5.5.1 ")
        assert (await client.ask(b"MAIL FROM:<a@council.example>")).startswith("503 5.5.1 ")
        assert running.accept.last.discarded == 0
        assert await client.ask(b"RSET") == "250 2.0.0 OK"
        assert running.accept.last.discarded == 1
        await client.send(b"BDAT 0 LAST\r\n")
        assert (await client.reply()).startswith("503 5.5.1 ")


@pytest.mark.parametrize("argument", [b"", b" x", b" -1", b" 5 FIRST", b" 123456789012345678901"])
async def test_chunk_without_a_size_ends_the_conversation(argument: bytes) -> None:
    async with rig() as running:
        client = await running.greeted()
        await client.envelope()
        await client.send(b"BDAT" + argument + b"\r\nMAIL FROM:<evil@council.example>\r\n")
        assert (await client.reply()).startswith("501 5.5.4 ")
        assert (await client.reply()).startswith("421 4.7.0 ")
        assert await client.rest() == ""


async def test_message_of_many_blocks_leaves_room_for_others() -> None:
    """Two clients at once: the second is answered while the first still sends."""
    async with rig() as running:
        slow, quick = await running.greeted(), await running.greeted()
        await slow.envelope()
        await slow.ask(b"DATA")
        await slow.send(b"A: b\r\n\r\n" + b"x" * 500_000)
        assert (await asyncio.wait_for(quick.message(), 10)).startswith("250 ")
        await slow.send(b"\r\n.\r\n")
        assert (await slow.reply()).startswith("250 ")
        assert [len(message) for message in running.accept.messages] == [500_010, 17]


async def test_flow_hears_of_every_secret_field_of_the_listener_whoever_is_admitted() -> None:
    tenant = Allow(client_name="cloud.example", require_header={"X-Relay": (b"s3cret",), "X-Org": (b"c",)})
    scanner = Allow(networks=(ip_network("10.9.0.0/16"),), require_header={"X-Scanner": (b"s",)})
    async with rig(with_options(allow=(tenant, *LOOPBACK, scanner))) as running:
        client = await running.greeted()
        assert (await client.message()).startswith("250 ")
        profile = running.accept.last.profile
        assert (profile.proofs, profile.secrets) == ((), ("X-Relay", "X-Org", "X-Scanner"))
