"""What DNS says about the certificate of an MX host, by way of a validating resolver (RFC 7672 sections 2.1 and 2.2).

A lookup that fails is TlsaUnknown, so the host waits; nothing goes on without what could not be found out. Left out on
purpose: which domain the host is for and how its name became known, see `core.demand`; judging, see `net.judge`.
"""

from gateway.core.dane import NoTlsa, Tlsa, TlsaFacts, TlsaFound, TlsaUnknown, TlsaUnusable, usable
from gateway.net.answers import Addresses, Unresolvable
from gateway.net.dns import Resolver


class Dane:
    """Finds the TLSA records of hosts, for the port that mail goes to."""

    def __init__(self, resolver: Resolver, port: int) -> None:
        self._resolver = resolver
        self._port = port

    async def facts(self, host: str) -> TlsaFacts:
        """What is known of a host given by its name, which is not an address literal. Never raises."""
        if not self._resolver.trusts_ad:
            return NoTlsa.OFF
        addresses = await self._resolver.addresses(host)
        if isinstance(addresses, Unresolvable):
            return TlsaUnknown(addresses.reason)
        bases = await self._bases(host, addresses)
        if isinstance(bases, Unresolvable):
            return TlsaUnknown(bases.reason)
        return await self._records_of(bases)

    async def _bases(self, host: str, addresses: Addresses) -> tuple[str, ...] | Unresolvable:
        """The names to look under, best first (RFC 7672 section 2.2.2); none where DANE does not apply."""
        if addresses.secure:
            return (addresses.canonical, host) if addresses.canonical else (host,)
        if not addresses.canonical:
            return ()
        # An alias that is signed while what it leads to is not has its records where it begins.
        signed = await self._resolver.alias_is_signed(host)
        if isinstance(signed, Unresolvable):
            return signed
        return (host,) if signed else ()

    async def _records_of(self, bases: tuple[str, ...]) -> TlsaFacts:
        proven = False
        for base in bases:
            answer = await self._resolver.tlsa(base, self._port)
            if isinstance(answer, Unresolvable):
                return TlsaUnknown(answer.reason)
            if answer.secure and answer.records:
                return _facts(base, answer.records)
            proven = proven or answer.secure
        return NoTlsa.ABSENT if proven else NoTlsa.INSECURE


def _facts(base: str, records: tuple[Tlsa, ...]) -> TlsaFacts:
    found = usable(records)
    return TlsaFound(base, found) if found else TlsaUnusable(base)
