"""The transport `archive`: the whole message becomes one password-protected file (mission M12), which leaves by MX.

The password goes to the sender alone, by mail of ours that the flow writes; here it is only asked for, by a name that
is the same on every attempt. Left out on purpose: passwords that sender and recipient chose.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, Literal, TypeAlias

from gateway.core.address import Address
from gateway.core.outcome import Declined, Proof
from gateway.core.own_text import MOST_READ, own_lines
from gateway.core.reply import Status
from gateway.core.route import Route
from gateway.core.sealing import Method, Sealing, archive_secret_name
from gateway.flow.ports import Delivery
from gateway.sealed.archives.inside import Stored, face_of, headers_of, items
from gateway.sealed.archives.outer import Outer
from gateway.sealed.archives.pdf import MOST, PdfMaker
from gateway.sealed.archives.zip import write_zip
from gateway.sealed.child import ChildFailed
from gateway.sealed.cms.lines import Base64Lines
from gateway.transports.network import Network
from gateway.transports.wrapping import Batch, NotWrapped, Planned, Sink, Wrapping

_SHORTEST: Final = timedelta(days=6)
"""Longer than any message waits, so that a late attempt has the same password."""
_BLOCK: Final = 256 * 1024
_EMBEDDED: Final = "The files of this message, and the whole of it, are embedded in this document (paper clip)."
_TYPES: Final = {"zip": "application/zip", "pdf": "application/pdf"}
_Take: TypeAlias = Callable[[bytes], Awaitable[None]]


class Archive(Wrapping):
    """One route; its passwords are in the store."""

    stores = True

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Options(Wrapping.Options):
        """``format`` is of the file; ``subject`` and ``wording`` stand outside. The password is kept ``password_for``.

        Raises:
            ValueError: a time below six days, or text that is not one line.
        """

        format: Literal["zip", "pdf"] = "zip"
        subject: str = "A protected message"
        wording: str = ""
        password_for: timedelta = timedelta(days=7)

        def __post_init__(self) -> None:
            if self.password_for < _SHORTEST:
                raise ValueError("password_for is at least 6d: so long a message may wait")
            if not (self.subject.isprintable() and self.wording.isprintable() and self.subject):
                raise ValueError("subject and wording are one line of text each")

    def __init__(self, route: Route, options: object, network: Network) -> None:
        if not isinstance(options, Archive.Options):
            raise TypeError("archive is made from Archive.Options")
        super().__init__(route, options, network)
        self._options = options
        self._pdf = PdfMaker()

    async def plan(self, delivery: Delivery) -> Planned:
        """One file for all of them, who share a domain. Raises NotWrapped, SpoolError, SealedStoreError."""
        declined = self._declined(delivery)
        if declined is not None:
            return Planned(dict.fromkeys((target.number for target in delivery.targets), declined))
        name = archive_secret_name(delivery.queue_id, min(target.number for target in delivery.targets))
        password = await self._password(name)
        outer = Outer(
            header=delivery.header,
            subject=self._options.subject,
            wording=self._options.wording,
            name=f"protected-message.{self._options.format}",
            type=_TYPES[self._options.format],
            boundary=secrets.token_urlsafe(16),
        )

        async def write(sink: Sink) -> None:
            await self._write(sink, outer, self._stored(delivery), password)

        kind = self._options.format.upper()
        sealing = Sealing(
            method=Method.ARCHIVE, detail=f"AES-256 {kind}, its password is given to the sender alone", package=name
        )
        return Planned({}, (Batch(targets=delivery.targets, header=outer.block(), write=write, sealing=sealing),))

    def _declined(self, delivery: Delivery) -> Declined | None:
        if self._options.format == "pdf" and delivery.size > MOST:
            detail = f"A protected PDF holds messages of at most {MOST // 1024 // 1024} MiB."
            return Declined(proof=Proof.SIZE, status=Status(5, 3, 4), detail=detail)
        if not isinstance(delivery.reverse_path, Address):
            detail = "Nobody could be told the password: the message has no sender who reads mail."
            return Declined(proof=Proof.NO_KEY, status=Status(5, 7, 5), detail=detail)
        return None

    async def _password(self, name: str) -> str:
        if self._tools.store is None:
            raise NotWrapped("There is no key for passwords: secrets.sealing is missing.")
        return await self._tools.store.password(name, self._tools.clock.now() + self._options.password_for)

    def _stored(self, delivery: Delivery) -> Stored:
        """The message as it is to be sealed: the header as rendered, and the body behind its offset."""
        header, body = delivery.header, delivery.body

        async def read(start: int, end: int) -> AsyncIterator[bytes]:
            if start < len(header):
                yield header[start:end]
            left = end - max(start, len(header))
            if left <= 0:
                return
            offset = delivery.body_offset + max(0, start - len(header))
            async for block in self._network.bodies.open(body, offset):
                yield block[:left]
                left -= len(block)
                if left <= 0:
                    return

        return Stored(delivery.size, read)

    async def _write(self, sink: Sink, outer: Outer, message: Stored, password: str) -> None:
        await sink.write(outer.before())
        lines = Base64Lines()

        async def encode(block: bytes) -> None:
            await sink.write(await asyncio.to_thread(lines.feed, block))

        if self._options.format == "zip":
            await self._write_zip(message, password, encode)
        else:
            await self._write_pdf(message, password, encode)
        await sink.write(lines.finish())
        await sink.write(outer.after())

    async def _write_zip(self, message: Stored, password: str, encode: _Take) -> None:
        path = self._tools.folder / secrets.token_hex(16)
        try:
            await write_zip(path, password, items(await face_of(message), message))
            await _read(path, encode)
        finally:
            await asyncio.to_thread(path.unlink, missing_ok=True)

    async def _write_pdf(self, message: Stored, password: str, encode: _Take) -> None:
        face = await face_of(message)
        beginning = b"".join([block async for block in message.read(0, min(message.size, MOST_READ))])
        text = "\n".join(await asyncio.to_thread(own_lines, beginning))
        try:
            await self._pdf.make(password, f"{headers_of(face)}\n{text}\n\n{_EMBEDDED}", items(face, message), encode)
        except ChildFailed as error:
            raise NotWrapped("The protected PDF could not be made now.") from error


async def _read(path: Path, take: _Take) -> None:
    file = await asyncio.to_thread(path.open, "rb")
    try:
        while block := await asyncio.to_thread(file.read, _BLOCK):
            await take(block)
    finally:
        await asyncio.to_thread(file.close)
