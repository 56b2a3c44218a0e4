"""One mail transaction on an open session, one outcome for each recipient (RFC 5321 section 3.3, RFC 2920, RFC 3461).

`transact` is the only place of the gateway that says MAIL, and it first compares what the session is with what the
message demands. Left out on purpose: BDAT, RSET (a session that is not clean is closed) and any change of the message.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.core.address import NullPath
from gateway.core.outcome import Cause, Deferred, Delivered, Failed, Outcome
from gateway.core.reply import Reply, Status
from gateway.core.tls import Channel
from gateway.flow.ports import Bodies, Delivery, SpoolError, Target
from gateway.net.smtp_session import Session
from gateway.net.terms import Terms
from gateway.wire import smtp_client
from gateway.wire.dot import DotWriter, stuffed
from gateway.wire.errors import LocalProtocolError, RemoteProtocolError
from gateway.wire.smtp_params import MailCommand

_SERVICE_CLOSES = 421


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A delivery, or some of its recipients, on terms."""

    delivery: Delivery
    targets: tuple[Target, ...]
    terms: Terms
    bodies: Bodies


@dataclass(frozen=True, slots=True)
class Gone:
    """The session ended before anything was said about this message; another one may be tried at once."""

    detail: str
    reply: Reply | None = None


async def transact(session: Session, job: Job) -> dict[int, Outcome] | Gone:
    """Hands the message to the server. Never raises for the peer's or the spool's fault.

    Raises:
        LocalProtocolError: the session is less than the terms demand, or the message cannot be said in SMTP.
    """
    terms = job.terms
    if not terms.met_by(session.channel, session.check):
        raise LocalProtocolError(f"a session that is {session.channel.name} was to carry what demands {terms.demand}")
    if terms.demand.offers_require_tls and not takes_require_tls(session):
        raise LocalProtocolError("a session without REQUIRETLS was to carry what demands it")
    return await _Transaction(session, job).run()


class _Transaction:
    def __init__(self, session: Session, job: Job) -> None:
        self._session = session
        self._connection = session.connection
        self._timeouts = session.timeouts
        self._delivery = job.delivery
        self._targets = job.targets
        self._bodies = job.bodies
        self._evidence = session.evidence(job.terms)
        self._outcomes: dict[int, Outcome] = {}
        self._dot_sent = False
        # A small message is made ready first: what cannot be sent at all is found before MAIL.
        inline = job.delivery.body.inline
        self._whole = None if inline is None else stuffed(job.delivery.header + inline[job.delivery.body_offset :])

    async def run(self) -> dict[int, Outcome] | Gone:
        mail, *rest = self._commands()
        self._session.uses += 1
        self._session.clean = False
        pipelined = self._session.capabilities.pipelining
        try:
            self._connection.send(b"".join((mail, *rest)) if pipelined else mail)
            reply = await self._connection.reply(self._timeouts.mail)
        except RemoteProtocolError as error:
            return Gone(f"{self._session}: {error}.")
        if reply.code == _SERVICE_CLOSES:
            return Gone(f"{self._session} closes the session: {reply}", reply)
        try:
            await self._go_on(reply, iter(() if pipelined else rest))
        except RemoteProtocolError as error:
            self._settle_rest(self._lost(str(error)))
        except SpoolError:
            self._settle_rest(self._deferred(Cause.LOCAL, Status(4, 3, 0), "The stored message could not be read."))
        return self._outcomes

    def _commands(self) -> list[bytes]:
        """MAIL, each RCPT, DATA."""
        delivery, peer = self._delivery, self._session.capabilities
        utf8 = needs_smtputf8(delivery)
        command = MailCommand(
            reverse_path=delivery.reverse_path,
            size=delivery.size,
            body=delivery.body_type,
            smtputf8=utf8,
            ret=delivery.ret,
            envid=delivery.envid,
            require_tls=delivery.require_tls and takes_require_tls(self._session),
        )
        recipients = [smtp_client.rcpt(target.recipient, peer, utf8=utf8) for target in self._targets]
        return [smtp_client.mail(command, peer), *recipients, smtp_client.DATA]

    async def _go_on(self, reply: Reply, unsent: Iterator[bytes]) -> None:
        """All that follows the reply to MAIL; ``unsent`` are the commands that were not pipelined."""
        if not _accepts(reply):
            self._settle_rest(self._judge(reply, "MAIL"))
            return
        if not await self._offer_recipients(unsent):
            return
        for command in unsent:
            self._connection.send(command)
        reply = await self._connection.reply(self._timeouts.data)
        if reply.code != 354:
            self._settle_rest(self._judge(_negative(reply), "DATA"))
            return
        await self._send_message()
        await self._read_verdict()

    async def _offer_recipients(self, unsent: Iterator[bytes]) -> bool:
        """RCPT for each target; whether any was accepted."""
        accepted = False
        for target in self._targets:
            if command := next(unsent, b""):
                self._connection.send(command)
            reply = await self._connection.reply(self._timeouts.rcpt)
            if reply.code == _SERVICE_CLOSES:
                self._settle_rest(self._judge(reply, "RCPT"))
                return False
            if _accepts(reply):
                accepted = True
            else:
                self._outcomes[target.number] = self._judge(reply, "RCPT")
        return accepted

    async def _send_message(self) -> None:
        """The message and its end; stops early when the server answers before the end."""
        last = self._whole if self._whole is not None else await self._stream()
        if self._connection.answered:
            # Whatever it says, it says it without the message.
            return
        self._dot_sent = True
        self._connection.send(last)

    async def _stream(self) -> bytes:
        """Sends a large message as far as the server listens; what is left to be sent."""
        writer = DotWriter()
        self._connection.send(writer.feed(self._delivery.header))
        async for block in self._bodies.open(self._delivery.body, self._delivery.body_offset):
            self._connection.send(writer.feed(block))
            await self._connection.drain(self._timeouts.block)
            if self._connection.answered:
                break
        return writer.finish()

    async def _read_verdict(self) -> None:
        reply = await self._connection.reply(self._timeouts.dot)
        if reply.is_positive and self._dot_sent:
            self._settle_rest(
                Delivered(
                    remote=self._session.remote(reply),
                    evidence=self._evidence,
                    relayed_dsn=self._session.capabilities.dsn,
                )
            )
        else:
            self._settle_rest(self._judge(_negative(reply), "the message"))
        self._session.clean = self._dot_sent and reply.code != _SERVICE_CLOSES

    def _settle_rest(self, outcome: Outcome) -> None:
        """The outcome of every recipient that has none of its own."""
        for target in self._targets:
            self._outcomes.setdefault(target.number, outcome)

    def _lost(self, why: str) -> Deferred:
        if self._dot_sent:
            detail = f"{self._session} did not say whether it took the message: {why}."
            return self._deferred(Cause.MAYBE, Status(4, 4, 2), detail)
        return self._deferred(Cause.UNREACHABLE, Status(4, 4, 2), f"{self._session}: {why}.")

    def _deferred(self, cause: Cause, status: Status, detail: str) -> Deferred:
        return Deferred(cause=cause, status=status, detail=detail, evidence=self._evidence)

    def _judge(self, reply: Reply, what: str) -> Deferred | Failed:
        """The outcome of a negative reply."""
        detail = f"{self._session} answered {what} with {reply}"
        remote = self._session.remote(reply)
        # RFC 5321 section 4.5.3.1.10: 552 at RCPT is an old way to say "too many recipients", which is 452.
        too_many = reply.code == 552 and what == "RCPT"
        if reply.is_permanent and not too_many:
            status = reply.status or Status(5, 0, 0)
            return Failed(status=status, detail=detail, remote=remote, evidence=self._evidence)
        given = reply.status or Status(4, *((5, 3) if too_many else (0, 0)))
        status = Status(4, given.subject, given.detail)
        return Deferred(cause=Cause.REPLY_4XX, status=status, detail=detail, remote=remote, evidence=self._evidence)


def takes_require_tls(session: Session) -> bool:
    """Whether MAIL may say REQUIRETLS: the peer offers it, and inside TLS (RFC 8689 section 2)."""
    return session.channel > Channel.PLAIN and session.capabilities.requiretls


def needs_smtputf8(delivery: Delivery) -> bool:
    """Whether the message, or an address of it, can only be sent with SMTPUTF8 (RFC 6531 section 3.4)."""
    sender = delivery.reverse_path
    return (
        delivery.smtputf8
        or not (isinstance(sender, NullPath) or sender.is_ascii)
        or not all(target.recipient.address.is_ascii for target in delivery.targets)
    )


def _accepts(reply: Reply) -> bool:
    """Whether a command was accepted. Raises RemoteProtocolError for a 3xx, which is neither a yes nor a no."""
    if reply.is_positive:
        return True
    _negative(reply)
    return False


def _negative(reply: Reply) -> Reply:
    """The reply, which must be 4xx or 5xx. Raises RemoteProtocolError for another one at this point."""
    if reply.code < 400:
        raise RemoteProtocolError(f"it answered out of turn with {reply}")
    return reply
