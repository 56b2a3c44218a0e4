"""The MTA that the listener's tests talk through: it says what an MTA says, and is no more patient than one."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

import pytest

from gateway.core.reply import reply
from gateway.wire.milter.answers import AddHeader, InsertHeader, Verdict
from gateway.wire.milter.events import (
    Abort,
    Body,
    EndOfMessage,
    Event,
    Header,
    Quit,
    QuitNewConnection,
    Recipient,
    Unknown,
)
from tests.fakes import milter_packets as wire
from tests.fakes.milter_filter import Filter, Serve, listening
from tests.fakes.milter_mta import FilterBroke, MilterMta, milter_mta

MESSAGE = b"Subject:  two spaces\r\n\tand a fold\r\nX-Tight:none\r\n\r\n" + b"0123456789abcdef\r\n" * 8000
WHOLE = (b"<a@x.test>", [b"<b@x.test>"], MESSAGE)


@contextlib.asynccontextmanager
async def talking(serve: Serve, offer: tuple[int, int, int] = wire.POSTFIX_OFFER) -> AsyncGenerator[MilterMta]:
    async with listening(serve) as port, await milter_mta("127.0.0.1", port, offer) as mta:
        yield mta


async def test_a_message_is_told_and_judged() -> None:
    changes = (InsertHeader(0, b"X-Top", b" a"), AddHeader(b"X-Last", b" b"))
    milter = Filter(changes=changes, progress=2)
    async with talking(milter.serve) as mta:
        await mta.client()
        await mta.helo()
        answer = await mta.message(*WHOLE)
        await mta.quit()
    assert (answer.verdict, answer.progress) == (b"c", 2)
    assert answer.changes == ((b"i", b"\0\0\0\0X-Top\0 a\0"), (b"h", b"X-Last\0 b\0"))
    assert milter.message() == MESSAGE
    assert milter.count(Body) == 3
    assert milter.queue_ids == [None, b"4F1"]
    assert milter.events[-2:] == [Abort(), Quit()]
    assert milter.faults == []
    assert mta.macros == {0: b"j {client_addr}", 3: b"{rcpt_addr}", 4: b"i"}
    assert b"".join(answer.to for answer in mta.answers) == b"CHMRTLLNBBBE"


async def test_an_mta_that_offers_little_says_the_same() -> None:
    milter = Filter()
    async with talking(milter.serve, (6, 0x21, 0x100000)) as mta:
        await mta.client(address=b"2001:db8::1")
        await mta.unknown(b"XYZZY")
        assert (await mta.message(*WHOLE)).verdict == b"c"
        await mta.quit()
    assert mta.macros == {}
    assert milter.message() == MESSAGE
    assert milter.count(Unknown) == 1


async def test_a_connection_is_used_for_another_client() -> None:
    milter = Filter()
    async with talking(milter.serve) as mta:
        for client in (b"192.0.2.1", b"192.0.2.2"):
            await mta.client(address=client)
            assert (await mta.message(*WHOLE)).verdict == b"c"
            await mta.new_client()
        await mta.quit()
    assert milter.count(QuitNewConnection) == 2
    assert milter.faults == []


def on(kind: type[Event], verdict: Verdict) -> Filter:
    return Filter(verdict=lambda event: verdict if isinstance(event, kind) else Verdict.CONTINUE)


async def test_what_a_filter_does_not_want_to_see_is_not_shown() -> None:
    skips = on(Body, Verdict.SKIP)
    async with talking(skips.serve) as mta:
        await mta.client()
        assert (await mta.message(*WHOLE)).to == b"E"
    assert skips.count(Body) == 1
    refuses = on(Header, Verdict.REJECT)
    async with talking(refuses.serve) as mta:
        await mta.client()
        assert (await mta.message(*WHOLE)).to == b"L"
    assert (refuses.count(Header), refuses.count(EndOfMessage)) == (1, 0)


async def test_a_message_goes_on_with_the_recipients_that_are_left() -> None:
    no = reply(550, "5.7.1", "100% no", "really")
    milter = Filter(verdict=lambda event: no if event == Recipient(b"<No@x.test>", ()) else Verdict.CONTINUE)
    async with talking(milter.serve) as mta:
        await mta.client()
        assert (await mta.message(b"<>", [b"<No@x.test>", b"<b@x.test>"], MESSAGE)).to == b"E"
        refused = await mta.message(b"<>", [b"<No@x.test>"], MESSAGE)
    assert (refused.to, refused.text) == (b"R", "550-5.7.1 100% no\r\n550 5.7.1 really")
    assert milter.count(EndOfMessage) == 1


AGREED = bytes.fromhex("0000000d 4f 00000006 00000001 00000000")


def saying(said: bytes) -> Serve:
    """A filter that says this whatever it is told."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        while await reader.read(4096):
            pass

    return serve


@pytest.mark.parametrize(
    "said",
    [
        wire.packet(b"c"),
        wire.packet(b"O"),
        bytes.fromhex("0000000d 4f 00000007 00000001 00000000"),
        bytes.fromhex("0000000d 4f 00000006 00000200 00000000"),
        bytes.fromhex("0000000d 4f 00000006 00000001 10000000"),
        bytes.fromhex("00000013 4f 00000006 00000001 00000000 00000000 6900"),
        bytes.fromhex("00000012 4f 00000006 00000101 00000000 00000000 69"),
        bytes.fromhex("00000000"),
        bytes.fromhex("00010001 4f"),
    ],
)
async def test_a_filter_that_negotiates_wrongly_is_left(said: bytes) -> None:
    with pytest.raises(FilterBroke):
        async with talking(saying(said)):
            pass


@pytest.mark.parametrize(
    "said",
    [
        wire.packet(b"c", b"more"),
        wire.packet(b"Z"),
        wire.packet(b"s"),
        wire.packet(b"d"),
        wire.packet(b"h", b"X\0 a\0"),
        wire.packet(b"y", b"550 4.7.1 no\0"),
        wire.packet(b"y", b"550 5.7.1 100%\0"),
        wire.packet(b"y", b"550 5.7.1 no"),
        wire.packet(b"y", b"250 2.0.0 fine\0"),
        wire.packet(b"y", b"550-5.7.1 no\r\n551 5.7.1 no\0"),
        wire.packet(b"y", b"550-5.7.1 no\n550 5.7.1 no\0"),
    ],
)
async def test_a_filter_that_answers_wrongly_is_left(said: bytes) -> None:
    async with talking(saying(AGREED + said)) as mta:
        with pytest.raises(FilterBroke):
            await mta.client()


@pytest.mark.parametrize("change", [wire.packet(b"q", b"a\0"), wire.packet(b"+", b"<c@x.test>\0")])
async def test_a_change_that_was_not_agreed_on_is_not_made(change: bytes) -> None:
    async with talking(saying(AGREED + change)) as mta:
        with pytest.raises(FilterBroke, match="not agreed on"):
            await mta.ask(wire.end_of_message(), {})


async def test_an_mta_waits_only_so_long() -> None:
    async with talking(saying(AGREED)) as mta:
        mta.patience = 0.01
        with pytest.raises(FilterBroke, match="no answer"):
            await mta.client()


async def test_quit_is_not_answered() -> None:
    async with talking(saying(AGREED + wire.packet(b"c"))) as mta:
        with pytest.raises(FilterBroke, match="answered QUIT"):
            await mta.quit()


async def test_a_filter_that_does_not_hang_up_is_not_waited_for() -> None:
    async with talking(saying(AGREED)) as mta:
        mta.patience = 0.01
        with pytest.raises(FilterBroke, match="hang up"):
            await mta.quit()
