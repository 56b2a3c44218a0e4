"""The process that makes one protected PDF: ``python -m gateway.sealed.archives.process``, for `archives.pdf` alone.

What it is given is as `archives.pdf` writes it; the password comes that way too, because arguments can be seen by other
users of the machine. Left out on purpose: limits, which the transport keeps.
"""

import sys
from collections.abc import Iterator
from typing import BinaryIO

from gateway.sealed.archives.pdf import LENGTH_BYTES, build_pdf


def main() -> None:
    """Raises what the libraries do, which nobody reads: the exit code counts."""
    given = sys.stdin.buffer
    password, shown = _block(given).decode(), _block(given).decode()
    sys.stdout.buffer.write(build_pdf(shown, dict(_files(given)), password))


def _files(given: BinaryIO) -> Iterator[tuple[str, bytes]]:
    while length := given.read(LENGTH_BYTES):
        yield given.read(int.from_bytes(length)).decode(), b"".join(iter(lambda: _block(given), b""))


def _block(given: BinaryIO) -> bytes:
    """Raises EOFError if what was given ends within it."""
    length = given.read(LENGTH_BYTES)
    data = given.read(int.from_bytes(length))
    if len(length) < LENGTH_BYTES or len(data) < int.from_bytes(length):
        raise EOFError("the input is cut off")
    return data


if __name__ == "__main__":
    main()
