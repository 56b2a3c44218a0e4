"""One SMTP conversation apart from its messages: who is there, TLS, the loop and the small commands (RFC 5321).

Offers PIPELINING, SIZE, 8BITMIME, SMTPUTF8, ENHANCEDSTATUSCODES, DSN, CHUNKING, LIMITS RCPTMAX (RFC 9422), STARTTLS,
and inside TLS REQUIRETLS (RFC 8689). Left out on purpose: AUTH, BINARYMIME, and telling
anybody which mailboxes exist. `smtp_session` adds MAIL, RCPT, DATA and BDAT.
"""

import asyncio
import re
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from gateway.core.envelope import InboundTls
from gateway.core.reply import Reply
from gateway.flow.accept import Accept
from gateway.flow.ports import Events
from gateway.listeners import smtp_replies as replies
from gateway.listeners.admission import IpAddress, Peer, Standing, TurnedAway, Verdict, judge, peer_address, standing
from gateway.listeners.connections import Busy, Connections
from gateway.listeners.options import SmtpOptions
from gateway.listeners.server_tls import certificate_names, session_facts
from gateway.listeners.smtp_shell import Gone, Shell
from gateway.listeners.smtp_transaction import Transaction

# Postfix's smtpd_hard_error_limit: so many refused commands without a message, and the client is let go.
MAX_ERRORS: Final = 20
# Postfix's smtpd_junk_command_limit: so many commands that lead to no message, and the client is let go.
MAX_IDLE: Final = 100
# The commands that lead to one; RCPT only if MAIL has begun it.
_STEPS: Final = frozenset({"MAIL", "RCPT", "DATA", "BDAT"})
# A browser or proxy that was talked into sending here must not get as far as its request's body.
_FOREIGN: Final = frozenset({"GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT"})
# What a HELO name may hold in our trace field; anything else is shown as a question mark (RFC 5321 section 4.4).
_NOT_A_NAME: Final = re.compile(r"[^A-Za-z0-9._:\[\]-]")
_MAX_NAME: Final = 255
_COMMAND: Final = "smtp_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What all sessions of one listener share."""

    options: SmtpOptions
    hostname: str
    accept: Accept
    events: Events
    context: ssl.SSLContext | None
    connections: Connections
    tasks: asyncio.TaskGroup

    def refused(self, address: IpAddress, answer: Reply) -> Reply:
        """Reports a refusal and gives it back."""
        self.events.refused(self.options.name, str(address), answer.lines[0], answer.code)
        return answer


class Conversation(Shell):
    """A conversation. Every ``smtp_*`` method is one command, and gets its argument as it came."""

    address: IpAddress
    """Set when the connection stands, before anything reads it."""
    _commands: frozenset[str] = frozenset()

    def __init_subclass__(cls) -> None:
        cls._commands = frozenset(name.removeprefix(_COMMAND) for name in dir(cls) if name.startswith(_COMMAND))

    def __init__(self, desk: Desk) -> None:
        super().__init__(timeout=desk.options.timeout, loop=asyncio.get_running_loop())
        self.desk = desk
        self.verdict: Verdict = TurnedAway.NOT_ALLOWED
        self.standing = Standing.STRANGER
        self.tls: InboundTls | None = None
        self.helo = ""
        self.extended = False
        self.transaction: Transaction | None = None
        self._retiring: Reply | None = None
        self.errors = 0
        self.idle = 0

    # The connection.

    def welcome(self) -> asyncio.TaskGroup | None:
        """Judges the peer by its address, and counts the connection if there is a place for it."""
        peername = self._writer.get_extra_info("peername")
        if peername is None:
            return None
        self.address = peer_address(peername[0])
        self._judge(frozenset())
        no_room = self.desk.connections.enter(self, self.address)
        if no_room is not None:
            self.say(self.refused(no_room))
            return None
        return self.desk.tasks

    @property
    def busy(self) -> Busy:
        """See `Session`."""
        if self.untouchable:
            return Busy.COMMITTING
        receives = self.transaction is not None and self.transaction.intake is not None
        return Busy.RECEIVING if receives else Busy.IDLE

    def _judge(self, names: frozenset[str]) -> None:
        desk = self.desk
        may_show = desk.context is not None and desk.options.client_ca is not None and self.tls is None
        peer = Peer(address=self.address, names=names)
        self.verdict = judge(peer, desk.options.allow, may_show_certificate=may_show)
        # Kept and not asked for each time: a full listener looks at everybody's.
        self.standing = standing(self.verdict)

    def forget(self) -> None:
        """A message that was not finished is given up."""
        self.reset()

    def closed(self) -> None:
        """Makes room for another connection."""
        self.desk.connections.leave(self)

    def broken(self, error: BaseException) -> None:
        """Tells the log; the peer hears no more than that it is not to blame."""
        self.desk.events.broken(f"listener {self.desk.options.name}", "", error)

    def retire(self, farewell: Reply) -> None:
        """Ends now without a transaction, else after it."""
        if self.transaction is None:
            self.end(farewell)
        else:
            self._retiring = farewell

    async def converse(self) -> None:
        """Obeys commands until there is a farewell."""
        self.say(replies.greeting(self.desk.hostname))
        while self.farewell is None:
            line = await self.read_line()
            if isinstance(line, Reply):
                self.answer(line)
            else:
                await self._obey(line)
            if self.errors >= MAX_ERRORS:
                self.farewell = replies.TOO_MANY_ERRORS
            elif self.idle >= MAX_IDLE:
                self.farewell = replies.TOO_MANY_COMMANDS
            elif self._retiring is not None and self.transaction is None:
                self.farewell = self._retiring

    async def _obey(self, line: bytes) -> None:
        verb, _, argument = line.partition(b" ")
        name = verb.upper().decode("ascii", "replace")
        if name not in self._commands:
            self.answer(replies.UNKNOWN)
            if name in _FOREIGN:
                self.farewell = replies.NOT_SMTP
            return
        self.idle += name not in _STEPS or (name == "RCPT" and self.transaction is None)
        command: Callable[[bytes], Awaitable[None]] = getattr(self, _COMMAND + name)
        try:
            await command(argument.strip(b" "))
        except Gone:
            raise
        except Exception as error:
            self.reset()
            self.broken(error)
            self.say(replies.BROKEN)
            if name in ("DATA", "BDAT"):
                self.farewell = replies.OUT_OF_STEP

    def answer(self, answer: Reply) -> None:
        """Says it, and counts it if the command was refused."""
        self.errors += answer.is_permanent
        self.say(answer)

    def message_taken(self) -> None:
        """Whoever brings mail has its errors forgiven, and time for the next message."""
        self.errors = self.idle = 0
        self.next_message()

    def refused(self, answer: Reply) -> Reply:
        return self.desk.refused(self.address, answer)

    def reset(self) -> None:
        transaction, self.transaction = self.transaction, None
        if transaction is not None and transaction.intake is not None:
            transaction.intake.discard()

    # Who is there.

    async def smtp_EHLO(self, hostname: bytes) -> None:
        """RFC 5321 section 4.1.1.1."""
        desk = self.desk
        starttls = desk.context is not None and self.tls is None
        limits = (desk.options.max_message, desk.options.max_recipients)
        offered = replies.ehlo(desk.hostname, *limits, starttls=starttls, inside_tls=self.tls is not None)
        self._greeted(hostname, offered, extended=True)

    async def smtp_HELO(self, hostname: bytes) -> None:
        """RFC 5321 section 4.1.1.1."""
        self._greeted(hostname, Reply(250, None, (self.desk.hostname,)), extended=False)

    def _greeted(self, hostname: bytes, answer: Reply, *, extended: bool) -> None:
        if not hostname:
            self.answer(replies.HELO_ARGUMENT)
            return
        self.reset()
        self.helo = _NOT_A_NAME.sub("?", hostname.decode("utf-8", "surrogateescape")[:_MAX_NAME])
        self.extended = extended
        self.say(answer)

    async def smtp_STARTTLS(self, arg: bytes) -> None:
        """RFC 3207; what was said before counts for nothing after it (section 4.2)."""
        context = self.desk.context
        if context is None:
            self.answer(replies.NOT_OFFERED)
            return
        refusal = self._starttls_refusal(arg)
        if refusal is not None:
            self.answer(refusal)
            return
        self.reset()
        self.helo = ""
        self.say(replies.TLS_READY)
        try:
            tls = await self.start_tls(context)
        except Gone as gone:
            reason = f"the TLS handshake failed: {gone.__cause__ or 'the client left'}"
            self.desk.events.refused(self.desk.options.name, str(self.address), reason, replies.TLS_FAILED)
            raise
        self.tls = session_facts(tls)
        self._judge(certificate_names(tls))

    def _starttls_refusal(self, arg: bytes) -> Reply | None:
        if self.tls is not None:
            return replies.TLS_ALREADY
        if arg:
            return replies.NO_ARGUMENT
        if self.has_input:
            # Clear bytes that would be answered inside TLS: somebody between us injects commands.
            self.farewell = replies.OUT_OF_STEP
            return self.refused(replies.AFTER_STARTTLS)
        return None

    # The rest.

    async def smtp_RSET(self, arg: bytes) -> None:
        """RFC 5321 section 4.1.1.5."""
        if arg:
            self.answer(replies.NO_ARGUMENT)
            return
        self.reset()
        self.say(replies.OK)

    async def smtp_NOOP(self, arg: bytes) -> None:
        """RFC 5321 section 4.1.1.9; an argument is ignored."""
        self.say(replies.OK)

    async def smtp_QUIT(self, arg: bytes) -> None:
        """RFC 5321 section 4.1.1.10."""
        self.farewell = replies.BYE

    async def smtp_HELP(self, arg: bytes) -> None:
        """RFC 5321 section 4.1.1.8."""
        self.say(replies.HELP)

    async def smtp_VRFY(self, arg: bytes) -> None:
        """RFC 5321 section 7.3: no word on what exists."""
        self.say(replies.CANNOT_VERIFY)

    async def smtp_EXPN(self, arg: bytes) -> None:
        """RFC 5321 section 7.3."""
        self.answer(replies.NOT_OFFERED)

    async def smtp_AUTH(self, arg: bytes) -> None:
        """RFC 4954 has its place here."""
        self.answer(replies.NOT_OFFERED)
