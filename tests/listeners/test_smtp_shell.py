"""The fence: faults and ends that a socket cannot bring about at the right moment."""

import asyncio
import ssl

import pytest

from gateway.core.reply import Reply
from gateway.listeners.smtp_session import SmtpSession
from tests.listeners.smtp_memory import LONG, Memory, MemoryTransport, converse


async def test_fault_of_the_loop_itself_is_451_and_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fault(_: SmtpSession) -> bytes | Reply:
        raise RuntimeError("secret")

    monkeypatch.setattr(SmtpSession, "read_line", fault)
    memory = await converse([b"NOOP\r\n"])
    assert memory.transport.said == b"220 gw ESMTP\r\n451 4.3.0 a fault on our side, try again later\r\n"
    assert [str(error) for error in memory.events.faults] == ["secret"]
    assert len(memory.connections) == 0


async def test_connection_without_a_peer_is_closed_without_a_word() -> None:
    async with asyncio.TaskGroup() as tasks:
        memory = Memory(tasks)
        transport = MemoryTransport(memory.session, peername=None)
        memory.session.connection_made(transport)
        assert transport.closing
        assert transport.said == b""
        assert len(memory.connections) == 0


async def test_client_that_is_gone_at_starttls_is_not_shaken_hands_with() -> None:
    async with asyncio.TaskGroup() as tasks:
        memory = Memory(tasks, ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
        memory.session.connection_made(memory.transport)
        memory.session.data_received(b"STARTTLS\r\n")
        memory.transport.abort()
        assert await memory.connections.gone(LONG)
        assert [code for _, _, code in memory.events.refusals] == [454]


async def test_session_that_is_ended_before_it_began_is_closed_all_the_same() -> None:
    async with asyncio.TaskGroup() as tasks:
        memory = Memory(tasks)
        memory.session.connection_made(memory.transport)
        memory.connections.end()
        assert await memory.connections.gone(LONG)
        assert memory.transport.said == b"421 4.3.2 the service is closing down, try again later\r\n"


async def test_replies_to_pipelined_commands_leave_together_but_not_without_bound() -> None:
    writes: list[int] = []

    class Counting(MemoryTransport):
        def write(self, data: bytes | bytearray | memoryview) -> None:
            writes.append(len(data))
            super().write(data)

    async with asyncio.TaskGroup() as tasks:
        memory = Memory(tasks)
        transport = Counting(memory.session)
        memory.session.connection_made(transport)
        memory.session.data_received(
            b"EHLO x\r\nMAIL FROM:<a@council.example>\r\n" + b"RCPT TO:<b@x.example>\r\n" * 4000
        )
        memory.session.eof_received()
        assert await memory.connections.gone(LONG)
    assert transport.said.count(b"250 2.1.5 OK\r\n") == 4000
    assert 4 < len(writes) < 12
    assert max(writes) < 10_000
