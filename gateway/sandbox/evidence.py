"""What the gateway's audit says about a message that arrived: what was its connection, and how was that checked?

The receiving side cannot know that. The two accounts meet at the queue id in the message's topmost Received field, or
for the gateway's own mail, which has no such field, at its Message-ID.
"""

import asyncio
from collections.abc import Iterable
from typing import Final

from gateway.core.outcome import Delivered
from gateway.core.record import Event
from gateway.core.tls import Evidence
from gateway.flow.ports import SpoolError
from gateway.sandbox.arrival import Arrival
from gateway.sandbox.records import Records

REMEMBERED: Final = 2000
"""So many answers are kept: twice the messages that the inbox holds."""


class GatewayEvidence:
    """Answers are remembered; a question without an answer is asked again next time, for audit comes after arrival."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._known: dict[str, Evidence] = {}

    async def of(self, arrivals: Iterable[Arrival]) -> dict[str, Evidence | None]:
        """For each arrival's id what the gateway saw; None as long as nothing is known."""
        wanted = tuple(arrivals)
        unknown = tuple(arrival for arrival in wanted if arrival.id not in self._known)
        found = await asyncio.to_thread(self._look_up, unknown)
        self._known |= found
        for oldest in list(self._known)[:-REMEMBERED]:
            del self._known[oldest]
        return {arrival.id: self._known.get(arrival.id) for arrival in wanted}

    def _look_up(self, arrivals: tuple[Arrival, ...]) -> dict[str, Evidence]:
        try:
            answers = [(arrival.id, delivery_to(arrival, self._events(arrival))) for arrival in arrivals]
        except SpoolError:
            # Nothing is known now; the page says so, and the next look may find more.
            return {}
        return {id: answer for id, answer in answers if answer is not None}

    def _events(self, arrival: Arrival) -> Iterable[Event]:
        if arrival.queue_id is not None:
            return (event for _, event in self._records.events(arrival.queue_id, 0))
        return self._records.events_of(arrival.message_id) if arrival.message_id else ()


def delivery_to(arrival: Arrival, events: Iterable[Event]) -> Evidence | None:
    """What the delivery to this host for one of its recipients says; None if there is no such delivery."""
    for event in events:
        outcome = event.outcome
        if isinstance(outcome, Delivered) and event.address in arrival.rcpt_to:
            return outcome.evidence
    return None
