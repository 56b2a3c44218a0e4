"""The addresses in To and Cc, as far as they can be read (RFC 5322 section 3.4).

They say who sees whom and which lists a message was written to, never where it goes, so one unreadable piece hides no
other: names, comments and groups' names are passed over. Encoded words are not decoded, because no program reads
addresses out of them.
"""

import re
from collections.abc import Container, Iterable, Iterator, Sequence
from typing import Final

from gateway.core.address import Address, BadAddress, parse_address, parse_domain
from gateway.core.scan import TooComplex

MAX_VISIBLE: Final = 500
"""Addresses that are kept; beyond it they are counted (Exchange Online: 500 recipients of a message)."""

MAX_READ: Final = 5000
"""Different addresses of one message."""

MAX_FOREIGN: Final = 500
"""Different domains beyond ASCII, each of which takes a while to read."""

MAX_BYTES: Final = 64 * 1024
"""Of To and Cc together: 500 addresses with long names take 40 KiB."""

_QUOTED: Final = r'"(?:[^"\\]|\\.)*+"'
_ATOM: Final = r'[^\s"<>(),;:@\\\[\]]++'
# An address is not followed by another in angle brackets, else it is that one's display name. What is passed over is
# swallowed whole, up to the end if it is never closed (a last backslash too), so that the time stays in proportion to
# the length.
_PIECE = re.compile(
    rf"(?P<address>(?:{_QUOTED}|{_ATOM})@(?:\[[^\[\]\s]*+\]|{_ATOM}))(?!\s*+<)"
    rf'|{_QUOTED[:-1]}(?:"|\\?\Z)|\((?:[^()\\]|\\.)*+(?:\)|\\?\Z)|{_ATOM}',
    re.DOTALL,
)


def read_visible(values: Sequence[bytes], listed: Container[str] = ()) -> tuple[tuple[str, ...], int]:
    """Each address once, at most `MAX_VISIBLE` of them, and how many more there are.

    If there are more, those whose `Address.key` is ``listed`` are kept first, so that a register misses none of them.

    Raises:
        TooComplex: To and Cc are past `MAX_BYTES`, `MAX_READ` or `MAX_FOREIGN`.
    """
    if sum(map(len, values)) > MAX_BYTES:
        raise TooComplex(f"To and Cc of the message are larger than {MAX_BYTES // 1024} KiB")
    found: dict[str, Address] = {}
    for address in _addresses(value.decode("utf-8", "replace") for value in values):
        found.setdefault(str(address).casefold(), address)
        if len(found) > MAX_READ:
            raise TooComplex(f"To and Cc of the message name more than {MAX_READ} different addresses")
    if len(found) <= MAX_VISIBLE:
        return tuple(map(str, found.values())), 0
    kept = sorted(found.values(), key=lambda address: address.key not in listed)[:MAX_VISIBLE]
    return tuple(map(str, kept)), len(found) - MAX_VISIBLE


def _addresses(texts: Iterable[str]) -> Iterator[Address]:
    """What stands there twice comes once, and no domain is converted twice."""
    pieces = (piece["address"] for text in texts for piece in _PIECE.finditer(text))
    foreign: dict[str, str] = {}
    for text in dict.fromkeys(filter(None, pieces)):
        local, _, domain = text.rpartition("@")
        try:
            yield parse_address(text if domain.isascii() else f"{local}@{_a_labels(domain, foreign)}")
        except BadAddress:
            continue


def _a_labels(domain: str, known: dict[str, str]) -> str:
    """Nothing, which is no domain, if it cannot be read."""
    if domain not in known:
        if len(known) == MAX_FOREIGN:
            raise TooComplex(f"To and Cc of the message name more than {MAX_FOREIGN} different international domains")
        try:
            known[domain] = parse_domain(domain)
        except BadAddress:
            known[domain] = ""
    return known[domain]
