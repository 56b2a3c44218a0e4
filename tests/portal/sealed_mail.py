"""A store of sealed messages in memory, as far as the pages of an opened message use it, and a message to put in."""

import email
import email.policy
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

from gateway.core.address import parse_address
from gateway.core.record import QueueId
from gateway.core.sealed import Access, Face, Happened, Happening, OwnMail, PackageId, PartPlace, Reader
from gateway.core.sealing import Unlock

NOW = datetime(2026, 11, 22, 15, 41, tzinfo=UTC)
COOKIE = "cookie-of-jo"
READER = Reader(
    package=PackageId("p" * 22),
    number=2,
    address=parse_address("jo@firm.example"),
    unlock=Unlock.MAIL,
    agreed=False,
    access=Access.OPEN,
    queue_id=QueueId("001-abc"),
    sender=parse_address("worker@council.example"),
    level="controlled",
    route="secure",
    sealed_at=NOW,
    expires_at=NOW + timedelta(days=28),
    lasts=timedelta(days=28),
    size=1000,
    opened=1,
    opened_at=NOW,
    downloaded=0,
    downloads=None,
    hand_off=False,
)
_BLOCK = 1000


async def _blocks(data: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(data), _BLOCK):
        yield data[at : at + _BLOCK]


@dataclass
class Sealed:
    """One opened package with one reader; what its pages do not use is missing."""

    original: bytes
    reader: Reader = READER
    who: str = "Jo Miller"
    fetched: Counter[str] = field(default_factory=lambda: Counter())
    sessions: dict[str, tuple[Reader, str]] = field(default_factory=dict)
    events: list[Happened] = field(default_factory=list)
    mails: list[OwnMail] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.reader = replace(self.reader, size=len(self.original))
        self.sessions[COOKIE] = (self.reader, self.who)
        message = email.message_from_bytes(self.original, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        self.message = message
        self.contents: list[bytes] = []
        self.places: list[PartPlace] = []
        self._alternatives = 0
        self._walk(message, "", -1)

    def _walk(self, part: EmailMessage, inside: str, alternative: int) -> None:
        if part.is_multipart() and part.get_content_maintype() == "multipart":
            if part.get_content_subtype() == "alternative":
                alternative, self._alternatives = self._alternatives, self._alternatives + 1
            for each in part.iter_parts():
                assert isinstance(each, EmailMessage)
                self._walk(each, part.get_content_type(), alternative)
            return
        self._leaf(part, inside, alternative)

    def _leaf(self, part: EmailMessage, inside: str, alternative: int) -> None:
        if part.get_content_type() == "message/rfc822":
            content = part.get_content().as_bytes()
        else:
            payload = part.get_payload(decode=True)
            assert isinstance(payload, bytes)
            content = payload
        self.contents.append(content)
        self.places.append(
            PartPlace(
                number=len(self.places),
                type=part.get_content_type(),
                charset=part.get_content_charset() or "",
                name=part.get_filename() or "",
                content_id=str(part["Content-ID"] or "").strip("<>"),
                encoding="",
                attached=part.get_content_disposition() == "attachment",
                start=0,
                end=0,
                size=len(content),
                inside=inside,
                alternative=alternative,
            )
        )

    async def session(self, cookie: str, now: datetime) -> tuple[Reader, str] | None:
        return self.sessions.get(cookie) if now < self.reader.expires_at else None

    async def face(self, package: PackageId) -> Face | None:
        return Face(
            author=str(self.message["From"]),
            subject=str(self.message["Subject"]),
            date=str(self.message["Date"]),
            to=str(self.message["To"] or ""),
            cc=str(self.message["Cc"] or ""),
            parts=tuple(self.places),
            size=len(self.original),
        )

    def read(self, package: PackageId, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        return _blocks(self.original[start:end])

    def part(self, package: PackageId, number: int, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        return _blocks(self.contents[number][start:end])

    async def download(self, package: PackageId, number: int, now: datetime, who: str, detail: str) -> bool:
        if self.reader.downloads is not None and self.fetched[detail] >= self.reader.downloads:
            return False
        self.fetched[detail] += 1
        self.reader = replace(self.reader, downloaded=self.reader.downloaded + 1)
        self.sessions[COOKIE] = (self.reader, self.who)
        await self.note(package, number, Happening.DOWNLOADED, now, who=who, detail=detail)
        return True

    async def note(
        self, package: PackageId, number: int | None, what: Happening, now: datetime, *, who: str = "", detail: str = ""
    ) -> None:
        self.events.append(Happened(at=now, number=number, what=what, who=who, detail=detail))

    async def history(
        self, package: PackageId, number: int | None = None, what: Happening | None = None
    ) -> tuple[Happened, ...]:
        return tuple(one for one in self.events if number in (None, one.number) and what in (None, one.what))

    async def post(self, mail: OwnMail) -> None:
        self.mails.append(mail)


def letter() -> EmailMessage:
    """A message with nothing but its header."""
    message = EmailMessage(policy=email.policy.SMTP)
    message["From"] = "Sam Worker <worker@council.example>"
    message["To"] = "jo@firm.example"
    message["Cc"] = "kim@firm.example"
    message["Date"] = "Sun, 22 Nov 2026 15:00:00 +0000"
    message["Subject"] = "Case 12: Café"
    message["Message-ID"] = "<original@council.example>"
    return message
