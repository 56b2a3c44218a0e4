"""What the supervisor tells of the whole gateway at one moment: for `sealpost status` and the admin pages."""

import asyncio
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway import __version__
from gateway.app.messages import ListenerView, View, WorkerView
from gateway.app.slot import Slot
from gateway.app.source import Configuration
from gateway.app.wiring import Address, LocalAddress
from gateway.telemetry.processes import ProcessMetrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Asked as often as somebody wants to know; ``configuration`` and ``not_ready`` are asked then."""

    started_at: datetime
    slots: Sequence[Slot]
    metrics: ProcessMetrics
    listeners: tuple[ListenerView, ...]
    configuration: Callable[[], Configuration]
    not_ready: Callable[[], str | None]

    async def now(self) -> View:
        """Reads the metrics of all processes, which are files, in a thread."""
        figures = await asyncio.to_thread(self.metrics.figures)
        configuration = self.configuration()
        return View(
            at=datetime.now(UTC),
            started_at=self.started_at,
            version=__version__,
            not_ready=self.not_ready(),
            configuration=configuration.hash,
            policy=configuration.policy_hash,
            listeners=self.listeners,
            workers=tuple(
                WorkerView(number=slot.number, shards=slot.shards, problem=slot.problem) for slot in self.slots
            ),
            figures=figures,
        )


def listeners_of(
    configuration: Configuration,
    doors: Sequence[Sequence[socket.socket]],
    pages: Sequence[tuple[str, socket.socket | None]],
) -> Iterator[ListenerView]:
    """Each socket by its name and the address that it really has; ``doors`` are in the order of the wiring's."""
    wiring = configuration.wiring
    for serves, door, sockets in zip(_served(configuration), wiring.doors, doors, strict=True):
        if sockets:
            yield ListenerView(serves=serves, name=door.name, address=_address(door, sockets[0]))
    for name, sock in pages:
        if sock is not None:
            host, port, *_ = sock.getsockname()
            yield ListenerView(serves=name, name=name, address=str(Address(name=name, host=host, port=port)))


def _served(configuration: Configuration) -> tuple[str, ...]:
    wiring = configuration.wiring
    return (*("smtp" for _ in wiring.smtp), *("milter" for _ in wiring.milter))


def _address(door: Address | LocalAddress, sock: socket.socket) -> str:
    if isinstance(door, LocalAddress):
        return str(door)
    host, port, *_ = sock.getsockname()
    return str(Address(name=door.name, host=host, port=port))
