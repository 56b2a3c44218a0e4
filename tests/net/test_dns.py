"""The resolver against a real name server on loopback: every answer a value, and a failure never a "no"."""

import asyncio
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address

import pytest

from gateway.core.tls import MxAuth
from gateway.net.answers import MAX_ADDRESSES, MAX_HOSTS, MAX_TEXTS, Addresses, MxRecord, MxRecords, NoMx, Unresolvable
from gateway.net.dns import FAILURE_TTL, Resolver
from gateway.net.dns_query import MAX_TTL, NEGATIVE_TTL, DnsOptions, parse_nameserver
from tests.fakes.clock import SteppedClock
from tests.fakes.dns import SERVFAIL, SILENT, FakeDns, Table

ZONES: Table = {
    "a.test": {"MX": ["20 Two.a.test.", "10 one.a.test.", "10 uno.a.test."]},
    "null.test": {"MX": ["0 ."]},
    "nearly.test": {"MX": ["0 .", "10 one.a.test."]},
    "bare.test": {"A": ["192.0.2.1"]},
    "alias.test": {"CNAME": ["a.test."]},
    "loop.test": {"CNAME": ["pool.test."]},
    "pool.test": {"CNAME": ["loop.test."]},
    "broken.test": {"MX": SERVFAIL, "A": SERVFAIL, "AAAA": SERVFAIL},
    "silent.test": {"MX": SILENT, "A": SILENT, "AAAA": SILENT},
    "half.test": {"A": ["192.0.2.7"], "AAAA": SERVFAIL},
    "none.test": {"A": [], "AAAA": SERVFAIL},
    "both.test": {"A": ["192.0.2.1", "192.0.2.2"], "AAAA": ["2001:db8::1", "2001:db8::2", "2001:db8::3"]},
}


def resolver(dns: FakeDns, clock: SteppedClock | None = None, *, trust_ad: bool = False) -> Resolver:
    options = DnsOptions(nameservers=(dns.nameserver,), trust_ad=trust_ad, timeout=timedelta(milliseconds=600))
    return Resolver(options, clock or SteppedClock())


async def test_mx_records_are_tried_by_preference_and_equal_ones_in_any_order() -> None:
    async with FakeDns(ZONES) as dns:
        answer = await resolver(dns).mx("a.test")
        assert isinstance(answer, MxRecords)
        orders = {tuple(record.host for record in answer.in_order()) for _ in range(100)}
        assert orders == {("one.a.test", "uno.a.test", "two.a.test"), ("uno.a.test", "one.a.test", "two.a.test")}
        assert answer.in_order()[-1] == MxRecord(20, "two.a.test")


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("null.test", NoMx.NULL),
        ("bare.test", NoMx.IMPLICIT),
        ("nowhere.test", NoMx.NXDOMAIN),
    ],
)
async def test_each_certain_answer_is_a_value_of_its_own(domain: str, expected: object) -> None:
    async with FakeDns(ZONES) as dns:
        assert await resolver(dns).mx(domain) == expected


async def test_a_null_mx_beside_others_is_a_host_that_cannot_be() -> None:
    async with FakeDns(ZONES) as dns:
        answer = await resolver(dns).mx("nearly.test")
        assert isinstance(answer, MxRecords)
        assert answer.in_order() == [MxRecord(0, "."), MxRecord(10, "one.a.test")]


async def test_an_alias_has_the_mx_records_of_its_target() -> None:
    async with FakeDns(ZONES) as dns:
        answer = await resolver(dns).mx("alias.test")
        assert isinstance(answer, MxRecords)
        assert len(answer.records) == 3


@pytest.mark.parametrize("domain", ["broken.test", "silent.test", "x" * 64 + ".test"])
async def test_a_failure_is_not_an_answer(domain: str) -> None:
    async with FakeDns(ZONES) as dns:
        ours = resolver(dns)
        assert isinstance(await ours.mx(domain), Unresolvable)
        assert isinstance(await ours.addresses(domain), Unresolvable)


async def test_no_name_server_at_all_is_a_failure() -> None:
    async with FakeDns(ZONES) as dns:
        ours = resolver(dns)
    assert isinstance(await ours.mx("a.test"), Unresolvable)


async def test_addresses_come_in_turn_by_family_beginning_with_ipv6() -> None:
    async with FakeDns(ZONES) as dns:
        answer = await resolver(dns).addresses("both.test")
        assert isinstance(answer, Addresses)
        families = [address.version for address in answer.in_order()]
        assert families == [6, 4, 6, 4, 6]
        assert {address.in_order()[0] for address in [answer] * 100} == set(answer.v6)
        assert set(answer.in_order()) == {*answer.v6, *answer.v4}


async def test_one_family_that_fails_does_not_hide_the_other() -> None:
    async with FakeDns(ZONES) as dns:
        ours = resolver(dns)
        assert await ours.addresses("half.test") == Addresses((), (IPv4Address("192.0.2.7"),))
        assert isinstance(await ours.addresses("none.test"), Unresolvable)
        assert await ours.addresses("nowhere.test") == Addresses((), ())


async def test_answers_are_kept_for_their_ttl_and_never_longer_than_the_limit() -> None:
    for ttl, kept in ((300, timedelta(seconds=300)), (10_000_000, MAX_TTL)):
        async with FakeDns(ZONES, ttl=ttl) as dns:
            clock = SteppedClock()
            ours = resolver(dns, clock)
            await ours.mx("a.test")
            await clock.advance(kept - timedelta(seconds=1))
            await ours.mx("a.test")
            assert dns.asked("a.test", "MX") == 1
            await clock.advance(timedelta(seconds=1))
            await ours.mx("a.test")
            assert dns.asked("a.test", "MX") == 2


@pytest.mark.parametrize(
    ("domain", "kept"), [("nowhere.test", NEGATIVE_TTL), ("bare.test", NEGATIVE_TTL), ("broken.test", FAILURE_TTL)]
)
async def test_what_is_not_there_is_kept_for_a_short_time(domain: str, kept: timedelta) -> None:
    async with FakeDns(ZONES) as dns:
        clock = SteppedClock()
        ours = resolver(dns, clock)
        await ours.mx(domain)
        asked = dns.asked(domain, "MX")
        await clock.advance(kept - timedelta(seconds=1))
        await ours.mx(domain)
        assert dns.asked(domain, "MX") == asked
        await clock.advance(timedelta(seconds=1))
        await ours.mx(domain)
        assert dns.asked(domain, "MX") > asked


async def test_many_who_ask_at_once_are_one_question() -> None:
    async with FakeDns(ZONES) as dns:
        ours = resolver(dns)
        answers = await asyncio.gather(*(ours.mx("a.test") for _ in range(20)))
        assert len(set(answers)) == 1
        assert dns.asked("a.test", "MX") == 1


async def test_a_cut_answer_is_fetched_over_tcp() -> None:
    async with FakeDns(ZONES, truncates=True) as dns:
        assert isinstance(await resolver(dns).mx("a.test"), MxRecords)
        assert dns.over_tcp == 1


@pytest.mark.parametrize(
    ("authentic", "trust", "expected"),
    [(True, True, MxAuth.DNSSEC), (True, False, MxAuth.NONE), (False, True, MxAuth.NONE)],
)
async def test_the_authentic_bit_counts_only_from_a_trusted_server(
    authentic: bool, trust: bool, expected: MxAuth
) -> None:
    async with FakeDns(ZONES, authentic=authentic) as dns:
        answer = await resolver(dns, trust_ad=trust).mx("a.test")
        assert isinstance(answer, MxRecords)
        assert answer.mx is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1", ("127.0.0.1", 53)),
        ("127.0.0.1:5353", ("127.0.0.1", 5353)),
        ("::1", ("::1", 53)),
        ("[::1]", ("::1", 53)),
        ("[::1]:54", ("::1", 54)),
    ],
)
def test_name_servers_are_addresses_with_or_without_a_port(text: str, expected: tuple[str, int]) -> None:
    assert parse_nameserver(text) == expected
    assert DnsOptions(nameservers=(text,)).nameservers == (text,)


@pytest.mark.parametrize("text", ["", "dns.example", "1.2.3.4:0", "1.2.3.4:x", "1.2.3.4:70000", "[::1]:"])
def test_a_name_server_that_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"name server|port|form"):
        DnsOptions(nameservers=(text,))


async def test_without_name_servers_the_systems_are_asked() -> None:
    ours = Resolver(DnsOptions(), SteppedClock())
    assert ours._queries._stub.nameservers


def test_addresses_without_any_are_none() -> None:
    assert Addresses((), ()).in_order() == []
    assert Addresses((IPv6Address("::1"),), ()).in_order() == [IPv6Address("::1")]


async def test_of_a_long_list_the_best_hosts_are_kept_each_once_and_one_more() -> None:
    hosts = [f"{number} h{number}.long.test." for number in range(30, 0, -1)]
    zones: Table = {"long.test": {"MX": [*hosts, "40 h3.long.test."]}}
    async with FakeDns(zones) as dns:
        answer = await resolver(dns).mx("long.test")
        expected = tuple(MxRecord(number, f"h{number}.long.test") for number in range(1, MAX_HOSTS + 2))
        assert answer == MxRecords(expected, MxAuth.NONE)


async def test_addresses_of_a_host_are_bounded_in_each_family() -> None:
    zones: Table = {
        "many.test": {
            "A": [f"192.0.2.{number}" for number in range(1, 41)],
            "AAAA": [f"2001:db8::{number}" for number in range(1, 41)],
        }
    }
    async with FakeDns(zones) as dns:
        answer = await resolver(dns).addresses("many.test")
        assert isinstance(answer, Addresses)
        assert (len(answer.v4), len(answer.v6)) == (MAX_ADDRESSES, MAX_ADDRESSES)


@pytest.mark.parametrize(
    ("trust", "signed", "expected"),
    [
        (True, ("bare.test",), NoMx.IMPLICIT_SIGNED),
        (True, (), NoMx.IMPLICIT),
        (False, ("bare.test",), NoMx.IMPLICIT),
    ],
)
async def test_that_a_domain_has_no_mx_record_may_be_proven(
    trust: bool, signed: tuple[str, ...], expected: NoMx
) -> None:
    async with FakeDns(ZONES, authentic=signed) as dns:
        assert await resolver(dns, trust_ad=trust).mx("bare.test") is expected


ALIASES: Table = {
    "Www.test": {"CNAME": ["Hop.test."]},
    "Hop.test": {"CNAME": ["End.test."]},
    "End.test": {"A": ["192.0.2.1"], "AAAA": []},
    "lost.test": {"CNAME": ["nowhere.test."]},
}


@pytest.mark.parametrize(
    ("name", "signed", "secure", "canonical"),
    [
        ("Www.test", ("Www.test", "Hop.test", "End.test"), True, "end.test"),
        ("Www.test", ("Www.test", "End.test"), False, "end.test"),
        ("Www.test", ("Hop.test", "End.test"), False, "end.test"),
        ("Www.test", ("Www.test", "Hop.test"), False, "end.test"),
        ("End.test", ("End.test",), True, ""),
        ("End.test", (), False, ""),
        ("lost.test", ("lost.test", "nowhere.test"), True, ""),
        ("nowhere.test", (), False, ""),
    ],
)
async def test_addresses_are_secure_if_every_alias_on_the_way_is(
    name: str, signed: tuple[str, ...], secure: bool, canonical: str
) -> None:
    async with FakeDns(ALIASES, authentic=signed) as dns:
        answer = await resolver(dns, trust_ad=True).addresses(name)
        assert isinstance(answer, Addresses)
        assert (answer.secure, answer.canonical) == (secure, canonical)
        unbelieved = await resolver(dns).addresses(name)
        assert isinstance(unbelieved, Addresses)
        assert not unbelieved.secure


async def test_both_families_have_to_be_secure_where_both_are_used() -> None:
    class Careless(FakeDns):
        """Signs what it says of IPv4 only."""

        def _is_signed(self, name: str) -> bool:
            return self.questions[-1][1] == "A"

    async with Careless(ZONES) as dns:
        ours = resolver(dns, trust_ad=True)
        both, one = await ours.addresses("both.test"), await ours.addresses("bare.test")
        assert isinstance(both, Addresses)
        assert not both.secure
        assert isinstance(one, Addresses)
        assert one.secure


@pytest.mark.parametrize(
    ("name", "signed", "expected"),
    [
        ("Www.test", ("Www.test",), True),
        ("Www.test", ("Hop.test", "End.test"), False),
        ("End.test", ("End.test",), False),
        ("nowhere.test", ("nowhere.test",), False),
    ],
)
async def test_whether_a_name_is_a_signed_alias(name: str, signed: tuple[str, ...], expected: bool) -> None:
    async with FakeDns(ALIASES, authentic=signed) as dns:
        ours = resolver(dns, trust_ad=True)
        assert await ours.alias_is_signed(name) is expected
        assert await ours.alias_is_signed(name) is expected
        assert dns.asked(name, "CNAME") == 1
        assert not await resolver(dns).alias_is_signed(name)


async def test_text_records_are_joined_and_bounded() -> None:
    zones: Table = {
        "t.test": {"TXT": ['"v=A;" " b"', '"v=C"']},
        "many.test": {"TXT": [f'"{number}"' for number in range(MAX_TEXTS + 1)]},
        "long.test": {"TXT": [f'"{"x" * 200}"' if not n else f'"{n:0200}"' for n in range(21)]},
        "broken.test": {"TXT": SERVFAIL},
        "bare.test": {"TXT": []},
    }
    async with FakeDns(zones) as dns:
        ours = resolver(dns)
        found = await ours.texts("t.test")
        assert isinstance(found, tuple)
        assert sorted(found) == [b"v=A; b", b"v=C"]
        for name in ("bare.test", "nowhere.test"):
            assert await ours.texts(name) == ()
        for name in ("many.test", "long.test", "broken.test"):
            assert isinstance(await ours.texts(name), Unresolvable)
        await ours.texts("t.test")
        assert dns.asked("t.test", "TXT") == 1


@pytest.mark.parametrize(
    ("authentic", "trust", "expected"), [(True, True, True), (False, True, False), (True, False, False)]
)
async def test_whether_the_name_servers_validate(authentic: bool, trust: bool, expected: bool) -> None:
    root: Table = {".": {"SOA": ["a.test. b.test. 1 2 3 4 5"]}}
    async with FakeDns(root, authentic=authentic) as dns:
        ours = resolver(dns, trust_ad=trust)
        assert ours.trusts_ad is trust
        assert await ours.validates() is expected
        assert await ours.validates() is expected
        assert dns.asked(".", "SOA") == 1


async def test_whether_silent_name_servers_validate_is_not_known() -> None:
    async with FakeDns({".": {"SOA": SILENT}}) as dns:
        assert await resolver(dns, trust_ad=True).validates() is None
