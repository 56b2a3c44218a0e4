"""Recording hosts in place of the smarthosts that the installed routes lead to, with certificates for their names.

The routes stay as they are but for the address: level, protection, name, client certificate. A login is left out, so
that no password of the installation is said to anybody.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Final

from gateway.config.settings import Settings
from gateway.core.route import Declared, Route
from gateway.core.tls import Channel, Protection
from gateway.sandbox.behaviour import Behaviour, Shown, Starttls
from gateway.sandbox.mx_host import HostSpec
from gateway.selftest.fault import REALM
from gateway.transports.smarthost import Smarthost, parse_host

NETWORK: Final = "127.0.27."
MOST: Final = 200
"""Routes to smarthosts that are tried; one more than this would have no address in that network."""


@dataclass(frozen=True, slots=True)
class Connector:
    """The recording host of one route."""

    route: Route
    options: Smarthost.Options
    spec: HostSpec

    def at(self, port: int) -> Smarthost.Options:
        """The route's options, leading here."""
        name = None if self.spec.certified == (self.spec.address,) else self.spec.certified[0]
        host = f"{self.spec.address}:{port}"
        return replace(self.options, host=host, match_name=name, username=None, password=None)

    @property
    def in_clear(self) -> Protection:
        """The most that a message may demand which arrives here in the clear."""
        inside = self.route.declared is Declared.INTERNAL and self.route.demands is Channel.PLAIN
        return Protection.SEALED if inside else Protection.NONE

    @property
    def in_tls(self) -> Protection:
        """The most that a message may demand which arrives here inside TLS."""
        good = self.spec.behaviour.shown is Shown.GOOD
        match self.route.declared:
            case Declared.INTERNAL:
                return Protection.SEALED if good or self.route.demands < Channel.PKIX else Protection.NONE
            case Declared.SEALED:
                return Protection.SEALED if good else Protection.NONE
            case Declared.CONNECTION | Declared.SEALING:
                return Protection.VERIFIED if good else Protection.ENCRYPTED


def connectors(settings: Settings, behaviour: Behaviour) -> tuple[Connector, ...]:
    """One for each route to a smarthost. Internal ones that ask for no proof stay good: nothing there could be told."""
    found = list(_smarthosts(settings))[:MOST]
    return tuple(
        _connector(route, options, f"{NETWORK}{number}", behaviour)
        for number, (route, options) in enumerate(found, start=1)
    )


def _smarthosts(settings: Settings) -> Iterator[tuple[Route, Smarthost.Options]]:
    for name, route in settings.routes.items():
        options = settings.transport_options[name]
        if isinstance(options, Smarthost.Options):
            yield route, options


def _connector(route: Route, options: Smarthost.Options, address: str, behaviour: Behaviour) -> Connector:
    wanted = options.match_name or parse_host(options.host)[0]
    spec = HostSpec(
        name=f"{route.name.lower()}.route.{REALM}",
        address=address,
        # A certificate cannot be for the address of the installed host: this one has another.
        certified=(address if _is_address(wanted) else wanted,),
        behaviour=behaviour,
    )
    return Connector(route, options, spec)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def rerouted(settings: Settings, found: tuple[Connector, ...], port: int) -> Mapping[str, object]:
    """The options of all routes, with those to smarthosts leading to the recording hosts."""
    return {**settings.transport_options, **{one.route.name: one.at(port) for one in found}}


GOOD: Final = Behaviour()
IMPOSTOR: Final = Behaviour(shown=Shown.SELF_SIGNED)
STRIPPED: Final = Behaviour(starttls=Starttls.NONE)
