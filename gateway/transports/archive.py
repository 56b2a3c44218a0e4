"""The transport `archive`: the whole message becomes one password-protected file (mission M12), which leaves by MX.

The password goes to the sender alone, by mail of ours that the flow writes; here it is only asked for, by a name that
is the same on every attempt. Left out on purpose: passwords that sender and recipient chose.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, Literal

from gateway.core.outcome import Declined, Proof
from gateway.core.reply import Status
from gateway.core.route import Route
from gateway.core.sealing import Method, Sealing, archive_secret_name
from gateway.flow.ports import Delivery
from gateway.sealed.archives.inside import Stored, face_of, headers_of, items, readable, text_of
from gateway.sealed.archives.outer import Outer
from gateway.sealed.archives.pdf import MOST, build_pdf
from gateway.sealed.archives.zip import write_zip
from gateway.sealed.cms.lines import Base64Lines
from gateway.transports.network import Network
from gateway.transports.wrapping import Batch, NotWrapped, Planned, Sink, Wrapping

_SHORTEST: Final = timedelta(days=6)
"""Longer than any message waits, so that a late attempt has the same password."""
_BLOCK: Final = 256 * 1024
_TYPES: Final = {"zip": "application/zip", "pdf": "application/pdf"}


class Archive(Wrapping):
    """One route."""

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

    async def plan(self, delivery: Delivery) -> Planned:
        """One file for all of them, who share a domain. Raises NotWrapped, SpoolError, SealedStoreError."""
        if self._options.format == "pdf" and delivery.size > MOST:
            too_large = Declined(
                proof=Proof.SIZE,
                status=Status(5, 3, 4),
                detail=f"A protected PDF holds messages of at most {MOST // 1024 // 1024} MiB.",
            )
            return Planned({target.number: too_large for target in delivery.targets})
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
        path = self._tools.folder / secrets.token_hex(16)
        try:
            await self._make(path, message, password)
            await sink.write(outer.before())
            await _encode(path, sink)
            await sink.write(outer.after())
        finally:
            await asyncio.to_thread(path.unlink, missing_ok=True)

    async def _make(self, path: Path, message: Stored, password: str) -> None:
        face = await face_of(message)
        if self._options.format == "zip":
            return await write_zip(path, password, items(face, message))
        shown = [part for part in readable(face) if part.type == "text/plain"]
        text = "\n".join([await text_of(message, part) for part in shown])
        files: dict[str, bytes] = {}
        for item in items(face, message):
            files[item.name] = b"".join([block async for block in item.content()])
        made = await asyncio.to_thread(build_pdf, headers_of(face), text, files, password)
        await asyncio.to_thread(path.write_bytes, made)


async def _encode(path: Path, sink: Sink) -> None:
    lines = Base64Lines()
    file = await asyncio.to_thread(path.open, "rb")
    try:
        while block := await asyncio.to_thread(file.read, _BLOCK):
            await sink.write(await asyncio.to_thread(lines.feed, block))
        await sink.write(lines.finish())
    finally:
        await asyncio.to_thread(file.close)
