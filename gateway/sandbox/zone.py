"""The sandbox's DNS as a table: which records a name has, and which names are in trouble (RFC 1035, RFC 7505).

A name that the table does not have does not exist, whichever it is: nothing here asks the real DNS.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Final

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

TTL: Final = 5
"""Seconds; short, so that a change of the table shows while one watches."""

MAX_ALIASES: Final = 8
"""Aliases that point in a circle end somewhere."""

_SOA: Final = f"ns.sandbox.example. hostmaster.sandbox.example. 1 60 60 60 {TTL}"


class Trouble(Enum):
    """What goes wrong for a name and all names below it."""

    SERVFAIL = auto()
    SILENCE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """``records`` maps a lower-case name without final dot to lines such as ``MX 10 mx.tls.example.``.

    Answers about ``signed`` names, and all names below them, say AD to those who ask for it (RFC 6840 section 5.7), as
    a resolver does that has validated them.
    """

    records: Mapping[str, tuple[str, ...]]
    troubles: Mapping[str, Trouble] = field(default_factory=dict[str, Trouble])
    signed: frozenset[str] = frozenset()

    def with_trouble(self, name: str, trouble: Trouble | None) -> "Zone":
        """The same zone with one name in trouble, or out of it."""
        others = {known: kind for known, kind in self.troubles.items() if known != name}
        return replace(self, troubles=others if trouble is None else {**others, name: trouble})

    def answer(self, query: bytes, *, max_size: int = 65535) -> bytes | None:
        """The reply to one query, None for none at all (silence, or bytes that are no query)."""
        try:
            message = dns.message.from_wire(query)
        except dns.exception.DNSException:
            return None
        if message.flags & dns.flags.QR or len(message.question) != 1:
            return None
        trouble = self._trouble(_key(message.question[0].name))
        if trouble is Trouble.SILENCE:
            return None
        response = dns.message.make_response(message, recursion_available=True)
        if trouble is Trouble.SERVFAIL:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif self._fill(response) and _wants_ad(message):
            response.flags |= dns.flags.AD
        # RFC 2181 section 9: an answer that does not fit is cut, says so, and is asked for again over TCP.
        return response.to_wire(max_size=max_size, prefer_truncation=True)

    def _trouble(self, name: str) -> Trouble | None:
        return next((kind for known, kind in self.troubles.items() if _is_below(name, known)), None)

    def _fill(self, response: dns.message.Message) -> bool:
        """Adds the records asked for, through aliases as a recursive server does; whether all of it is signed."""
        signed = True
        name = response.question[0].name
        wanted = dns.rdatatype.to_text(response.question[0].rdtype)
        for _ in range(MAX_ALIASES):
            signed = signed and any(_is_below(_key(name), known) for known in self.signed)
            lines = self.records.get(_key(name))
            if lines is None:
                response.set_rcode(dns.rcode.NXDOMAIN)
                break
            kind, data = _find(lines, wanted)
            if not data:
                break
            response.answer.append(dns.rrset.from_text(name, TTL, "IN", kind, *data))
            if kind == wanted:
                return signed
            name = dns.name.from_text(data[0])
        response.authority.append(dns.rrset.from_text(name, TTL, "IN", "SOA", _SOA))
        return signed


def _wants_ad(query: dns.message.Message) -> bool:
    return bool(query.flags & dns.flags.AD or query.ednsflags & dns.flags.DO)


def _is_below(name: str, known: str) -> bool:
    """Whether it is that name, or one below it."""
    return name == known or name.endswith(f".{known}")


def _key(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()


def _find(lines: tuple[str, ...], wanted: str) -> tuple[str, list[str]]:
    """The data of the type that was asked for, or else of the alias that stands in for all types."""
    for kind in (wanted, "CNAME"):
        data = [line.removeprefix(f"{kind} ") for line in lines if line.startswith(f"{kind} ")]
        if data:
            return kind, data
    return wanted, []
