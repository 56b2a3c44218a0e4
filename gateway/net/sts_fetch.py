"""Fetches the policy file of a mail domain over HTTPS (RFC 8461 section 3.3), from a host that strangers choose.

Whoever mail goes to names the host, so its addresses are vetted and everything it sends has a limit. Left out on
purpose: redirects, proxies, cookies, HTTP caches and compression.
"""

import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeAlias

from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    TCPConnector,
)
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from gateway.core.check import Check
from gateway.core.sts import MAX_POLICY
from gateway.core.tlsrpt import Result
from gateway.net.answers import IpAddress, Unresolvable
from gateway.net.destination import IpNetwork, is_public
from gateway.net.dns import Resolver
from gateway.net.tls import Authorities, TlsContexts, failure_of

TIMEOUT: Final = timedelta(seconds=60)
"""For all of one fetch, with its lookup (RFC 8461 section 3.3 suggests a minute)."""

MAX_FETCHES: Final = 100
"""Connections of one worker at the same time; what would be more waits, within its own `TIMEOUT`."""

_HTTPS: Final = 443
# Chain and name are verified in the handshake; aiohttp says there which name it is.
_BY_NAME: Final = Check(sni="mta-sts", names=("mta-sts",))
_BLOCK: Final = 8192
_HEADERS: Final = {"Accept": "text/plain", "Accept-Encoding": "identity", "User-Agent": "sealpost"}


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
        port: int = _HTTPS,
        timeout: timedelta = TIMEOUT,
    ) -> None:
        self._addresses = _VettedAddresses(resolver, tuple(allow_networks))
        self._context = TlsContexts(ca).context(_BY_NAME, None)
        self._port = port
        self._timeout = timeout
        self._session: ClientSession | None = None

    async def __call__(self, domain: str) -> bytes | NotFetched:
        """Asks once; every failure is a value."""
        host = f"mta-sts.{domain}"
        try:
            url = URL.build(scheme="https", host=host, port=self._port, path="/.well-known/mta-sts.txt")
            async with self._opened().get(url, allow_redirects=False) as response:
                return await _read(host, response)
        except (ClientError, OSError, TimeoutError, ValueError) as error:
            return _failure(host, error)

    async def aclose(self) -> None:
        """Ends what is going on."""
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> ClientSession:
        if self._session is None:
            connector = TCPConnector(
                resolver=self._addresses,
                # Our resolver keeps its answers; a second cache would outlive their vetting.
                use_dns_cache=False,
                ssl=self._context,
                force_close=True,
                limit=MAX_FETCHES,
            )
            self._session = ClientSession(
                connector=connector,
                cookie_jar=DummyCookieJar(),
                headers=_HEADERS,
                timeout=ClientTimeout(total=self._timeout.total_seconds()),
                trust_env=False,
                # A few bytes could become gigabytes.
                auto_decompress=False,
            )
        return self._session


class _VettedAddresses(AbstractResolver):
    """Where aiohttp connects to: it asks for every connection, so no other address is ever used."""

    def __init__(self, resolver: Resolver, allowed: tuple[IpNetwork, ...]) -> None:
        self._resolver = resolver
        self._allowed = allowed

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Raises OSError with a clause that says why there is no address."""
        answer = await self._resolver.addresses(host)
        if isinstance(answer, Unresolvable):
            raise OSError(answer.reason)
        usable = [address for address in answer.in_order() if self._may_be_used(address)]
        if not usable:
            raise OSError(f"{host} has no public address")
        return [_resolved(host, address, port) for address in usable]

    async def close(self) -> None:
        """The lookups belong to somebody else."""

    def _may_be_used(self, address: IpAddress) -> bool:
        return is_public(address) or any(address in network for network in self._allowed)


def _resolved(host: str, address: IpAddress, port: int) -> ResolveResult:
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    return ResolveResult(
        hostname=host, host=str(address), port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST
    )


async def _read(host: str, response: ClientResponse) -> bytes | NotFetched:
    if response.status != 200:
        return NotFetched(Result.STS_FETCH, f"{host} answered with HTTP status {response.status}")
    complaint = _complaint(response)
    if complaint is not None:
        return NotFetched(Result.STS_INVALID, f"the policy file of {host} {complaint}")
    body = bytearray()
    async for block in response.content.iter_chunked(_BLOCK):
        body += block
        if len(body) > MAX_POLICY:
            return NotFetched(Result.STS_INVALID, f"the policy file of {host} is too long")
    return bytes(body)


def _complaint(response: ClientResponse) -> str | None:
    """What is wrong with the header of an answer."""
    header = response.headers
    if header.get("Content-Type", "").partition(";")[0].strip().lower() != "text/plain":
        return "is not of type text/plain"
    if header.get("Content-Encoding", "identity").strip().lower() != "identity":
        return "is compressed, which nobody asked for"
    # RFC 9112 section 8: what only the end of the connection ends may be cut by anybody on the way, and Python does not
    # tell whether TLS was closed in order. A max_age that lost its last digits would be a policy too.
    if response.content_length is None and "chunked" not in header.get("Transfer-Encoding", "").lower():
        return "does not say where it ends"
    return None


def _failure(host: str, error: Exception) -> NotFetched:
    match error:
        case ClientConnectorCertificateError():
            detail = failure_of(error.certificate_error).detail.rstrip(".")
            return NotFetched(Result.STS_WEBPKI, f"the certificate of {host} is not valid ({detail})")
        case ClientConnectorDNSError():
            return NotFetched(Result.STS_FETCH, str(error.os_error))
        case TimeoutError():
            return NotFetched(Result.STS_FETCH, f"{host} did not send its policy file in time")
        case ClientConnectorError():
            return NotFetched(Result.STS_FETCH, f"no HTTPS connection to {host} could be made")
        case _:
            return NotFetched(Result.STS_FETCH, f"{host} did not answer as a web server does")
