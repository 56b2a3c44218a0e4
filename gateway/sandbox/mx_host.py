"""An MX host of the sandbox: listens on one loopback address and holds an SMTP dialogue with each client.

It records every visit, byte by byte, apart from what the gateway says of itself.
"""

import asyncio
import socket
from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from gateway.sandbox.arrival import Arrival
from gateway.sandbox.behaviour import Behaviour, Script
from gateway.sandbox.credentials import Credentials
from gateway.sandbox.dialogue import Dialogue, House, Visit
from gateway.sandbox.inbox import Inbox
from gateway.sandbox.server_stream import ServerStream
from gateway.sandbox.streams import serve_streams
from gateway.sandbox.tape import DEFAULT_LIMIT, Tape, TapedReader

MAX_VISITS: Final = 256

MAX_CONTENT: Final = 160 * 1024 * 1024
"""A message is held in memory while it arrives; somewhat over the 150 MiB that the EHLO reply names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSpec:
    """One host: its name, its loopback address, the domains whose MX it is, and how it behaves.

    ``certified`` are the names that its certificate is for, where that is not its own.
    """

    name: str
    address: str
    domains: tuple[str, ...] = ()
    behaviour: Behaviour = field(default_factory=Behaviour)
    certified: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """Where hosts put what arrives, how much of each connection they tape, and how long they wait for a client.

    ``visits`` is how many connections each of them keeps.
    """

    inbox: Inbox
    tape_limit: int = DEFAULT_LIMIT
    timeout: timedelta = timedelta(minutes=1)
    visits: int = MAX_VISITS


class MxHost:
    """Runs within `serve`; ``visits`` are the newest connections, oldest first."""

    def __init__(self, spec: HostSpec, credentials: Credentials, recording: Recording) -> None:
        self.spec = spec
        self.visits: deque[Visit] = deque(maxlen=recording.visits)
        self._credentials = credentials
        self._recording = recording
        self.behave(spec.behaviour)

    def behave(self, behaviour: Behaviour) -> None:
        """Changes how the host behaves, from the next connection on; faults count anew."""
        self._house = House(
            name=self.spec.name,
            behaviour=behaviour,
            script=Script(behaviour.faults),
            context=self._credentials.server_context(self.spec.name, behaviour, self.spec.certified),
            inbox=self._recording.inbox,
        )

    @property
    def arrivals(self) -> tuple[Arrival, ...]:
        """The messages that the kept visits brought, oldest first."""
        return tuple(arrival for visit in self.visits for arrival in visit.arrivals)

    async def serve(self, sock: socket.socket) -> None:
        """Serves on a listening socket until it is cancelled; then every connection is cut off at once."""
        await serve_streams(sock, self._new_reader, self._receive)

    def _new_reader(self) -> TapedReader:
        return TapedReader(Tape(self._recording.tape_limit))

    async def _receive(self, reader: TapedReader, writer: asyncio.StreamWriter) -> None:
        visit = Visit(peer=str(writer.get_extra_info("peername")), tape=reader.tape)
        self.visits.append(visit)
        timeout = self._recording.timeout.total_seconds()
        stream = ServerStream(reader, writer, timeout=timeout, max_buffer=MAX_CONTENT)
        await Dialogue(self._house, visit, stream).run()
