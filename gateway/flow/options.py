"""What the flow is told by the configuration."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from gateway.core.address import Address
from gateway.core.record import Kind
from gateway.core.sealing import Unlock


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

    ``desk_url`` is where held mail is released; empty if there is no such page. ``returned`` is the route of mail that
    a sealing host has handed back.
    """

    hostname: str
    routes: Mapping[Kind, str]
    hop_key: bytes
    desk_url: str = ""
    returned: str = "opportunistic"


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalOptions:
    """``[portal]``: what letters about sealed messages say, and how they are opened.

    ``url`` is where its pages are, without a slash at its end; ``sender`` is what notifications and codes come from.
    ``wording`` are the organisation's own sentences, ``telephone`` where a reader asks whether a letter is genuine.
    ``codes_for`` are the levels whose code may travel by any mail, ``subject_for`` those whose subject a notification
    repeats. ``officer`` hears of "this is not for me". ``reminder`` is how long before its end an unopened message is
    reminded of. ``max_reply`` is in bytes; 0 is no reply.
    """

    url: str
    sender: Address
    organisation: str
    telephone: str
    wording: tuple[str, ...] = ()
    codes_for: frozenset[str] = frozenset()
    subject_for: frozenset[str] = frozenset()
    expires: timedelta = timedelta(days=28)
    reminder: timedelta = timedelta(days=3)
    receipts: bool = True
    officer: Address | None = None
    max_reply: int = 25 * 1024 * 1024

    def unlock_for(self, level: str, *, by_mail: bool = True) -> Unlock:
        """How a message of that level is opened; unknown levels are the highest."""
        if not by_mail:
            return Unlock.PASSPHRASE
        return Unlock.MAIL if level in self.codes_for else Unlock.VERIFIED_MAIL
