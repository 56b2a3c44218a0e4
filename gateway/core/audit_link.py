"""What a chain needs of a line of the audit: its place, its hash, and what its anchor signs.

Left out on purpose: what the event says, which `audit_entry` reads.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from gateway.core.audit_line import Line, Malformed, Mark, read_line


@dataclass(frozen=True, slots=True)
class Link:
    """What a chain needs of a line: its event's number and kind; ``first`` is a gap's, else the number itself."""

    prev: str
    hash: str
    shard: int
    seq: int
    first: int
    kind: str
    at: datetime
    key: str
    through: str
    signature: str


def read_link(data: bytes) -> Link:
    """The link that a line is, without its line's end. Raises Malformed."""
    line = read_line(data)
    event = _event(line)
    shard, seq, kind, at = (event.get(name) for name in ("shard", "seq", "kind", "at"))
    if not (isinstance(shard, int) and isinstance(seq, int) and isinstance(kind, str) and isinstance(at, str)):
        raise Malformed("its event has no number, kind or time")
    first = event.get("first") if kind == Mark.GAP else seq
    return Link(
        prev=line.prev,
        hash=line.hash,
        shard=shard,
        seq=seq,
        first=first if isinstance(first, int) else seq,
        kind=kind,
        at=_moment(at),
        key=str(event.get("key", "")),
        through=str(event.get("through", "")),
        signature=line.signature,
    )


def _event(line: Line) -> dict[str, object]:
    try:
        event: object = json.loads(line.event)
    except (ValueError, RecursionError) as error:
        raise Malformed("its event is not JSON") from error
    if not isinstance(event, dict):
        raise Malformed("its event is not an object")
    return cast("dict[str, object]", event)


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise Malformed("its time is none") from error
    if found.tzinfo is None:
        raise Malformed("its time has no zone")
    return found


def signed_text(line_hash: str) -> bytes:
    """What an anchor's signature is of."""
    return f"sealpost audit anchor 1\n{line_hash}\n".encode()
