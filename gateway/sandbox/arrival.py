"""A message as a host of the sandbox received it, and what that host saw of the connection.

It is the receiving side's own account: nothing in it comes from the gateway but the message itself.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.core.record import QueueId

# Received = "Received:" *(clause) ";" date; the clause "id" names our queue id (RFC 5321 section 4.4).
_RECEIVED: Final = re.compile(rb"^Received:((?:[^\r\n]|\r\n[ \t])*)", re.IGNORECASE | re.MULTILINE)
_ID: Final = re.compile(rb"\sid\s+(\d{3}-[A-Za-z0-9_-]+)")
_MESSAGE_ID: Final = re.compile(rb"^Message-ID:\s*(<[^>\r\n]*>)", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSeen:
    """The TLS session as the receiving side saw it; ``client_name`` is that of a client certificate it verified."""

    version: str
    cipher: str
    client_name: str | None


@dataclass(frozen=True, slots=True)
class Accepted:
    """One RCPT that was answered 250, with its parameters as they were sent."""

    address: str
    params: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One message. ``content`` is what came before the final dot, unstuffed and otherwise unchanged."""

    id: str
    time: datetime
    mx: str
    ehlo: str
    mail_from: str
    mail_params: tuple[str, ...]
    recipients: tuple[Accepted, ...]
    tls: TlsSeen | None
    content: bytes

    @property
    def rcpt_to(self) -> tuple[str, ...]:
        """The recipients' addresses, in the order they were given."""
        return tuple(recipient.address for recipient in self.recipients)

    @property
    def header(self) -> bytes:
        """The header block without its empty line."""
        return self.content.partition(b"\r\n\r\n")[0]

    @property
    def queue_id(self) -> QueueId | None:
        """The queue id in the topmost Received field, which the gateway wrote last; None if there is none."""
        received = _RECEIVED.search(self.header)
        found = _ID.search(received[1]) if received else None
        return QueueId(found[1].decode("ascii")) if found else None

    @property
    def message_id(self) -> str:
        """The Message-ID with its brackets, or the empty string."""
        found = _MESSAGE_ID.search(self.header)
        return found[1].decode("utf-8", "replace") if found else ""
