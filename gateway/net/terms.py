"""The terms of one delivery to one host: what the session must be, and what an earlier attempt met (mission promise 1).

Time-outs, addresses and routes are none of its business.
"""

from dataclasses import dataclass, replace
from datetime import timedelta

from gateway.core.check import Check
from gateway.core.demand import Demand
from gateway.core.tls import Channel, MxAuth, Obtained, Requirement
from gateway.core.tlsrpt import Applied, PolicyType


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """``handshake_failed_for`` is how long ago a handshake first failed for every recipient; None unless for all."""

    demand: Demand
    handshake_failed_for: timedelta | None = None

    @property
    def requirement(self) -> Requirement:
        """The least that the session has to be."""
        return self.demand.requirement

    @property
    def own(self) -> Requirement:
        """The part of it that nothing remote asked for."""
        return self.demand.own

    @property
    def mx(self) -> MxAuth:
        """How the host's name is known for this recipient domain; it joins what the session is."""
        return self.demand.mx

    @property
    def check(self) -> Check:
        """How the certificate is judged."""
        return self.demand.check

    @property
    def own_check(self) -> Check:
        """The part of it that is ours; TLSA records are, where we demand DANE ourselves."""
        if self.own.channel >= Channel.DANE:
            return self.check
        return replace(self.check, tlsa=(), tlsa_names=())

    @property
    def demanded_by(self) -> str:
        """All that made a demand, for the evidence."""
        return self.demand.demanded_by

    def met_by(self, channel: Channel, held: Check | None) -> bool:
        """Whether a session will do that is ``channel`` and whose certificate ``held`` under that check.

        Where a certificate is wanted at all it must have been judged in just this way: another partner's key, an older
        set of TLSA records or another name prove nothing here.
        """
        judged = self.check.gives <= Channel.ENCRYPTED or held == self.check
        return judged and Obtained(self.mx, channel).meets(self.requirement)


def looking(name: str, demanded_by: str) -> Terms:
    """The terms of one who only looks at a host: TLS, and a certificate that nobody checks."""
    encrypted = Requirement(MxAuth.NONE, Channel.ENCRYPTED)
    demand = Demand(
        requirement=encrypted,
        own=encrypted,
        mx=MxAuth.NONE,
        check=Check(sni=name),
        demanded_by=demanded_by,
        applied=Applied(PolicyType.NONE, name),
    )
    return Terms(demand=demand)
