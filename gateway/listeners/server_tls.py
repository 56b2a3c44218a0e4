"""The server side of STARTTLS: one context per listener, and what a finished handshake tells (RFC 3207, RFC 8314).

A client certificate is requested when there is an authority to check it with, and is optional. One that does not
verify fails the handshake: the standard library has no way to go on without it. Renegotiation is off.
"""

import ssl

from gateway.core.envelope import InboundTls
from gateway.listeners.options import SmtpOptions


def server_context(options: SmtpOptions) -> ssl.SSLContext | None:
    """The context of a listener, or None without a certificate. TLS 1.2 is the least.

    Raises:
        OSError: a file cannot be read or is not what it should be (`ssl.SSLError` is one).
    """
    if options.certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.load_cert_chain(options.certificate, options.private_key)
    if options.client_ca is not None:
        context.verify_mode = ssl.CERT_OPTIONAL
        if options.client_ca == "system":
            context.load_default_certs(ssl.Purpose.CLIENT_AUTH)
        else:
            context.load_verify_locations(cafile=options.client_ca)
    return context


def session_facts(tls: ssl.SSLObject) -> InboundTls:
    """Version, cipher and secret bits of a finished handshake, for the Received field."""
    cipher, _, bits = tls.cipher() or ("unknown", "", 0)
    return InboundTls(version=tls.version() or "unknown", cipher=cipher, bits=bits)


def certificate_names(tls: ssl.SSLObject) -> frozenset[str]:
    """The dNSNames of the client's certificate in lower case; empty without one. Only a verified one gets here."""
    certificate = tls.getpeercert() if tls.context.verify_mode is not ssl.CERT_NONE else None
    names = certificate.get("subjectAltName", ()) if certificate else ()
    return frozenset(str(value).lower() for kind, value in names if kind == "DNS")
