"""Fetches the policy file of a mail domain over HTTPS (RFC 8461 section 3.3), from a host that strangers choose.

Left out on purpose: how such a host is asked safely, which is `net.https_get`'s, and what the policy says.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeAlias

from gateway.core.sts import MAX_POLICY
from gateway.core.tlsrpt import Result
from gateway.net.destination import IpNetwork
from gateway.net.dns import Resolver
from gateway.net.https_get import BEGINS, HTTPS, TIMEOUT, HttpsGet, NotGot, Wanted, Why
from gateway.net.tls import Authorities

_POLICY: Final = Wanted(name="policy file", type="text/plain", most=MAX_POLICY)
_PATH: Final = "/.well-known/mta-sts.txt"
_RESULTS: Final = {
    Why.UNREACHED: Result.STS_FETCH,
    Why.CERTIFICATE: Result.STS_WEBPKI,
    Why.STATUS: Result.STS_FETCH,
    Why.UNFIT: Result.STS_INVALID,
}


@dataclass(frozen=True, slots=True)
class NotFetched:
    """There is no file; ``result`` is what TLSRPT calls it, ``reason`` a clause that repeats nothing of an answer."""

    result: Result
    reason: str


Fetch: TypeAlias = Callable[[str], Awaitable[bytes | NotFetched]]
"""The policy file of a domain given as A-labels, at most `MAX_POLICY` bytes; never raises."""


class HttpsFetch:
    """A `Fetch` from port 443 of ``mta-sts.`` and the domain, at public addresses or those in ``allow_networks``.

    Raises:
        ValueError: the authorities cannot be loaded.
    """

    def __init__(
        self,
        resolver: Resolver,
        ca: Authorities,
        allow_networks: Sequence[IpNetwork] = (),
        port: int = HTTPS,
        timeout: timedelta = TIMEOUT,
        begins: timedelta = BEGINS,
    ) -> None:
        self._https = HttpsGet(_POLICY, resolver, ca, allow_networks, port, timeout, begins)

    async def __call__(self, domain: str) -> bytes | NotFetched:
        """Asks once; every failure is a value."""
        got = await self._https.get(f"mta-sts.{domain}", _PATH)
        return NotFetched(_RESULTS[got.why], got.reason) if isinstance(got, NotGot) else got

    async def aclose(self) -> None:
        """Ends what is going on."""
        await self._https.aclose()
