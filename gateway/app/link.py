"""A worker's end of its two pipes: commands come in on one, answers go out on the other."""

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator

from gateway.app.frames import MAX_BUNDLE, frame, read_frame
from gateway.app.messages import FROM_WORKER, TO_WORKER, FromWorker, ToWorker


class Link:
    """Speaks with the supervisor."""

    def __init__(self, reader: asyncio.StreamReader, answers: int) -> None:
        self._reader = reader
        self._answers = answers

    async def receive(self) -> ToWorker | None:
        """The next command; None when the supervisor is gone. Raises FrameError or ValidationError for nonsense."""
        payload = await read_frame(self._reader, MAX_BUNDLE)
        return None if payload is None else TO_WORKER.validate_json(payload)

    def send(self, message: FromWorker) -> None:
        """Answers. The supervisor always reads, so the few bytes never block; one that is gone hears nothing."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self._answers, frame(FROM_WORKER.dump_json(message)))


@contextlib.asynccontextmanager
async def open_link(commands: int, answers: int) -> AsyncGenerator[Link]:
    """Takes over the two descriptors and closes them at the end."""
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: protocol, os.fdopen(commands, "rb", 0))
    try:
        yield Link(reader, answers)
    finally:
        transport.close()
        os.close(answers)
