"""The transport `portal`: the message is sealed in our own store, and its recipients get a link to it.

Nothing leaves here: the notification is mail of ours, which the flow writes in the transaction that records the
sealing. A repeat after a crash finds the packages that are there, for more recipients or fewer: nobody is to get a
second link. A store that is down defers.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from gateway.core.address import Address
from gateway.core.outcome import Cause, Deferred, Outcome, Sealed
from gateway.core.reply import Status
from gateway.core.route import Route
from gateway.core.sealed import NewPackage, NewReader, PackageId
from gateway.core.sealing import Method, Sealing
from gateway.flow.options import PortalOptions
from gateway.flow.ports import Delivery, SealedStoreError, SpoolError
from gateway.transports.base import RouteTransport
from gateway.transports.network import Network

MOST_DAYS: Final = timedelta(days=28)
"""How long a message may lie in the portal (mission M7); an officer may extend it one by one."""


class Portal(RouteTransport):
    """One route into the portal."""

    seals = True
    stores = True
    connects = False

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Options(RouteTransport.Options):
        """``expires`` and ``downloads`` are for each message; ``unlock`` "passphrase" sends no code by any mail.

        With ``hand_off`` the text goes with the notification, and only the files wait in the portal.

        Raises:
            ValueError: a time longer than 28 days, or a number below 1.
        """

        expires: timedelta | None = None
        downloads: int | None = None
        unlock: Literal["mail", "passphrase"] = "mail"
        hand_off: bool = False

        def __post_init__(self) -> None:
            if self.expires is not None and not timedelta(0) < self.expires <= MOST_DAYS:
                raise ValueError("expires is at most 28d")
            if self.downloads is not None and self.downloads < 1:
                raise ValueError("downloads is at least 1")

    def __init__(self, route: Route, options: object, network: Network) -> None:
        if not isinstance(options, Portal.Options):
            raise TypeError("a portal is made from Portal.Options")
        self._route = route
        self._options = options
        self._network = network

    async def deliver(self, delivery: Delivery) -> Mapping[int, Outcome]:
        """Seals it once, for all of them for whom no attempt that was not recorded has done so."""
        numbers = [target.number for target in delivery.targets]
        store, portal = self._network.sealing.store, self._network.sealing.portal
        if store is None or portal is None or not isinstance(delivery.reverse_path, Address):
            return dict.fromkeys(numbers, _not_now("There is no portal, or nobody to answer for the message."))
        readers = self._readers(delivery, portal)
        try:
            packages = dict(await store.already(delivery.delivery_id, numbers))
            fresh = tuple(reader for reader in readers if reader.number not in packages)
            if fresh:
                new = self._package(delivery, portal, delivery.reverse_path, fresh)
                package = await store.seal(new, self._content(delivery))
                packages |= {reader.number: package for reader in fresh}
        except (SealedStoreError, SpoolError) as error:
            return dict.fromkeys(numbers, _not_now(f"The message could not be sealed now: {error}"))
        return {reader.number: _sealed(packages[reader.number], reader) for reader in readers}

    def _readers(self, delivery: Delivery, portal: PortalOptions) -> tuple[NewReader, ...]:
        unlock = portal.unlock_for(delivery.level, by_mail=self._options.unlock == "mail")
        return tuple(
            NewReader(number=target.number, address=target.recipient.address, unlock=unlock)
            for target in delivery.targets
        )

    def _package(
        self, delivery: Delivery, portal: PortalOptions, sender: Address, readers: tuple[NewReader, ...]
    ) -> NewPackage:
        now = self._network.sealing.clock.now()
        return NewPackage(
            # The same delivery may come for others of its recipients: more than a hundred, or some of them later.
            delivery_id=f"{delivery.delivery_id}/{'.'.join(str(reader.number) for reader in readers)}",
            queue_id=delivery.queue_id,
            sender=sender,
            level=delivery.level,
            route=self._route.name,
            sealed_at=now,
            expires_at=now + (self._options.expires or portal.expires),
            readers=readers,
            downloads=self._options.downloads,
            hand_off=self._options.hand_off,
        )

    async def _content(self, delivery: Delivery) -> AsyncIterator[bytes]:
        yield delivery.header
        async for block in self._network.bodies.open(delivery.body, delivery.body_offset):
            yield block

    def next_hop(self, domain: str) -> str:
        """One for all, so that one confirmation tells the sender of all recipients."""
        return "portal"

    async def aclose(self) -> None:
        """Nothing is kept open; the store is its owner's."""


def _sealed(package: PackageId, reader: NewReader) -> Sealed:
    detail = f"AES-256-GCM in the portal, opened by {reader.unlock}"
    return Sealed(
        sealing=Sealing(method=Method.PORTAL, detail=detail, package=package, unlock=reader.unlock),
    )


def _not_now(detail: str) -> Deferred:
    return Deferred(cause=Cause.LOCAL, status=Status(4, 3, 0), detail=detail)
