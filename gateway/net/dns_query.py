"""One question to the configured name servers, and its answer as a value (RFC 1035, RFC 2308, RFC 6891, RFC 6840).

SERVFAIL and time-outs are `Unresolvable`, never a "no". Left out on purpose: own DNSSEC validation (``trust_ad``
believes a validating resolver's AD bit), search domains, and what records mean.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from typing import Final, TypeAlias, cast

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.nameserver
import dns.rdatatype
from dns.asyncresolver import Resolver as StubResolver
from dns.rdtypes.ANY.TLSA import TLSA
from dns.resolver import NXDOMAIN, Answer, NoNameservers

from gateway.net.answers import Unresolvable
from gateway.net.hostport import split_port

MAX_TTL: Final = timedelta(hours=1)
"""A longer TTL is cut, so that a domain that was repaired is not shunned for a day."""

NEGATIVE_TTL: Final = timedelta(minutes=1)
"""How long a "no such name" or "no such record" is believed (RFC 2308 section 5 allows hours)."""

# The payload that DNS Flag Day 2020 recommends, because it passes unfragmented everywhere.
_EDNS_PAYLOAD: Final = 1232
# One try with one name server; the whole lookup is bounded by the options.
_TRY: Final = timedelta(seconds=2)

_DNS_PORT: Final = 53

# dnspython refuses a whole answer for one TLSA record of a wrong length; only that record is to be refused, which
# `core.dane.usable` does (RFC 6698 section 4.1).
TLSA._cert_length_by_mtype = {}  # pyright: ignore[reportPrivateUsage]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A certain answer, with or without ``records`` (dnspython's), which may be kept for ``holds``.

    ``signed``: a resolver that we trust says that DNSSEC proves all of it. ``canonical`` is the lower-case name that
    the aliases lead to, empty if the name is none or leads nowhere.
    """

    records: tuple[object, ...]
    exists: bool
    signed: bool
    canonical: str
    holds: timedelta


Query: TypeAlias = Found | Unresolvable


class Queries:
    """Asks the name servers; keeps nothing."""

    def __init__(self, options: DnsOptions) -> None:
        self.trusts_ad = options.trust_ad
        self._stub = _stub(options)

    async def ask(self, name: str, kind: dns.rdatatype.RdataType) -> Query:
        """The records of a kind that a name has, or those of the name that it is an alias of. Never raises."""
        try:
            answer = await self._stub.resolve(name, kind, search=False, raise_on_no_answer=False)
        except NXDOMAIN as error:
            return self._nothing(error)
        except NoNameservers:
            return Unresolvable(f"no name server could answer for {name}")
        except dns.exception.Timeout:
            return Unresolvable(f"no name server answered in time for {name}")
        except (dns.exception.DNSException, OSError) as error:
            return Unresolvable(f"the lookup of {name} failed ({type(error).__name__})")
        return self._found(answer)

    def _found(self, answer: Answer) -> Found:
        ttl = NEGATIVE_TTL if answer.rrset is None else timedelta(seconds=answer.chaining_result.minimum_ttl)
        return Found(
            records=tuple(answer.rrset or ()),
            exists=True,
            signed=self._signed(answer.response),
            canonical=_canonical(answer.qname, answer.canonical_name),
            holds=min(MAX_TTL, ttl),
        )

    def _nothing(self, error: NXDOMAIN) -> Found:
        # dnspython leaves this untyped; one name was asked, so there is one response.
        responses = cast(Mapping[dns.name.Name, dns.message.Message], error.kwargs["responses"])
        signed = any(self._signed(response) for response in responses.values())
        return Found(records=(), exists=False, signed=signed, canonical="", holds=NEGATIVE_TTL)

    def _signed(self, response: dns.message.Message) -> bool:
        return self.trusts_ad and bool(response.flags & dns.flags.AD)


def _canonical(asked: dns.name.Name, canonical: dns.name.Name) -> str:
    return "" if asked == canonical else canonical.to_text(omit_final_dot=True).lower()


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
