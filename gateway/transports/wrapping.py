"""What S/MIME, OpenPGP and archives share: the message becomes another one, which then leaves as any mail by MX does.

The wrapped message lies in a file of its own while it is carried, encrypted already, so that memory does not grow with
its size; what a crash leaves there is removed at the next start. It is signed (DKIM) here, because it is not the
message that came. Left out on purpose: keeping it for the next attempt, which wraps it anew.
"""

import asyncio
import hashlib
import secrets
from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from gateway.core.body_hash import BodyHash
from gateway.core.envelope import BodyType
from gateway.core.outcome import Cause, Deferred, Delivered, Outcome
from gateway.core.record import BodyRef
from gateway.core.reply import Status
from gateway.core.route import Route
from gateway.core.sealing import Sealing
from gateway.flow.ports import Bodies, BodyWriter, Delivery, SealedStoreError, SpoolError, Target
from gateway.flow.signature import signature
from gateway.transports.base import RouteTransport
from gateway.transports.mx import Mx
from gateway.transports.network import Network, SealingTools

_BLOCK: Final = 256 * 1024
_BUFFERED: Final = 1024 * 1024


class NotWrapped(Exception):
    """It could not be wrapped, which is our fault or the machine's; the text is one sentence without content."""


class Sink(Protocol):
    """Takes the body of the wrapped message: 7-bit text, CRLF line ends, no header."""

    async def write(self, data: bytes) -> None:
        """Takes the next bytes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Recipients that get the same wrapped message.

    ``header`` is its header block with the final empty line, without trace fields; ``write`` gives its body.
    """

    targets: tuple[Target, ...]
    header: bytes
    write: Callable[[Sink], Awaitable[None]]
    sealing: Sealing


@dataclass(frozen=True, slots=True)
class Planned:
    """What becomes of each recipient: an outcome at once, or a place in a batch."""

    outcomes: Mapping[int, Outcome] = field(default_factory=dict[int, Outcome])
    batches: tuple[Batch, ...] = ()


class Wrapping(RouteTransport):
    """One route; a subclass says who can be written to, and how."""

    seals = True

    def __init__(self, route: Route, options: object, network: Network) -> None:
        self._route = route
        self._network = network
        self._tools: SealingTools = network.sealing
        self._files = _Files(self._tools.folder)
        self._mx = Mx(route, Mx.Options(), replace(network, bodies=self._files))

    @abstractmethod
    async def plan(self, delivery: Delivery) -> Planned:
        """Who gets which message. A recipient without a usable key is Declined (NO_KEY). Raises NotWrapped."""

    async def deliver(self, delivery: Delivery) -> Mapping[int, Outcome]:
        """Wraps and carries batch after batch; what cannot be wrapped now waits."""
        try:
            planned = await self.plan(delivery)
        except (NotWrapped, SealedStoreError, SpoolError, OSError) as error:
            return dict.fromkeys((target.number for target in delivery.targets), _not_now(error))
        outcomes = dict(planned.outcomes)
        for number, batch in enumerate(planned.batches):
            try:
                outcomes |= await self._carry(delivery, batch, number)
            except Exception as error:
                # What was carried has to be told, or it is carried again; who is left out waits.
                self._tools.broken("wrapping", delivery.queue_id, error)
        return outcomes

    async def _carry(self, delivery: Delivery, batch: Batch, number: int) -> Mapping[int, Outcome]:
        path = self._tools.folder / secrets.token_hex(16)
        try:
            await asyncio.to_thread(self._tools.folder.mkdir, mode=0o700, parents=True, exist_ok=True)
            body, digest = await _written(path, batch)
            wrapped = replace(
                delivery,
                delivery_id=f"{delivery.delivery_id}/{number}",
                targets=batch.targets,
                header=self._signed(delivery, batch, digest),
                body=body,
                body_offset=0,
                body_type=BodyType.SEVEN_BIT,
            )
            found = await self._mx.deliver(wrapped)
        except (NotWrapped, SealedStoreError, SpoolError, OSError) as error:
            return dict.fromkeys((target.number for target in batch.targets), _not_now(error))
        finally:
            await asyncio.to_thread(path.unlink, missing_ok=True)
        return {
            each: replace(outcome, sealing=batch.sealing) if isinstance(outcome, Delivered) else outcome
            for each, outcome in found.items()
        }

    def _signed(self, delivery: Delivery, batch: Batch, digest: str) -> bytes:
        tools = self._tools
        fields = signature(tools.signer, batch.header, digest, delivery.queue_id, tools.broken)
        return fields + delivery.trace + batch.header

    async def original(self, delivery: Delivery) -> AsyncIterator[bytes]:
        """The whole message that is to be wrapped, header first, in blocks. Raises SpoolError."""
        yield delivery.header
        async for block in self._network.bodies.open(delivery.body, delivery.body_offset):
            yield block

    def next_hop(self, domain: str) -> str:
        """The recipient's domain: the wrapped message leaves by its MX."""
        return self._mx.next_hop(domain)

    async def aclose(self) -> None:
        """Ends what carries it."""
        await self._mx.aclose()


def sweep_wrapped(folder: Path) -> None:
    """Removes what a crash left; before any worker carries anything."""
    for path in folder.glob("*") if folder.is_dir() else ():
        path.unlink(missing_ok=True)


class _Files(Bodies):
    """Reads wrapped messages, whose references name whole paths."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def writer(self) -> BodyWriter:
        raise NotImplementedError("wrapped messages are written by their transport")

    async def open(self, ref: BodyRef, offset: int = 0) -> AsyncIterator[bytes]:
        assert ref.path is not None
        file = await asyncio.to_thread(open, self._folder / ref.path, "rb")
        try:
            await asyncio.to_thread(file.seek, offset)
            while block := await asyncio.to_thread(file.read, _BLOCK):
                yield block
        finally:
            file.close()


class _FileSink:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._waiting = bytearray()
        self.size = 0
        self.body_hash = BodyHash()
        self.sha256 = hashlib.sha256()

    async def write(self, data: bytes) -> None:
        self._waiting += data
        if len(self._waiting) >= _BUFFERED:
            await self.flush()

    async def flush(self) -> None:
        data, self._waiting = bytes(self._waiting), bytearray()
        await asyncio.to_thread(self._keep, data)

    def _keep(self, data: bytes) -> None:
        self.body_hash.feed(data)
        self.sha256.update(data)
        self.size += len(data)
        self._file.write(data)


async def _written(path: Path, batch: Batch) -> tuple[BodyRef, str]:
    """The wrapped body in its file, and what DKIM calls its hash."""
    file = await asyncio.to_thread(open, path, "xb")
    try:
        sink = _FileSink(file)
        await batch.write(sink)
        await sink.flush()
    finally:
        await asyncio.to_thread(file.close)
    return BodyRef(size=sink.size, sha256=sink.sha256.hexdigest(), path=path.name), sink.body_hash.digest()


def _not_now(error: Exception) -> Deferred:
    detail = str(error) if isinstance(error, NotWrapped) else "The message could not be wrapped now."
    return Deferred(cause=Cause.LOCAL, status=Status(4, 3, 0), detail=detail)
