"""Fetches the policy file of a mail domain over HTTPS (RFC 8461 section 3.3), from a host that strangers choose.

Whoever mail goes to names the host, so its addresses are vetted and everything it sends has a limit. Left out on
purpose: redirects, proxies, cookies, HTTP caches and compression.
"""

import asyncio
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
from yarl import URL

from gateway.core.check import Check
from gateway.core.sts import MAX_POLICY
from gateway.core.tlsrpt import Result
from gateway.net.answers import IpAddress, Unresolvable
from gateway.net.destination import IpNetwork, is_public
from gateway.net.dns import Resolver
from gateway.net.tls import Authorities, TlsContexts, failure_of
from gateway.net.vetted import Vetted

TIMEOUT: Final = timedelta(seconds=60)
"""For all of one fetch (RFC 8461 section 3.3 suggests a minute)."""

BEGINS: Final = timedelta(seconds=10)
"""For a host to be found, to prove its name and to begin its answer, because mail waits for it."""

MAX_FETCHES: Final = 100
"""Fetches of one worker at the same time; what would be more waits, within its own `TIMEOUT`."""

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
        begins: timedelta = BEGINS,
    ) -> None:
        self._resolver = resolver
        self._allowed = tuple(allow_networks)
        self._context = TlsContexts(ca).context(_BY_NAME, None)
        self._port = port
        self._timeout = timeout.total_seconds()
        self._begins = begins.total_seconds()
        self._slots = asyncio.Semaphore(MAX_FETCHES)
        self._session: ClientSession | None = None

    async def __call__(self, domain: str) -> bytes | NotFetched:
        """Asks once; every failure is a value."""
        host = f"mta-sts.{domain}"
        try:
            url = URL.build(scheme="https", host=host, port=self._port, path="/.well-known/mta-sts.txt")
            async with asyncio.timeout(self._timeout), self._slots:
                return await self._get(host, url)
        except (ClientError, OSError, TimeoutError, ValueError) as error:
            return _failure(host, error)

    async def aclose(self) -> None:
        """Ends what is going on."""
        if self._session is not None:
            await self._session.close()

    async def _get(self, host: str, url: URL) -> bytes | NotFetched:
        async with asyncio.timeout(self._begins):
            response = await self._opened().get(url, allow_redirects=False)
        async with response:
            return await _read(host, response)

    async def _vet(self, host: str) -> Sequence[IpAddress]:
        """Raises OSError with a clause that says why there is no address."""
        answer = await self._resolver.addresses(host)
        if isinstance(answer, Unresolvable):
            raise OSError(answer.reason)
        usable = [address for address in answer.in_order() if self._may_be_used(address)]
        if not usable:
            raise OSError(f"{host} has no public address")
        return usable

    def _may_be_used(self, address: IpAddress) -> bool:
        return is_public(address) or any(address in network for network in self._allowed)

    def _opened(self) -> ClientSession:
        if self._session is None:
            connector = TCPConnector(
                resolver=Vetted(self._vet),
                # Our resolver keeps its answers; a second cache would outlive their vetting.
                use_dns_cache=False,
                ssl=self._context,
                force_close=True,
                limit=0,
            )
            self._session = ClientSession(
                connector=connector,
                cookie_jar=DummyCookieJar(),
                headers=_HEADERS,
                timeout=ClientTimeout(),
                trust_env=False,
                # A few bytes could become gigabytes.
                auto_decompress=False,
            )
        return self._session


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
