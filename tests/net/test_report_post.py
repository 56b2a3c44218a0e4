"""Reports over https: to whom they go, and to whom never."""

import ssl
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_network

import pytest
from aiohttp import web

from gateway.net.destination import Destinations, MxOptions
from gateway.net.dns import DnsOptions, Resolver
from gateway.net.report_post import ReportPost
from tests.fakes import certificates
from tests.fakes.clock import SteppedClock
from tests.fakes.dns import SERVFAIL, FakeDns

HOST = "reports.example"
REPORT = b"\x1f\x8b a report"


@dataclass
class Taker:
    """A server that remembers what it got; ``status`` is what it says to it."""

    status: int = 201
    got: list[tuple[str, str, str, bytes]] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.got.append((request.method, str(request.rel_url), request.headers["Content-Type"], body))
        headers = {"Location": "/elsewhere", "Set-Cookie": "a=b"}
        return web.Response(status=self.status, headers=headers)


@asynccontextmanager
async def listening(taker: Taker, context: ssl.SSLContext) -> AsyncGenerator[int]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", taker.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def posting(dns: FakeDns, *allowed: str) -> ReportPost:
    networks = tuple(ip_network(network) for network in allowed)
    resolver = Resolver(DnsOptions(nameservers=(dns.nameserver,)), SteppedClock())
    destinations = Destinations(resolver, MxOptions(allow_networks=networks), "gw.council.example")
    return ReportPost(destinations, believing(), timedelta(seconds=10))


def believing() -> ssl.SSLContext:
    """Of a client that trusts the tests' authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    certificates.authority().configure_trust(context)
    return context


ZONE: Mapping[str, Mapping[str, Sequence[str] | str]] = {
    HOST: {"A": ["127.0.0.1"]},
    "failing.example": {"A": SERVFAIL, "AAAA": SERVFAIL},
}


@pytest.mark.parametrize(
    ("status", "taken"), [(200, True), (201, True), (204, True), (301, False), (307, False), (404, False), (500, False)]
)
async def test_only_success_counts_and_a_redirect_is_not_followed(status: int, taken: bool) -> None:
    taker = Taker(status)
    async with FakeDns(ZONE) as dns, listening(taker, certificates.good(HOST)) as port:
        post = posting(dns, "127.0.0.0/8")
        assert await post(f"https://{HOST}:{port}/v1/tls?of=x", REPORT) is taken
    assert taker.got == [("POST", "/v1/tls?of=x", "application/tlsrpt+gzip", REPORT)]


@pytest.mark.parametrize(
    "context",
    [certificates.untrusted(HOST), certificates.expired(HOST), certificates.good("other.example")],
    ids=["untrusted", "expired", "another name"],
)
async def test_nothing_is_said_to_who_cannot_prove_to_be_the_host(context: ssl.SSLContext) -> None:
    taker = Taker()
    async with FakeDns(ZONE) as dns, listening(taker, context) as port:
        assert not await posting(dns, "127.0.0.0/8")(f"https://{HOST}:{port}/", REPORT)
    assert taker.got == []


async def test_nobody_inside_is_reached_by_a_name_or_an_address() -> None:
    taker = Taker()
    async with FakeDns(ZONE) as dns, listening(taker, certificates.good(HOST, "127.0.0.1", "localhost")) as port:
        public, inside = posting(dns), posting(dns, "127.0.0.0/8")
        assert not await public(f"https://{HOST}:{port}/", REPORT)
        for host in ("127.0.0.1", "localhost", "[::1]", "2130706433", "gone.example", "failing.example"):
            assert not await inside(f"https://{host}:{port}/", REPORT)
        assert taker.got == []
        assert await inside(f"https://{HOST}:{port}/", REPORT), "it does answer"


@pytest.mark.parametrize("url", ["http://{}/", "https://{}:x/", "https://[/", "https://", "ftp://{}/"])
async def test_what_is_no_https_address_is_not_tried(url: str) -> None:
    async with FakeDns(ZONE) as dns:
        assert not await posting(dns, "127.0.0.0/8")(url.format(HOST), REPORT)


async def test_who_takes_too_long_is_left() -> None:
    async with FakeDns({HOST: {"A": "SILENT", "AAAA": "SILENT"}}) as dns:
        resolver = Resolver(DnsOptions(nameservers=(dns.nameserver,), timeout=timedelta(minutes=1)), SteppedClock())
        destinations = Destinations(resolver, MxOptions(), "gw.council.example")
        assert not await ReportPost(destinations, believing(), timedelta(milliseconds=50))(f"https://{HOST}/", REPORT)
        assert dns.questions, "it was asked, and did not answer"
