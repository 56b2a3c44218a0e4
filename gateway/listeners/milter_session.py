"""What an MTA tells the milter listener, and what it hears: one answer for each event that wants one.

What stands in a message goes through `Intake` into the flow, which decides; here is only what the MTA hears of it. Left
out on purpose: changing recipients, reverse-path and body, of which an MTA may keep a half (`wire.milter.answers`).
"""

import asyncio
from dataclasses import dataclass
from typing import Final, assert_never

from gateway.core.reply import Reply
from gateway.flow.accept import Accept, Profile
from gateway.flow.custody import Fate
from gateway.flow.ports import Events, SpoolFull
from gateway.listeners import smtp_replies as replies
from gateway.listeners.admission import IpAddress
from gateway.listeners.connections import Busy, Connections
from gateway.listeners.intake import Intake
from gateway.listeners.milter_answers import answer_to, fitting, refusal
from gateway.listeners.milter_connection import MilterConnection, Over
from gateway.listeners.milter_message import MilterMessage, client_of, read_mail, read_rcpt, read_tls
from gateway.listeners.milter_terms import HOST, QUEUE_ID, TLS, terms_for
from gateway.listeners.options import MilterOptions
from gateway.wire.errors import LocalProtocolError, RemoteProtocolError
from gateway.wire.milter.answers import Verdict
from gateway.wire.milter.events import (
    Abort,
    Body,
    Connect,
    Data,
    EndOfHeaders,
    EndOfMessage,
    Event,
    Header,
    Helo,
    Macros,
    MailFrom,
    Quit,
    QuitNewConnection,
    Recipient,
    Unknown,
)
from gateway.wire.milter.negotiation import Offer

PROGRESS_EVERY: Final = 5.0
"""Seconds; Sendmail's time for an answer is ten unless somebody gave it more."""

_MAX_KNOWN_AS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What all connections of one listener share."""

    options: MilterOptions
    accept: Accept
    events: Events
    connections: Connections
    tasks: asyncio.TaskGroup


class MilterConversation(MilterConnection):
    """The conversation with an MTA at ``peer``; a connection may bring several clients, one behind the other."""

    def __init__(self, desk: Desk, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: IpAddress) -> None:
        options = desk.options
        super().__init__(terms_for(options.custody), reader, writer, options.timeout.total_seconds())
        self._desk = desk
        self._peer = peer
        self._connect: Connect | None = None
        self._helo = b""
        self._message: MilterMessage | None = None
        self._deciding = False

    @property
    def busy(self) -> Busy:
        """See `connections.Session`."""
        if self._deciding:
            return Busy.COMMITTING
        return Busy.RECEIVING if self._message is not None else Busy.IDLE

    def forget(self) -> None:
        """A message that did not end is given up."""
        message, self._message = self._message, None
        if message is not None and message.intake is not None:
            message.intake.discard()

    def closed(self) -> None:
        """Makes room for another connection."""
        self._desk.connections.leave(self)

    def misunderstood(self, error: RemoteProtocolError | LocalProtocolError) -> None:
        """Tells the log; the MTA uses its default action."""
        self._desk.events.refused(self._desk.options.name, str(self._peer), str(error), replies.OUT_OF_STEP.code)

    def broken(self, error: BaseException) -> None:
        """Tells the log."""
        self._desk.events.broken(f"listener {self._desk.options.name}", "", error)

    async def obey(self, event: Event) -> None:
        """See `MilterConnection`."""
        match event:
            case Offer():
                self.say(self.session.agree())
            case MailFrom():
                self._answer(self._mail(event))
            case Recipient():
                self._answer(self._rcpt(event))
            case Header() | EndOfHeaders() | Body():
                self._content(event)
            case EndOfMessage(chunk):
                await self._end_of_message(chunk)
            case _:
                self._note(event)
        if self.session.wants_answer:
            self._answer(Verdict.CONTINUE)

    def _note(self, event: Connect | Helo | Abort | Quit | QuitNewConnection | Macros | Unknown | Data) -> None:
        match event:
            case Connect():
                self._connect, self._helo = event, b""
            case Helo(name):
                self._helo = name
                self.forget()
            case Abort() | QuitNewConnection():
                # The next client, if it is another, comes with a Connect.
                self.forget()
            case Quit():
                raise Over
            case Macros() | Unknown() | Data():
                pass
            case _:
                assert_never(event)

    def _answer(self, verdict: Verdict | Reply) -> None:
        self.say(self.session.answer(verdict))

    def _mail(self, event: MailFrom) -> Verdict | Reply:
        self.forget()
        desk = self._desk
        mail = read_mail(event, self.session.macro(HOST))
        if isinstance(mail, Reply):
            return self._refused(mail)
        if not desk.accept.sender_allowed(mail.reverse_path):
            return self._refused(replies.NOT_OURS)
        if mail.size is not None and mail.size > desk.options.max_message:
            return self._refused(replies.TOO_LARGE)
        self._message = MilterMessage(mail)
        return Verdict.CONTINUE

    def _rcpt(self, event: Recipient) -> Verdict | Reply:
        message, desk = self._message, self._desk
        if message is None:
            return self._refused(replies.MAIL_FIRST)
        recipient = read_rcpt(event, self.session.macro(HOST))
        if isinstance(recipient, Reply):
            return self._refused(recipient)
        known = message.recipients
        if len(known) >= desk.options.max_recipients and recipient.address not in known:
            return fitting(replies.TOO_MANY_RECIPIENTS)
        refused = desk.accept.recipient_refused(message.mail.reverse_path, known, recipient.address)
        if refused is not None:
            return self._refused(refused)
        known.setdefault(recipient.address, recipient)
        return Verdict.CONTINUE

    def _refused(self, reply: Reply) -> Verdict | Reply:
        """The refusal of a command, or that a listener which only tags looks at nothing more of the message."""
        verdict = refusal(reply, self._desk.options.custody)
        if verdict is Verdict.ACCEPT:
            self.forget()
            if reply is not replies.NOT_OURS:
                self._desk.events.alert("not-tagged", "", f"{self._desk.options.name}: {reply.lines[0]}")
        else:
            client = client_of(self._connect, self._helo, None).address
            self._desk.events.refused(self._desk.options.name, client, reply.lines[0], reply.code)
        return verdict

    def _content(self, event: Header | EndOfHeaders | Body) -> None:
        message = self._message
        if message is None:
            return
        if message.intake is None and message.fault is None:
            self._begin(message)
        match event:
            case Header():
                message.header(event.line())
            case EndOfHeaders():
                message.header(b"\r\n")
            case Body(chunk):
                message.body(chunk)
            case _:
                assert_never(event)

    def _begin(self, message: MilterMessage) -> None:
        """Hands the envelope to the flow, which takes the policy in force now."""
        desk = self._desk
        profile = Profile(
            listener=desk.options.name,
            refusals=desk.options.refusals,
            custody=desk.options.custody,
            known_as=self._macro(QUEUE_ID).decode("ascii", "replace")[:_MAX_KNOWN_AS],
        )
        tls = read_tls(*(self._macro(name) for name in TLS))
        client = client_of(self._connect, self._helo, tls)
        try:
            submission = desk.accept.begin(message.envelope(client, desk.options.name), profile)
        except SpoolFull:
            # The MTA waits for no answer before the end of the message.
            message.fault = replies.NO_ROOM
        else:
            message.intake = Intake(submission, desk.options.max_message, self.broken)

    def _macro(self, name: str) -> bytes:
        return self.session.macro(name) or b""

    async def _end_of_message(self, chunk: bytes) -> None:
        """The one place where responsibility passes to us: *discard* is said only behind the commit."""
        message, custody = self._message, self._desk.options.custody
        if message is None or message.intake is None:
            self.forget()
            self._answer(self._refused(message.fault if message and message.fault else replies.BROKEN))
            return
        message.body(chunk)
        message.end()
        # From here on the flow looks after what it has: a commit may happen, and then it needs its body.
        self._message, self._deciding = None, True
        try:
            fate = await self._decided(message.intake)
        finally:
            self._deciding = False
        if message.intake.fault is not None:
            self._refused(message.intake.fault)
        answer = answer_to(fate, custody)
        said = [*map(self.session.change, answer.changes), self.session.answer(answer.verdict)]
        self.say(b"".join(said))

    async def _decided(self, intake: Intake) -> Fate:
        """The fate of the message; the MTA hears now and then that we are at it. An MTA that leaves changes nothing."""
        deciding = self._desk.tasks.create_task(intake.decide())
        while not (await asyncio.wait({deciding}, timeout=PROGRESS_EVERY))[0]:
            self.say(self.session.progress())
        return deciding.result()
