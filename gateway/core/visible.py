"""The addresses in To and Cc, as far as they can be read (RFC 5322 section 3.4).

They say who sees whom and which lists a message was written to, never where it goes, so one unreadable piece hides no
other: names, comments and groups' names are passed over. Encoded words are not decoded, because no program reads
addresses out of them.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from gateway.core.address import BadAddress, parse_address

MAX_VISIBLE: Final = 500
"""Addresses that are kept; beyond it they are counted (Exchange Online: 500 recipients of a message)."""

_QUOTED: Final = r'"(?:[^"\\]|\\.)*+"'
_ATOM: Final = r'[^\s"<>(),;:@\\\[\]]++'
# An address is not followed by another in angle brackets, else it is that one's display name. What is passed over is
# swallowed whole, up to the end if it is never closed, so that the time stays in proportion to the length.
_PIECE = re.compile(
    rf"(?P<address>(?:{_QUOTED}|{_ATOM})@(?:\[[^\[\]\s]*+\]|{_ATOM}))(?!\s*+<)"
    rf'|{_QUOTED[:-1]}(?:"|$)|\((?:[^()\\]|\\.)*+(?:\)|$)|{_ATOM}',
    re.DOTALL,
)


def read_visible(values: Iterable[bytes]) -> tuple[tuple[str, ...], int]:
    """Each address once, the first `MAX_VISIBLE` of them, and how many more there are."""
    found: dict[str, str] = {}
    for value in values:
        for address in _addresses(value.decode("utf-8", "replace")):
            found.setdefault(address.casefold(), address)
    addresses = tuple(found.values())
    return addresses[:MAX_VISIBLE], max(0, len(addresses) - MAX_VISIBLE)


def _addresses(text: str) -> Iterator[str]:
    for piece in _PIECE.finditer(text):
        if piece["address"]:
            try:
                yield str(parse_address(piece["address"]))
            except BadAddress:
                continue
