"""Hands reports on TLS to ``https`` addresses (RFC 8460 section 5.4), to public hosts with a certificate we believe.

Whoever publishes such an address chooses where we connect to, so each host is looked up and vetted like one for mail,
and the connection goes to what was vetted. Left out on purpose: redirects, proxies, cookies, and the answer's body.
"""

import asyncio
import ssl
from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from aiohttp import ClientError, ClientSession, DummyCookieJar, TCPConnector

from gateway.core.tls_report import MEDIA_TYPE
from gateway.net.answers import IpAddress, Unresolvable
from gateway.net.destination import Destinations, Unusable
from gateway.net.vetted import Vetted

TIMEOUT: Final = timedelta(seconds=60)
"""For all of it; a report has a few kilobytes."""


class ReportPost:
    """``destinations`` vets hosts; ``context`` checks chain and name."""

    def __init__(self, destinations: Destinations, context: ssl.SSLContext, timeout: timedelta = TIMEOUT) -> None:
        self._destinations = destinations
        self._context = context
        self._timeout = timeout

    async def __call__(self, url: str, report: bytes) -> bool:
        """Whether the other side says that it took the report; never raises for its faults."""
        try:
            async with asyncio.timeout(self._timeout.total_seconds()):
                return await self._post(url, report)
        except (ClientError, OSError, ValueError):  # a TimeoutError is an OSError
            return False

    async def _post(self, url: str, report: bytes) -> bool:
        parts = urlsplit(url)
        vetted = await self._destinations.addresses(parts.hostname or "")
        if parts.scheme.lower() != "https" or isinstance(vetted, Unusable | Unresolvable):
            return False

        async def found(_: str) -> Sequence[IpAddress]:
            return vetted

        connector = TCPConnector(resolver=Vetted(found), ssl=self._context, use_dns_cache=False)
        session = ClientSession(connector=connector, cookie_jar=DummyCookieJar())
        async with session:
            headers = {"Content-Type": MEDIA_TYPE, "User-Agent": "sealpost"}
            async with session.post(url, data=report, headers=headers, allow_redirects=False) as response:
                return 200 <= response.status < 300
