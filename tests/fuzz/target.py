"""What a fuzz target is: one function from bytes to nothing, which raises if something that must hold does not.

The same function is run by atheris (`python -m tests.fuzz`), over the corpus and by hypothesis (`test_targets.py`).
"""

import ast
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """``longest`` bounds the inputs that are tried, in bytes."""

    name: str
    one: Callable[[bytes], None]
    longest: int = 4096

    @property
    def corpus(self) -> Path:
        """The folder of the inputs that are kept, each under a name that tells what it is."""
        return _HERE / "corpus" / self.name

    @property
    def dictionary(self) -> Path:
        """The words that the format is made of, as libFuzzer reads them: one in quotes on each line."""
        return _HERE / "words" / f"{self.name}.dict"

    def words(self) -> list[bytes]:
        """The same words as bytes."""
        return [ast.literal_eval(f"b{line}") for line in self.dictionary.read_text().splitlines()]


def pieces(data: bytes) -> Iterator[bytes]:
    """The same bytes in pieces of 1 to 16. The cuts follow from the bytes: an input fails each time or never."""
    state, at = zlib.crc32(data), 0
    while at < len(data):
        size = 1 + state % 16
        yield data[at : at + size]
        at += size
        state = (state * 1_103_515_245 + 12_345) >> 3 & 0xFFFF_FFFF
