"""What is known from outside of one MX host for one recipient domain: TLSA records, and the domain's MTA-STS policy.

MTA-STS is not asked where DANE decides (RFC 8461 section 2), except to learn who vouches for a name that DNSSEC does
not. Left out on purpose: what follows from it, which is `core.demand`'s.
"""

from gateway.core.dane import TlsaFacts, TlsaFound, TlsaUnknown
from gateway.core.demand import HostFacts
from gateway.core.tls import MxAuth
from gateway.net.dane import Dane
from gateway.net.destination import literal_text
from gateway.net.mta_sts import Sts


class Remote:
    """Asks DNS and the domain's policy host, by way of their caches."""

    def __init__(self, dane: Dane, sts: Sts) -> None:
        self._dane = dane
        self._sts = sts

    async def facts(self, domain: str, host: str, mx: MxAuth) -> HostFacts:
        """``mx`` is how the host's name is known. Never raises; of an address and of our own hosts nothing is asked."""
        if host.startswith("[") or mx is MxAuth.LOCAL:
            return local_facts(domain, host, mx)
        tlsa = await self._dane.facts(host)
        if not _sts_matters(tlsa, mx):
            return HostFacts(domain=domain, host=host, mx=mx, tlsa=tlsa)
        return HostFacts(domain=domain, host=host, mx=mx, tlsa=tlsa, sts=await self._sts.facts(domain))


def local_facts(domain: str, host: str, mx: MxAuth) -> HostFacts:
    """What is known without asking anybody."""
    return HostFacts(domain=domain, host=literal_text(host), mx=mx)


def _sts_matters(tlsa: TlsaFacts, mx: MxAuth) -> bool:
    if isinstance(tlsa, TlsaUnknown):
        return False
    return not isinstance(tlsa, TlsaFound) or mx < MxAuth.DNSSEC
