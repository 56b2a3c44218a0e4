"""What the trace and control fields of an arriving message say, and which of its fields leave before it goes on.

One pass over the scanned fields. Trace fields are never removed (RFC 5321 section 4.4); Bcc, the proofs of a sending
system, and every control field, ours or forged, are.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from gateway.core.edits import Remove
from gateway.core.facts import Scan
from gateway.core.header import is_control
from gateway.core.hop import FIELD, Hop, read_hop
from gateway.core.result import FIELD as RESULT_FIELD
from gateway.core.result import Result, read_result
from gateway.core.scan import TooComplex

_HOP: Final = FIELD.casefold()
_RESULT: Final = RESULT_FIELD.casefold()
MAX_CONTROLS: Final = 50
"""Different control fields of one message; there are a few real ones, and each one is kept as an edit."""

_BLIND: Final = frozenset({"bcc", "resent-bcc"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """``message_id`` is empty if there is none; ``hop`` None if the message has not passed us before.

    ``judged`` is what a milter of ours said of it before. ``tls_optional`` is ``TLS-Required: no`` (RFC 8689 section
    3), which counts only if the field stands once.
    """

    message_id: str
    hop: Hop | None
    received: int
    removals: tuple[Remove, ...]
    judged: Result | None = None
    tls_optional: bool = False

    @property
    def taken(self) -> tuple[str, ...]:
        """The routes of earlier passes."""
        return self.hop.routes if self.hop is not None else ()


def read_arrival(scan: Scan, secret_names: Iterable[str], hop_key: bytes) -> Arrival:
    """Reads the fields; ``secret_names`` are those that carry proofs.

    Raises:
        TooComplex: there are more than `MAX_CONTROLS` different control fields.
    """
    secret = _BLIND.union(name.casefold() for name in secret_names)
    message_id, received, wishes = "", 0, list[bytes]()
    ours: dict[str, list[bytes]] = {_HOP: [], _RESULT: []}
    removals: dict[str, Remove] = {}
    for field in scan.fields:
        key = field.name.casefold()
        if key == "received":
            received += 1
        elif key == "tls-required":
            wishes.append(field.value.strip().lower())
        elif key == "message-id":
            message_id = message_id or field.value.decode("latin-1")
        elif key in secret or is_control(key):
            removals[key] = Remove(field.name)
            if key in ours:
                ours[key].append(field.value)
    if sum(map(is_control, removals)) > MAX_CONTROLS:
        raise TooComplex(f"The message has more than {MAX_CONTROLS} different control fields")
    hops, results = ours[_HOP], ours[_RESULT]
    return Arrival(
        message_id=message_id,
        hop=read_hop(tuple(hops), message_id, hop_key) if hops else None,
        received=received,
        removals=tuple(removals.values()),
        judged=read_result(results, message_id, hop_key) if results else None,
        tls_optional=wishes == [b"no"],
    )
