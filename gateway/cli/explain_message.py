"""A message out of a file or the standard input, scanned as the door scans it."""

import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Final

from gateway.cli.errors import Finding, Usage
from gateway.core.facts import Scan
from gateway.core.scan import Scanner, TooComplex

NO_FILE: Final = Path("-")
"""Stands for the standard input."""

_BLOCK: Final = 256 * 1024


def read_message(message: Path, text_bytes: int) -> Scan:
    """Scans the message; the beginning of its text is kept for rules that look at it.

    Raises:
        Usage: it cannot be read.
        Finding: it would be refused before any rule.
    """
    scanner = Scanner(text_bytes=text_bytes)
    try:
        for block in _blocks(message):
            scanner.feed(block)
        return scanner.close()
    except TooComplex as exc:
        raise refused_at_the_door(message, exc) from exc


def refused_at_the_door(message: Path, why: TooComplex) -> Finding:
    """What is said of a message that no rule would see."""
    return Finding(f"{message} would be refused at the door with 554 5.6.0: {why}")


def _blocks(message: Path) -> Iterator[bytes]:
    """The file with CRLF line ends, as it would arrive; a CR at a block's end waits for what follows it."""
    try:
        with nullcontext(sys.stdin.buffer) if message == NO_FILE else message.open("rb") as file:
            held = b""
            while block := file.read(_BLOCK):
                block = held + block
                held = b"\r" if block.endswith(b"\r") else b""
                yield block.removesuffix(b"\r").replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
            yield held
    except OSError as exc:
        raise Usage(f"{message} cannot be read: {exc.strerror or exc}") from exc
