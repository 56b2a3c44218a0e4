"""TLS contexts for outgoing connections, one per shape, and what a handshake's failure proves (RFC 8446, RFC 3207).

At least TLS 1.2 at every level; what cannot do that counts as a failed handshake. Contexts are built when the gateway
starts, never per message. Left out on purpose: session resumption, own cipher lists; what OpenSSL does not judge itself
is `net.judge`'s.
"""

import ssl
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final, Literal, TypeAlias

from gateway.core.check import Check
from gateway.core.outcome import Proof
from gateway.core.pin import Pin
from gateway.core.tls import Channel
from gateway.core.tlsrpt import Result

Authorities: TypeAlias = Path | Literal["system"]

# OpenSSL's reasons for "the peer speaks only versions that we do not": its hello, or its alert to ours.
_VERSION_REASONS: Final = frozenset({"UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCertificate:
    """Our own certificate for a peer that asks for one; without ``private_key`` the file holds the key too."""

    certificate: Path
    private_key: Path | None = None


def certificate_for(pin: Pin | None) -> ClientCertificate | None:
    """Our own certificate for the hosts of a pinned partner, if it names one."""
    if pin is None or not pin.certificate:
        return None
    key = Path(pin.private_key) if pin.private_key else None
    return ClientCertificate(certificate=Path(pin.certificate), private_key=key)


class Trust(Enum):
    """What the handshake itself verifies: nothing, a chain to an authority, or that and the name that was said."""

    NOTHING = "nothing"
    CHAIN = "chain"
    NAME = "chain and name"


def trust_for(check: Check) -> Trust:
    """What of the check OpenSSL does; names that are not the one said in the handshake are compared after it."""
    if not check.names:
        return Trust.NOTHING
    return Trust.NAME if check.names == (check.sni,) else Trust.CHAIN


def left_to_judge(check: Check) -> bool:
    """Whether anything of the check remains after a handshake that succeeded."""
    return bool(check.tlsa or check.pins) or trust_for(check) is Trust.CHAIN


class TlsContexts:
    """Gives the context of each shape: what it verifies, by which authorities, and with which certificate of ours."""

    def __init__(self, authorities: Authorities = "system") -> None:
        """Raises ValueError when the authorities or a certificate cannot be loaded."""
        self._authorities: Authorities = authorities
        self._contexts: dict[tuple[Trust, str, ClientCertificate | None], ssl.SSLContext] = {}
        self.prepare(None)

    def prepare(self, own: ClientCertificate | None, authorities: str = "") -> None:
        """Loads the contexts for a client certificate and a file of authorities; reads files. Raises ValueError.

        Without ``authorities`` it is the usual ones.
        """
        believed: Authorities = Path(authorities) if authorities else self._authorities
        for trust in Trust:
            key = _key(trust, authorities, own)
            if key not in self._contexts:
                self._contexts[key] = self._build(trust, believed, own)

    def context(self, check: Check, own: ClientCertificate | None) -> ssl.SSLContext:
        """The context for the check, which was prepared."""
        return self._contexts[_key(trust_for(check), check.authorities, own)]

    def _build(self, trust: Trust, authorities: Authorities, own: ClientCertificate | None) -> ssl.SSLContext:
        # Not create_default_context: its flags differ between Python versions.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # RFC 9525 section 6.3: the common name is no host name.
        context.hostname_checks_common_name = False
        context.check_hostname = trust is Trust.NAME
        context.verify_mode = ssl.CERT_NONE if trust is Trust.NOTHING else ssl.CERT_REQUIRED
        try:
            if trust is not Trust.NOTHING:
                _believe(context, authorities)
        except OSError as error:  # ssl.SSLError is one
            raise _unreadable(authorities, error) from error
        try:
            if own is not None:
                context.load_cert_chain(own.certificate, own.private_key, password="")
        except OSError as error:
            raise _unreadable(own.certificate if own is not None else "", error) from error
        return context


def _key(trust: Trust, authorities: str, own: ClientCertificate | None) -> tuple[Trust, str, ClientCertificate | None]:
    """One that verifies nothing needs no authorities."""
    return trust, authorities if trust is not Trust.NOTHING else "", own


def _believe(context: ssl.SSLContext, authorities: Authorities) -> None:
    if authorities == "system":
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        context.load_verify_locations(authorities)


def _unreadable(subject: Path | str, error: OSError) -> ValueError:
    return ValueError(f"the certificates of {subject} cannot be loaded: {error.strerror or error}")


@dataclass(frozen=True, slots=True, kw_only=True)
class HandshakeFailure:
    """Why there is no TLS. ``proof`` is None where another attempt may succeed; ``detail`` is a clause about the host.

    ``code`` is OpenSSL's X509_V_ERR of a certificate that it refused. ``result`` is what TLSRPT calls the failure.
    ``ours`` says of a refused certificate that it fails what we demand ourselves, and not only what the domain does.
    """

    proof: Proof | None = None
    code: int | None = None
    result: Result = Result.VALIDATION
    ours: bool = True
    detail: str


# X509_V_ERR_… of OpenSSL (x509_vfy.h), as RFC 8460 section 4.3 sorts them; what is not here is VALIDATION.
_RESULTS: Final = {
    10: Result.EXPIRED,
    **dict.fromkeys((2, 18, 19, 20, 21, 27), Result.NOT_TRUSTED),
    **dict.fromkeys((62, 64), Result.HOST_MISMATCH),
}


def failure_of(error: Exception, *, ours: bool = True) -> HandshakeFailure:
    """What an exception of the handshake means; only a complete statement of the peer's proves anything.

    ``ours`` says whether the chain and the name are verified because we want it ourselves.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        return HandshakeFailure(
            proof=Proof.CERTIFICATE,
            code=error.verify_code,
            result=_RESULTS.get(error.verify_code, Result.VALIDATION),
            ours=ours,
            detail=error.verify_message,
        )
    # One that was not made by OpenSSL has no reason.
    reason: str | None = getattr(error, "reason", None) if isinstance(error, ssl.SSLError) else None
    if reason in _VERSION_REASONS:
        return HandshakeFailure(proof=Proof.TLS_VERSION, detail="it speaks only TLS versions before 1.2")
    if reason:
        words = reason.replace("_", " ").lower()
        return HandshakeFailure(detail=f"the TLS handshake failed ({words})")
    if isinstance(error, TimeoutError | ConnectionAbortedError):
        return HandshakeFailure(detail="the TLS handshake was not finished in time")
    return HandshakeFailure(detail="the connection was lost in the TLS handshake")


def channel_of(session: ssl.SSLObject, held: Check | None) -> Channel:
    """What a finished handshake amounts to, read from the session itself and not from what was wanted.

    ``held`` is the check that its certificate fulfilled, None if it did not or was not judged.
    """
    if held is None:
        return Channel.ENCRYPTED
    trust = trust_for(held)
    verified = trust is Trust.NOTHING or session.context.verify_mode == ssl.CERT_REQUIRED
    named = trust is not Trust.NAME or (session.context.check_hostname and session.server_hostname == held.sni)
    return held.gives if verified and named else Channel.ENCRYPTED
