"""Mail addresses and SMTP paths, parsed strictly from bytes (RFC 5321 section 4.1.2, RFC 6531 section 3.3).

Left out on purpose: comments, folding white space and everything else that only RFC 5322 header fields
allow. A path that two programs could read differently is refused, never repaired.
"""

import re
import unicodedata
from dataclasses import dataclass
from enum import Enum
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final, TypeAlias

import idna

# RFC 5321 section 4.5.3.1: a local part has at most 64 octets, a domain 255, a path 256 with its brackets.
MAX_LOCAL: Final = 64
MAX_DOMAIN: Final = 255
MAX_PATH: Final = 256

# Atom = 1*atext; Dot-string = Atom *("." Atom); RFC 6531 adds UTF8-non-ascii to atext.
_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]"
_ATEXT_UTF8 = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\U0010ffff-]"
_DOT_STRING = re.compile(rf"{_ATEXT}+(?:\.{_ATEXT}+)*")
_DOT_STRING_UTF8 = re.compile(rf"{_ATEXT_UTF8}+(?:\.{_ATEXT_UTF8}+)*")
# Quoted-string = DQUOTE *(qtextSMTP / quoted-pairSMTP) DQUOTE, both printable ASCII only.
_QUOTED = re.compile(r'"(?:[ !#-\[\]-~]|\\[ -~])*"')
_QUOTED_PAIR = re.compile(r"\\(.)")
# Domain = sub-domain *("." sub-domain), sub-domain = Let-dig [Ldh-str]; underscores are not host names.
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")


class BadAddress(ValueError):
    """The bytes are not an address; the text says why and never repeats the bytes."""


class NullPath(Enum):
    """The null reverse-path ``<>`` (RFC 5321 section 4.5.5): a value of its own, never a string."""

    NULL = ""

    def __str__(self) -> str:
        return ""


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox: ``local`` as it was given (quotes kept), ``domain`` as lower-case A-labels or a literal."""

    local: str
    domain: str

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"

    @property
    def is_ascii(self) -> bool:
        """Whether the address can be sent without SMTPUTF8."""
        return self.local.isascii()

    @property
    def key(self) -> str:
        """What registers and rules compare: case, needless quotes and Unicode forms never tell two mailboxes apart."""
        local = self.local
        if local.startswith('"'):
            local = _QUOTED_PAIR.sub(r"\1", local[1:-1])
        return f"{unicodedata.normalize('NFC', local).casefold()}@{self.domain}"

    @property
    def is_routed(self) -> bool:
        """Whether some server would read a further hop in the local part (``a%b``, ``b!a``, ``"a@b"``)."""
        return any(mark in self.local for mark in "%!@")


ReversePath: TypeAlias = Address | NullPath


def parse_domain(text: str) -> str:
    """Returns the domain as lower-case A-labels (IDNA 2008, UTS 46 mapping) or a normalised address literal.

    Raises:
        BadAddress: not a host name and not a literal.
    """
    if text.startswith("["):
        return _parse_literal(text)
    if not text.isascii():
        text = _to_a_labels(text)
    domain = text.lower()
    if len(domain) > MAX_DOMAIN:
        raise BadAddress("the domain is longer than 255 bytes")
    if not _HOST_NAME.fullmatch(domain):
        raise BadAddress("the domain is not a host name")
    return domain


def _to_a_labels(text: str) -> str:
    try:
        return idna.encode(text, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError) as exc:
        raise BadAddress("the domain is not a valid internationalised name") from exc


def _parse_literal(text: str) -> str:
    body = text[1:-1] if text.endswith("]") else ""
    try:
        if body[:5].upper() == "IPV6:":
            return f"[IPv6:{IPv6Address(body[5:]).compressed}]" if "%" not in body else _bad_literal()
        return f"[{IPv4Address(body)}]"
    except AddressValueError:
        return _bad_literal()


def _bad_literal() -> str:
    raise BadAddress("the address literal is not valid")


def parse_address(text: str) -> Address:
    """Parses ``local@domain`` (no angle brackets), as configuration, commands and paths give it.

    Raises:
        BadAddress: the text is not exactly one mailbox.
    """
    match = _QUOTED.match(text) or _DOT_STRING_UTF8.match(text)
    if match is None:
        raise BadAddress("the part before @ is not valid")
    local = match.group()
    if not local.isprintable():
        # Control and formatting characters beyond ASCII: line ends for some readers, invisible for others.
        raise BadAddress("the part before @ has characters that cannot be printed")
    if len(local.encode()) > MAX_LOCAL:
        raise BadAddress("the part before @ is longer than 64 bytes")
    if text[match.end() : match.end() + 1] != "@":
        raise BadAddress("an address needs exactly one @ after the local part")
    return Address(local, parse_domain(text[match.end() + 1 :]))


def parse_path(data: bytes, *, utf8: bool) -> tuple[ReversePath, bytes]:
    """Parses ``<path>`` at the start of ``data``; returns it and the bytes behind the closing bracket.

    A source route (``<@a,@b:user@dom>``) is refused, not stripped: nobody needs it and its reading differs
    between servers. ``utf8`` says whether SMTPUTF8 was asked for (RFC 6531 section 3.4).

    Raises:
        BadAddress: not a path; the caller answers 501 5.1.7 or 5.1.3.
    """
    if not data.startswith(b"<"):
        raise BadAddress("a path stands in angle brackets")
    if data.startswith(b"<>"):
        return NullPath.NULL, data[2:]
    end = _closing_bracket(data)
    if end + 1 > MAX_PATH:
        raise BadAddress("the path is longer than 256 bytes")
    try:
        text = data[1:end].decode("utf-8" if utf8 else "ascii")
    except UnicodeDecodeError as exc:
        raise BadAddress("the address has bytes that need SMTPUTF8, or are not UTF-8") from exc
    return parse_address(text), data[end + 1 :]


def _closing_bracket(data: bytes) -> int:
    """The index of the ``>`` that ends the path; one inside a quoted local part does not count."""
    start = 1
    if data[1:2] == b'"':
        quoted = _QUOTED.match(data[1:].decode("latin-1"))
        start = 1 + (quoted.end() if quoted else 0)
    end = data.find(b">", start)
    if end < 0:
        raise BadAddress("the closing bracket is missing")
    return end
