"""Whether lines of the audit make one unbroken chain: each follows the one before, and every number is there.

A chain is looked at in pieces, which several processes may do at once; a piece is one file. Left out on purpose: what
signatures are made with, and where the lines come from.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Final, TypeAlias

from gateway.core.audit_line import GENESIS, Malformed, Mark
from gateway.core.audit_link import Link, read_link, signed_text

UNSIGNED_FOR: Final = timedelta(days=1)
"""A gateway that runs signs far more often; what nobody signed for so long may have been put in the place of others."""


class Flaw(StrEnum):
    """What can be wrong; each names the first line that shows it."""

    CHANGED = "a line was changed"
    BROKEN = "a line was taken out, put in or moved"
    NUMBER = "the numbers of the events do not follow each other"
    SIGNATURE = "an anchor's signature is not good"
    KEY = "an anchor was signed with a key that is not known"
    BEGINNING = "the beginning is missing"
    UNSIGNED = "no anchor vouches for the newest lines"


@dataclass(frozen=True, slots=True)
class Found:
    """A flaw; ``line`` counts from 1 in its file."""

    flaw: Flaw
    file: str
    line: int
    text: str = ""


Trust: TypeAlias = Callable[[str, bytes, bytes], Flaw | None]
"""Looks at an anchor: the mark of its key, what was signed, and the signature."""


@dataclass(slots=True)
class Piece:
    """One file's lines, read in order. ``begins`` is what its first line has for the line before, ``after`` the number.

    ``anchored`` is the time of its last anchor, ``unsigned`` how many lines stand behind that, or in all. ``missing``
    counts events that were gone before they could be exported. ``removed`` are the ends of files that were removed, as
    far as an anchor vouches for it; until then they are ``claimed``.
    """

    file: str
    shard: int = -1
    begins: str = ""
    after: int = 0
    head: str = ""
    seq: int = 0
    lines: int = 0
    events: int = 0
    unsigned: int = 0
    anchored: datetime | None = None
    missing: int = 0
    removed: set[str] = field(default_factory=set[str])
    claimed: set[str] = field(default_factory=set[str])
    flaws: list[Found] = field(default_factory=list[Found])


def walk(file: str, lines: Iterable[bytes], trust: Trust) -> Piece:
    """Looks at all lines of a file; ends at the first that breaks the chain, because nothing behind it can be told."""
    piece = Piece(file)
    for data in lines:
        piece.lines += 1
        try:
            link = read_link(data)
        except Malformed as error:
            piece.flaws.append(Found(Flaw.CHANGED, file, piece.lines, str(error)))
            break
        if piece.lines == 1:
            _begin(piece, link)
        flaw = _follows(piece, link) or _anchored(link, trust)
        if flaw is not None:
            piece.flaws.append(Found(flaw, file, piece.lines))
            break
        _take(piece, link)
    return piece


def _begin(piece: Piece, link: Link) -> None:
    piece.shard, piece.begins, piece.head = link.shard, link.prev, link.prev
    piece.after = piece.seq = link.seq if link.kind in (Mark.ANCHOR, Mark.REMOVED) else link.first - 1


def _follows(piece: Piece, link: Link) -> Flaw | None:
    if link.prev != piece.head or link.shard != piece.shard:
        return Flaw.BROKEN
    if link.kind in (Mark.ANCHOR, Mark.REMOVED):
        return None if link.seq == piece.seq else Flaw.NUMBER
    return None if link.first == piece.seq + 1 and link.seq >= link.first else Flaw.NUMBER


def _anchored(link: Link, trust: Trust) -> Flaw | None:
    if link.kind != Mark.ANCHOR:
        return None
    return trust(link.key, signed_text(link.hash), bytes.fromhex(link.signature))


def _take(piece: Piece, link: Link) -> None:
    piece.head, piece.seq = link.hash, link.seq
    piece.unsigned += 1
    match link.kind:
        case Mark.ANCHOR:
            piece.unsigned, piece.anchored = 0, link.at
            piece.removed |= piece.claimed
        case Mark.REMOVED:
            piece.claimed.add(link.through)
        case Mark.GAP:
            piece.missing += link.seq - link.first + 1
        case _:
            piece.events += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Of one shard's whole chain. ``head`` is the hash of its last line: who notes it elsewhere will see a cut end."""

    shard: int
    lines: int
    events: int
    missing: int
    last: int
    head: str
    anchored: datetime | None
    unsigned: int
    flaws: tuple[Found, ...]


def join(shard: int, pieces: Sequence[Piece], now: datetime) -> Verdict:
    """Puts a shard's files together, in order. A file without lines is what a crash leaves at the end."""
    pieces = [piece for piece in pieces if piece.lines] or [Piece("")]
    last = pieces[-1]
    anchored = max((piece.anchored for piece in pieces if piece.anchored), default=None)
    unsigned = _unsigned(pieces)
    flaws = [*_beginning(pieces), *(flaw for piece in pieces for flaw in piece.flaws), *_joints(shard, pieces)]
    if unsigned and (anchored is None or now - anchored > UNSIGNED_FOR):
        flaws.append(Found(Flaw.UNSIGNED, last.file, last.lines))
    return Verdict(
        shard=shard,
        lines=sum(piece.lines for piece in pieces),
        events=sum(piece.events for piece in pieces),
        missing=sum(piece.missing for piece in pieces),
        last=last.seq,
        head=last.head,
        anchored=anchored,
        unsigned=unsigned,
        flaws=tuple(flaws),
    )


def _beginning(pieces: Sequence[Piece]) -> list[Found]:
    """A chain begins at its first line, or where its own later line says that older files were removed."""
    removed = {through for piece in pieces for through in piece.removed}
    first = pieces[0]
    return [] if first.begins in ("", GENESIS, *removed) else [Found(Flaw.BEGINNING, first.file, 1)]


def _joints(shard: int, pieces: Sequence[Piece]) -> list[Found]:
    """What is wrong between files; where one is broken in itself, nothing can be said of the next."""
    readable = [piece for piece in pieces if piece.begins]
    flaws = [Found(Flaw.BROKEN, piece.file, 1, "it is another shard's") for piece in readable if piece.shard != shard]
    for before, piece in pairwise(pieces):
        if before.flaws or not piece.begins:
            continue
        if piece.begins != before.head:
            flaws.append(Found(Flaw.BROKEN, piece.file, 1))
        elif piece.after != before.seq:
            flaws.append(Found(Flaw.NUMBER, piece.file, 1))
    return flaws


def _unsigned(pieces: Sequence[Piece]) -> int:
    count = 0
    for piece in pieces:
        count = piece.unsigned if piece.anchored else count + piece.unsigned
    return count
