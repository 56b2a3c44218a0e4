"""Fuzz target: what a name server answers, behind the question that we asked, up to what it means for a mail host."""

import asyncio
import struct
from typing import Final

import dns.exception
import dns.flags
import dns.message
import dns.nameserver

from gateway.core.dane import TlsaFound
from gateway.net.answers import MAX_ADDRESSES, MAX_HOSTS, Addresses, MxRecords, Unresolvable
from gateway.net.dane import Dane
from gateway.net.dns import Resolver
from gateway.net.dns_query import DnsOptions
from tests.fakes.clock import SteppedClock
from tests.fuzz.target import Target

_NAME: Final = "a.example"
_COUNTED: Final = 3


class _Answering(dns.nameserver.Do53Nameserver):
    """A name server that gives one answer to everything; what its bytes are not, the library refuses."""

    def __init__(self, data: bytes) -> None:
        super().__init__("127.0.0.1")
        self._flags, self._counts, self._records = data[:2].ljust(2, b"\0"), data[2:5], data[5:]

    async def async_query(
        self,
        request: dns.message.QueryMessage,
        timeout: float,
        source: str | None,
        source_port: int,
        max_size: bool,
        backend: object,
        one_rr_per_rrset: bool = False,
        ignore_trailing: bool = False,
    ) -> dns.message.Message:
        wire = bytes(request.to_wire())
        question = wire[12 : wire.index(b"\0", 12) + 5]
        flags = int.from_bytes(self._flags) | dns.flags.QR
        counts = [count % _COUNTED for count in self._counts.ljust(3, b"\0")]
        header = struct.pack(">6H", request.id, flags, 1, *counts)
        try:
            response = dns.message.from_wire(header + question + self._records, ignore_trailing=True)
        except dns.exception.DNSException as error:
            # Any other refusal would be asked again until the time is over.
            raise dns.exception.FormError from error
        if not request.is_response(response):
            raise dns.exception.FormError
        return response


def one(data: bytes) -> None:
    """Every lookup is a value within its limits."""
    asyncio.run(_look_up(data))


async def _look_up(data: bytes) -> None:
    resolver = Resolver(DnsOptions(nameservers=("127.0.0.1:53",), trust_ad=True), SteppedClock())
    resolver._queries._stub.nameservers = [_Answering(data)]
    mx = await resolver.mx(_NAME)
    if isinstance(mx, MxRecords):
        assert 1 <= len(mx.in_order()) <= MAX_HOSTS + 1
        assert all(record.host == record.host.lower() for record in mx.records)
    addresses = await resolver.addresses(_NAME)
    if isinstance(addresses, Addresses):
        assert len(addresses.in_order()) <= 2 * MAX_ADDRESSES
    texts = await resolver.texts(_NAME)
    assert isinstance(texts, Unresolvable) or all(isinstance(text, bytes) for text in texts)
    assert isinstance(await resolver.alias_is_signed(_NAME), bool | Unresolvable)
    facts = await Dane(resolver, 25).facts(_NAME)
    if isinstance(facts, TlsaFound):
        assert facts.records and all(record.data for record in facts.records)


TARGET: Final = Target(name="answers", one=one, longest=1024)
