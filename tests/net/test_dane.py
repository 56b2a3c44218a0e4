"""Which TLSA records a host has, by what a validating resolver says: a failure is never "none"."""

from datetime import timedelta

import pytest

from gateway.core.dane import NoTlsa, Tlsa, TlsaFacts, TlsaFound, TlsaUnknown, TlsaUnusable
from gateway.net.answers import MAX_TLSA
from gateway.net.dane import Dane
from gateway.net.dns import Resolver
from gateway.net.dns_query import DnsOptions
from tests.fakes.clock import SteppedClock
from tests.fakes.dns import SERVFAIL, SILENT, FakeDns, Table

ONE, TWO = f"3 1 1 {'ab' * 32}", f"2 0 1 {'cd' * 32}"
RECORD, OTHER = Tlsa(3, 1, 1, b"\xab" * 32), Tlsa(2, 0, 1, b"\xcd" * 32)
HOST, TARGET = "mx.a.test", "pool.b.test"
AT_HOST, AT_TARGET = f"_25._tcp.{HOST}", f"_25._tcp.{TARGET}"
ADDRESS = {"A": ["192.0.2.1"]}
ALL = (HOST, TARGET, AT_HOST, AT_TARGET)

PLAIN: Table = {HOST: ADDRESS, AT_HOST: {"TLSA": [ONE, TWO]}}
ALIAS: Table = {HOST: {"CNAME": [f"{TARGET}."]}, TARGET: ADDRESS}


def dane(dns: FakeDns, *, trust_ad: bool = True) -> Dane:
    options = DnsOptions(nameservers=(dns.nameserver,), trust_ad=trust_ad, timeout=timedelta(milliseconds=600))
    return Dane(Resolver(options, SteppedClock()), 25)


@pytest.mark.parametrize(
    ("table", "signed", "expected"),
    [
        pytest.param(PLAIN, ALL, TlsaFound(HOST, (OTHER, RECORD)), id="found"),
        pytest.param(PLAIN, (), NoTlsa.INSECURE, id="insecure host"),
        pytest.param(PLAIN, (HOST,), NoTlsa.INSECURE, id="insecure records"),
        pytest.param({HOST: ADDRESS}, ALL, NoTlsa.ABSENT, id="no such name"),
        pytest.param({HOST: ADDRESS, AT_HOST: {"A": []}}, ALL, NoTlsa.ABSENT, id="no such records"),
        pytest.param({HOST: ADDRESS, AT_HOST: {"TLSA": ["1 1 0 abcd"]}}, ALL, TlsaUnusable(HOST), id="unusable"),
        pytest.param({HOST: ADDRESS, AT_HOST: {"TLSA": ["3 1 1 abcd"]}}, ALL, TlsaUnusable(HOST), id="too short"),
        pytest.param(
            {HOST: ADDRESS, AT_HOST: {"TLSA": ["3 1 1 abcd", ONE]}}, ALL, TlsaFound(HOST, (RECORD,)), id="one too short"
        ),
        pytest.param(
            {**ALIAS, AT_HOST: {"TLSA": [ONE]}, AT_TARGET: {"TLSA": [TWO]}},
            ALL,
            TlsaFound(TARGET, (OTHER,)),
            id="alias: where it leads",
        ),
        pytest.param({**ALIAS, AT_HOST: {"TLSA": [ONE]}}, ALL, TlsaFound(HOST, (RECORD,)), id="alias: its own"),
        pytest.param(
            {**ALIAS, AT_HOST: {"TLSA": [ONE]}, AT_TARGET: {"TLSA": ["1 1 0 abcd"]}},
            ALL,
            TlsaUnusable(TARGET),
            id="alias: unusable where it leads",
        ),
        pytest.param(
            {**ALIAS, AT_HOST: {"TLSA": [ONE]}, AT_TARGET: {"TLSA": [TWO]}},
            (HOST, TARGET, AT_HOST),
            TlsaFound(HOST, (RECORD,)),
            id="alias: insecure records where it leads",
        ),
        pytest.param(
            {**ALIAS, AT_HOST: {"TLSA": [ONE]}, AT_TARGET: {"TLSA": [TWO]}},
            (HOST, AT_HOST, AT_TARGET),
            TlsaFound(HOST, (RECORD,)),
            id="signed alias of an insecure name",
        ),
        pytest.param(
            {**ALIAS, AT_HOST: {"TLSA": [ONE]}, AT_TARGET: {"TLSA": [TWO]}},
            (TARGET, AT_HOST, AT_TARGET),
            NoTlsa.INSECURE,
            id="insecure alias of a signed name",
        ),
        pytest.param({**ALIAS}, ALL, NoTlsa.ABSENT, id="alias: nothing at either"),
    ],
)
async def test_what_is_known_of_a_host(table: Table, signed: tuple[str, ...], expected: TlsaFacts) -> None:
    async with FakeDns(table, authentic=signed) as dns:
        assert await dane(dns).facts(HOST) == expected


@pytest.mark.parametrize("failure", [SERVFAIL, SILENT])
@pytest.mark.parametrize(
    ("changed", "signed"),
    [
        pytest.param({HOST: {"A": None, "AAAA": None}}, ALL, id="addresses"),
        pytest.param({AT_HOST: {"TLSA": None}}, ALL, id="records"),
        pytest.param({AT_TARGET: {"TLSA": None}, HOST: ALIAS[HOST], TARGET: ADDRESS}, ALL, id="first of two"),
        pytest.param({AT_HOST: {"TLSA": None}, HOST: ALIAS[HOST], TARGET: ADDRESS}, ALL, id="second of two"),
    ],
)
async def test_what_cannot_be_looked_up_is_unknown(
    changed: dict[str, dict[str, list[str] | None]], signed: tuple[str, ...], failure: str
) -> None:
    filled = {
        name: {kind: failure if records is None else records for kind, records in entry.items()}
        for name, entry in changed.items()
    }
    async with FakeDns({**PLAIN, **filled}, authentic=signed) as dns:
        facts = await dane(dns).facts(HOST)
        assert isinstance(facts, TlsaUnknown)
        assert "no name server" in facts.reason


async def test_whether_an_alias_is_signed_has_to_be_known_too() -> None:
    class Forgetful(FakeDns):
        """Fails for the question for the alias itself alone."""

        def _answer(self, data: bytes, *, truncate: bool) -> bytes | None:
            reply = super()._answer(data, truncate=truncate)
            return None if self.questions[-1][1] == "CNAME" else reply

    async with Forgetful({**ALIAS, AT_HOST: {"TLSA": [ONE]}}, authentic=(HOST, AT_HOST)) as dns:
        assert isinstance(await dane(dns).facts(HOST), TlsaUnknown)


async def test_one_address_family_that_is_signed_is_enough_if_the_other_is_empty() -> None:
    table: Table = {**PLAIN, HOST: {"AAAA": ["2001:db8::1"], "A": SERVFAIL}}
    async with FakeDns(table, authentic=ALL) as dns:
        assert isinstance(await dane(dns).facts(HOST), TlsaFound)


async def test_more_records_than_a_host_needs_are_not_none() -> None:
    many = [f"3 1 1 {number:064x}" for number in range(MAX_TLSA + 1)]
    async with FakeDns({HOST: ADDRESS, AT_HOST: {"TLSA": many}}, authentic=True) as dns:
        assert isinstance(await dane(dns).facts(HOST), TlsaUnknown)
    async with FakeDns({HOST: ADDRESS, AT_HOST: {"TLSA": many[1:]}}, authentic=True) as dns:
        facts = await dane(dns).facts(HOST)
        assert isinstance(facts, TlsaFound)
        assert len(facts.records) == MAX_TLSA
    async with FakeDns({HOST: ADDRESS, AT_HOST: {"TLSA": [f"3 0 0 {'ab' * 9000}"]}}, authentic=True) as dns:
        assert isinstance(await dane(dns).facts(HOST), TlsaUnknown)


async def test_without_a_trusted_resolver_nothing_is_asked() -> None:
    async with FakeDns(PLAIN, authentic=True) as dns:
        assert await dane(dns, trust_ad=False).facts(HOST) is NoTlsa.OFF
        assert dns.questions == []


async def test_no_records_are_asked_for_where_addresses_are_insecure() -> None:
    async with FakeDns(PLAIN, authentic=(AT_HOST,)) as dns:
        assert await dane(dns).facts(HOST) is NoTlsa.INSECURE
        assert {kind for _, kind in dns.questions} == {"A", "AAAA"}


async def test_the_port_is_the_one_that_mail_goes_to() -> None:
    table: Table = {HOST: ADDRESS, f"_2525._tcp.{HOST}": {"TLSA": [ONE]}}
    async with FakeDns(table, authentic=True) as dns:
        options = DnsOptions(nameservers=(dns.nameserver,), trust_ad=True)
        assert await Dane(Resolver(options, SteppedClock()), 2525).facts(HOST) == TlsaFound(HOST, (RECORD,))
        assert await dane(dns).facts(HOST) is NoTlsa.ABSENT


async def test_a_host_is_looked_up_once_while_its_answers_hold() -> None:
    async with FakeDns(PLAIN, authentic=True) as dns:
        ours = dane(dns)
        assert await ours.facts(HOST) == await ours.facts(HOST)
        assert sorted(dns.questions) == sorted([(HOST, "A"), (HOST, "AAAA"), (AT_HOST, "TLSA")])
