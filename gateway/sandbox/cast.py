"""Who lives in the sandbox's world: the hosts of `make run`, one per way that a real MX host can be.

`World` takes any other cast; end-to-end tests bring their own.
"""

from dataclasses import replace
from typing import Final

from gateway.sandbox.behaviour import Behaviour, Demand, Fault, Shown, Stage, Starttls, Versions
from gateway.sandbox.mx_host import HostSpec
from gateway.sandbox.zone import Trouble, Zone

NETWORK: Final = "127.0.25."
INTERNAL: Final = f"{NETWORK}1"
"""The organisation's own mail host, reached by its address as a smarthost."""

CJSM_RELAY: Final = "relay.cjsm.example"
CONNECTOR: Final = "connector.encrypted.example"
GATEWAY: Final = "gateway.council.example"

WORTH_TRYING: Final = (
    ("tls.example", "good certificate"),
    ("plain.example", "no STARTTLS"),
    ("selfsigned.example", "certificate signed by itself"),
    ("expired.example", "certificate expired"),
    ("wronghost.example", "certificate of another host"),
    ("tls10.example", "speaks TLS 1.0 only"),
    ("flaky.example", "451 twice, then takes it"),
    ("refuses.example", "550 to every recipient"),
    ("nullmx.example", "takes no mail at all"),
    ("down.example", "nothing listens"),
    ("servfail.example", "its DNS is broken"),
    ("cjsm.net", "by the CJSM relay"),
    ("council.example", "inside the organisation"),
)
"""The domains to write to, each with what is special about it."""

_FLAKY: Final = Fault(stage=Stage.DOT, answer="451 4.3.0 try again, twice", times=2)
_REFUSES: Final = Fault(stage=Stage.RCPT, answer="550 5.1.1 no such person here")


def default_cast() -> tuple[HostSpec, ...]:
    """The hosts that listen."""
    return (
        HostSpec(name="mail.council.example", address=INTERNAL, domains=("council.example",)),
        HostSpec(name=CJSM_RELAY, address=f"{NETWORK}2", behaviour=Behaviour(demand=Demand.CLIENT_CERTIFICATE)),
        HostSpec(name=CONNECTOR, address=f"{NETWORK}3", behaviour=Behaviour(demand=Demand.TLS)),
        _mx("tls.example", 10, Behaviour()),
        _mx("plain.example", 11, Behaviour(starttls=Starttls.NONE)),
        _mx("selfsigned.example", 12, Behaviour(shown=Shown.SELF_SIGNED)),
        _mx("expired.example", 13, Behaviour(shown=Shown.EXPIRED)),
        _mx("wronghost.example", 14, Behaviour(shown=Shown.WRONG_HOST)),
        _mx("tls10.example", 15, Behaviour(versions=Versions.TLS10_ONLY)),
        _mx("flaky.example", 16, Behaviour(faults=(_FLAKY,))),
        _mx("refuses.example", 17, Behaviour(faults=(_REFUSES,))),
    )


def default_extras() -> Zone:
    """The names without a host: null MX (RFC 7505), an MX host that nothing listens on, and a broken zone."""
    return Zone(
        records={
            "nullmx.example": ("MX 0 .",),
            "down.example": ("MX 10 mx.down.example.",),
            "mx.down.example": (f"A {NETWORK}99",),
            GATEWAY: ("A 127.0.0.1",),
        },
        troubles={"servfail.example": Trouble.SERVFAIL},
    )


def _mx(domain: str, number: int, behaviour: Behaviour) -> HostSpec:
    return HostSpec(name=f"mx.{domain}", address=f"{NETWORK}{number}", domains=(domain,), behaviour=behaviour)


def zone_for(cast: tuple[HostSpec, ...], extras: Zone) -> Zone:
    """The zone in which every host has its address, and every domain its MX records in the order of the cast."""
    records = {name: list(lines) for name, lines in extras.records.items()}
    for position, spec in enumerate(cast, start=1):
        records.setdefault(spec.name, []).append(f"A {spec.address}")
        for domain in spec.domains:
            records.setdefault(domain, []).append(f"MX {position * 10} {spec.name}.")
    return replace(extras, records={name: tuple(lines) for name, lines in records.items()})
