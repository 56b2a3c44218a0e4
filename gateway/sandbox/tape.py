"""Records every byte that a client sent, by how it came: in the clear, or inside TLS.

Clear bytes are taken where they enter the process, before anything reads them, so that a test can say with certainty
what was never sent in the clear.
"""

import asyncio
from collections.abc import Iterable
from typing import Final, SupportsIndex

DEFAULT_LIMIT: Final = 64 * 1024
"""Bytes kept of each phase of one connection; a test that asks about all bytes gives a larger one."""


class Tape:
    """The two phases of one connection. ``complete`` is False as soon as a byte was not kept."""

    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        self._limit = limit
        self._clear = bytearray()
        self._secured = bytearray()
        self.complete = True

    @property
    def clear(self) -> bytes:
        """What came before TLS, or without it."""
        return bytes(self._clear)

    @property
    def secured(self) -> bytes:
        """What came inside TLS, decrypted."""
        return bytes(self._secured)

    def add_clear(self, data: bytes) -> None:
        """Keeps what there is room for of bytes that came in the clear."""
        self._add(self._clear, data)

    def add_secured(self, data: bytes) -> None:
        """Keeps what there is room for of bytes that came inside TLS."""
        self._add(self._secured, data)

    def _add(self, phase: bytearray, data: bytes) -> None:
        room = self._limit - len(phase)
        self.complete = self.complete and len(data) <= room
        phase += data[: max(room, 0)]


class TapedReader(asyncio.StreamReader):
    """A stream reader that tapes what it is fed, until TLS begins and what it is fed becomes ciphertext."""

    def __init__(self, tape: Tape) -> None:
        super().__init__()
        self.tape = tape
        self.in_tls = False

    def feed_data(self, data: Iterable[SupportsIndex]) -> None:
        """Called by the protocol with each block from the connection."""
        block = bytes(data)
        if not self.in_tls:
            self.tape.add_clear(block)
        super().feed_data(block)
