"""One handshake as terms want it: the context it is done with, and the judgement after it (RFC 7672, RFC 8461, pins).

OpenSSL verifies chain and name where it can; the rest is judged on the finished session, before anything is said in it.
"""

import ssl
from dataclasses import dataclass
from typing import Final

from gateway.core.check import Check
from gateway.core.dane import Tlsa
from gateway.core.outcome import Proof
from gateway.core.tls import Channel
from gateway.flow.ports import Clock
from gateway.net.certificate import Fault
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

    def judge(self, tls: ssl.SSLObject) -> str | HandshakeFailure:
        """How the certificate of a finished handshake was authenticated, for the evidence, or what is wrong with it.

        One that was not is never called more.
        """
        if not left_to_judge(self.check):
            return _words(self.check, None)
        chain, now = peer_chain(tls), self.clock.now()
        found = judge(chain, self.check, now)
        if isinstance(found, Fault):
            own = self.terms.own_check
            proven = own == self.check or isinstance(judge(chain, own, now), Fault)
            return HandshakeFailure(proof=Proof.CERTIFICATE, result=found.result, ours=proven, detail=found.detail)
        return _words(self.check, found.record)


def _words(check: Check, record: Tlsa | None) -> str:
    said = (
        f"certificate matches the TLSA record {_short(record)}" if record is not None else "",
        "public key is the pinned one" if check.pins else "",
        f"certificate checked for the name {' or '.join(check.names)}" if check.names else "",
    )
    return ", ".join(filter(None, said)) or "certificate not checked"


def _short(record: Tlsa) -> str:
    text = str(record)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
