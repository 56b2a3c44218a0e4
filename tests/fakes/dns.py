"""A loopback name server for tests: a table of names, and the ways in which DNS fails. It remembers every question."""

import asyncio
import struct
from collections.abc import Collection, Mapping, Sequence
from types import TracebackType
from typing import cast

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

SERVFAIL = "SERVFAIL"
SILENT = "SILENT"
"""In place of records: the failure, for that name and type."""

# A datagram on loopback may be as large as one can be, whatever the question says.
_LARGE = 65_000

Table = Mapping[str, Mapping[str, Sequence[str] | str]]
"""Name to type to records as a zone file writes them, e.g. ``{"a.example": {"MX": ["10 mx.a.example."]}}``."""


class FakeDns(asyncio.DatagramProtocol):
    """Answers on UDP and TCP at `nameserver`; a name that is not in ``table`` does not exist.

    ``authentic`` answers carry AD: all of them, or those about these names alone, each alias on the way included.
    """

    def __init__(
        self,
        table: Table,
        *,
        ttl: int = 300,
        authentic: bool | Collection[str] = False,
        truncates: bool = False,
    ) -> None:
        self.table = table
        self.ttl = ttl
        self.authentic = authentic
        self.truncates = truncates
        self.questions: list[tuple[str, str]] = []
        self.over_tcp = 0
        self.port = 0

    @property
    def nameserver(self) -> str:
        return f"127.0.0.1:{self.port}"

    def asked(self, name: str, kind: str) -> int:
        return self.questions.count((name, kind))

    async def __aenter__(self) -> "FakeDns":
        loop = asyncio.get_running_loop()
        self._tcp = await asyncio.start_server(self._serve_tcp, "127.0.0.1", 0)
        self.port = self._tcp.sockets[0].getsockname()[1]
        self._udp, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", self.port))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._udp.close()
        self._tcp.close()
        await self._tcp.wait_closed()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self._answer(data, truncate=self.truncates)
        if answer is not None:
            self._udp.sendto(answer, addr)

    async def _serve_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            (size,) = struct.unpack("!H", await reader.readexactly(2))
            self.over_tcp += 1
            answer = self._answer(await reader.readexactly(size), truncate=False)
            if answer is not None:
                writer.write(struct.pack("!H", len(answer)) + answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _answer(self, data: bytes, *, truncate: bool) -> bytes | None:
        query = cast(dns.message.QueryMessage, dns.message.from_wire(data))
        name = query.question[0].name
        kind = dns.rdatatype.to_text(query.question[0].rdtype)
        self.questions.append((name.to_text(omit_final_dot=True), kind))
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        response.flags |= dns.flags.AD
        if truncate:
            response.flags |= dns.flags.TC
            return response.to_wire(max_size=_LARGE)
        return self._fill(response, name, kind)

    def _fill(self, response: dns.message.Message, name: dns.name.Name, kind: str) -> bytes | None:
        while True:
            if not self._is_signed(name.to_text(omit_final_dot=True)):
                response.flags &= ~dns.flags.AD
            entry = self.table.get(name.to_text(omit_final_dot=True))
            if entry is None:
                response.set_rcode(dns.rcode.NXDOMAIN)
                return response.to_wire(max_size=_LARGE)
            records = entry.get(kind, entry.get("CNAME", ()))
            if records == SILENT:
                return None
            if records == SERVFAIL:
                response.set_rcode(dns.rcode.SERVFAIL)
                return response.to_wire(max_size=_LARGE)
            used = kind if kind in entry else "CNAME"
            if records:
                response.answer.append(dns.rrset.from_text(name, self.ttl, "IN", used, *records))
            if used == kind or not records:
                return response.to_wire(max_size=_LARGE)
            name = dns.name.from_text(records[0])

    def _is_signed(self, name: str) -> bool:
        return self.authentic if isinstance(self.authentic, bool) else name in self.authentic
