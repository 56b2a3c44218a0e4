"""A store of sealed messages that keeps what it was given to seal, and can be down."""

from collections.abc import AsyncIterator, Collection, Mapping
from datetime import datetime

from gateway.core.sealed import NewPackage, PackageId
from gateway.flow.ports import SealedStoreError


class KeptPackages:
    """Only what transports use of `flow.ports.SealedStore`."""

    def __init__(self) -> None:
        self.sealed: dict[PackageId, tuple[NewPackage, bytes]] = {}
        self.names: dict[str, datetime] = {}
        self.down = False

    async def seal(self, new: NewPackage, content: AsyncIterator[bytes]) -> PackageId:
        self._look()
        package = PackageId(f"p-{new.delivery_id}")
        if package not in self.sealed:
            self.sealed[package] = new, b"".join([block async for block in content])
        return package

    async def already(self, delivery_id: str, numbers: Collection[int]) -> Mapping[int, PackageId]:
        self._look()
        return {
            reader.number: package
            for package, (new, _) in self.sealed.items()
            for reader in new.readers
            if new.delivery_id.startswith(f"{delivery_id}/") and reader.number in numbers
        }

    async def password(self, name: str, until: datetime) -> str:
        self._look()
        self.names[name] = until
        return f"words-for-{name}"

    def _look(self) -> None:
        if self.down:
            raise SealedStoreError("the disk is gone")
