"""Asking a mail domain for somebody's key: where it is looked for, and what counts as "there is none"."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.address import Address, parse_address
from gateway.net.dns import DnsOptions, Resolver
from gateway.net.wkd_fetch import ABSENT_KEPT, FAILURE_KEPT, KEPT, MAX_KEYS, Absent, Looked, NotTold, WkdFetch, hashed
from tests.fakes import certificates
from tests.fakes.clock import SteppedClock
from tests.fakes.dns import SERVFAIL, FakeDns, Table
from tests.fakes.https import PolicyServer, answer

DOMAIN = "partner.example"
ADVANCED = f"openpgpkey.{DOMAIN}"
BOTH: Table = {ADVANCED: {"A": ["127.0.0.1"]}, DOMAIN: {"A": ["127.0.0.1"]}}
DIRECT: Table = {DOMAIN: {"A": ["127.0.0.1"]}}
JOE = parse_address(f"Joe.Doe@{DOMAIN}")
LOOPBACK = (IPv4Network("127.0.0.0/8"),)
KEY = b"\x99\x01a key"


class Asker:
    """Asks a server of the domain as a worker does."""

    def __init__(self, folder: Path, server: PolicyServer, table: Table) -> None:
        self._folder, self._server = folder, server
        self.dns = FakeDns(table)
        self.clock = SteppedClock()
        self.allowed: tuple[IPv4Network, ...] = LOOPBACK

    async def __aenter__(self) -> WkdFetch:
        await self.dns.__aenter__()
        resolver = Resolver(DnsOptions(nameservers=(self.dns.nameserver,), timeout=timedelta(seconds=2)), self.clock)
        ca = certificates.write_authority(self._folder)
        self.fetch = WkdFetch(resolver, ca, self.clock, self.allowed, self._server.port)
        return self.fetch

    async def __aexit__(self, *_: object) -> None:
        await self.fetch.aclose()
        await self.dns.__aexit__(None, None, None)


def a_server(says: bytes = answer(KEY, "Content-Type: application/octet-stream"), *names: str) -> PolicyServer:
    return PolicyServer(certificates.good(*(names or (ADVANCED, DOMAIN))), says)


async def looked(folder: Path, says: bytes, table: Table = BOTH, address: Address = JOE) -> Looked:
    async with a_server(says) as server, Asker(folder, server, table) as fetch:
        return await fetch(address)


def asked(server: PolicyServer) -> list[str]:
    return [request.decode().splitlines()[0].split()[1] for request in server.requests]


def test_the_name_of_the_draft() -> None:
    """The example of draft-koch-openpgp-webkey-service section 3.1."""
    assert hashed("Joe.Doe") == hashed("joe.doe") == "iy9q119eutrkn8s1mk4r39qejnbu3n5q"
    assert hashed("ÄB") == hashed("Äb") != hashed("äb")


@given(st.text(min_size=1))
def test_every_local_part_has_a_name_that_a_path_can_hold(local: str) -> None:
    name = hashed("".join(char for char in local if char.isprintable()))
    assert len(name) == 32
    assert name.isascii() and name.isalnum()


async def test_the_host_for_keys_is_asked_and_the_domain_only_without_one(tmp_path: Path) -> None:
    name = "iy9q119eutrkn8s1mk4r39qejnbu3n5q?l=Joe.Doe"
    async with a_server() as server, Asker(tmp_path, server, BOTH) as fetch:
        assert await fetch(JOE) == KEY
        assert asked(server) == [f"/.well-known/openpgpkey/{DOMAIN}/hu/{name}"]
    async with a_server() as server, Asker(tmp_path, server, DIRECT) as fetch:
        assert await fetch(JOE) == KEY
        assert asked(server) == [f"/.well-known/openpgpkey/hu/{name}"]


async def test_a_local_part_cannot_say_more_than_itself(tmp_path: Path) -> None:
    async with a_server() as server, Asker(tmp_path, server, BOTH) as fetch:
        await fetch(parse_address(f"a&b=c#d%25/+?x@{DOMAIN}"))
        assert asked(server)[0].endswith("?l=a%26b%3Dc%23d%2525/%2B?x")


@pytest.mark.parametrize("table", [{}, {DOMAIN: {"TXT": ["x"]}}])
async def test_a_domain_without_a_web_server_has_no_key(tmp_path: Path, table: Table) -> None:
    assert await looked(tmp_path, b"", table) == Absent()


async def test_a_literal_is_asked_nothing(tmp_path: Path) -> None:
    assert await looked(tmp_path, answer(KEY), address=parse_address("joe@[127.0.0.1]")) == Absent()


@pytest.mark.parametrize(
    "table", [{ADVANCED: {"A": SERVFAIL, "AAAA": SERVFAIL}}, {DOMAIN: {"A": SERVFAIL, "AAAA": SERVFAIL}}]
)
async def test_a_failed_lookup_is_no_answer(tmp_path: Path, table: Table) -> None:
    assert isinstance(await looked(tmp_path, answer(KEY), table), NotTold)


@pytest.mark.parametrize("status", ["404 Not Found", "410 Gone", "403 No", "301 Moved", "204 No Content"])
async def test_a_server_that_has_no_key_says_so_for_certain(tmp_path: Path, status: str) -> None:
    assert await looked(tmp_path, answer(b"", "Location: https://other.example/", status=status)) == Absent()


@pytest.mark.parametrize("status", ["500 x", "503 x", "599 x", "408 x", "425 x", "429 x"])
async def test_a_server_in_trouble_says_nothing(tmp_path: Path, status: str) -> None:
    reason = f"{ADVANCED} answered with HTTP status {status[:3]}"
    assert await looked(tmp_path, answer(b"", status=status)) == NotTold(reason)


@pytest.mark.parametrize(
    "says",
    [
        answer(b"x" * (MAX_KEYS + 1)),
        answer(KEY, "Content-Encoding: gzip"),
        answer(KEY, length=False),
    ],
)
async def test_what_is_no_file_of_keys_is_none(tmp_path: Path, says: bytes) -> None:
    assert await looked(tmp_path, says) == Absent()


async def test_the_largest_file_is_taken(tmp_path: Path) -> None:
    assert await looked(tmp_path, answer(b"x" * MAX_KEYS)) == b"x" * MAX_KEYS


@pytest.mark.parametrize("says", [b"", b"220 mail ESMTP\r\n", answer(KEY).removesuffix(b"key")])
async def test_an_answer_that_breaks_off_says_nothing(tmp_path: Path, says: bytes) -> None:
    assert isinstance(await looked(tmp_path, says), NotTold)


async def test_another_host_s_certificate_says_nothing(tmp_path: Path) -> None:
    async with a_server(answer(KEY), "other.example") as server, Asker(tmp_path, server, BOTH) as fetch:
        found = await fetch(JOE)
        assert isinstance(found, NotTold) and "certificate" in found.reason
        assert server.requests == []


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "192.168.1.1"])
async def test_no_private_address_is_ever_asked(tmp_path: Path, address: str) -> None:
    async with a_server() as server:
        asker = Asker(tmp_path, server, {ADVANCED: {"A": [address]}})
        asker.allowed = ()
        async with asker as fetch:
            assert await fetch(JOE) == NotTold(f"{ADVANCED} has no public address")
        assert server.connections == 0


@pytest.mark.parametrize(
    ("says", "kept"),
    [(answer(KEY), KEPT), (answer(b"", status="404 x"), ABSENT_KEPT), (answer(b"", status="500 x"), FAILURE_KEPT)],
)
async def test_answers_are_kept_for_their_time(tmp_path: Path, says: bytes, kept: timedelta) -> None:
    async with a_server(says) as server:
        asker = Asker(tmp_path, server, BOTH)
        async with asker as fetch:
            first, same = await asyncio.gather(fetch(JOE), fetch(JOE))
            await asker.clock.advance(kept - timedelta(seconds=1))
            assert first == same == await fetch(JOE)
            assert server.connections == 1
            await asker.clock.advance(timedelta(seconds=2))
            assert await fetch(JOE) == first
            assert server.connections == 2


async def test_an_answer_that_does_not_end_is_left_at_the_limit(tmp_path: Path) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        while True:
            yield b"1000\r\n" + b"x" * 0x1000 + b"\r\n"

    async with PolicyServer(certificates.good(ADVANCED), endless) as server, Asker(tmp_path, server, BOTH) as fetch:
        assert await fetch(JOE) == Absent()
        await asyncio.wait_for(server.hung_up.wait(), 10)
