"""What a route makes of a message before it leaves: the fields that steer its host, our own marks, other addresses.

Nothing here touches the body, and nothing is stored: every attempt makes it anew.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.core.edits import Add, HeaderEdit, Remove
from gateway.core.hop import FIELD, Hop, hop_edit
from gateway.core.mapping import AddressMap
from gateway.core.marker import VALID_FOR, Marker, marker_edits
from gateway.core.record import Message, RecipientRow
from gateway.core.route import Route
from gateway.core.wrapped import holds_wrapped
from gateway.flow.shared import Shared
from gateway.wire.render import rewrite


@dataclass(frozen=True, slots=True)
class RouteForm:
    """One message on one route, for some of its recipients."""

    shared: Shared
    message: Message
    route: Route
    rows: Sequence[RecipientRow]

    @property
    def steering(self) -> Iterator[HeaderEdit]:
        """The fields that the route adds replace any that the client sent: they steer the next hop."""
        for name, value in self.route.add_header:
            if name.casefold() != FIELD.casefold():
                yield Remove(name)
                yield Add(name, value)
        if self.route.returns and not self.message.message_id:
            # Hop and markers hold for one Message-ID, so the host must not be the one who makes it.
            yield Add("Message-ID", self._message_id)

    @property
    def hop(self) -> Add:
        """That it passes us by this route."""
        hop = Hop(self.message.queue_id, (*self.message.taken, self.route.name))
        return hop_edit(hop, self._message_id, self.shared.system.hop_key)

    def markers(self, now: datetime) -> Iterator[Add]:
        """By these it is known again when the host has sealed it and hands it back; other routes need none."""
        message = self.message
        if not self.route.returns:
            return
        marker = Marker(
            queue_id=message.queue_id,
            route=self.route.name,
            until=now + VALID_FOR,
            wrapped=message.facts is not None and holds_wrapped(message.facts.attachments),
        )
        addresses = (row.address for row in self.rows)
        yield from marker_edits(marker, self._message_id, addresses, self.shared.system.hop_key)

    @property
    def addresses(self) -> AddressMap:
        """The form of addresses on this route."""
        owns, keys = self.shared.book.current.owns, frozenset(row.address.key for row in self.rows)
        return AddressMap(suffixes=self.route.suffixes, owns=owns, recipients=keys)

    def mapped(self, header: bytes) -> bytes:
        """The rendered header with these addresses."""
        return rewrite(header, self.addresses.field) if self.route.suffixes else header

    @property
    def _message_id(self) -> str:
        if self.message.message_id or not self.route.returns:
            return self.message.message_id
        return f"<{self.message.queue_id}@{self.shared.system.hostname}>"
