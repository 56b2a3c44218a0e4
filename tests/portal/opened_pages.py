"""The portal's pages over one opened message in memory."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import cast

from gateway.core.address import parse_address
from gateway.core.report import Identity
from gateway.flow.options import PortalOptions
from gateway.flow.ports import SealedStore
from gateway.portal.application import application
from gateway.portal.context import Context, InForce
from gateway.portal.home import name_of, path_of
from gateway.portal.options import PageOptions
from tests.fakes.clock import SteppedClock
from tests.portal.caller import HOST, Caller
from tests.portal.sealed_mail import COOKIE, NOW, Sealed


class Numbers:
    """Ids that can be told apart."""

    def __init__(self) -> None:
        self._last = 0

    def new(self) -> str:
        self._last += 1
        return f"id-{self._last:019}"


PAGE = PageOptions(
    host="127.0.0.1",
    port=443,
    url=f"https://{HOST}",
    certificate=None,
    private_key=None,
    proxies=(),
    logo=None,
    scanner=None,
    languages=None,
)
PORTAL = PortalOptions(
    url=f"https://{HOST}",
    sender=parse_address("secure@council.example"),
    organisation="Example Council",
    telephone="01632 960000",
)


@dataclass
class World:
    """``page`` and ``portal`` may be changed between requests."""

    store: Sealed
    clock: SteppedClock = field(default_factory=lambda: SteppedClock(NOW))
    page: PageOptions = PAGE
    portal: PortalOptions = PORTAL
    events: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.caller = Caller(
            application(
                Context(
                    in_force=self.in_force,
                    store=cast(SealedStore, self.store),
                    clock=self.clock,
                    ids=Numbers(),
                    events=lambda name, facts: self.events.append((name, facts)),
                )
            ),
            COOKIE,
            path_of(name_of(self.store.reader)),
        )

    def in_force(self) -> InForce:
        identity = Identity(
            hostname="gateway.council.example",
            contact="helpdesk@council.example",
            postmaster=parse_address("postmaster@council.example"),
        )
        return InForce(page=self.page, portal=self.portal, identity=identity, key=b"k" * 32)

    def limit_downloads(self, most: int) -> None:
        self.store.reader = replace(self.store.reader, downloads=most)
        self.store.sessions[COOKIE] = (self.store.reader, self.store.who)

    def end_session(self) -> None:
        self.store.sessions.clear()
