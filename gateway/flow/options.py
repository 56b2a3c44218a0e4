"""What the flow is told by the configuration."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from gateway.core.address import Address
from gateway.core.record import Kind


class Refusals(StrEnum):
    """How a listener gives refused mail back: 5xx when every recipient is refused, or always 250 and a report."""

    SESSION = "session"
    REPORT = "report"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueOptions:
    """``[queue]``. Retries start at ``retry_min`` and double up to ``retry_max`` (RFC 5321 section 4.5.4.1).

    ``per_destination`` and ``in_flight`` count deliveries of one worker (the supervisor has divided them).
    """

    max_age: timedelta = timedelta(days=5)
    door_wait: timedelta = timedelta(seconds=5)
    hold_max: timedelta = timedelta(days=3)
    notice_after: timedelta = timedelta(hours=1)
    retry_min: timedelta = timedelta(minutes=5)
    retry_max: timedelta = timedelta(minutes=70)
    per_destination: int = 20
    in_flight: int = 100
    audit_keep: timedelta = timedelta(days=90)


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsrptOptions:
    """``[tlsrpt]``: who reports (RFC 8460), where somebody answers, and the address that reports come from."""

    organisation: str
    contact: str
    sender: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemOptions:
    """Who we are in our own mail, and the route of each kind of it (``[system]``).

    ``desk_url`` is where held mail is released; empty if there is no such page.
    """

    hostname: str
    routes: Mapping[Kind, str]
    hop_key: bytes
    desk_url: str = ""
