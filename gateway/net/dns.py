"""DNS lookups for mail (RFC 5321 section 5, RFC 2308, RFC 6891): MX records and addresses, cached and single flight.

Answers are kept for their TTL within limits; SERVFAIL and time-outs are `Unresolvable`, never a "no". Left out on
purpose: own DNSSEC validation (``trust_ad`` believes a validating resolver's AD bit) and search domains.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, TypeAlias

import dns.exception
import dns.flags
import dns.nameserver
import dns.rdatatype
from dns.asyncresolver import Resolver as StubResolver
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.IN.A import A
from dns.rdtypes.IN.AAAA import AAAA
from dns.resolver import NXDOMAIN, Answer, NoNameservers

from gateway.core.tls import MxAuth
from gateway.flow.ports import Clock
from gateway.net.answers import (
    MAX_ADDRESSES,
    MAX_HOSTS,
    AddressAnswer,
    Addresses,
    MxAnswer,
    MxRecord,
    MxRecords,
    NoMx,
    Unresolvable,
)
from gateway.net.cache import Remembered
from gateway.net.hostport import split_port

MAX_TTL: Final = timedelta(hours=1)
"""A longer TTL is cut, so that a domain that was repaired is not shunned for a day."""

NEGATIVE_TTL: Final = timedelta(minutes=1)
"""How long a "no such name" or "no such record" is believed (RFC 2308 section 5 allows hours)."""

FAILURE_TTL: Final = timedelta(seconds=5)
"""How long a failed lookup is not repeated: it spares the name servers when a whole queue wakes up."""

CACHE_LIMIT: Final = 20_000
"""Answers of each kind that are kept; about 1 KiB each, because an answer is cut to what an attempt can use."""

# The payload that DNS Flag Day 2020 recommends, because it passes unfragmented everywhere.
_EDNS_PAYLOAD: Final = 1232
# One try with one name server; the whole lookup is bounded by the options.
_TRY: Final = timedelta(seconds=2)

_DNS_PORT: Final = 53

_Query: TypeAlias = Answer | NXDOMAIN | Unresolvable


def parse_nameserver(text: str) -> tuple[str, int]:
    """Splits ``address``, ``address:port`` or ``[v6]:port``; the port is 53 unless given. Raises ValueError."""
    host, port = split_port(text, _DNS_PORT)
    try:
        return str(ip_address(host)), port
    except ValueError:
        raise ValueError(f"{text!r} is not the address of a name server") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsOptions:
    """``[dns]``. No ``nameservers``: those of the system's resolv.conf. ``timeout`` bounds one lookup with its repeats.

    Raises:
        ValueError: a name server is not ``address``, ``address:port`` or ``[v6]:port``.
    """

    nameservers: tuple[str, ...] = ()
    trust_ad: bool = False
    timeout: timedelta = timedelta(seconds=5)

    def __post_init__(self) -> None:
        for text in self.nameservers:
            parse_nameserver(text)


class Resolver:
    """Answers from what it keeps, or asks the configured name servers."""

    def __init__(self, options: DnsOptions, clock: Clock) -> None:
        self._trust_ad = options.trust_ad
        self._stub = _stub(options)
        self._mx: Remembered[str, MxAnswer] = Remembered(clock, CACHE_LIMIT)
        self._addresses: Remembered[str, AddressAnswer] = Remembered(clock, CACHE_LIMIT)

    async def mx(self, domain: str) -> MxAnswer:
        """The mail hosts of a domain given as A-labels; never raises."""
        return await self._mx.get(domain, lambda: self._ask_mx(domain))

    async def addresses(self, host: str) -> AddressAnswer:
        """The addresses of a host; a family whose lookup fails does not hide the other's. Never raises."""
        return await self._addresses.get(host, lambda: self._ask_addresses(host))

    async def _ask_mx(self, domain: str) -> tuple[MxAnswer, timedelta]:
        answer = await self._query(domain, dns.rdatatype.MX)
        match answer:
            case Unresolvable():
                return answer, FAILURE_TTL
            case NXDOMAIN():
                return NoMx.NXDOMAIN, NEGATIVE_TTL
            case _:
                return self._read_mx(answer), _holds(answer)

    def _read_mx(self, answer: Answer) -> MxAnswer:
        records = [
            MxRecord(record.preference, record.exchange.to_text(omit_final_dot=True).lower())
            for record in _rrset(answer)
            if isinstance(record, MX)
        ]
        if not records:
            return NoMx.IMPLICIT
        # RFC 7505 section 3: a null MX is the only record; beside others it is just a host that cannot be.
        if [record.host for record in records] == ["."]:
            return NoMx.NULL
        authentic = self._trust_ad and bool(answer.response.flags & dns.flags.AD)
        return MxRecords(_best(records), MxAuth.DNSSEC if authentic else MxAuth.NONE)

    async def _ask_addresses(self, host: str) -> tuple[AddressAnswer, timedelta]:
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(self._query(host, kind)) for kind in (dns.rdatatype.AAAA, dns.rdatatype.A)]
        six, four = (task.result() for task in asked)
        found = Addresses(
            tuple(IPv6Address(record.address) for record in _rrset(six)[:MAX_ADDRESSES] if isinstance(record, AAAA)),
            tuple(IPv4Address(record.address) for record in _rrset(four)[:MAX_ADDRESSES] if isinstance(record, A)),
        )
        failed = [answer for answer in (four, six) if isinstance(answer, Unresolvable)]
        if failed and not (found.v6 or found.v4):
            return failed[0], FAILURE_TTL
        return found, min(_holds(six), _holds(four))

    async def _query(self, name: str, kind: dns.rdatatype.RdataType) -> _Query:
        try:
            return await self._stub.resolve(name, kind, search=False, raise_on_no_answer=False)
        except NXDOMAIN as answer:
            return answer
        except NoNameservers:
            return Unresolvable(f"no name server could answer for {name}")
        except dns.exception.Timeout:
            return Unresolvable(f"no name server answered in time for {name}")
        except (dns.exception.DNSException, OSError) as error:
            return Unresolvable(f"the lookup of {name} failed ({type(error).__name__})")


def _stub(options: DnsOptions) -> StubResolver:
    stub = StubResolver(configure=not options.nameservers)
    if options.nameservers:
        stub.nameservers = [dns.nameserver.Do53Nameserver(*parse_nameserver(text)) for text in options.nameservers]
    stub.lifetime = options.timeout.total_seconds()
    stub.timeout = min(_TRY, options.timeout / 2).total_seconds()
    # DO asks a validating resolver to say AD; without trust_ad nobody would read it (RFC 6840 section 5.7).
    stub.use_edns(0, dns.flags.DO if options.trust_ad else 0, _EDNS_PAYLOAD)
    if options.trust_ad:
        stub.flags = dns.flags.RD | dns.flags.AD
    return stub


def _best(records: list[MxRecord]) -> tuple[MxRecord, ...]:
    """Each host once, and one more than are asked, which tells that the list was longer.

    Our own name behind that many others of the same preference is not seen; the hop field ends such a loop.
    """
    ordered = sorted(records, key=lambda record: record.preference, reverse=True)
    best = {record.host: record for record in ordered}
    return tuple(sorted(best.values(), key=lambda record: record.preference)[: MAX_HOSTS + 1])


def _rrset(answer: _Query) -> tuple[object, ...]:
    return tuple(answer.rrset or ()) if isinstance(answer, Answer) else ()


def _holds(answer: _Query) -> timedelta:
    """How long a certain answer is kept."""
    if isinstance(answer, Answer) and answer.rrset is not None:
        return min(MAX_TTL, timedelta(seconds=answer.chaining_result.minimum_ttl))
    return NEGATIVE_TTL
