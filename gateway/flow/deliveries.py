"""From leased rows to deliveries: who shares one, with which header, and what came of each recipient.

Recipients share a delivery only with the same route, floor, level, destination and edits: two domains never share one,
but at a host that carries all of them anyway (a smarthost). An exception of ours or of a transport, a recipient that
its answer lacks, and a route that is gone or too weak are our fault: Deferred(LOCAL), so that every deadline holds,
and somebody hears of it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final

from gateway.core.chronicle import route_of
from gateway.core.decision import Routed
from gateway.core.edits import HeaderEdit
from gateway.core.envelope import BodyType, Recipient
from gateway.core.outcome import Cause, Deferred, Delivered, Outcome, Sealed
from gateway.core.record import Kind, Message, RecipientRow
from gateway.core.reply import Status
from gateway.core.route import Declared, Route, demand
from gateway.core.tls import Protection
from gateway.core.witness import fell_short
from gateway.flow.carriers import Carrier
from gateway.flow.content import read_header
from gateway.flow.ports import Bodies, Delivery, Target
from gateway.flow.receipts import Receipts
from gateway.flow.route_form import RouteForm
from gateway.flow.settling import Attempt
from gateway.flow.shared import Shared
from gateway.flow.signature import signature
from gateway.wire.render import render

_MOST_TARGETS: Final = 100
"""Recipients of one delivery: what every server must take (RFC 5321 section 4.5.3.1.8)."""


@dataclass(frozen=True, slots=True)
class _Group:
    route: str
    floor: Protection
    destination: str
    edits: tuple[HeaderEdit, ...] = ()
    raised: str = ""

    @property
    def key(self) -> str:
        """The same whenever this group of a message is attempted."""
        raised = f"/{self.raised}" if self.raised else ""
        key = f"{self.route}/{self.floor.label}/{self.destination}{raised}"
        return f"{key}/{sha256(repr(self.edits).encode()).hexdigest()[:16]}" if self.edits else key


class Deliveries:
    """Attempts the queued rows of one message."""

    def __init__(self, shared: Shared, bodies: Bodies, message: Message) -> None:
        self._shared = shared
        self._bodies = bodies
        self._message = message

    async def attempt(self, rows: Sequence[RecipientRow], now: datetime) -> list[Attempt]:
        """One attempt for every row, group after group. It raises for nobody's fault."""
        try:
            header = await read_header(self._bodies, self._message)
        except Exception as error:
            self._shared.events.broken("body", self._message.queue_id, error)
            return [Attempt(row, None, _our_fault("the stored message cannot be read")) for row in rows]
        receipts = Receipts(self._shared, self._message)
        requests = await receipts.requests(rows, header)
        attempts: list[Attempt] = []
        for group, members in self._groups(rows, requests):
            carrier = self._shared.carriers.get(group.route)
            if (why := self._unusable(group, carrier)) or carrier is None:
                outcome = _our_fault(why)
                attempts += [Attempt(row, None, outcome) for row in members]
                continue
            for start in range(0, len(members), _MOST_TARGETS):
                some = members[start : start + _MOST_TARGETS]
                outcomes = await self._deliver(group, carrier, some, header, now)
                attempts += [self._witnessed(row, carrier.route, outcomes) for row in some]
        await receipts.delivered(attempts)
        return attempts

    def _groups(
        self, rows: Sequence[RecipientRow], requests: Mapping[int, tuple[HeaderEdit, ...]]
    ) -> Iterator[tuple[_Group, list[RecipientRow]]]:
        groups: dict[_Group, list[RecipientRow]] = {}
        for row in rows:
            name = route_of(row)
            hop = self._shared.carriers.next_hop(name, row.address.domain)
            edits = (*row.decision.effects.edits, *requests.get(row.number, ()))
            group = _Group(name, row.decision.floor, hop, edits, row.decision.effects.raised)
            groups.setdefault(group, []).append(row)
        yield from groups.items()

    def _unusable(self, group: _Group, carrier: Carrier | None) -> str:
        """Why the route cannot be tried at all, which somebody has to mend; empty if it can."""
        if carrier is None:
            alert, why = "route-missing", f"the route {group.route!r} does not exist any more"
        elif demand(carrier.route, group.floor) is None:
            alert, why = "route-too-weak", f"the route {group.route!r} no longer gives {group.floor.label}"
        else:
            return ""
        self._shared.events.alert(alert, self._message.queue_id, why)
        return why

    async def _deliver(
        self, group: _Group, carrier: Carrier, rows: Sequence[RecipientRow], header: bytes, now: datetime
    ) -> Mapping[int, Outcome]:
        try:
            delivery = self._delivery(group, carrier, rows, header, now)
        except Exception as error:
            self._shared.events.broken("delivery", self._message.queue_id, error)
            return {}
        try:
            return await carrier.transport.deliver(delivery)
        except Exception as error:
            self._shared.events.broken(f"transport {carrier.route.transport}", self._message.queue_id, error)
            return {}

    def _witnessed(self, row: RecipientRow, route: Route, outcomes: Mapping[int, Outcome]) -> Attempt:
        outcome = outcomes.get(row.number)
        if outcome is None:
            return Attempt(row, route, _our_fault("the attempt gave no result for this recipient"))
        if isinstance(outcome, Delivered | Sealed):
            self._look_at(outcome, row, route)
        if isinstance(outcome, Deferred) and outcome.alarm is not None:
            self._shared.events.alert(outcome.alarm, self._message.queue_id, outcome.detail)
        return Attempt(row, route, outcome)

    def _look_at(self, outcome: Delivered | Sealed, row: RecipientRow, route: Route) -> None:
        """What is only observed may fall short of what its rules ask for; that is counted apart."""
        decision = row.decision
        if fell_short(outcome, route, decision.floor):
            self._shared.events.unprotected(self._message, row)
        elif isinstance(decision, Routed) and decision.instead is not None:
            if fell_short(outcome, route, decision.original_floor):
                self._shared.events.observed_unprotected(self._message, row)

    def _delivery(
        self, group: _Group, carrier: Carrier, rows: Sequence[RecipientRow], header: bytes, now: datetime
    ) -> Delivery:
        message, envelope = self._message, self._message.envelope
        form = RouteForm(self._shared, message, carrier.route, rows)
        edits, hop = [*message.edits, *group.edits, *form.steering], form.hop
        # What is sealed is what the sender wrote; the way that it took stands on the message around it.
        seals = carrier.route.declared is Declared.SEALING
        edits += [] if seals else [*form.markers(now), hop]
        # Signed last of all: a signature is over the addresses that leave.
        rendered, addresses = self._signed(form.mapped(render(header, edits)), carrier.route), form.addresses
        ascii_only = rendered.isascii() and all(row.address.is_ascii for row in rows)
        return Delivery(
            delivery_id=f"{message.queue_id}/{group.key}",
            queue_id=message.queue_id,
            route=carrier.route,
            floor=group.floor,
            destination=rows[0].address.domain,
            reverse_path=addresses.sender(envelope.reverse_path),
            targets=tuple(_target(row, addresses.recipient(row.recipient), now) for row in rows),
            header=rendered,
            body=message.body,
            body_offset=message.header_bytes,
            body_type=BodyType.EIGHT_BIT if message.eight_bit else BodyType.SEVEN_BIT,
            smtputf8=envelope.smtputf8 and not (ascii_only and str(envelope.reverse_path).isascii()),
            ret=envelope.ret,
            envid=envelope.envid,
            trace=render(b"", [hop])[:-2] if seals else b"",
            level=group.raised or (message.facts.classification.level if message.facts is not None else ""),
            require_tls=envelope.require_tls,
            tls_optional=message.tls_optional,
            counted=message.kind is not Kind.TLS_REPORT,
        )

    def _signed(self, header: bytes, route: Route) -> bytes:
        """The header as it leaves, signed unless it stays inside.

        What a transport seals leaves in another message, which it signs itself.
        """
        if route.declared in (Declared.INTERNAL, Declared.SEALING) or not self._message.body_hash:
            return header
        message, shared = self._message, self._shared
        return signature(shared.signer, header, message.body_hash, message.queue_id, shared.events.broken) + header


def _target(row: RecipientRow, recipient: Recipient, now: datetime) -> Target:
    since = row.first_handshake_failure
    return Target(number=row.number, recipient=recipient, handshake_failed_for=None if since is None else now - since)


def _our_fault(detail: str) -> Deferred:
    return Deferred(cause=Cause.LOCAL, status=Status(4, 3, 0), detail=detail)
