"""Next hops looked up as deliveries are: each host's records, the domain's policy, pins, and the floor."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from gateway.core.grade import DEMANDS
from gateway.core.next_hop import parse_next_hop
from gateway.core.pin import Pin, Pins
from gateway.core.postfix_tls import NoEntry, PolicyEntry, PostfixTls, Wait
from gateway.core.sts import StsFound, StsMode, StsPolicy
from gateway.core.tls import NOTHING, Channel, MxAuth, Requirement
from gateway.net.answers import MAX_HOSTS
from gateway.net.destination import Destinations, MxOptions
from gateway.net.dns import DnsOptions, Resolver
from gateway.net.next_hops import NextHops
from tests.fakes.clock import SteppedClock
from tests.fakes.dns import SERVFAIL, FakeDns
from tests.fakes.mail_world import KnownSts

KEY = "ab" * 32
SIGNED = ("signed.example", "mx.signed.example", "_25._tcp.mx.signed.example", "_587._tcp.mx.signed.example")
TABLE = {
    "plain.example": {"MX": ["10 mx.plain.example.", "20 mx2.plain.example."]},
    "mx.plain.example": {"A": ["192.0.2.1"]},
    "mx2.plain.example": {"A": ["192.0.2.2"]},
    "signed.example": {"MX": ["10 mx.signed.example."]},
    "mx.signed.example": {"A": ["192.0.2.3"]},
    "_25._tcp.mx.signed.example": {"TLSA": [f"3 1 1 {KEY}"]},
    "_587._tcp.mx.signed.example": {"TLSA": []},
    "broken.example": {"MX": SERVFAIL},
    "null.example": {"MX": ["0 ."]},
    "many.example": {"MX": [f"{n} mx{n}.plain.example." for n in range(MAX_HOSTS + 1)]},
    "literal.example": {"MX": []},
}
FLOORS = {
    "plain.example": NOTHING,
    "sealed.example": None,
    "mx.checked.example": Requirement(MxAuth.NONE, Channel.PKIX),
}
POLICY = StsPolicy(mode=StsMode.ENFORCE, max_age=timedelta(days=1), mx=("mx.plain.example",))
PIN = Pin(name="Partner", domains=("pinned.example",), requirement=DEMANDS["pinned"], fingerprints=frozenset({KEY}))


@asynccontextmanager
async def asking(sts: KnownSts | None = None) -> AsyncGenerator[NextHops]:
    async with FakeDns({**TABLE, "pinned.example": TABLE["plain.example"]}, authentic=SIGNED) as dns:
        options = DnsOptions(nameservers=(dns.nameserver,), trust_ad=True, timeout=timedelta(seconds=5))
        resolver = Resolver(options, SteppedClock(datetime.now(UTC)))
        yield NextHops(
            resolver=resolver,
            destinations=Destinations(resolver, MxOptions(), "gateway.council.example"),
            sts=sts or KnownSts(),
            pins=Pins((PIN,)),
            port=25,
            floor=lambda hop: FLOORS.get(hop.name, NOTHING),
        )


async def told(text: str, sts: KnownSts | None = None) -> PostfixTls:
    async with asking(sts) as hops:
        return await hops.entry(parse_next_hop(text))


def entry(text: str) -> PolicyEntry:
    return PolicyEntry(f"{text} protocols=>=TLSv1.2")


KEYS = ":".join(["AB"] * 32)


@pytest.mark.parametrize(
    ("hop", "expected"),
    [
        ("plain.example", NoEntry.NOTHING),
        ("signed.example", entry("dane-only")),
        ("signed.example:25", entry("dane-only")),
        # There are no records for that port.
        ("signed.example:587", NoEntry.NOTHING),
        ("pinned.example", entry(f"fingerprint match={KEYS} servername=hostname")),
        ("[mx.checked.example]", entry("secure match=mx.checked.example servername=hostname")),
        # Nobody is asked about a host that the administrator names, nor about an address.
        ("[mx.signed.example]", NoEntry.NOTHING),
        ("[192.0.2.1]:25", NoEntry.NOTHING),
    ],
)
async def test_each_next_hop_has_its_entry(hop: str, expected: PostfixTls) -> None:
    assert await told(hop) == expected


@pytest.mark.parametrize(
    ("hop", "reason"),
    [
        ("broken.example", "broken.example"),
        ("null.example", "takes no mail"),
        ("nowhere.example", "does not exist"),
        ("sealed.example", "as it is"),
        ("many.example", "more mail hosts"),
    ],
)
async def test_what_is_not_known_or_may_not_be_waits(hop: str, reason: str) -> None:
    found = await told(hop)
    assert isinstance(found, Wait)
    assert reason in found.reason


async def test_a_policy_in_force_names_the_hosts() -> None:
    sts = KnownSts()
    sts.domains["plain.example"] = StsFound("plain.example", "1", POLICY)
    assert await told("plain.example", sts) == entry("secure match=mx.plain.example servername=hostname")
    assert await told("signed.example", sts) == entry("dane-only")
    assert sts.asked == ["plain.example"] * 2
