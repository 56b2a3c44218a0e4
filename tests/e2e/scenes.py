"""What the scenarios share: members of staff whom no other test knows, what they write, and what became of it."""

import contextlib
import secrets
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import TypeVar

import pytest

from gateway.core.decision import Decision
from gateway.core.facts import Facts
from gateway.core.record import Event, EventKind, QueueId, State
from gateway.flow.ports import QueueFilter
from gateway.sandbox.arrival import Arrival
from gateway.spool.reader import ShardReader
from tests.core.inside.samples import with_flag, zipped
from tests.e2e.stage import Setting, Stage, stage, wire

MIB = 1024 * 1024
COUNCIL, TRUST = "derbyshire.gov.uk", "kcsp.org.uk"

OnlyDecision = TypeVar("OnlyDecision", bound=Decision)


@contextlib.asynccontextmanager
async def playing(
    folders: pytest.TempPathFactory, name: str, setting: Setting, *, start: bool = True
) -> AsyncGenerator[Stage]:
    """One gateway for the scenes of a module; when they are over, nothing was unprotected and nothing broke."""
    async with stage(folders.mktemp(name), setting, start=start) as on:
        yield on
        assert on.metric("sealpost_unprotected_total") == 0
        assert on.metric("sealpost_broken_total") == 0
        assert "Traceback" not in on.log()


@dataclass(frozen=True, slots=True)
class File:
    """An attached file."""

    name: str
    content: bytes
    type: str = "application/pdf"


def pdf(size: int = 2000) -> File:
    """A report of that decoded size, whose bytes nobody has seen before."""
    return File(f"{secrets.token_hex(4)}.pdf", b"%PDF-1.7\n" + secrets.token_bytes(size - 9))


def locked_zip() -> File:
    """An archive whose only member is encrypted."""
    data = with_flag(with_flag(zipped("list.csv"), b"PK\x03\x04", 6, 1), b"PK\x01\x02", 8, 1)
    return File("list.zip", data, "application/zip")


def invitation(message: EmailMessage) -> None:
    """Makes the letter a meeting request (RFC 6047)."""
    text = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:1\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    message.add_alternative(text, subtype="calendar", params={"method": "REQUEST"}, cte="8bit")


@dataclass(frozen=True, slots=True)
class Writer:
    """Somebody who sends. ``word`` stands in the text of all of it, and in nothing else."""

    address: str
    word: str

    def letter(
        self,
        *to: str,
        level: str = "",
        button: str = "",
        subject: str = "Case file",
        text: str = "Please find it attached.",
        html: str = "",
        files: tuple[File, ...] = (),
        fields: Mapping[str, str] | None = None,
    ) -> EmailMessage:
        """A message as a mail program makes it; ``fields`` are further ones, or others for From and Subject."""
        message = EmailMessage()
        written = {"From": self.address, "To": ", ".join(to), "Subject": subject, **(fields or {})}
        written["Message-ID"] = f"<{secrets.token_hex(8)}@desk.example>"
        written |= {"X-Classification": level} if level else {}
        written |= {"X-Sealpost-Intent": button} if button else {}
        for name, value in written.items():
            message[name] = value
        message.set_content(f"{text}\n{self.word}\n")
        if html:
            message.add_alternative(html, subtype="html")
        for file in files:
            kind, _, sub = file.type.partition("/")
            message.add_attachment(file.content, maintype=kind, subtype=sub, filename=file.name)
        return message


def somebody(home: str = COUNCIL) -> Writer:
    """A member of staff of whom nobody has heard before."""
    return known(f"{secrets.token_hex(6)}@{home}")


def known(address: str) -> Writer:
    """Somebody whom a register names."""
    return Writer(address, f"w{secrets.token_hex(8)}")


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that was acknowledged, and the questions that the scenarios ask about it."""

    on: Stage
    writer: Writer
    message: EmailMessage
    queue_id: QueueId
    recipients: tuple[str, ...]

    async def ended(self, seconds: float = 30) -> dict[str, tuple[State | None, str]]:
        """Waits for all ends; state and route by address."""
        ends = await self.on.ended(self.queue_id, len(self.recipients), seconds)
        return {address: (end.state, end.route) for address, end in ends.items()}

    async def only_end(self) -> tuple[State | None, str]:
        """State and route of its one recipient, once it has come to its end."""
        (end,) = (await self.ended()).values()
        return end

    @property
    def held(self) -> tuple[str, ...]:
        """Whose delivery waits for a person."""
        waiting = QueueFilter(states=frozenset({State.HELD}), queue_id=self.queue_id)
        return tuple(str(item.row.address) for item in ShardReader(self.on.spool).items(waiting))

    @property
    def facts(self) -> Facts:
        """What the audit says of the message."""
        (accepted,) = self.on.events(self.queue_id, EventKind.ACCEPTED)
        assert accepted.facts is not None
        return accepted.facts

    def decided(self, kind: type[OnlyDecision], address: str = "") -> OnlyDecision:
        """What was decided for a recipient, or for the only one, which is a decision of that kind."""
        found = [event for event in self.on.events(self.queue_id, EventKind.DECIDED) if address in ("", event.address)]
        (event,) = found
        assert isinstance(event.decision, kind), event.decision
        return event.decision

    def attempts(self) -> list[Event]:
        return self.on.events(self.queue_id, EventKind.ATTEMPT)

    def arrivals(self) -> list[Arrival]:
        """What came of it at any host, oldest first."""
        return [one for one in reversed(self.on.world.inbox.newest()) if one.queue_id == self.queue_id]

    def arrived(self, address: str) -> Arrival:
        """The one copy that came for that address, with every byte of the body as it was sent."""
        (arrival,) = (one for one in self.arrivals() if address in one.rcpt_to)
        assert arrival.content.partition(b"\r\n\r\n")[2] == wire(self.message).partition(b"\r\n\r\n")[2]
        return arrival

    async def heard(self, reader: str = "") -> list["Heard"]:
        """The mail of ours about it that came to that inbox, or the sender's: exactly as many as the audit tells of."""
        about = f" about {self.queue_id}"
        events = self.on.events()
        readers = {event.queue_id: event.address for event in events if event.kind is EventKind.DECIDED}
        ours = [event for event in events if event.kind is EventKind.ACCEPTED and event.text.endswith(about)]
        to = reader or self.writer.address
        wanted = {event.message_id for event in ours if readers[event.queue_id] == to}

        def there() -> list[Arrival]:
            return [one for one in reversed(self.on.world.inbox.to(to)) if one.message_id in wanted]

        await self.on.until(lambda: len(there()) == len(wanted))
        return [Heard(one, self.writer.word) for one in there()]

    def in_the_clear(self) -> bool:
        """Whether a word of its text came to any host outside TLS."""
        return self.writer.word.encode() in self.on.clear_bytes()


class Heard:
    """A mail of ours, which repeats no word of the text that it is about."""

    def __init__(self, arrival: Arrival, word: str) -> None:
        message = message_from_bytes(arrival.content, policy=policy.default)
        part, page = message.get_body(("plain",)), message.get_body(("html",))
        assert part is not None
        assert page is not None
        self.subject = str(message["Subject"])
        self.text = " ".join(str(part.get_content()).split())
        self.whole = f"{message}{self.text}{page.get_content()}"
        assert arrival.mail_from == ""
        assert arrival.tls is not None
        assert word not in self.whole

    def says(self, *sentences: str) -> bool:
        """Whether each stands in its text."""
        return all(sentence in self.text for sentence in sentences)


async def send(
    on: Stage, writer: Writer, message: EmailMessage, *recipients: str, path: str | None = None, copy: str = ""
) -> Sent:
    """Hands the message to the gateway, for those in To unless others are named.

    ``path`` is another reverse-path than the writer; ``copy`` is a mailbox that gets it besides, by the policy.
    """
    to = recipients or tuple(address.strip() for address in str(message["To"]).split(","))
    queue_id = await on.submit(message, *to, sender=writer.address if path is None else path)
    return Sent(on, writer, message, queue_id, (*to, copy) if copy else to)
