"""Fetching a policy file from a host that strangers choose: each trap on its own, against a real HTTPS server."""

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from ipaddress import IPv4Network, ip_network
from pathlib import Path

import pytest

from gateway.core.sts import MAX_POLICY
from gateway.core.tlsrpt import Result
from gateway.net.dns import DnsOptions, Resolver
from gateway.net.sts_fetch import HttpsFetch, NotFetched
from tests.fakes import certificates
from tests.fakes.clock import SteppedClock
from tests.fakes.dns import SERVFAIL, FakeDns, Table
from tests.fakes.https import POLICY, Answer, PolicyServer, answer

HOST = "mta-sts.trust.example"
LOOPBACK = IPv4Network("127.0.0.0/8")
HERE: Table = {HOST: {"A": ["127.0.0.1"]}}


async def fetch(
    folder: Path,
    server: PolicyServer,
    table: Table = HERE,
    allowed: tuple[IPv4Network, ...] = (LOOPBACK,),
    timeout: timedelta = timedelta(seconds=20),
    begins: timedelta = timedelta(seconds=20),
    domain: str = "trust.example",
) -> bytes | NotFetched:
    async with FakeDns(table) as dns:
        resolver = Resolver(DnsOptions(nameservers=(dns.nameserver,)), SteppedClock())
        authority = certificates.write_authority(folder)
        fetcher = HttpsFetch(resolver, authority, allowed, server.port, timeout, begins)
        try:
            return await fetcher(domain)
        finally:
            await fetcher.aclose()


async def fetched(folder: Path, says: Answer) -> bytes | NotFetched:
    async with PolicyServer(certificates.good(HOST), says) as server:
        return await fetch(folder, server)


def failed(got: bytes | NotFetched) -> Result:
    assert isinstance(got, NotFetched)
    assert got.reason[0].islower()
    assert not got.reason.endswith(".")
    return got.result


async def test_the_file_comes_as_it_is_and_nothing_is_told_of_us(tmp_path: Path) -> None:
    async with PolicyServer(certificates.good(HOST), answer()) as server:
        assert await fetch(tmp_path, server) == POLICY
    (request,) = server.requests
    line, *header = request.decode().rstrip().split("\r\n")
    assert line == "GET /.well-known/mta-sts.txt HTTP/1.1"
    assert {field.partition(":")[0].lower() for field in header} <= {
        "host",
        "accept",
        "accept-encoding",
        "user-agent",
        "connection",
    }
    assert "Accept-Encoding: identity" in header


@pytest.mark.parametrize(
    "kind", ["text/plain", "Text/PLAIN", "text/plain; charset=utf-8", 'text/plain ;charset="x"', "text/plain;"]
)
async def test_the_type_is_text_whatever_its_parameters(tmp_path: Path, kind: str) -> None:
    assert await fetched(tmp_path, answer(POLICY, f"Content-Type: {kind}")) == POLICY


@pytest.mark.parametrize("header", ["Content-Type: text/html", "Content-Type: text", "Content-Type:", "X-Type: text"])
async def test_another_type_is_no_policy(tmp_path: Path, header: str) -> None:
    assert failed(await fetched(tmp_path, answer(POLICY, header))) is Result.STS_INVALID


@pytest.mark.parametrize(
    "status", ["404 Not Found", "201 Created", "204 No Content", "206 Partial Content", "304 Not Modified", "500 x"]
)
async def test_only_the_status_200_counts(tmp_path: Path, status: str) -> None:
    body = b"" if status[:3] in {"204", "304"} else POLICY
    got = await fetched(tmp_path, answer(body, status=status))
    assert got == NotFetched(Result.STS_FETCH, f"{HOST} answered with HTTP status {status[:3]}")


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
async def test_a_redirect_is_not_followed(tmp_path: Path, status: str) -> None:
    async with (
        PolicyServer(certificates.good(HOST), answer()) as other,
        PolicyServer(certificates.good(HOST), b"") as server,
    ):
        where = f"Location: https://{HOST}:{other.port}/.well-known/mta-sts.txt"
        server.answer = answer(POLICY, where, "Content-Type: text/plain", status=status)
        got = await fetch(tmp_path, server)
        assert got == NotFetched(Result.STS_FETCH, f"{HOST} answered with HTTP status {status[:3]}")
        assert (server.connections, other.connections) == (1, 0)


async def test_nothing_is_kept_of_a_cookie_and_each_fetch_is_a_new_connection(tmp_path: Path) -> None:
    async def says() -> AsyncIterator[bytes]:
        said = answer(POLICY, "Content-Type: text/plain", "Set-Cookie: who=us; Path=/")
        yield said.replace(b"Connection: close\r\n", b"")
        await asyncio.Event().wait()

    async with FakeDns(HERE) as dns, PolicyServer(certificates.good(HOST), says) as server:
        resolver = Resolver(DnsOptions(nameservers=(dns.nameserver,)), SteppedClock())
        fetcher = HttpsFetch(resolver, certificates.write_authority(tmp_path), (LOOPBACK,), server.port)
        assert await fetcher("trust.example") == await fetcher("trust.example") == POLICY
        await fetcher.aclose()
    assert server.connections == 2
    assert not any(b"cookie" in request.lower() for request in server.requests)


async def test_no_proxy_of_the_environment_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with (
        PolicyServer(certificates.good(HOST), answer()) as server,
        PolicyServer(certificates.good(HOST), answer()) as proxy,
    ):
        for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        assert await fetch(tmp_path, server) == POLICY
        assert proxy.connections == 0


@pytest.mark.parametrize("size", [MAX_POLICY, MAX_POLICY + 1])
async def test_a_file_has_a_limit(tmp_path: Path, size: int) -> None:
    body = b"x" * size
    got = await fetched(tmp_path, answer(body))
    if size <= MAX_POLICY:
        assert got == body
    else:
        assert failed(got) is Result.STS_INVALID


async def test_a_file_without_an_end_is_left_at_the_limit(tmp_path: Path) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
        while True:
            yield b"1000\r\n" + b"x" * 0x1000 + b"\r\n"

    async with PolicyServer(certificates.good(HOST), endless) as server:
        assert failed(await fetch(tmp_path, server)) is Result.STS_INVALID
        await asyncio.wait_for(server.hung_up.wait(), 10)


async def test_a_header_without_an_end_is_left_too(tmp_path: Path) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\n"
        while True:
            yield b"X-Field: " + b"x" * 1000 + b"\r\n"

    assert failed(await fetched(tmp_path, endless)) is Result.STS_FETCH


async def test_chunks_are_joined(tmp_path: Path) -> None:
    says = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert await fetched(tmp_path, says + b"4\r\nvers\r\n6\r\nion: S\r\n0\r\n\r\n") == b"version: S"


@pytest.mark.parametrize(
    ("says", "result"),
    [
        (answer(length=False), Result.STS_INVALID),
        (answer().removesuffix(b"00\n"), Result.STS_FETCH),
        (
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nvers\r\n",
            Result.STS_FETCH,
        ),
    ],
)
async def test_a_file_that_may_have_been_cut_is_no_policy(tmp_path: Path, says: bytes, result: Result) -> None:
    assert failed(await fetched(tmp_path, says)) is result


async def test_nothing_is_unpacked(tmp_path: Path) -> None:
    bomb = gzip.compress(b"\n" * 10_000_000)
    assert len(bomb) < MAX_POLICY
    packed = answer(bomb, "Content-Type: text/plain", "Content-Encoding: gzip")
    assert failed(await fetched(tmp_path, packed)) is Result.STS_INVALID
    assert await fetched(tmp_path, answer(bomb)) == bomb
    assert await fetched(tmp_path, answer(POLICY, "Content-Type: text/plain", "Content-Encoding: Identity")) == POLICY


@pytest.mark.parametrize(
    "says", [b"", b"220 mail.trust.example ESMTP\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", b"\0" * 99]
)
async def test_what_is_no_web_server_is_told(tmp_path: Path, says: bytes) -> None:
    assert failed(await fetched(tmp_path, says)) is Result.STS_FETCH


@pytest.mark.parametrize("before", [b"", answer()[:30], answer()[:-20]])
async def test_who_sends_a_byte_now_and_then_is_left_in_time(tmp_path: Path, before: bytes) -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield before
        while True:
            # A server is slow by the real clock; the fetch has a limit that is far below this one's.
            await asyncio.sleep(0.05)
            yield b"x" if before else b""

    async with PolicyServer(certificates.good(HOST), slow) as server:
        got = await fetch(tmp_path, server, timeout=timedelta(seconds=0.4))
    assert got == NotFetched(Result.STS_FETCH, f"{HOST} did not send its policy file in time")


async def test_who_says_nothing_is_left_sooner_than_who_is_slow(tmp_path: Path) -> None:
    silent = True

    async def says() -> AsyncIterator[bytes]:
        if silent:
            await asyncio.Event().wait()
        yield answer()[:-9]
        # By the real clock, too: longer than an answer may take to begin.
        await asyncio.sleep(1.2)
        yield answer()[-9:]

    async with PolicyServer(certificates.good(HOST), says) as server:
        async with asyncio.timeout(10):
            got = await fetch(tmp_path, server, begins=timedelta(seconds=1))
        assert got == NotFetched(Result.STS_FETCH, f"{HOST} did not send its policy file in time")
        silent = False
        assert await fetch(tmp_path, server, begins=timedelta(seconds=1)) == POLICY


@pytest.mark.parametrize(
    ("context", "why"),
    [
        (lambda: certificates.good("trust.example"), "Hostname mismatch"),
        (lambda: certificates.good("mta-sts.other.example"), "Hostname mismatch"),
        (lambda: certificates.expired(HOST), "expired"),
        (lambda: certificates.untrusted(HOST), "unable to get"),
        (lambda: certificates.self_signed(HOST), "self-signed"),
    ],
)
async def test_the_certificate_has_to_be_valid_for_the_name(
    tmp_path: Path, context: Callable[[], ssl.SSLContext], why: str
) -> None:
    async with PolicyServer(context(), answer()) as server:
        got = await fetch(tmp_path, server)
        assert failed(got) is Result.STS_WEBPKI
        assert isinstance(got, NotFetched)
        assert why in got.reason
        assert not server.requests


async def test_a_star_in_the_certificate_is_one_label(tmp_path: Path) -> None:
    async with PolicyServer(certificates.good("*.trust.example"), answer()) as server:
        assert await fetch(tmp_path, server) == POLICY


async def test_who_speaks_no_tls_is_told(tmp_path: Path) -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer())
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    here = PolicyServer(certificates.good(HOST), b"")
    here.port = server.sockets[0].getsockname()[1]
    try:
        assert failed(await fetch(tmp_path, here)) is Result.STS_FETCH
    finally:
        server.close()
        await server.wait_closed()


async def test_nobody_there(tmp_path: Path) -> None:
    async with PolicyServer(certificates.good(HOST), answer()) as server:
        pass
    got = await fetch(tmp_path, server)
    assert got == NotFetched(Result.STS_FETCH, f"no HTTPS connection to {HOST} could be made")


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ("A", "127.0.0.1"),
        ("A", "10.0.0.1"),
        ("A", "169.254.169.254"),
        ("A", "0.0.0.0"),
        ("A", "224.0.0.1"),
        ("AAAA", "::1"),
        ("AAAA", "::"),
        ("AAAA", "fd00::1"),
        ("AAAA", "fe80::1"),
        ("AAAA", "::ffff:127.0.0.1"),
        ("AAAA", "64:ff9b::7f00:1"),
    ],
)
async def test_an_address_inside_is_never_connected_to(tmp_path: Path, kind: str, address: str) -> None:
    async with PolicyServer(certificates.good(HOST), answer()) as server:
        got = await fetch(tmp_path, server, {HOST: {kind: [address], "A" if kind == "AAAA" else "AAAA": []}}, ())
        assert got == NotFetched(Result.STS_FETCH, f"{HOST} has no public address")
        assert server.connections == 0


async def test_of_several_addresses_only_those_allowed_are_used(tmp_path: Path) -> None:
    table = {HOST: {"A": ["127.0.0.1", "127.0.0.2", "10.0.0.1"], "AAAA": ["::1"]}}
    async with PolicyServer(certificates.good(HOST), answer()) as server:
        only = (IPv4Network("127.0.0.1/32"),)
        assert await fetch(tmp_path, server, table, only) == POLICY
        other = (IPv4Network("127.0.0.2/32"),)
        got = await fetch(tmp_path, server, table, other)
        assert got == NotFetched(Result.STS_FETCH, f"no HTTPS connection to {HOST} could be made")
        assert server.connections == 1


async def test_a_name_that_leads_inside_by_an_alias_is_not_followed(tmp_path: Path) -> None:
    table = {HOST: {"CNAME": ["inside.test."]}, "inside.test": {"A": ["127.0.0.1"], "AAAA": []}}
    async with PolicyServer(certificates.good(HOST), answer()) as server:
        assert failed(await fetch(tmp_path, server, table, ())) is Result.STS_FETCH
        assert server.connections == 0
        assert await fetch(tmp_path, server, table) == POLICY


@pytest.mark.parametrize("table", [{HOST: {"A": SERVFAIL, "AAAA": SERVFAIL}}, {}, {HOST: {"A": [], "AAAA": []}}])
async def test_no_address_is_told(tmp_path: Path, table: Table) -> None:
    async with PolicyServer(certificates.good(HOST), answer()) as server:
        got = await fetch(tmp_path, server, table)
        assert failed(got) is Result.STS_FETCH
        assert isinstance(got, NotFetched)
        assert HOST in got.reason


@pytest.mark.parametrize("domain", ["a/b", "a@b.test", "x" * 300, "a b", "", "..", "a:1", "ü.test"])
async def test_a_name_that_cannot_be_asked_is_a_failure_and_no_error(tmp_path: Path, domain: str) -> None:
    async with PolicyServer(certificates.good(HOST), answer()) as server:
        assert failed(await fetch(tmp_path, server, domain=domain)) is Result.STS_FETCH
        assert server.connections == 0


async def test_closing_what_was_never_used_and_authorities_that_are_none(tmp_path: Path) -> None:
    resolver = Resolver(DnsOptions(nameservers=("127.0.0.1:9",)), SteppedClock())
    await HttpsFetch(resolver, "system", (ip_network("10.0.0.0/8"),)).aclose()
    with pytest.raises(ValueError, match="cannot be loaded"):
        HttpsFetch(resolver, tmp_path / "none.pem")
