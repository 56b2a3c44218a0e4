"""Clients that never fall silent and never get on: commands and content that come drop by drop have an end.

Time has to pass in these, because nothing else happens.
"""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from itertools import repeat

import pytest

from gateway.listeners import smtp_shell
from tests.listeners.smtp_rig import Client, rig, with_options

TIMEOUT = timedelta(seconds=0.4)
DROP = 0.05
"""Seconds between two drops: nobody is ever silent for long."""
LATE = "421 4.4.2 timeout, closing the connection"


@pytest.fixture(autouse=True)
def one_timeout_for_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp_shell, "_WAITS", 1)


async def drip(client: Client, drops: Iterator[bytes], stop: asyncio.Event) -> None:
    for drop in drops:
        if stop.is_set():
            return
        try:
            await client.send(drop)
        except ConnectionError:
            return
        await asyncio.sleep(DROP)


async def last_words(client: Client, drop: bytes) -> str:
    """What the client hears at last, however long it goes on."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(drip(client, repeat(drop), stop))
        answer = ""
        # What the listener has not read any more breaks the connection, behind its last words.
        with suppress(ConnectionError):
            while next_one := await client.reply():
                answer = next_one
        stop.set()
    return answer


async def test_commands_drop_by_drop_have_an_end() -> None:
    async with rig(with_options(timeout=TIMEOUT)) as running:
        client = await running.greeted()
        assert await last_words(client, b"NOOP\r\n") == LATE


async def test_one_command_line_drop_by_drop_has_an_end() -> None:
    async with rig(with_options(timeout=TIMEOUT)) as running:
        client = await running.greeted()
        assert await last_words(client, b"N") == LATE


async def test_recipients_drop_by_drop_have_an_end() -> None:
    async with rig(with_options(timeout=TIMEOUT)) as running:
        client = await running.greeted()
        await client.envelope()
        assert await last_words(client, b"RCPT TO:<b@x.example>\r\n") == LATE


async def test_content_drop_by_drop_has_an_end_and_leaves_nothing_behind() -> None:
    async with rig(with_options(timeout=TIMEOUT)) as running:
        client = await running.greeted()
        await client.envelope()
        assert (await client.ask(b"DATA")).startswith("354 ")
        assert await last_words(client, b"a") == LATE
        assert running.accept.last.discarded == 1


async def test_chunks_drop_by_drop_have_an_end_and_leave_nothing_behind() -> None:
    async with rig(with_options(timeout=TIMEOUT)) as running:
        client = await running.greeted()
        await client.envelope()
        assert await last_words(client, b"BDAT 1\r\na") == LATE
        assert running.accept.last.discarded == 1


@pytest.mark.parametrize("command", [b"DATA\r\n", b"BDAT 100000000\r\n"])
async def test_content_that_is_only_drained_earns_no_time(command: bytes) -> None:
    async with rig(with_options(timeout=TIMEOUT, max_message=100)) as running:
        client = await running.greeted()
        await client.envelope()
        await client.send(command)
        assert await last_words(client, b"too much" * 1000) == LATE
        assert running.accept.messages == []


async def test_chunk_of_a_stranger_earns_no_time() -> None:
    async with rig(with_options(timeout=TIMEOUT, allow=())) as running:
        client = await running.greeted()
        await client.send(b"BDAT 100000000\r\n")
        assert await last_words(client, b"junk" * 1000) == LATE


async def test_content_that_gets_on_has_the_time_it_takes() -> None:
    async with rig(with_options(timeout=TIMEOUT)) as running:
        client = await running.greeted()
        await client.envelope()
        assert (await client.ask(b"DATA")).startswith("354 ")
        await drip(client, iter([b"x" * 998 + b"\r\n"] * 20), asyncio.Event())
        await client.send(b".\r\n")
        assert (await client.reply()).startswith("250 ")


async def test_every_message_has_time_of_its_own() -> None:
    async with rig(with_options(timeout=TIMEOUT)) as running:
        client = await running.greeted()
        for _ in range(12):
            assert (await client.message()).startswith("250 ")
            await asyncio.sleep(DROP)
