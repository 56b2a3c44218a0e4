"""Addresses in the form that one relay wants, such as ``user@council.example.cjsm.net``: envelope and header alike.

Only domains grow, by the route's suffixes; every other byte of a field stays. Left out on purpose: mail that comes back
from such a relay, which takes its own suffix off again, and addresses in the text.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from gateway.core.address import Address, BadAddress, NullPath, ReversePath, parse_address
from gateway.core.envelope import Recipient

_SENDERS: Final = frozenset({"from", "sender", "reply-to"})
_RECIPIENTS: Final = frozenset({"to", "cc"})

_QUOTED: Final = r'"(?:[^"\\]|\\.)*+"'
_ATOM: Final = r'[^\s"<>(),;:@\\\[\]]++'
# As `core.visible` reads them: an address before one in angle brackets is its display name, and names and comments are
# swallowed whole. A domain in brackets is nobody's to grow.
_PIECE = re.compile(
    rf"(?P<address>(?:{_QUOTED}|{_ATOM})@{_ATOM})(?!\s*+<)"
    rf'|{_QUOTED[:-1]}(?:"|\\?\Z)|\((?:[^()\\]|\\.)*+(?:\)|\\?\Z)|{_ATOM}',
    re.DOTALL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suffixes:
    """What a route adds to the domain of a sender of ours, and of its recipients; each begins with a dot, or is empty.

    Raises:
        ValueError: something else than the end of a domain.
    """

    sender: str = ""
    recipient: str = ""

    def __post_init__(self) -> None:
        for suffix in filter(None, (self.sender, self.recipient)):
            if not re.fullmatch(r"(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)+", suffix):
                raise ValueError(f'"{suffix}" is no end of a domain, such as ".cjsm.net" in lower case')

    def __bool__(self) -> bool:
        return bool(self.sender or self.recipient)


NO_SUFFIXES: Final = Suffixes()


def suffixed(address: Address, suffix: str) -> Address:
    """The address with it, unless it has it already or has no name for a domain."""
    domain = address.domain
    if domain.startswith("[") or f".{domain}".endswith(suffix):
        return address
    return Address(address.local, domain + suffix)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressMap:
    """For one delivery: ``owns`` says which domains are ours, ``recipients`` are its own (`Address.key`)."""

    suffixes: Suffixes
    owns: Callable[[str], bool]
    recipients: frozenset[str]

    def sender(self, path: ReversePath) -> ReversePath:
        """The reverse-path in the relay's form."""
        return path if isinstance(path, NullPath) or not self.owns(path.domain) else self._sender(path)

    def recipient(self, recipient: Recipient) -> Recipient:
        """The recipient in the relay's form; a DSN that comes back names whom the sender wrote to (RFC 3461 4.2)."""
        address = suffixed(recipient.address, self.suffixes.recipient)
        if address == recipient.address:
            return recipient
        orcpt = recipient.orcpt or (f"rfc822;{_xtext(recipient.address)}" if recipient.address.is_ascii else None)
        return replace(recipient, address=address, orcpt=orcpt)

    def field(self, name: str, value: bytes) -> bytes:
        """A header field's value, folds and line end included; ``name`` is casefolded."""
        if name in _SENDERS and self.suffixes.sender:
            return _mapped(value, lambda one: self._sender(one) if self.owns(one.domain) else one)
        if name in _RECIPIENTS and self.suffixes.recipient:
            return _mapped(value, self._visible)
        return value

    def _sender(self, address: Address) -> Address:
        return suffixed(address, self.suffixes.sender)

    def _visible(self, address: Address) -> Address:
        return suffixed(address, self.suffixes.recipient) if address.key in self.recipients else address


def _mapped(value: bytes, change: Callable[[Address], Address]) -> bytes:
    text = value.decode("utf-8", "surrogateescape")
    return _PIECE.sub(lambda piece: _grown(piece, change), text).encode("utf-8", "surrogateescape")


def _grown(piece: "re.Match[str]", change: Callable[[Address], Address]) -> str:
    """The piece as it is written, with what its domain grows by."""
    try:
        address = parse_address(piece["address"] or "")
    except BadAddress:
        return piece[0]
    return piece[0] + change(address).domain[len(address.domain) :]


def _xtext(address: Address) -> str:
    """RFC 3461 section 4; a local part has no control characters."""
    return "".join(f"+{ord(char):02X}" if char in "+= " else char for char in str(address))
