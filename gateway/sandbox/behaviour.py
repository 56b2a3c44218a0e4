"""How an MX host of the sandbox behaves: what it offers, which certificate it shows, and where it misbehaves.

A behaviour is plain data, so that a test can say in one expression what it sends to.
"""

from collections import OrderedDict
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final


class Starttls(Enum):
    """What the host makes of STARTTLS (RFC 3207)."""

    NONE = auto()
    OFFERED = auto()
    REFUSED = auto()  # Offered, then answered 454.
    MANGLED = auto()  # Overwritten in the offer, as some firewalls do.
    BROKEN = auto()  # Offered and answered 220, with no TLS behind it.
    INJECTED = auto()  # The 220 has another reply behind it, which somebody on the way put there.


class Shown(Enum):
    """Which certificate the host shows."""

    GOOD = auto()
    SELF_SIGNED = auto()
    EXPIRED = auto()
    WRONG_HOST = auto()
    UNTRUSTED = auto()  # Of an authority that nobody knows.


class Versions(Enum):
    """Which TLS versions the host speaks."""

    MODERN = auto()
    TLS10_ONLY = auto()


class Demand(Enum):
    """What the host asks for before it takes mail."""

    NOTHING = auto()
    TLS = auto()
    CLIENT_CERTIFICATE = auto()


class Stage(Enum):
    """The places of a dialogue where a fault can stand. CONTENT is amid the data, DOT the reply to the final dot."""

    GREETING = auto()
    EHLO = auto()
    STARTTLS = auto()
    MAIL = auto()
    RCPT = auto()
    DATA = auto()
    CONTENT = auto()
    DOT = auto()


class Act(Enum):
    """What a host does instead of answering. ACCEPT_AND_CLOSE keeps the message at DOT and never says so."""

    CLOSE = auto()
    SILENCE = auto()
    ACCEPT_AND_CLOSE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One misbehaviour: at ``stage`` the host says ``answer`` (a whole reply line) or does it.

    ``times`` counts per message at DOT, per recipient at RCPT, per host elsewhere; None is for ever.
    ``recipient`` narrows a fault at RCPT to that address. A 421 closes the connection (RFC 5321 section 3.8).
    """

    stage: Stage
    answer: str | Act
    times: int | None = None
    recipient: str | None = None


EXTENSIONS: Final = ("PIPELINING", "SIZE 157286400", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES")


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """A whole host. ``extensions`` are the lines of its EHLO reply besides STARTTLS."""

    starttls: Starttls = Starttls.OFFERED
    shown: Shown = Shown.GOOD
    versions: Versions = Versions.MODERN
    demand: Demand = Demand.NOTHING
    faults: tuple[Fault, ...] = ()
    extensions: tuple[str, ...] = EXTENSIONS


class Script:
    """Remembers how often each fault has happened, so that one with ``times`` ends."""

    REMEMBERED: Final = 1000
    """So many counts are kept; the oldest is forgotten first, and its fault then begins anew."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        self._faults = faults
        self._counts: OrderedDict[tuple[Fault, str], int] = OrderedDict()

    def next(self, stage: Stage, *, key: str = "", recipient: str | None = None) -> str | Act | None:
        """What to say or do here, None for the ordinary thing; ``key`` names what repetitions are counted by."""
        for fault in self._faults:
            if fault.stage is stage and fault.recipient in (None, recipient) and self._still(fault, key):
                return fault.answer
        return None

    def _still(self, fault: Fault, key: str) -> bool:
        if fault.times is None:
            return True
        happened = self._counts.pop((fault, key), 0)
        self._counts[fault, key] = min(happened + 1, fault.times)
        if len(self._counts) > self.REMEMBERED:
            self._counts.popitem(last=False)
        return happened < fault.times
