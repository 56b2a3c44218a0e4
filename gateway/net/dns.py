"""DNS lookups for mail (RFC 5321 section 5, RFC 7672): MX, addresses, TLSA and TXT, cached and single flight.

Answers are kept for their TTL within limits, failures for a moment. Left out on purpose: asking, which is
`net.dns_query`'s, and what the answers demand.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address
from typing import Final

import dns.rdatatype
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.ANY.TLSA import TLSA
from dns.rdtypes.ANY.TXT import TXT
from dns.rdtypes.IN.A import A
from dns.rdtypes.IN.AAAA import AAAA

from gateway.core.dane import Tlsa
from gateway.core.tls import MxAuth
from gateway.flow.ports import Clock
from gateway.net.answers import (
    MAX_ADDRESSES,
    MAX_HOSTS,
    MAX_TEXT_SIZE,
    MAX_TEXTS,
    MAX_TLSA,
    MAX_TLSA_SIZE,
    AddressAnswer,
    Addresses,
    MxAnswer,
    MxRecord,
    MxRecords,
    NoMx,
    TextAnswer,
    TlsaAnswer,
    TlsaRecords,
    Unresolvable,
)
from gateway.net.cache import Remembered
from gateway.net.dns_query import NEGATIVE_TTL, DnsOptions, Found, Queries, Query
from gateway.net.dns_query import parse_nameserver as parse_nameserver

FAILURE_TTL: Final = timedelta(seconds=5)
"""How long a failed lookup is not repeated: it spares the name servers when a whole queue wakes up."""

CACHE_LIMIT: Final = 20_000
"""Answers of each kind that are kept; about 1 KiB each, because an answer is cut to what an attempt can use."""

LARGE_CACHE_LIMIT: Final = 5_000
"""Answers with TLSA or TXT records that are kept; at worst 8 KiB each."""


class Resolver:
    """Answers from what it keeps, or asks the configured name servers. Nothing here raises."""

    def __init__(self, options: DnsOptions, clock: Clock) -> None:
        self._queries = Queries(options)
        self._mx: Remembered[str, MxAnswer] = Remembered(clock, CACHE_LIMIT)
        self._addresses: Remembered[str, AddressAnswer] = Remembered(clock, CACHE_LIMIT)
        self._tlsa: Remembered[str, TlsaAnswer] = Remembered(clock, LARGE_CACHE_LIMIT)
        self._texts: Remembered[str, TextAnswer] = Remembered(clock, LARGE_CACHE_LIMIT)
        self._aliases: Remembered[str, bool | Unresolvable] = Remembered(clock, CACHE_LIMIT)
        self._root: Remembered[str, bool | Unresolvable] = Remembered(clock, 1)

    @property
    def trusts_ad(self) -> bool:
        """Whether anything can be secure: the name servers are asked for AD, and it is believed."""
        return self._queries.trusts_ad

    async def mx(self, domain: str) -> MxAnswer:
        """The mail hosts of a domain given as A-labels."""
        return await self._mx.get(domain, lambda: self._ask_mx(domain))

    async def addresses(self, host: str) -> AddressAnswer:
        """The addresses of a host; a family whose lookup fails does not hide the other's."""
        return await self._addresses.get(host, lambda: self._ask_addresses(host))

    async def tlsa(self, base: str, port: int) -> TlsaAnswer:
        """The TLSA records for a port of the base domain, signed or not."""
        name = f"_{port}._tcp.{base}"
        return await self._tlsa.get(name, lambda: self._ask_tlsa(name))

    async def texts(self, name: str) -> TextAnswer:
        """The TXT records of a name."""
        return await self._texts.get(name, lambda: self._ask_texts(name))

    async def alias_is_signed(self, name: str) -> bool | Unresolvable:
        """Whether DNSSEC proves that this name is an alias, wherever that leads (RFC 7672 section 2.2.2)."""
        return await self._aliases.get(name, lambda: self._ask_alias(name))

    async def validates(self) -> bool | None:
        """Whether the name servers prove the root zone, None if they do not answer; False where AD is not trusted."""
        answer = await self._root.get(".", self._ask_root)
        return None if isinstance(answer, Unresolvable) else answer

    async def _ask_mx(self, domain: str) -> tuple[MxAnswer, timedelta]:
        answer = await self._queries.ask(domain, dns.rdatatype.MX)
        return (answer if isinstance(answer, Unresolvable) else _read_mx(answer)), _holds(answer)

    async def _ask_addresses(self, host: str) -> tuple[AddressAnswer, timedelta]:
        async with asyncio.TaskGroup() as group:
            kinds = (dns.rdatatype.AAAA, dns.rdatatype.A)
            asked = [group.create_task(self._queries.ask(host, kind)) for kind in kinds]
        answers = [task.result() for task in asked]
        certain = [answer for answer in answers if isinstance(answer, Found)]
        used = [answer for answer in certain if answer.records]
        failed = [answer for answer in answers if isinstance(answer, Unresolvable)]
        if failed and not used:
            return failed[0], FAILURE_TTL
        # A family that failed beside one that did not is asked again as if it had no addresses.
        holds = min(NEGATIVE_TTL if isinstance(answer, Unresolvable) else answer.holds for answer in answers)
        return _read_addresses(used or certain), holds

    async def _ask_tlsa(self, name: str) -> tuple[TlsaAnswer, timedelta]:
        answer = await self._queries.ask(name, dns.rdatatype.TLSA)
        return (answer if isinstance(answer, Unresolvable) else _read_tlsa(name, answer)), _holds(answer)

    async def _ask_texts(self, name: str) -> tuple[TextAnswer, timedelta]:
        answer = await self._queries.ask(name, dns.rdatatype.TXT)
        return (answer if isinstance(answer, Unresolvable) else _read_texts(name, answer)), _holds(answer)

    async def _ask_alias(self, name: str) -> tuple[bool | Unresolvable, timedelta]:
        answer = await self._queries.ask(name, dns.rdatatype.CNAME)
        if isinstance(answer, Unresolvable):
            return answer, FAILURE_TTL
        return answer.signed and bool(answer.records), answer.holds

    async def _ask_root(self) -> tuple[bool | Unresolvable, timedelta]:
        answer = await self._queries.ask(".", dns.rdatatype.SOA)
        return (answer if isinstance(answer, Unresolvable) else answer.signed), _holds(answer)


def _read_mx(found: Found) -> MxAnswer:
    if not found.exists:
        return NoMx.NXDOMAIN
    records = [
        MxRecord(record.preference, record.exchange.to_text(omit_final_dot=True).lower())
        for record in found.records
        if isinstance(record, MX)
    ]
    if not records:
        return NoMx.IMPLICIT_SIGNED if found.signed else NoMx.IMPLICIT
    # RFC 7505 section 3: a null MX is the only record; beside others it is just a host that cannot be.
    if [record.host for record in records] == ["."]:
        return NoMx.NULL
    return MxRecords(_best(records), MxAuth.DNSSEC if found.signed else MxAuth.NONE)


def _best(records: list[MxRecord]) -> tuple[MxRecord, ...]:
    """Each host once, and one more than are asked, which tells that the list was longer.

    Our own name behind that many others of the same preference is not seen; the hop field ends such a loop.
    """
    ordered = sorted(records, key=lambda record: record.preference, reverse=True)
    best = {record.host: record for record in ordered}
    return tuple(sorted(best.values(), key=lambda record: record.preference)[: MAX_HOSTS + 1])


def _read_addresses(answers: Sequence[Found]) -> Addresses:
    """What a family lacks is no address that is used, so it is not among ``answers`` and needs no signature."""
    records = [record for answer in answers for record in answer.records]
    return Addresses(
        tuple(IPv6Address(record.address) for record in records if isinstance(record, AAAA))[:MAX_ADDRESSES],
        tuple(IPv4Address(record.address) for record in records if isinstance(record, A))[:MAX_ADDRESSES],
        secure=all(answer.signed for answer in answers),
        canonical=answers[0].canonical,
    )


def _read_tlsa(name: str, found: Found) -> TlsaAnswer:
    records = [
        Tlsa(record.usage, record.selector, record.mtype, record.cert)
        for record in found.records
        if isinstance(record, TLSA)
    ]
    if len(records) > MAX_TLSA or sum(len(record.data) for record in records) > MAX_TLSA_SIZE:
        return Unresolvable(f"{name} has more TLSA records than a host needs")
    return TlsaRecords(tuple(records), found.signed)


def _read_texts(name: str, found: Found) -> TextAnswer:
    texts = tuple(b"".join(record.strings) for record in found.records if isinstance(record, TXT))
    if len(texts) > MAX_TEXTS or sum(map(len, texts)) > MAX_TEXT_SIZE:
        return Unresolvable(f"{name} has more TXT records than a policy needs")
    return texts


def _holds(answer: Query) -> timedelta:
    return FAILURE_TTL if isinstance(answer, Unresolvable) else answer.holds
