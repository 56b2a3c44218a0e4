"""How mail leaves: what a transport is given, who signs it, and who counts the TLS sessions that it takes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from gateway.core.address import ReversePath
from gateway.core.envelope import BodyType, Recipient, Ret
from gateway.core.outcome import Outcome
from gateway.core.record import (
    BodyRef,
    QueueId,
)
from gateway.core.route import Route
from gateway.core.tls import Protection
from gateway.core.tlsrpt import SessionSeen


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One recipient of a delivery; ``number`` is its row's. ``deferred_before`` feeds `core.tls.next_step`."""

    number: int
    recipient: Recipient
    handshake_failed_for: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One message for recipients that share route, floor and destination.

    ``destination`` is the recipient domain. ``header`` is the rendered header block (it ends with the empty line) and
    ``body`` from ``body_offset`` on follows it byte for byte. ``delivery_id`` is the same on every repeat.
    ``level`` is the message's classification, empty for our own mail; ``trace`` are fields of ours for the message that
    a sealing transport makes. ``require_tls`` and ``tls_optional`` are RFC 8689's two wishes. Its TLS sessions are
    ``counted`` for TLSRPT, except those of TLSRPT's own reports.
    """

    delivery_id: str
    queue_id: QueueId
    route: Route
    floor: Protection
    destination: str
    reverse_path: ReversePath
    targets: tuple[Target, ...]
    header: bytes
    body: BodyRef
    body_offset: int
    body_type: BodyType
    smtputf8: bool
    ret: Ret | None
    envid: str | None
    level: str = ""
    trace: bytes = b""
    require_tls: bool = False
    tls_optional: bool = False
    counted: bool = True

    @property
    def size(self) -> int:
        """Bytes that will be sent, without dot-stuffing."""
        return len(self.header) + self.body.size - self.body_offset


class Transport(Protocol):
    """One way to carry mail. It never raises for a peer's fault, and knows no timers of the queue."""

    async def deliver(self, delivery: Delivery) -> Mapping[int, Outcome]:
        """One outcome per target number; the dispatcher treats a missing one as Deferred(LOCAL)."""
        ...

    def next_hop(self, domain: str) -> str:
        """The destination part of a row's ``next_hop``: the domain, or this route's fixed host."""
        ...

    async def aclose(self) -> None:
        """Closes kept connections."""
        ...


class TlsSessions(Protocol):
    """Counts TLS sessions for TLSRPT, or does nothing where nobody reports."""

    def note(self, seen: SessionSeen) -> None:
        """Takes one; never raises, never waits."""
        ...


class Signer(Protocol):
    """Signs outgoing mail (DKIM, RFC 6376)."""

    def wanted(self, domain: str) -> bool:
        """Whether mail from that domain is signed, so that its body has to be hashed."""
        ...

    def sign(self, header: bytes, body_hash: str) -> bytes:
        """The signature fields, to stand before a rendered header block; none for a domain without a key.

        ``body_hash`` is `Message.body_hash`. Never raises for the message's fault.
        """
        ...
