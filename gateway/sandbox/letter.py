"""A message to try the gateway with, and its submission over SMTP as any mail program would do it."""

import os
import re
import smtplib
import ssl
from dataclasses import dataclass
from datetime import datetime
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from pathlib import Path
from typing import Final

from gateway.core.record import QueueId
from gateway.sandbox.sockets import LOOPBACK

CLIENT: Final = "desk.council.example"
SUBJECT: Final = "A message from the sandbox"
TEXT: Final = "This is a message from the sandbox."
_TIMEOUT: Final = 120.0
_QUEUE_ID: Final = re.compile(r"\b\d{3}-[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What `sandbox send` was asked to send; ``attachments`` are sizes in bytes, None means no such field."""

    sender: str
    recipients: tuple[str, ...]
    classification: str | None = None
    intent: str | None = None
    subject: str = SUBJECT
    text: str = TEXT
    attachments: tuple[int, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def is_international(self) -> bool:
        """Whether an address needs SMTPUTF8 (RFC 6531)."""
        return not all(address.isascii() for address in (self.sender, *self.recipients))

    def compose(self, now: datetime) -> bytes:
        """The message with CRLF line ends. Raises ValueError for a header field that cannot be."""
        message = EmailMessage(policy=policy.SMTPUTF8 if self.is_international else policy.SMTP.clone(cte_type="7bit"))
        for name, value in self._fields(now):
            message[name] = value
        message.set_content(self.text)
        for number, size in enumerate(self.attachments, start=1):
            message.add_attachment(
                os.urandom(size), maintype="application", subtype="octet-stream", filename=f"attachment-{number}.bin"
            )
        return message.as_bytes()

    def _fields(self, now: datetime) -> tuple[tuple[str, str], ...]:
        marks = (("X-Classification", self.classification), ("X-Sealpost-Intent", self.intent))
        return (
            ("From", self.sender),
            ("To", ", ".join(self.recipients)),
            ("Date", format_datetime(now)),
            ("Message-ID", make_msgid(domain=CLIENT)),
            ("Subject", self.subject),
            *((name, value) for name, value in marks if value is not None),
            *self.headers,
        )


@dataclass(frozen=True, slots=True)
class Said:
    """One reply of the gateway, and to what."""

    to: str
    code: int
    text: str

    @property
    def is_refusal(self) -> bool:
        """4xx or 5xx."""
        return self.code >= 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """The dialogue that matters, in order; ``queue_id`` is None unless the message was accepted."""

    said: tuple[Said, ...]
    queue_id: QueueId | None

    @property
    def refusals(self) -> tuple[Said, ...]:
        """What was not accepted."""
        return tuple(said for said in self.said if said.is_refusal)


def submit(letter: Letter, content: bytes, port: int, ca: Path) -> Submission:
    """Sends it to the gateway on loopback, inside TLS if that is offered. Raises OSError (smtplib's errors are)."""
    with smtplib.SMTP(LOOPBACK, port, local_hostname=CLIENT, timeout=_TIMEOUT) as client:
        client.ehlo()
        if client.has_extn("starttls"):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_verify_locations(ca)
            client.starttls(context=context)
            client.ehlo()
        said = _envelope(client, letter)
        if any(not reply.is_refusal for reply in said[1:]):
            said.append(_said("DATA", client.data(content)))
    found = _QUEUE_ID.search(said[-1].text) if said[-1].to == "DATA" and not said[-1].is_refusal else None
    return Submission(said=tuple(said), queue_id=QueueId(found[0]) if found else None)


def _envelope(client: smtplib.SMTP, letter: Letter) -> list[Said]:
    if letter.is_international:
        client.command_encoding = "utf-8"
    options = ["SMTPUTF8", "BODY=8BITMIME"] if letter.is_international else []
    said = [_said(f"MAIL FROM:<{letter.sender}>", client.mail(letter.sender, options))]
    if not said[0].is_refusal:
        said += [_said(f"RCPT TO:<{address}>", client.rcpt(address)) for address in letter.recipients]
    return said


def _said(to: str, reply: tuple[int, bytes]) -> Said:
    return Said(to, reply[0], reply[1].decode("utf-8", "replace"))
