"""Fetches one small file over HTTPS from a host that strangers choose: a mail domain's policy, or somebody's key.

Whoever mail goes to names the host, so its addresses are vetted and everything it sends has a limit. Left out on
purpose: redirects, proxies, cookies, HTTP caches, compression, and what the file says.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from types import MappingProxyType
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

HTTPS: Final = 443
# Chain and name are verified in the handshake; aiohttp says there which name it is.
_BY_NAME: Final = Check(sni="host", names=("host",))
_BLOCK: Final = 8192
_OK: Final = 200


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is fetched: its ``name`` in a sentence, its media ``type`` (None is any), and at most so many bytes."""

    name: str
    type: str | None
    most: int


class Why(Enum):
    """What kept a file from being fetched."""

    UNREACHED = auto()
    CERTIFICATE = auto()
    STATUS = auto()
    UNFIT = auto()


@dataclass(frozen=True, slots=True)
class NotGot:
    """There is no file; ``reason`` is a clause that repeats nothing of an answer, ``status`` HTTP's where it counts."""

    why: Why
    reason: str
    status: int = _OK


Got: TypeAlias = bytes | NotGot


class HttpsGet:
    """Asks port 443 of hosts, at public addresses or those in ``allow_networks``.

    Raises:
        ValueError: the authorities cannot be loaded.
    """

    def __init__(
        self,
        wanted: Wanted,
        resolver: Resolver,
        ca: Authorities,
        allow_networks: Sequence[IpNetwork] = (),
        port: int = HTTPS,
        timeout: timedelta = TIMEOUT,
        begins: timedelta = BEGINS,
    ) -> None:
        self._wanted = wanted
        self._resolver = resolver
        self._allowed = tuple(allow_networks)
        self._context = TlsContexts(ca).context(_BY_NAME, None)
        self._port = port
        self._timeout = timeout.total_seconds()
        self._begins = begins.total_seconds()
        self._slots = asyncio.Semaphore(MAX_FETCHES)
        self._session: ClientSession | None = None

    async def get(self, host: str, path: str, query: Mapping[str, str] = MappingProxyType({})) -> Got:
        """Asks once; every failure is a value. ``host`` is given as A-labels, ``query`` is not encoded yet."""
        try:
            url = URL.build(scheme="https", host=host, port=self._port, path=path, query=query)
            async with asyncio.timeout(self._timeout), self._slots:
                return await self._get(host, url)
        except (ClientError, OSError, TimeoutError, ValueError) as error:
            return _failure(host, error, self._wanted.name)

    async def aclose(self) -> None:
        """Ends what is going on."""
        if self._session is not None:
            await self._session.close()

    async def _get(self, host: str, url: URL) -> Got:
        async with asyncio.timeout(self._begins):
            response = await self._opened().get(url, allow_redirects=False)
        async with response:
            return await _read(host, response, self._wanted)

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
                headers={
                    "Accept": self._wanted.type or "*/*",
                    "Accept-Encoding": "identity",
                    "User-Agent": "sealpost",
                },
                timeout=ClientTimeout(),
                trust_env=False,
                # A few bytes could become gigabytes.
                auto_decompress=False,
            )
        return self._session


async def _read(host: str, response: ClientResponse, wanted: Wanted) -> Got:
    if response.status != _OK:
        return NotGot(Why.STATUS, f"{host} answered with HTTP status {response.status}", response.status)
    complaint = _complaint(response, wanted)
    if complaint is not None:
        return NotGot(Why.UNFIT, f"the {wanted.name} of {host} {complaint}")
    body = bytearray()
    async for block in response.content.iter_chunked(_BLOCK):
        body += block
        if len(body) > wanted.most:
            return NotGot(Why.UNFIT, f"the {wanted.name} of {host} is too long")
    return bytes(body)


def _complaint(response: ClientResponse, wanted: Wanted) -> str | None:
    """What is wrong with the header of an answer."""
    header = response.headers
    if wanted.type not in (None, header.get("Content-Type", "").partition(";")[0].strip().lower()):
        return f"is not of type {wanted.type}"
    if header.get("Content-Encoding", "identity").strip().lower() != "identity":
        return "is compressed, which nobody asked for"
    # RFC 9112 section 8: what only the end of the connection ends may be cut by anybody on the way, and Python does not
    # tell whether TLS was closed in order. A max_age that lost its last digits would be a policy too.
    if response.content_length is None and "chunked" not in header.get("Transfer-Encoding", "").lower():
        return "does not say where it ends"
    return None


def _failure(host: str, error: Exception, name: str) -> NotGot:
    match error:
        case ClientConnectorCertificateError():
            detail = failure_of(error.certificate_error).detail.rstrip(".")
            return NotGot(Why.CERTIFICATE, f"the certificate of {host} is not valid ({detail})")
        case ClientConnectorDNSError():
            return NotGot(Why.UNREACHED, str(error.os_error))
        case TimeoutError():
            return NotGot(Why.UNREACHED, f"{host} did not send its {name} in time")
        case ClientConnectorError():
            return NotGot(Why.UNREACHED, f"no HTTPS connection to {host} could be made")
        case _:
            return NotGot(Why.UNREACHED, f"{host} did not answer as a web server does")
