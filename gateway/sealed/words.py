"""Passphrases of readable words, always the same for the same secret (the EFF's short list, which xkcdpass ships)."""

import hmac
import math
from functools import cache
from importlib.resources import files
from typing import Final

WORDS: Final = 6
_LIST: Final = "eff-short"
_TWO_BYTES: Final = 1 << 16


@cache
def _known() -> tuple[str, ...]:
    text = files("xkcdpass").joinpath("static", _LIST).read_text(encoding="ascii")
    words = {line.split()[-1] for line in text.splitlines() if line.strip()}
    # One of them has a hyphen of its own.
    return tuple(sorted(word for word in words if word.isalpha()))


def bits(words: int = WORDS) -> float:
    """How much there is to guess."""
    return words * math.log2(len(_known()))


def passphrase(secret: bytes, words: int = WORDS) -> str:
    """Words joined by hyphens; each is as likely as the others."""
    known, chosen, block = _known(), list[str](), 0
    most = _TWO_BYTES - _TWO_BYTES % len(known)
    while len(chosen) < words:
        stream = hmac.digest(secret, f"words/{block}".encode(), "sha256")
        numbers = (int.from_bytes(stream[at : at + 2]) for at in range(0, len(stream), 2))
        chosen += [known[number % len(known)] for number in numbers if number < most]
        block += 1
    return "-".join(chosen[:words])
