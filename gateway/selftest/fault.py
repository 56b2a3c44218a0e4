"""The faults: mail hosts that cannot be trusted, each with what a message may have demanded that arrives there.

What a host may be given follows from what was done to it, never from what the gateway says of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from gateway.core.pin import Pins
from gateway.core.tls import Channel, Protection
from gateway.sandbox.behaviour import Act, Behaviour, Fault, Shown, Stage, Starttls, Versions
from gateway.sandbox.zone import Trouble

_BELOW: Final = "selftest"
REALM: Final = "selftest.invalid"
"""Every domain of this world lies here (RFC 2606: nobody has it)."""


class TlsaIs(Enum):
    """What the host's TLSA records are (RFC 6698). All but NONE are in a signed zone, as the name server says."""

    NONE = auto()
    MATCHING = auto()
    OTHER = auto()
    SERVFAIL = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class StsIs:
    """The domain's MTA-STS (RFC 8461). ``kept`` is the policy that the gateway saw before; empty for none.

    ``served`` is the file that is there since, ``announced`` whether the name server still answers for the record.
    """

    kept: str = ""
    served: str = ""
    announced: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Trap:
    """One domain with one mail host. ``done`` says what was done to it.

    ``inside`` is the most that a message may demand which arrives inside TLS; in the clear it is nothing. A ``control``
    is a host that nothing was done to, and that mail has to reach. ``of`` is a domain of somebody else's realm.
    """

    key: str
    done: str
    inside: Protection
    behaviour: Behaviour = field(default_factory=Behaviour)
    tlsa: TlsaIs = TlsaIs.NONE
    sts: StsIs | None = None
    lookup: Trouble | None = None
    control: bool = False
    of: str = ""

    @property
    def domain(self) -> str:
        """Whom the messages are for."""
        return self.of or f"{self.key}.{REALM}"

    @property
    def host(self) -> str:
        """The name of its mail host."""
        return f"mx.{self.domain}"

    @property
    def needs_dane(self) -> bool:
        """Whether it shows anything only where DANE is on."""
        return self.tlsa is not TlsaIs.NONE


def policy_file(host: str) -> str:
    """An enforced policy that names one mail host."""
    return f"version: STSv1\r\nmode: enforce\r\nmx: {host}\r\nmax_age: 86400\r\n"


_ELSEWHERE: Final = policy_file("mx.elsewhere.invalid")
_BROKEN: Final = "version: STSv1\r\nmode: enfor"


def _no_tls(key: str, done: str, behaviour: Behaviour) -> Trap:
    return Trap(key=key, done=done, inside=Protection.NONE, behaviour=behaviour)


def _certificate(key: str, done: str, shown: Shown) -> Trap:
    return Trap(key=key, done=done, inside=Protection.ENCRYPTED, behaviour=Behaviour(shown=shown))


_SELF_SIGNED: Final = Behaviour(shown=Shown.SELF_SIGNED)

CONTROLS: Final = (
    Trap(key="good", done="nothing: a host in good order", inside=Protection.VERIFIED, control=True),
    Trap(
        key="good-sts",
        done="nothing: an enforced MTA-STS policy names the host",
        inside=Protection.VERIFIED,
        sts=StsIs(served=policy_file(f"mx.good-sts.{REALM}")),
        control=True,
    ),
    Trap(
        key="good-dane",
        done="nothing: a TLSA record proves the host's own certificate",
        inside=Protection.VERIFIED,
        behaviour=_SELF_SIGNED,
        tlsa=TlsaIs.MATCHING,
        control=True,
    ),
)
"""Hosts that mail has to reach: otherwise nothing is proven by what does not arrive elsewhere."""

NO_TLS: Final = _no_tls("no-starttls", "offers no STARTTLS", Behaviour(starttls=Starttls.NONE))
SELF_SIGNED: Final = _certificate("self-signed", "certificate signed by itself", Shown.SELF_SIGNED)

TRAPS: Final = (
    Trap(
        key="mx-servfail",
        done="SERVFAIL on its MX records",
        inside=Protection.NONE,
        behaviour=Behaviour(starttls=Starttls.NONE),
        lookup=Trouble.SERVFAIL,
    ),
    NO_TLS,
    _no_tls("stripped", "STARTTLS overwritten on the way", Behaviour(starttls=Starttls.MANGLED)),
    _no_tls("refused", "STARTTLS offered and refused", Behaviour(starttls=Starttls.REFUSED)),
    _no_tls(
        "broken-tls",
        "220 to STARTTLS, and no TLS behind it",
        Behaviour(starttls=Starttls.BROKEN),
    ),
    _no_tls("cut", "cut off at STARTTLS", Behaviour(faults=(Fault(stage=Stage.STARTTLS, answer=Act.CLOSE),))),
    _no_tls("injected", "bytes injected behind the 220", Behaviour(starttls=Starttls.INJECTED)),
    _no_tls("tls10", "speaks TLS 1.0 only", Behaviour(versions=Versions.TLS10_ONLY)),
    SELF_SIGNED,
    _certificate("expired", "certificate expired", Shown.EXPIRED),
    _certificate("wrong-name", "certificate of another host", Shown.WRONG_HOST),
    _certificate("untrusted", "certificate of an unknown authority", Shown.UNTRUSTED),
    Trap(
        key="tlsa-servfail",
        done="SERVFAIL on its TLSA records",
        inside=Protection.NONE,
        behaviour=_SELF_SIGNED,
        tlsa=TlsaIs.SERVFAIL,
    ),
    Trap(key="tlsa-other", done="TLSA record of another key", inside=Protection.NONE, tlsa=TlsaIs.OTHER),
    Trap(
        key="sts-silence",
        done="no answer for its MTA-STS record",
        inside=Protection.ENCRYPTED,
        behaviour=_SELF_SIGNED,
        sts=StsIs(announced=False),
    ),
    Trap(
        key="sts-broken",
        done="broken MTA-STS file",
        inside=Protection.ENCRYPTED,
        behaviour=_SELF_SIGNED,
        sts=StsIs(served=_BROKEN),
    ),
    Trap(
        key="sts-excluded",
        done="MTA-STS policy that excludes the host",
        inside=Protection.NONE,
        sts=StsIs(served=_ELSEWHERE),
    ),
    Trap(
        key="sts-certificate",
        done="MTA-STS policy, certificate signed by itself",
        inside=Protection.NONE,
        behaviour=_SELF_SIGNED,
        sts=StsIs(served=policy_file(f"mx.sts-certificate.{REALM}")),
    ),
    Trap(
        key="sts-kept-silence",
        done="kept MTA-STS policy, no answer since",
        inside=Protection.NONE,
        sts=StsIs(kept=_ELSEWHERE, announced=False),
    ),
    Trap(
        key="sts-kept-broken",
        done="kept MTA-STS policy, broken file since",
        inside=Protection.NONE,
        sts=StsIs(kept=_ELSEWHERE, served=_BROKEN),
    ),
)

_MOST_PARTNERS: Final = 40


def impostors(pins: Pins) -> Iterator[Trap]:
    """For each pinned partner a host in its place that nobody vouches for. A pin adds to what every message demands."""
    for number, pin in enumerate(pins.all[:_MOST_PARTNERS], start=1):
        checked = pin.requirement.channel > Channel.ENCRYPTED
        yield Trap(
            key=f"partner-{number}",
            done=f"an impostor of {pin.name}",
            inside=Protection.NONE if checked else Protection.ENCRYPTED,
            behaviour=_SELF_SIGNED,
            of=pin.domains[0].replace("*.", f"{_BELOW}."),
        )
