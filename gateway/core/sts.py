"""MTA-STS: what a mail domain publishes about its mail hosts (RFC 8461 section 3), as values and their strict grammar.

Fetching and keeping policies is `net.mta_sts`'s. Lenient on purpose in one thing: empty lines in a policy are nothing.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, StrEnum
from typing import AnyStr, Final, TypeAlias

from gateway.core.address import BadAddress, parse_domain

MAX_POLICY: Final = 64 * 1024
"""Bytes of a policy file that are read (RFC 8461 section 3.3 suggests this limit)."""

MAX_LINE: Final = 1000
"""Characters of one line; a pattern has at most 257."""

MAX_PATTERNS: Final = 200
"""Patterns of a policy. With the longest names they still fit into one value of the shared state."""

MAX_AGE: Final = timedelta(seconds=31_557_600)
"""A policy is kept for a year at most (RFC 8461 section 3.2); what says longer is cut (errata 7282)."""

# A record that does not begin so is some other TXT record; sts-field-delim = *WSP ";" *WSP.
_RECORD = re.compile(rb"v=STSv1[ \t]*;")
# sts-id, or sts-extension = sts-ext-name "=" sts-ext-value, whose value has neither "=" nor ";".
_FIELD = re.compile(rb"([A-Za-z0-9][A-Za-z0-9_.-]{0,31})=([!-:<>-~]+)")
_ID = re.compile(rb"[A-Za-z0-9]{1,32}")
# Key, delimiter (":" *WSP) and value of a policy's line; no value holds control characters.
_LINE = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,31}):[ \t]*([^\x00-\x1f\x7f]+)")
_SECONDS = re.compile(r"[0-9]{1,10}")


class StsMode(StrEnum):
    """What a sender does when a host does not match or cannot prove its name (RFC 8461 section 5)."""

    ENFORCE = "enforce"
    TESTING = "testing"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class StsPolicy:
    """One policy. ``mx`` are its patterns in lower case: a host name, or ``*.`` and a name; ``max_age`` is capped."""

    mode: StsMode
    max_age: timedelta
    mx: tuple[str, ...]

    @property
    def lines(self) -> tuple[str, ...]:
        """The policy as a TLSRPT report shows it (RFC 8460 section 4.4)."""
        hosts = (f"mx: {pattern}" for pattern in self.mx)
        return ("version: STSv1", f"mode: {self.mode}", *hosts, f"max_age: {self.max_age // timedelta(seconds=1)}")

    def matches(self, host: str) -> bool:
        """Whether a pattern means the host, a lower-case name; ``*`` is one whole label (RFC 8461 section 4.1)."""
        return host in self.mx or f"*.{host.partition('.')[2]}" in self.mx


@dataclass(frozen=True, slots=True)
class StsFound:
    """The policy in force for a domain, kept or fresh; ``id`` is the one of its TXT record."""

    domain: str
    id: str
    policy: StsPolicy


@dataclass(frozen=True, slots=True)
class StsUnknown:
    """There may be a policy, and none could be had: mail goes as without one, and authenticity is not known."""

    reason: str


class NoSts(Enum):
    """The domain publishes none, for all that unsigned DNS can say."""

    NONE = "the domain publishes no MTA-STS policy"


StsFacts: TypeAlias = StsFound | StsUnknown | NoSts


@dataclass(frozen=True, slots=True)
class BadRecord:
    """The domain's TXT records are no usable record, so that no policy can be discovered; ``reason`` is a clause."""

    reason: str


@dataclass(frozen=True, slots=True)
class BadPolicy:
    """The file is no policy; ``reason`` is a clause and repeats nothing of it."""

    reason: str


class _Malformed(ValueError):
    """Ends the reading; the text is the reason."""


def read_record(texts: Sequence[bytes]) -> str | NoSts | BadRecord:
    """The policy's id, from the TXT records of ``_mta-sts.`` and the domain, each with its strings joined."""
    records = [text for text in texts if _RECORD.match(text)]
    if not records:
        return NoSts.NONE
    if len(records) > 1:
        return BadRecord("it has several MTA-STS records")
    try:
        return _id_of(records[0])
    except _Malformed as malformed:
        return BadRecord(str(malformed))


def _id_of(record: bytes) -> str:
    fields = [field.strip(b" \t") for field in record.split(b";")[1:]]
    if not fields[-1]:  # A record may end with the delimiter.
        fields.pop()
    # A field that comes twice counts the first time.
    found = _first((pair[1], pair[2]) for pair in _matches(_FIELD, fields, "its MTA-STS record has a malformed field"))
    if not _ID.fullmatch(found.get(b"id", b"")):
        raise _Malformed("its MTA-STS record has no valid id")
    return found[b"id"].decode("ascii")


def read_policy(body: bytes) -> StsPolicy | BadPolicy:
    """The policy in a file (section 3.2): lines end with LF or CRLF, unknown keys mean nothing."""
    try:
        pairs = [(pair[1], pair[2]) for pair in _matches(_LINE, _lines(body), "it has a malformed line")]
        patterns = dict.fromkeys(_pattern(value) for key, value in pairs if key == "mx")
        # A key that comes twice counts the first time, except mx, which is a list.
        return _policy(_first(pairs), tuple(patterns))
    except _Malformed as malformed:
        return BadPolicy(str(malformed))


def _lines(body: bytes) -> list[str]:
    if len(body) > MAX_POLICY:
        raise _Malformed("it is too long")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise _Malformed("it is not UTF-8") from None
    lines = [line.removesuffix("\r").rstrip(" \t") for line in text.split("\n")]
    if any(len(line) > MAX_LINE for line in lines):
        raise _Malformed("it has a line that is too long")
    return [line for line in lines if line]


def _pattern(text: str) -> str:
    """``["*."] Domain``, a name as DNS writes it: no literal, no U-label."""
    star = "*." if text.startswith("*.") else ""
    name = text.removeprefix(star)
    if not name.isascii() or name.startswith("["):
        raise _Malformed("it has a malformed pattern")
    try:
        return star + parse_domain(name)
    except BadAddress:
        raise _Malformed("it has a malformed pattern") from None


def _policy(fields: Mapping[str, str], mx: tuple[str, ...]) -> StsPolicy:
    mode, seconds = fields.get("mode", ""), fields.get("max_age", "")
    if fields.get("version") != "STSv1":
        raise _Malformed("it does not say that it is of version STSv1")
    if mode not in list(StsMode):
        raise _Malformed("it has no known mode")
    if not _SECONDS.fullmatch(seconds):
        raise _Malformed("it has no valid max_age")
    if not mx and mode != StsMode.NONE:
        raise _Malformed("it names no mail host")
    if len(mx) > MAX_PATTERNS:
        raise _Malformed("it has too many patterns")
    return StsPolicy(mode=StsMode(mode), max_age=min(MAX_AGE, timedelta(seconds=int(seconds))), mx=mx)


def _matches(grammar: re.Pattern[AnyStr], texts: Iterable[AnyStr], complaint: str) -> Iterator[re.Match[AnyStr]]:
    for text in texts:
        found = grammar.fullmatch(text)
        if found is None:
            raise _Malformed(complaint)
        yield found


def _first(pairs: Iterable[tuple[AnyStr, AnyStr]]) -> Mapping[AnyStr, AnyStr]:
    found: dict[AnyStr, AnyStr] = {}
    for key, value in pairs:
        found.setdefault(key, value)
    return found
