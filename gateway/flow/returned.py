"""Mail that a sealing host hands back to us (Microsoft 365): once, by our marker, and without being decided again.

What comes back sealed goes on by `[system] returned`; what comes back open is held for an operator, whose release sends
it to the host once more. A marker that is not ours, not for this message, too old or used is no marker: the message is
decided as new. Left out on purpose: who may hand mail to us at all, which the listener and its proofs say before.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.core.arrival import Arrival
from gateway.core.decision import Decision, Held, Routed
from gateway.core.envelope import Recipient
from gateway.core.facts import Facts, Scan
from gateway.core.marker import FIELD, Found, Marker, read_marker
from gateway.core.record import Event, EventKind, Kind, Message, Origin
from gateway.core.tls import Protection
from gateway.core.wrapped import is_wrapped
from gateway.flow.rulings import Rulings
from gateway.flow.shared import Shared

ALERT: Final = "returned-unencrypted"
_USED: Final = "returned/"
_ADVICE: Final = "You need to do nothing: it waits until whoever runs the mail system has mended that."


@dataclass(frozen=True, slots=True)
class Returned:
    """A message that came back, and the decisions on it, one for each recipient."""

    marker: Marker
    rulings: Rulings

    @property
    def told(self) -> str:
        """The audit's sentence."""
        return f"came back from the route {self.marker.route}, by which it left as {self.marker.queue_id}"

    @property
    def origin(self) -> Origin:
        """What it was when it left."""
        return Origin(self.marker.queue_id, -1, Kind.RELAY)


def joined(message: Message, told: str) -> tuple[Event, ...]:
    """What the audit of the message that left says of the one that came back; nothing where it is no such message."""
    origin = message.origin
    if origin is None or origin.kind is not Kind.RELAY:
        return ()
    text = f"{told}; it is {message.queue_id} now"
    return (Event(kind=EventKind.RETURNED, at=message.accepted_at, queue_id=origin.queue_id, text=text),)


@dataclass(frozen=True, slots=True)
class Returning:
    """For one message; ``content`` gives its digest, the same when it comes again after its reply was lost."""

    shared: Shared
    recipients: Sequence[Recipient]
    content: Callable[[], bytes]

    async def judge(self, scan: Scan, arrival: Arrival, facts: Facts) -> Returned | None:
        """What becomes of it; None if it is to be decided as new. Raises SpoolError, and then it may come again."""
        values = scan.values(FIELD)
        if not values:
            return None
        addresses, system = [recipient.address for recipient in self.recipients], self.shared.system
        found = read_marker(values, arrival.message_id, addresses, self.shared.clock.now(), system.hop_key)
        if found is None or not await self._first_time(found):
            return None
        decision = self._decision(found.marker, sealed=is_wrapped(scan) and not found.marker.wrapped)
        return Returned(found.marker, Rulings(facts, (decision,) * len(self.recipients)))

    async def _first_time(self, found: Found) -> bool:
        """Uses the marker up for these recipients; the very same message finds what it left there itself."""
        own, state = self.content(), self.shared.state
        held = [await state.put_if_absent(f"{_USED}{seal}", own, found.marker.until) for seal in found.seals]
        return all(value == own for value in held)

    def _decision(self, marker: Marker, *, sealed: bool) -> Decision:
        if sealed:
            return _sealed(marker, self.shared.system.returned)
        decision = _held(marker)
        self.shared.events.alert(ALERT, marker.queue_id, f"{decision.reason}; it is held")
        return decision


def _sealed(marker: Marker, route: str) -> Routed:
    """Whatever carries it now, the message itself is protected."""
    return Routed(
        rule=f"sealed by {marker.route}",
        chain=(route,),
        floor=Protection.NONE,
        original_floor=Protection.NONE,
        reason=f"it came back encrypted; it left as {marker.queue_id}",
        advice="",
    )


def _held(marker: Marker) -> Held:
    """No way is open to it but the one that should have sealed it."""
    already = "; it looked so when it left, so its form proves nothing" if marker.wrapped else ""
    return Held(
        rule=f"not sealed by {marker.route}",
        chain=(marker.route,),
        floor=Protection.SEALED,
        reason=f"{marker.queue_id} came back from the route {marker.route} without being encrypted there{already}",
        advice=_ADVICE,
    )
