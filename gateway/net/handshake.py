"""One handshake as terms want it: the context it is done with, and the judgement after it (RFC 7672, RFC 8461, pins).

OpenSSL verifies chain and name where it can; the rest is judged on the finished session, before anything is said in it.
"""

import ssl
from dataclasses import dataclass, replace
from typing import Final

from gateway.core.check import Check
from gateway.core.dane import Tlsa
from gateway.core.outcome import Proof
from gateway.core.tls import Channel
from gateway.flow.ports import Clock
from gateway.net.judge import judge, peer_chain
from gateway.net.terms import Terms
from gateway.net.tls import HandshakeFailure, left_to_judge

_SHOWN: Final = 24
"""Characters of a TLSA record in the evidence; it can hold a whole certificate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshake:
    """``check`` is that of the terms, or that of their rehearsal."""

    context: ssl.SSLContext
    check: Check
    terms: Terms
    clock: Clock

    @property
    def names_are_ours(self) -> bool:
        """Whether a chain or a name that fails also fails what we demand ourselves."""
        return self.terms.own.channel >= Channel.PKIX

    def judge(self, tls: ssl.SSLObject) -> HandshakeFailure | None:
        """What is wrong with the certificate of a handshake that OpenSSL found nothing to say against."""
        if not left_to_judge(self.check):
            return None
        chain, now = peer_chain(tls), self.clock.now()
        fault = judge(chain, self.check, now)
        if fault is None:
            return None
        proven = judge(chain, self.terms.own_check, now) is not None
        return HandshakeFailure(proof=Proof.CERTIFICATE, result=fault.result, ours=proven, detail=fault.detail)

    def words(self, tls: ssl.SSLObject) -> str:
        """How a certificate that passed was authenticated, for the evidence; one that was not is never called more."""
        check = self.check
        said = (self._tlsa_words(tls), "public key is the pinned one" if check.pins else "", _name_words(check))
        return ", ".join(filter(None, said)) or "certificate not checked"

    def _tlsa_words(self, tls: ssl.SSLObject) -> str:
        records = self.check.tlsa
        if len(records) > 1:
            chain, now = peer_chain(tls), self.clock.now()
            records = tuple(each for each in records if judge(chain, replace(self.check, tlsa=(each,)), now) is None)
        return f"certificate matches the TLSA record {_short(records[0])}" if records else ""


def _short(record: Tlsa) -> str:
    text = str(record)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _name_words(check: Check) -> str:
    return f"certificate checked for the name {' or '.join(check.names)}" if check.names else ""
