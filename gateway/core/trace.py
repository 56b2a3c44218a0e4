"""The trace field of a pass: Received (RFC 5321 section 4.4, keywords RFC 3848 and RFC 6531, tls clause RFC 8314).

Left out on purpose: Return-Path, which only a final delivery adds, and reverse DNS of the client, which proves nothing.
"""

import re
from datetime import datetime
from typing import Final

from gateway.core.edits import Add
from gateway.core.envelope import Client, Envelope, InboundTls
from gateway.core.record import QueueId

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

# A name for EHLO is a domain or a literal; whatever else a client says must not open a comment or a new line.
_NOT_IN_HELO = re.compile(r"[^A-Za-z0-9._:\[\]-]")

# OpenSSL's name of a TLS 1.2 suite -> the key exchange of its IANA name (RFC 8314 section 4.3 wants the latter).
_TLS12 = re.compile(r"(ECDHE|DHE)-(ECDSA|RSA)-(AES128-GCM-SHA256|AES256-GCM-SHA384|CHACHA20-POLY1305)")
_TLS12_CIPHERS: Final = {
    "AES128-GCM-SHA256": "AES_128_GCM_SHA256",
    "AES256-GCM-SHA384": "AES_256_GCM_SHA384",
    "CHACHA20-POLY1305": "CHACHA20_POLY1305_SHA256",
}


def date_text(when: datetime) -> str:
    """RFC 5322 section 3.3 date-time, in UTC; ``when`` is aware UTC."""
    return (
        f"{_DAYS[when.weekday()]}, {when.day} {_MONTHS[when.month - 1]} {when.year:04} "
        f"{when.hour:02}:{when.minute:02}:{when.second:02} +0000"
    )


def received(envelope: Envelope, queue_id: QueueId, hostname: str, now: datetime) -> Add:
    """The Received field of a message that was handed to us just now. It names a recipient only if there is but one."""
    client = envelope.client
    lines = [f"from {helo_text(client)} ([{_literal(client.address)}])"]
    if client.tls is not None:
        lines.append(f"(using {client.tls.version} with cipher {client.tls.cipher} ({client.tls.bits} bits))")
    lines.append(f"by {hostname} with {_protocol(envelope)} id {queue_id}")
    if len(envelope.recipients) == 1 and envelope.recipients[0].address.is_ascii:
        lines.append(f"for <{envelope.recipients[0].address}>")
    if client.tls is not None and (suite := _iana_name(client.tls)) is not None:
        lines.append(f"tls {suite}")
    return Add("Received", "\r\n\t".join(lines) + f";\r\n\t{date_text(now)}")


def helo_text(client: Client) -> str:
    """The client's EHLO name with everything removed that a header field could misread."""
    return _NOT_IN_HELO.sub("", client.helo)[:255] or "unknown"


def _literal(address: str) -> str:
    return f"IPv6:{address}" if ":" in address else address


def _protocol(envelope: Envelope) -> str:
    client = envelope.client
    if not client.esmtp:
        return "SMTP"
    name = "UTF8SMTP" if envelope.smtputf8 else "ESMTP"
    return f"{name}S" if client.tls is not None else name


def _iana_name(tls: InboundTls) -> str | None:
    if tls.cipher.startswith("TLS_"):
        return tls.cipher
    match = _TLS12.fullmatch(tls.cipher)
    return f"TLS_{match[1]}_{match[2]}_WITH_{_TLS12_CIPHERS[match[3]]}" if match else None
