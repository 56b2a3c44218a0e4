"""Receipts that a rule asks for (mission R6): the address that they come to, and what one of them says (RFC 8098).

The address names the recipient who was asked, and nobody else can make one: it holds an HMAC-SHA-256 with a key of its
own, derived from the hop key. Left out on purpose: Final-Recipient and Original-Message-ID of a receipt, because the
address says both already, and signed receipts.
"""

import base64
import binascii
import hmac
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway.core.address import Address
from gateway.core.record import QueueId

FIELD: Final = "Disposition-Notification-To"
MOST_READ: Final = 256 * 1024
"""Bytes of a receipt that are looked at; what it says stands behind a text for people, which is short."""

_LABEL: Final = b"sealpost receipt address v1"
# In base 32 of one case, because a mail system may change the case of an address.
_TICKET = re.compile(r"([0-9]{3}-[0-9a-z]{1,20})-([0-9a-f]{1,6})-([0-9a-v]{16})")
_SEAL_BYTES: Final = 10

_REPORT = re.compile(rb"^Content-Type:\s*message/disposition-notification\b", re.IGNORECASE | re.MULTILINE)
_ENCODING = re.compile(rb"^Content-Transfer-Encoding:[ \t]*([A-Za-z0-9-]+)", re.IGNORECASE | re.MULTILINE)
# disposition-field = "Disposition" ":" disposition-mode ";" disposition-type; some leave the mode out.
_DISPOSITION = re.compile(rb"^Disposition:([^;\r\n]{0,200};)?\s{0,20}([A-Za-z-]{1,40})", re.IGNORECASE | re.MULTILINE)
_FOLD = re.compile(rb"\r\n[ \t]+")
_MOST_FIELDS: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class Ticket:
    """The recipient of that number, of that message, was asked for a receipt."""

    queue_id: QueueId
    number: int

    def address(self, domain: str, key: bytes) -> Address:
        """Where the receipt is to come; ``key`` is the hop key."""
        name = f"{self.queue_id}-{self.number:x}"
        return Address(f"{name}-{_seal(name, key)}", domain)


def read_ticket(address: Address, key: bytes) -> Ticket | None:
    """Whom the address stands for; None for one that we did not make. Case makes no difference."""
    match = _TICKET.fullmatch(address.local.lower())
    if match is None or not hmac.compare_digest(_seal(f"{match[1]}-{match[2]}", key), match[3]):
        return None
    return Ticket(QueueId(match[1]), int(match[2], 16))


def _seal(name: str, key: bytes) -> str:
    own = hmac.digest(hmac.digest(bytes(32), key, "sha256"), _LABEL + b"\x01", "sha256")
    return base64.b32hexencode(hmac.digest(own, name.encode(), "sha256")[:_SEAL_BYTES]).decode().lower()


class Disposition(StrEnum):
    """What became of the message at the recipient's end (RFC 8098 section 3.2.6.2, and RFC 2298's former words)."""

    DISPLAYED = "displayed"
    PROCESSED = "processed"
    DISPATCHED = "dispatched"
    DELETED = "deleted"
    DENIED = "denied"
    FAILED = "failed"
    ANSWERED = "answered"
    AUTOMATIC = "answered by a machine"
    UNREADABLE = "a receipt that cannot be read"

    @property
    def confirms(self) -> bool:
        """Whether the message has reached somebody, or something that acts for them."""
        return self in (
            Disposition.DISPLAYED,
            Disposition.PROCESSED,
            Disposition.DISPATCHED,
            Disposition.ANSWERED,
        )


# What a disposition field can say; the others are our own words for mail without one.
_WORDS: Final = {
    each.value: each
    for each in Disposition
    if each not in (Disposition.ANSWERED, Disposition.AUTOMATIC, Disposition.UNREADABLE)
}


def read_disposition(message: bytes, *, automatic: bool) -> Disposition:
    """What the message says, of which `MOST_READ` bytes are enough; ``automatic`` if no person wrote it.

    A person's reply is an answer; what a machine sends and is no receipt (an absence, a bounce) tells nothing.
    """
    message = message[:MOST_READ]
    found = _REPORT.search(message)
    if found is None:
        return Disposition.AUTOMATIC if automatic else Disposition.ANSWERED
    match = _DISPOSITION.search(_FOLD.sub(b" ", _fields(message, found.start())))
    word = match[2].decode("ascii").lower() if match is not None else ""
    return _WORDS.get(word, Disposition.UNREADABLE)


def _fields(message: bytes, at: int) -> bytes:
    """The content of the part in whose header ``at`` lies, decoded: it should be 7bit, and seldom is base64."""
    begin = max(message.rfind(b"\r\n\r\n", 0, at), message.rfind(b"\r\n--", 0, at), 0)
    part = message[begin:at] + message[at : at + _MOST_FIELDS].partition(b"\r\n--")[0]
    header, _, content = part.lstrip(b"\r\n").partition(b"\r\n\r\n")
    encoding = _ENCODING.search(header)
    match encoding[1].lower() if encoding is not None else b"":
        case b"base64":
            return _from_base64(content)
        case b"quoted-printable":
            return binascii.a2b_qp(content)
        case _:
            return content


def _from_base64(content: bytes) -> bytes:
    try:
        return binascii.a2b_base64(content)
    except binascii.Error:
        return b""
