"""The control socket: how `sealpost reload` and `sealpost queue` reach the running gateway.

A Unix socket in the spool, mode 0600, and the peer's uid is checked besides (unix(7), SO_PEERCRED): only root and the
gateway's own user are heard. One request and one answer per connection, framed, small and in time.
"""

import asyncio
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from gateway.app.frames import MAX_ANSWER, FrameError, frame, read_frame
from gateway.app.messages import ANSWER, REQUEST, Answer, NotDone, Request
from gateway.telemetry.log import Log, describe

NAME: Final = "control"

_MAX_REQUEST: Final = 64 * 1024
_AT_ONCE: Final = 16
_BACKLOG: Final = 128
_ASKED_WITHIN: Final = 10.0
"""Seconds from the connection to the whole request."""

ANSWERED_WITHIN: Final = 120.0
"""Seconds that a client waits: a reload reads files and hears every worker."""

_LONGEST_PATH: Final = 100
"""Bytes; the kernel takes 107 (unix(7))."""

_CREDENTIALS: Final = struct.Struct("3i")
_ROOT: Final = 0

Answerer = Callable[[Request], Awaitable[Answer]]


class NotRunning(Exception):
    """No gateway listens on this spool."""


@contextmanager
def _reachable(folder: Path) -> Generator[str]:
    """A path of the socket that the kernel takes, however deep the spool lies."""
    path = folder / NAME
    if len(os.fsencode(path)) <= _LONGEST_PATH:
        yield str(path)
        return
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{NAME}"
    finally:
        os.close(descriptor)


def open_control(folder: Path) -> socket.socket:
    """Binds the socket; one that a killed gateway left behind is replaced (the caller holds the spool's lock)."""
    (folder / NAME).unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with _reachable(folder) as path:
        sock.bind(path)
        os.chmod(path, 0o600)
    # Nobody can connect before this, so the mode is never wider.
    sock.listen(_BACKLOG)
    sock.setblocking(False)
    return sock


class Control:
    """Serves the control socket."""

    def __init__(self, answer: Answerer, log: Log) -> None:
        self._answer = answer
        self._log = log

    async def serve(self, sock: socket.socket) -> None:
        """Answers until cancelled, so many askers at once; more wait to be accepted."""
        places = asyncio.Semaphore(_AT_ONCE)
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as tasks:
            while True:
                await places.acquire()
                connection, _ = await loop.sock_accept(sock)
                tasks.create_task(self._converse(connection)).add_done_callback(lambda _: places.release())

    async def _converse(self, connection: socket.socket) -> None:
        with connection:
            if not _may(connection):
                return
            try:
                async with asyncio.timeout(ANSWERED_WITHIN):
                    await self._serve_one(connection)
            except OSError:
                # The asker went away, or (TimeoutError is one) took too long.
                return
            except Exception as error:
                # A fault in a command must not end the gateway.
                self._log.error("broken", where="control", error=describe(error))

    async def _serve_one(self, connection: socket.socket) -> None:
        reader, writer = await asyncio.open_unix_connection(sock=connection)
        try:
            answer = await self._answer_to(reader)
            if answer is not None:
                writer.write(frame(ANSWER.dump_json(answer)))
                await writer.drain()
        finally:
            writer.close()
            await writer.wait_closed()

    async def _answer_to(self, reader: asyncio.StreamReader) -> Answer | None:
        try:
            async with asyncio.timeout(_ASKED_WITHIN):
                payload = await read_frame(reader, _MAX_REQUEST)
            if payload is None:
                return None
            request = REQUEST.validate_json(payload)
        except (FrameError, ValidationError):
            return NotDone(text="the request was not understood; the command and the gateway differ in version")
        return await self._answer(request)


def _may(connection: socket.socket) -> bool:
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _pid, uid, _gid = _CREDENTIALS.unpack(credentials)
    return uid in (_ROOT, os.geteuid())


def ask(folder: Path, request: Request) -> Answer:
    """One question to the gateway on this spool; blocks, for the command line.

    Raises:
        NotRunning: nothing listens there, or it went away before it answered.
        PermissionError: the spool belongs to another user.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(ANSWERED_WITHIN)
        try:
            with _reachable(folder) as path:
                sock.connect(path)
            sock.sendall(frame(REQUEST.dump_json(request)))
            return ANSWER.validate_json(_read_answer(sock))
        except (FileNotFoundError, ConnectionError, TimeoutError, EOFError) as error:
            raise NotRunning(f"no gateway is running on the spool {folder}") from error


def _read_answer(sock: socket.socket) -> bytes:
    with sock.makefile("rb") as stream:
        head = stream.read(4)
        length = int.from_bytes(head, "big")
        payload = stream.read(length) if len(head) == 4 and length <= MAX_ANSWER else b""
    if not payload or len(payload) < length:
        raise EOFError
    return payload
