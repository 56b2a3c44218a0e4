"""TLS contexts for outgoing connections, one per shape, and what a handshake's failure proves (RFC 8446, RFC 3207).

At least TLS 1.2 at every level; what cannot do that counts as a failed handshake. Contexts are built when the gateway
starts, never per message. Left out on purpose: session resumption, own cipher lists, DANE.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

from gateway.core.outcome import Proof
from gateway.core.tls import Channel

Authorities: TypeAlias = Path | Literal["system"]

# OpenSSL's reasons for "the peer speaks only versions that we do not": its hello, or its alert to ours.
_VERSION_REASONS: Final = frozenset({"UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCertificate:
    """Our own certificate for a peer that asks for one; without ``private_key`` the file holds the key too."""

    certificate: Path
    private_key: Path | None = None


class TlsContexts:
    """Gives the context of each shape: with or without a check of the peer, with or without our own certificate."""

    def __init__(self, authorities: Authorities = "system") -> None:
        """Raises ValueError when the authorities or a certificate cannot be loaded."""
        self._authorities = authorities
        self._contexts: dict[tuple[bool, ClientCertificate | None], ssl.SSLContext] = {}
        self.prepare(None)

    def prepare(self, own: ClientCertificate | None) -> None:
        """Loads both contexts for a client certificate; reads files. Raises ValueError."""
        for checked in (False, True):
            self._contexts[checked, own] = self._build(checked, own)

    def context(self, *, checked: bool, own: ClientCertificate | None) -> ssl.SSLContext:
        """A context that was prepared. ``checked``: chain and host name are verified in the handshake."""
        return self._contexts[checked, own]

    def _build(self, checked: bool, own: ClientCertificate | None) -> ssl.SSLContext:
        # Not create_default_context: its flags differ between Python versions.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # RFC 9525 section 6.3: the common name is no host name.
        context.hostname_checks_common_name = False
        if not checked:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        try:
            if checked:
                self._trust(context)
            if own is not None:
                context.load_cert_chain(own.certificate, own.private_key, password="")
        except OSError as error:  # ssl.SSLError is one
            subject = own.certificate if own is not None else self._authorities
            raise ValueError(f"the certificates of {subject} cannot be loaded: {error.strerror or error}") from error
        return context

    def _trust(self, context: ssl.SSLContext) -> None:
        if self._authorities == "system":
            context.load_default_certs(ssl.Purpose.SERVER_AUTH)
        else:
            context.load_verify_locations(self._authorities)


@dataclass(frozen=True, slots=True, kw_only=True)
class HandshakeFailure:
    """Why there is no TLS. ``proof`` is None where another attempt may succeed; ``code`` is OpenSSL's X509_V_ERR."""

    proof: Proof | None
    code: int | None
    detail: str


def failure_of(error: Exception) -> HandshakeFailure:
    """What an exception of the handshake means; only a complete statement of the peer's proves anything."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return HandshakeFailure(proof=Proof.CERTIFICATE, code=error.verify_code, detail=error.verify_message)
    # One that was not made by OpenSSL has no reason.
    reason: str | None = getattr(error, "reason", None) if isinstance(error, ssl.SSLError) else None
    if reason in _VERSION_REASONS:
        return HandshakeFailure(proof=Proof.TLS_VERSION, code=None, detail="it speaks only TLS versions before 1.2")
    if reason:
        words = reason.replace("_", " ").lower()
        return HandshakeFailure(proof=None, code=None, detail=f"the TLS handshake failed ({words})")
    if isinstance(error, TimeoutError | ConnectionAbortedError):
        return HandshakeFailure(proof=None, code=None, detail="the TLS handshake was not finished in time")
    return HandshakeFailure(proof=None, code=None, detail="the connection was lost in the TLS handshake")


def channel_of(session: ssl.SSLObject) -> Channel:
    """What a finished handshake amounts to, read from the session itself and not from what was wanted."""
    checked = session.context.verify_mode == ssl.CERT_REQUIRED and session.context.check_hostname
    return Channel.PKIX if checked else Channel.ENCRYPTED
