"""Where aiohttp connects to: it asks here for every connection, so no address is used that was not vetted.

Left out on purpose: which addresses may be used, and literals, for which aiohttp asks nobody.
"""

import socket
from collections.abc import Awaitable, Callable, Sequence

from aiohttp.abc import AbstractResolver, ResolveResult

from gateway.net.answers import IpAddress


class Vetted(AbstractResolver):
    """``vet`` gives the addresses of a host that may be used; its OSError says in a clause why there is none."""

    def __init__(self, vet: Callable[[str], Awaitable[Sequence[IpAddress]]]) -> None:
        self._vet = vet

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """All of them, whatever ``family`` is. Raises OSError."""
        return [_resolved(host, address, port) for address in await self._vet(host)]

    async def close(self) -> None:
        """The lookups belong to somebody else."""


def _resolved(host: str, address: IpAddress, port: int) -> ResolveResult:
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    return ResolveResult(
        hostname=host, host=str(address), port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST
    )
