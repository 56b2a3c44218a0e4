"""Which hosts and addresses mail may go to."""

from collections.abc import Mapping
from ipaddress import ip_address, ip_network

import pytest

from gateway.core.reply import Status
from gateway.core.tls import MxAuth
from gateway.net.destination import Destinations, Hosts, MxOptions, NoMail, Unusable, is_public, literal_text
from gateway.net.dns import Resolver
from gateway.net.dns_query import DnsOptions
from tests.fakes.clock import SteppedClock
from tests.fakes.dns import FakeDns

US = "Gateway.council.example"


def destinations(dns: FakeDns, *allowed: str) -> Destinations:
    options = MxOptions(allow_networks=tuple(ip_network(network) for network in allowed))
    return Destinations(Resolver(DnsOptions(nameservers=(dns.nameserver,)), SteppedClock()), options, US)


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        (["10 a.test.", "20 b.test."], ("a.test", "b.test")),
        (["10 a.test.", "20 gateway.council.example.", "20 b.test.", "30 c.test."], ("a.test",)),
        (["10 a.test.", "10 a.test."], ("a.test",)),
        (["10 a.test.", "20 a.test.", "30 b.test."], ("a.test", "b.test")),
    ],
)
async def test_hosts_that_are_not_better_than_us_are_left_out(records: list[str], expected: tuple[str, ...]) -> None:
    async with FakeDns({"x.test": {"MX": records}}) as dns:
        assert await destinations(dns).hosts("x.test") == Hosts(expected, MxAuth.NONE)


@pytest.mark.parametrize(
    "zones",
    [
        {"x.test": {"MX": ["10 gateway.council.example.", "20 b.test."]}},
        {"x.test": {"MX": ["10 gateway.council.example.", "10 b.test."]}},
    ],
)
async def test_where_we_are_the_best_host_mail_would_come_back(zones: Mapping[str, Mapping[str, list[str]]]) -> None:
    async with FakeDns(zones) as dns:
        found = await destinations(dns).hosts("x.test")
        assert isinstance(found, NoMail)
        assert found.status == Status(5, 4, 6)


async def test_our_own_name_without_mx_records_is_a_loop_too() -> None:
    async with FakeDns({"gateway.council.example": {"A": ["192.0.2.1"]}}) as dns:
        found = await destinations(dns).hosts("gateway.council.example")
        assert isinstance(found, NoMail)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.1.1", "0.0.0.0", "100.64.0.1", "224.0.0.1",
        "239.1.1.1", "255.255.255.255", "192.0.2.1", "::1", "::", "fe80::1", "fd00::1", "ff02::1", "ff0e::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1",
        "::127.0.0.1", "::10.0.0.1", "::8.8.8.8",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "172.32.0.1", "2606:4700::1", "64:ff9b::808:808", "::ffff:8.8.8.8", "2002:808:808::"]
)
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(ip_address(address))


async def test_only_public_or_allowed_addresses_are_left() -> None:
    zones = {"h.test": {"A": ["10.1.1.1", "10.2.2.2", "8.8.8.8"], "AAAA": ["::1"]}, "in.test": {"A": ["10.1.1.1"]}}
    async with FakeDns(zones) as dns:
        found = await destinations(dns, "10.2.0.0/16").addresses("h.test")
        assert isinstance(found, tuple)
        assert {str(address) for address in found} == {"10.2.2.2", "8.8.8.8"}
        refused = await destinations(dns, "10.2.0.0/16").addresses("in.test")
        assert isinstance(refused, Unusable)
        assert "not public" in refused.reason


@pytest.mark.parametrize("host", ["127.0.0.1", "8.8.8.8", "localhost", "a.localhost", ".", "bad_name.test", "a..b"])
async def test_what_is_no_host_name_is_never_looked_up(host: str) -> None:
    async with FakeDns({}) as dns:
        assert isinstance(await destinations(dns, "0.0.0.0/0").addresses(host), Unusable)
        assert dns.questions == []


@pytest.mark.parametrize(
    ("literal", "text"), [("[8.8.8.8]", "8.8.8.8"), ("[IPv6:2606:4700::1]", "2606:4700::1"), ("a.test", "a.test")]
)
async def test_an_address_literal_stands_for_itself(literal: str, text: str) -> None:
    assert literal_text(literal) == text
    if literal != text:
        async with FakeDns({}) as dns:
            ours = destinations(dns)
            assert await ours.hosts(literal) == Hosts((literal,), MxAuth.NONE)
            assert await ours.addresses(literal) == (ip_address(text),)
            assert isinstance(await ours.addresses("[127.0.0.1]"), Unusable)
            assert dns.questions == []


@pytest.mark.parametrize(("authentic", "mx"), [(True, MxAuth.DNSSEC), (False, MxAuth.NONE)])
async def test_a_domain_that_is_its_own_host_is_known_as_well_as_that_is(authentic: bool, mx: MxAuth) -> None:
    async with FakeDns({"x.test": {"A": ["8.8.8.8"]}}, authentic=authentic) as dns:
        options = DnsOptions(nameservers=(dns.nameserver,), trust_ad=True)
        ours = Destinations(Resolver(options, SteppedClock()), MxOptions(), US)
        assert await ours.hosts("x.test") == Hosts(("x.test",), mx)
