"""One line of the audit's chain: JSON that has the hash of the line before and its own (SHA-256, FIPS 180-4).

    {"hash": …, "prev": …, "personal": {name: [salt, value]}, "event": {"shard", "seq", "kind", …}}

The hash covers ``prev``, the text of ``event`` byte by byte, and of each personal value only a *commitment*: the hash
of its salt and itself. So a value and its salt can be replaced by the commitment, and no hash changes; without the
salt nobody can find the value by trying. Left out on purpose: the meaning of events, which `audit_record` has.
"""

import json
import re
from collections.abc import Sequence, Set
from dataclasses import asdict, dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Final, TypeAlias, cast

from gateway.core.audit_record import Persons, Record

GENESIS: Final = "0" * 64
"""What the first line of a chain has for the line before."""

SALT_BYTES: Final = 16

_HASH: Final = re.compile(r"[0-9a-f]{64}")
_SALT: Final = re.compile(r"[0-9a-f]{32}")
_NAME: Final = re.compile(r"[a-z_]{1,40}")

# The places of hash and prev are fixed, so what a line says can be read in one way only.
_HEAD: Final = re.compile(rb'\{"hash":"([0-9a-f]{64})","prev":"([0-9a-f]{64})","personal":')
_EVENT: Final = b',"event":'
_SIGNATURE: Final = re.compile(rb',"signature":"([0-9a-f]{128})"\}\Z')


class Mark(StrEnum):
    """The kinds of lines that are no event of the spool's."""

    ANCHOR = "anchor"
    GAP = "gap"
    REMOVED = "removed"


class Malformed(ValueError):
    """The bytes are no line of a chain; the text is one clause."""


@dataclass(frozen=True, slots=True)
class Open:
    """A personal value that can be read, with its salt in hex."""

    salt: str
    value: str


@dataclass(frozen=True, slots=True)
class Taken:
    """A personal value that was taken out; what is left is its commitment."""

    commitment: str


Personal: TypeAlias = tuple[tuple[str, Open | Taken], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """The event of an anchor: it is signed, and vouches for all lines before it. ``key`` is the public key's mark."""

    at: str
    key: str
    kind: str = Mark.ANCHOR


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Events from ``first`` on to the line's number were gone before they could be exported."""

    at: str
    first: int
    kind: str = Mark.GAP


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """Old files were removed; the last line in them had the hash ``through``."""

    at: str
    through: str
    files: int
    kind: str = Mark.REMOVED


Content: TypeAlias = Record | Anchor | Gap | Removed


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """``event`` is JSON as it stands; ``signature`` is an anchor's, in hex, and empty in all others."""

    prev: str
    personal: Personal
    event: bytes
    signature: str = ""

    @property
    def hash(self) -> str:
        """What the next line has as ``prev``."""
        committed = "".join(f"{name} {commitment_of(name, value)}\n" for name, value in self.personal)
        return sha256(f"{self.prev}\n{committed}".encode() + self.event).hexdigest()

    def to_bytes(self) -> bytes:
        """With the line's end."""
        personal = {
            name: [value.salt, value.value] if isinstance(value, Open) else value.commitment
            for name, value in self.personal
        }
        head = f'{{"hash":"{self.hash}","prev":"{self.prev}","personal":{_dump(personal)},"event":'
        tail = f',"signature":"{self.signature}"' if self.signature else ""
        return head.encode() + self.event + f"{tail}}}\n".encode()

    def without(self, names: Set[str]) -> "Line":
        """The same line, and the same hash, without those personal values."""
        personal = tuple(
            (name, Taken(commitment_of(name, value)) if name in names else value) for name, value in self.personal
        )
        return Line(prev=self.prev, personal=personal, event=self.event, signature=self.signature)


def commitment_of(name: str, value: Open | Taken) -> str:
    """What a line's hash covers of a personal value. The salt's length is fixed, so nothing can move across it."""
    if isinstance(value, Taken):
        return value.commitment
    return sha256(f"{value.salt}{name}\n{value.value}".encode("utf-8", "surrogatepass")).hexdigest()


def event_text(shard: int, seq: int, content: Content) -> bytes:
    """The event's JSON; what a record leaves at its default is left out."""
    told = asdict(content)
    told = {name: value for name, value in told.items() if value or (name == "number" and value is not None)}
    return _dump({"shard": shard, "seq": seq, **told}).encode()


def personal_of(persons: Persons, salts: Sequence[str]) -> Personal:
    """Those that are there, each with a salt of its own."""
    return tuple((name, Open(salt, value)) for (name, value), salt in zip(persons.items(), salts, strict=False))


def read_line(data: bytes) -> Line:
    """The line, whose hash has been checked.

    Raises:
        Malformed: it is none, or its hash is another.
    """
    head = _HEAD.match(data)
    place = data.find(_EVENT)
    if head is None or place < 0:
        raise Malformed("it is not a line of the audit")
    signature = _SIGNATURE.search(data)
    end = signature.start() if signature else len(data) - 1
    line = Line(
        prev=head[2].decode(),
        personal=_personal(data[head.end() : place]),
        event=data[place + len(_EVENT) : end],
        signature=signature[1].decode() if signature else "",
    )
    if data[-1:] != b"}" or line.hash != head[1].decode():
        raise Malformed("its hash is not that of what it says")
    return line


def _personal(data: bytes) -> Personal:
    try:
        pairs = _PAIRS.decode(data.decode())
    except (ValueError, RecursionError) as error:
        raise Malformed("its personal part is not JSON") from error
    if not isinstance(pairs, tuple):
        raise Malformed("its personal part is not an object")
    return tuple(_one(pair) for pair in cast("tuple[object, ...]", pairs))


def _one(pair: object) -> tuple[str, Open | Taken]:
    match pair:
        case (str(name), [str(salt), str(value)]) if _NAME.fullmatch(name) and _SALT.fullmatch(salt):
            return name, Open(salt, value)
        case (str(name), str(commitment)) if _NAME.fullmatch(name) and _HASH.fullmatch(commitment):
            return name, Taken(commitment)
        case _:
            raise Malformed("a personal value has neither a salt nor a commitment")


_PAIRS: Final = json.JSONDecoder(object_pairs_hook=tuple)


def _dump(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
