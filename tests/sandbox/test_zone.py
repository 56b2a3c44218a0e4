"""The sandbox's DNS answers as a recursive server would, and is troubled where the table says so."""

import asyncio

import dns.asyncquery
import dns.flags
import dns.message
import dns.name
import dns.rcode
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sandbox.world import World
from gateway.sandbox.zone import MAX_ALIASES, Trouble, Zone

ZONE = Zone(
    records={
        "a.example": ("MX 10 mx.a.example.", "MX 20 other.a.example."),
        "mx.a.example": ("A 127.0.25.1", "A 127.0.25.2"),
        "alias.example": ("CNAME www.a.example.",),
        "www.a.example": ("CNAME mx.a.example.",),
        "dangling.example": ("CNAME gone.example.",),
        "circle.example": ("CNAME circle.example.",),
        "big.example": tuple(f"MX {n} mx{n}.{'x' * 50}.example." for n in range(40)),
    },
    troubles={"broken.example": Trouble.SERVFAIL, "silent.example": Trouble.SILENCE},
)


def ask(zone: Zone, name: str, kind: str, max_size: int = 65535) -> dns.message.Message | None:
    answer = zone.answer(dns.message.make_query(name, kind).to_wire(), max_size=max_size)
    return dns.message.from_wire(answer) if answer is not None else None


def lines(zone: Zone, name: str, kind: str) -> list[str]:
    message = ask(zone, name, kind)
    assert message is not None
    return [f"{rrset.name} {rdata}".lower() for rrset in message.answer for rdata in rrset]


def rcode(zone: Zone, name: str, kind: str = "A") -> dns.rcode.Rcode:
    message = ask(zone, name, kind)
    assert message is not None
    return message.rcode()


def test_records_are_found_without_regard_to_case() -> None:
    assert sorted(lines(ZONE, "A.Example", "MX")) == ["a.example. 10 mx.a.example.", "a.example. 20 other.a.example."]


def test_aliases_are_followed_to_the_records_they_stand_for() -> None:
    first, second, *addresses = lines(ZONE, "alias.example", "A")
    assert (first, second) == ("alias.example. www.a.example.", "www.a.example. mx.a.example.")
    assert sorted(addresses) == ["mx.a.example. 127.0.25.1", "mx.a.example. 127.0.25.2"]


def test_an_alias_asked_for_as_such_is_not_followed() -> None:
    assert lines(ZONE, "alias.example", "CNAME") == ["alias.example. www.a.example."]


def test_a_known_name_without_such_records_is_not_an_unknown_name() -> None:
    message = ask(ZONE, "mx.a.example", "AAAA")
    assert message is not None
    assert (message.rcode(), message.answer) == (dns.rcode.NOERROR, [])
    assert str(message.authority[0]).startswith("mx.a.example. 5 IN SOA")


@pytest.mark.parametrize("name", ["unknown.example", "mail.invalid", "dangling.example"])
def test_a_name_outside_the_table_does_not_exist(name: str) -> None:
    assert rcode(ZONE, name) is dns.rcode.NXDOMAIN


def test_aliases_in_a_circle_end() -> None:
    assert rcode(ZONE, "circle.example") is dns.rcode.NOERROR
    assert len(lines(ZONE, "circle.example", "A")) <= MAX_ALIASES


def test_trouble_holds_for_a_name_and_all_below_it_and_not_for_its_neighbours() -> None:
    assert rcode(ZONE, "broken.example", "MX") is dns.rcode.SERVFAIL
    assert rcode(ZONE, "mx.broken.example") is dns.rcode.SERVFAIL
    assert rcode(ZONE, "unbroken.example") is dns.rcode.NXDOMAIN
    assert ask(ZONE, "mx.silent.example", "A") is None


def test_trouble_can_come_and_go() -> None:
    broken = ZONE.with_trouble("a.example", Trouble.SERVFAIL)
    assert rcode(broken, "mx.a.example") is dns.rcode.SERVFAIL
    assert rcode(broken, "broken.example") is dns.rcode.SERVFAIL
    mended = broken.with_trouble("a.example", None)
    assert lines(mended, "mx.a.example", "A")
    assert rcode(mended, "broken.example") is dns.rcode.SERVFAIL


def test_an_answer_that_does_not_fit_says_so() -> None:
    message = ask(ZONE, "big.example", "MX", 512)
    assert message is not None
    assert message.flags & dns.flags.TC
    assert message.answer == []
    assert len(lines(ZONE, "big.example", "MX")) == 40


def test_what_is_no_query_gets_no_answer() -> None:
    assert ZONE.answer(b"nonsense") is None
    response = dns.message.make_response(dns.message.make_query("a.example", "MX"))
    assert ZONE.answer(response.to_wire()) is None
    assert ZONE.answer(dns.message.Message().to_wire()) is None


NAMES = st.lists(st.binary(min_size=1, max_size=8), max_size=4).map(lambda labels: dns.name.Name([*labels, b""]))


@given(
    NAMES | st.sampled_from([*ZONE.records, ""]).map(dns.name.from_text), st.sampled_from(["A", "MX", "ANY", "TYPE999"])
)
def test_every_question_has_an_answer_that_is_one_message(name: dns.name.Name, kind: str) -> None:
    query = dns.message.make_query(name, kind)
    answer = ZONE.answer(query.to_wire(), max_size=512)
    assert answer is not None
    assert len(answer) <= 512
    assert query.is_response(dns.message.from_wire(answer))


@given(st.binary(max_size=60), st.integers(0, 30))
def test_damaged_queries_never_raise(damage: bytes, place: int) -> None:
    wire = dns.message.make_query("alias.example", "A").to_wire()
    ZONE.answer(wire[:place] + damage + wire[place + len(damage) :])


async def test_the_world_resolves_its_hosts_over_udp_and_over_tcp_again_and_again(world: World) -> None:
    for ask_over in (dns.asyncquery.udp, dns.asyncquery.tcp):
        query = dns.message.make_query("tls.example", "MX")
        message = await ask_over(query, "127.0.0.1", port=world.dns_port, timeout=5)
        assert [str(rdata) for rdata in message.answer[0]] == ["40 mx.tls.example."]
    reader, writer = await asyncio.open_connection("127.0.0.1", world.dns_port)
    for name, address in (("mx.tls.example", "127.0.25.10"), ("mx.down.example", "127.0.25.99")):
        wire = dns.message.make_query(name, "A").to_wire()
        writer.write(len(wire).to_bytes(2, "big") + wire)
        size = int.from_bytes(await reader.readexactly(2), "big")
        assert str(dns.message.from_wire(await reader.readexactly(size)).answer[0][0]) == address
    writer.close()


async def test_the_world_has_names_for_what_goes_wrong(world: World) -> None:
    zone = world.dns.zone
    assert lines(zone, "nullmx.example", "MX") == ["nullmx.example. 0 ."]
    assert rcode(zone, "servfail.example", "MX") is dns.rcode.SERVFAIL
    assert rcode(zone, "no-such.example", "MX") is dns.rcode.NXDOMAIN
    assert lines(zone, "council.example", "MX") == ["council.example. 10 mail.council.example."]
    world.dns.zone = zone.with_trouble("tls.example", Trouble.SERVFAIL)
    query = dns.message.make_query("tls.example", "MX")
    message = await dns.asyncquery.udp(query, "127.0.0.1", port=world.dns_port, timeout=5)
    assert message.rcode() is dns.rcode.SERVFAIL


SIGNED = Zone(
    records={
        "signed.example": ("MX 10 mx.signed.example.",),
        "mx.signed.example": ("A 127.0.25.1",),
        "_25._tcp.mx.signed.example": (f"TLSA 3 1 1 {'00' * 32}",),
        "alias.signed.example": ("CNAME mx.unsigned.example.",),
        "mx.unsigned.example": ("A 127.0.25.2",),
        "alias.unsigned.example": ("CNAME mx.signed.example.",),
    },
    troubles={"_25._tcp.mx.broken.signed.example": Trouble.SERVFAIL},
    signed=frozenset({"signed.example"}),
)


@pytest.mark.parametrize(
    ("name", "kind", "proven"),
    [
        ("signed.example", "MX", True),
        ("mx.signed.example", "A", True),
        ("_25._tcp.mx.signed.example", "TLSA", True),
        ("nobody.signed.example", "A", True),
        ("mx.signed.example", "TXT", True),
        ("alias.signed.example", "CNAME", True),
        ("alias.signed.example", "A", False),
        ("alias.unsigned.example", "A", False),
        ("mx.unsigned.example", "A", False),
        ("notsigned.example", "A", False),
        ("_25._tcp.mx.broken.signed.example", "TLSA", False),
    ],
)
def test_ad_is_said_where_all_of_an_answer_is_signed(name: str, kind: str, proven: bool) -> None:
    by_flag = dns.message.make_query(name, kind, flags=dns.flags.RD | dns.flags.AD)
    for query in (by_flag, dns.message.make_query(name, kind, want_dnssec=True)):
        answer = SIGNED.answer(query.to_wire())
        assert answer is not None
        assert bool(dns.message.from_wire(answer).flags & dns.flags.AD) is proven


def test_ad_is_not_said_to_those_who_do_not_ask_for_it() -> None:
    answer = ask(SIGNED, "signed.example", "MX")
    assert answer is not None
    assert not answer.flags & dns.flags.AD
