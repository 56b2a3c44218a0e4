"""The marker ``X-Sealpost-Marker: v1; id; route; until; form; seal`` on mail whose sealing host hands it back to us.

One for each recipient, good for this Message-ID, this recipient and an hour, so that a copy of it in other hands is
worth nothing. Left out on purpose: that each works once, which is `flow.returned`'s, and what came back, which is
`core.wrapped`'s.
"""

import hmac
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from gateway.core.address import Address
from gateway.core.edits import Add
from gateway.core.record import QueueId

FIELD: Final = "X-Sealpost-Marker"
VALID_FOR: Final = timedelta(hours=1)
MOST: Final = 100
"""Recipients of one message that comes back, and markers that are read: a delivery has no more."""

_LABEL: Final = b"sealpost marker v1"
_WRAPPED: Final = "wrapped"
_OPEN: Final = "open"
_VALUE = re.compile(
    rb"(v1; ([A-Za-z0-9_.-]{1,64}); ([A-Za-z0-9_-]{1,40}); ([0-9]{1,12}); (open|wrapped)); ([0-9a-f]{64})"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """It left as ``queue_id`` by ``route``, and is expected back before ``until`` (whole seconds).

    ``wrapped``: it looked encrypted already when it left, so that its form will tell nothing.
    """

    queue_id: QueueId
    route: str
    until: datetime
    wrapped: bool


@dataclass(frozen=True, slots=True)
class Found:
    """A valid marker, and the seal of each recipient in order: what is used up when it is accepted."""

    marker: Marker
    seals: tuple[str, ...]


def marker_edits(marker: Marker, message_id: str, recipients: Iterable[Address], key: bytes) -> Iterator[Add]:
    """One field for each recipient; ``key`` is the hop key."""
    content, own = _content(marker), _own_key(key)
    for recipient in recipients:
        yield Add(FIELD, f"{content}; {_seal(content, message_id, recipient, own)}")


def read_marker(
    values: Sequence[bytes], message_id: str, recipients: Sequence[Address], now: datetime, key: bytes
) -> Found | None:
    """The marker that names this message and each of these recipients, and has not run out; None if there is none."""
    if not 0 < len(recipients) <= MOST:
        return None
    own = _own_key(key)
    for content, seals in _by_content(values[:MOST]).items():
        wanted = tuple(_seal(content, message_id, recipient, own) for recipient in recipients)
        if all(_stands_in(seal, seals) for seal in wanted) and now < (marker := _read(content)).until:
            return Found(marker, wanted)
    return None


def _by_content(values: Iterable[bytes]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for value in values:
        if match := _VALUE.fullmatch(value):
            found.setdefault(match[1].decode(), []).append(match[6].decode())
    return found


def _read(content: str) -> Marker:
    """What we wrote, as its seal has shown."""
    _, queue_id, route, until, form = content.split("; ")
    at = datetime.fromtimestamp(int(until), UTC)
    return Marker(queue_id=QueueId(queue_id), route=route, until=at, wrapped=form == _WRAPPED)


def _stands_in(wanted: str, seals: Iterable[str]) -> bool:
    """Compared with all of them, in constant time."""
    return sum(hmac.compare_digest(wanted, seal) for seal in seals) > 0


def _content(marker: Marker) -> str:
    form = _WRAPPED if marker.wrapped else _OPEN
    return f"v1; {marker.queue_id}; {marker.route}; {int(marker.until.timestamp())}; {form}"


def _own_key(key: bytes) -> bytes:
    """The hop key signs other things too; a key of its own keeps them apart (RFC 5869 section 2)."""
    return hmac.digest(hmac.digest(bytes(32), key, "sha256"), _LABEL + b"\x01", "sha256")


def _seal(content: str, message_id: str, recipient: Address, key: bytes) -> str:
    return hmac.digest(key, f"{content}\n{recipient.key}\n{message_id}".encode(), "sha256").hex()
