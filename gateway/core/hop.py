"""The hop field ``X-Sealpost-Hop: v1; id; routes; hmac``: which routes a message took on earlier passes through us.

Only a field that our key made, for this message's Message-ID, counts; all others are noise that the door strips. Left
out on purpose: any attempt to hide the route names, and one-time use (the marker of a sealing connector is another).
"""

import hmac
import re
from dataclasses import dataclass
from typing import Final

from gateway.core.edits import Add
from gateway.core.record import QueueId

FIELD: Final = "X-Sealpost-Hop"
MAX_PASSES: Final = 3
"""How often one message may pass us: out, back from a sealing connector, and once more through a forwarding."""
MAX_RECEIVED: Final = 50
"""Received fields before it is a loop (Postfix's ``hopcount_limit``; RFC 5321 section 6.3 asks for a large figure)."""

_VALUE = re.compile(rb"v1; ([A-Za-z0-9_.-]{1,64}); ([A-Za-z0-9_,-]{1,2000}); ([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Hop:
    """One pass: the queue id it had, and the routes taken up to and with it, oldest first."""

    queue_id: QueueId
    routes: tuple[str, ...]


def hop_edit(hop: Hop, message_id: str, key: bytes) -> Add:
    """The field for a delivery of this pass. A route's name is letters, digits, ``_`` and ``-`` (the loader's rule)."""
    content = f"v1; {hop.queue_id}; {','.join(hop.routes)}"
    return Add(FIELD, f"{content}; {_seal(content, message_id, key)}")


def read_hop(values: tuple[bytes, ...], message_id: str, key: bytes) -> Hop | None:
    """The valid field with the most passes; None if there is none of ours for this Message-ID."""
    hops = [hop for value in values if (hop := _read_one(value, message_id, key)) is not None]
    return max(hops, key=lambda hop: len(hop.routes), default=None)


def is_loop(hop: Hop | None, chosen: frozenset[str], received: int) -> bool:
    """Whether it came here before by a route now ``chosen`` again, or passed us, or anybody, too often."""
    if received > MAX_RECEIVED:
        return True
    return hop is not None and (len(hop.routes) >= MAX_PASSES or not chosen.isdisjoint(hop.routes))


def _read_one(value: bytes, message_id: str, key: bytes) -> Hop | None:
    match = _VALUE.fullmatch(value)
    if match is None:
        return None
    content = value[: match.start(3) - 2].decode("ascii", "replace")
    if not hmac.compare_digest(_seal(content, message_id, key).encode(), match[3]):
        return None
    return Hop(QueueId(match[1].decode()), tuple(match[2].decode("ascii").split(",")))


def _seal(content: str, message_id: str, key: bytes) -> str:
    return hmac.digest(key, f"{content}\n{message_id}".encode(), "sha256").hex()
