"""A reader of a sealed message, the office that writes to them, and mail as it is read."""

import email
import email.policy
from dataclasses import dataclass
from datetime import timedelta
from email.message import EmailMessage

from gateway.core.address import Address, parse_address
from gateway.core.record import QueueId
from gateway.core.report import Identity, Stamp
from gateway.core.sealed import Access, PackageId, Reader
from gateway.core.sealing import Unlock
from tests.core.queued import NOW, SENDER

IDENTITY = Identity(
    hostname="gw.council.example",
    contact="Service Desk, 01629 000000",
    postmaster=parse_address("postmaster@council.example"),
)
STAMP = Stamp(now=NOW, message_id="id-1", boundary="id-2")
BOX = parse_address("secure-mail@council.example")
PHRASE = "amber-basin-cedar-delta-ember-fable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """What letters need of ``[portal]``."""

    url: str = "https://secure.council.example"
    organisation: str = "Council"
    telephone: str = "01629 111111"
    wording: tuple[str, ...] = ("Our guide is on the council's home page.", "Keep this letter.")
    sender: Address = BOX


OFFICE = Writing()

READER = Reader(
    package=PackageId("package-1"),
    number=3,
    address=parse_address("gp@x.example"),
    unlock=Unlock.MAIL,
    agreed=False,
    access=Access.OPEN,
    queue_id=QueueId("000-abc"),
    sender=SENDER,
    level="controlled",
    route="encrypted",
    sealed_at=NOW,
    expires_at=NOW + timedelta(days=28),
    lasts=timedelta(days=28),
    size=1000,
    opened=0,
    opened_at=None,
    downloaded=0,
    downloads=None,
    hand_off=False,
)


def read(mail: bytes) -> tuple[EmailMessage, str, str]:
    """The mail, its text with plain line ends, and its HTML."""
    assert b"\r\n\r\n" in mail and b"\n" not in mail.replace(b"\r\n", b"")
    parsed = email.message_from_bytes(mail, policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    assert (parsed["Auto-Submitted"], parsed["X-Auto-Response-Suppress"]) == ("auto-generated", "All")
    assert parsed["Message-ID"] == "<id-1@gw.council.example>"
    assert parsed["Date"].datetime == NOW.replace(microsecond=0)
    plain, html = parsed.get_body(("plain",)), parsed.get_body(("html",))
    assert plain is not None and html is not None
    return parsed, plain.get_content().replace("\r\n", "\n"), html.get_content()
