"""The value of Content-Type and Content-Disposition: a word and parameters (RFC 2045 section 5.1, RFC 2231).

Read as leniently as mail programs do: unquoted values may hold any character but ``;`` and ``"``. Whether all of them
would read the same is told by ``malformed`` and ``twice``; comments are not removed, they count as malformed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final
from urllib.parse import unquote_to_bytes

from gateway.core.words import decode_charset, to_text

# parameter := attribute "=" value; value := token / quoted-string
_PARAMETER = re.compile(
    rb'[ \t]*+([^\s=;"()]++)[ \t]*+=[ \t]*+(?:"((?:[^"\\]|\\.)*+)"[ \t]*+|([^;"]*+))(?:;|\Z)', re.DOTALL
)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_SPACE = re.compile(rb"[\s()]")


@dataclass(frozen=True, slots=True, kw_only=True)
class MimeValue:
    """``main`` and the parameters' names are casefolded; of a parameter that stands twice the first holds."""

    main: str
    parameters: Mapping[str, bytes]
    malformed: bool
    twice: frozenset[str]

    def text(self, name: str) -> str:
        """The parameter decoded: RFC 2231 forms first, else plain with encoded words; empty when it is absent."""
        if f"{name}*" in self.parameters:
            return _extended(self.parameters[f"{name}*"])
        if f"{name}*0" in self.parameters or f"{name}*0*" in self.parameters:
            return self._continued(name)
        return to_text(self.parameters.get(name, b""))

    def _continued(self, name: str) -> str:
        """Joins ``name*0``, ``name*1*`` and so on (RFC 2231 sections 3 and 4.1); the first gap ends it."""
        parts: list[bytes] = []
        extended = f"{name}*0*" in self.parameters
        while True:
            key = f"{name}*{len(parts)}"
            if f"{key}*" in self.parameters:
                parts.append(self.parameters[f"{key}*"])
            elif key in self.parameters:
                parts.append(_quoted(self.parameters[key]) if extended else self.parameters[key])
            else:
                break
        joined = b"".join(parts)
        return _extended(joined) if extended else to_text(joined)


_EMPTY: Final = MimeValue(main="", parameters=MappingProxyType({}), malformed=False, twice=frozenset())


def read_value(value: bytes) -> MimeValue:
    """Reads any bytes; nothing is refused."""
    if not value:
        return _EMPTY
    main, _, rest = value.partition(b";")
    parameters: dict[str, bytes] = {}
    twice: set[str] = set()
    malformed = False
    position = 0
    while position < len(rest):
        match = _PARAMETER.match(rest, position)
        if match is None:
            stop = rest.find(b";", position)
            stop = len(rest) if stop < 0 else stop
            # An empty piece, such as behind a last semicolon, is common and harmless.
            malformed = malformed or bool(rest[position:stop].strip())
            position = stop + 1
            continue
        position = match.end()
        name = match[1].decode("latin-1").casefold()
        if name in parameters:
            twice.add(name)
        malformed = malformed or _has_space(match[3])
        parameters.setdefault(name, _value(match))
    return MimeValue(
        main=main.strip().decode("latin-1").casefold(),
        parameters=MappingProxyType(parameters),
        malformed=malformed,
        twice=frozenset(twice),
    )


def _has_space(unquoted: bytes | None) -> bool:
    return unquoted is not None and _SPACE.search(unquoted.strip()) is not None


def _value(match: re.Match[bytes]) -> bytes:
    quoted: bytes | None = match[2]
    if quoted is None:
        return match[3].strip()
    return _ESCAPED.sub(rb"\1", quoted) if b"\\" in quoted else quoted


def _quoted(value: bytes) -> bytes:
    """A plain continuation among extended ones: its percent signs are literal."""
    return value.replace(b"%", b"%25")


def _extended(value: bytes) -> str:
    """``charset'language'percent-encoded``; without the two quotes it is read as UTF-8."""
    charset, quote, rest = value.partition(b"'")
    _, second, encoded = rest.partition(b"'")
    if not (quote and second):
        return decode_charset(unquote_to_bytes(value), "utf-8")
    return decode_charset(unquote_to_bytes(encoded), charset.decode("latin-1") or "utf-8")
