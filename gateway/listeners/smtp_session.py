"""The messages of an SMTP conversation: MAIL, RCPT, DATA and BDAT (RFC 5321 section 3.3, RFC 3030).

Content goes through `Intake` into the flow; who may relay is `admission`'s business. Recipients are not looked up here:
what becomes of each is the policy's decision.
"""

from typing import Final

from gateway.core.envelope import Client
from gateway.core.reply import Reply
from gateway.flow.accept import Profile
from gateway.flow.ports import SpoolFull
from gateway.listeners import smtp_replies as replies
from gateway.listeners.admission import Admitted, TurnedAway
from gateway.listeners.intake import Intake
from gateway.listeners.smtp_content import drop_chunk, read_chunk, read_data
from gateway.listeners.smtp_conversation import Conversation
from gateway.listeners.smtp_transaction import Transaction
from gateway.wire.bdat import parse_bdat
from gateway.wire.smtp_params import parse_mail, parse_rcpt

_TURNED_AWAY: Final = {
    TurnedAway.NOT_ALLOWED: replies.NOT_ALLOWED,
    TurnedAway.NEEDS_CERTIFICATE: replies.CERTIFICATE_FIRST,
}


class SmtpSession(Conversation):
    """A conversation that takes mail."""

    async def smtp_MAIL(self, arg: bytes) -> None:
        """RFC 5321 section 4.1.1.2."""
        self.answer(self._mail(arg))

    def _mail(self, argument: bytes) -> Reply:
        if not self.helo:
            return replies.HELO_FIRST
        if self.transaction is not None:
            return replies.MAIL_TWICE
        if not isinstance(self.verdict, Admitted):
            return self.refused(_TURNED_AWAY[self.verdict])
        mail = parse_mail(argument, extended=self.extended)
        if isinstance(mail, Reply):
            return mail
        if mail.require_tls and self.tls is None:
            return self.refused(replies.REQUIRETLS_IN_CLEAR)
        if not self.desk.accept.sender_allowed(mail.reverse_path):
            return self.refused(replies.NOT_OURS)
        if mail.size is not None and mail.size > self.desk.options.max_message:
            return self.refused(replies.TOO_LARGE)
        self.transaction = Transaction(mail=mail, admitted=self.verdict)
        return replies.SENDER_OK

    async def smtp_RCPT(self, arg: bytes) -> None:
        """RFC 5321 section 4.1.1.3. Its refusals do not count as errors: a long list may hold many bad addresses."""
        self.say(self._rcpt(arg))

    def _rcpt(self, argument: bytes) -> Reply:
        transaction = self.transaction
        if transaction is None:
            return replies.MAIL_FIRST
        if transaction.intake is not None:
            return replies.CHUNKS_BEGUN
        recipient = parse_rcpt(argument, extended=self.extended, smtputf8=transaction.mail.smtputf8)
        if isinstance(recipient, Reply):
            return recipient
        known = transaction.recipients
        if len(known) >= self.desk.options.max_recipients and recipient.address not in known:
            return replies.TOO_MANY_RECIPIENTS
        refusal = self.desk.accept.recipient_refused(transaction.mail.reverse_path, known, recipient.address)
        if refusal is not None:
            return self.refused(refusal)
        # The same address again is one recipient, with the wishes that came first.
        known.setdefault(recipient.address, recipient)
        return replies.RECIPIENT_OK

    def _ready(self) -> Transaction | Reply:
        """The transaction, if it may take content."""
        if self.transaction is None:
            return replies.MAIL_FIRST
        return self.transaction if self.transaction.recipients else replies.NO_RECIPIENTS

    async def smtp_DATA(self, arg: bytes) -> None:
        """RFC 5321 section 4.1.1.4."""
        ready = self._ready()
        if isinstance(ready, Transaction) and (arg or ready.intake is not None):
            ready = replies.NO_ARGUMENT if arg else replies.CHUNKS_BEGUN
        if isinstance(ready, Reply):
            self.answer(ready)
            return
        intake = self._begin(ready)
        if isinstance(intake, Reply):
            self.say(intake)
            return
        ready.intake = intake
        self.say(replies.GO_AHEAD)
        await read_data(self, intake)
        await self._finish(ready, intake)

    async def smtp_BDAT(self, arg: bytes) -> None:
        """RFC 3030 section 2. The chunk is read in every case, because it follows without being asked for."""
        chunk = parse_bdat(arg)
        if chunk is None:
            self.answer(replies.BAD_CHUNK)
            self.farewell = replies.OUT_OF_STEP
            return
        ready = self._ready()
        if isinstance(ready, Reply):
            await drop_chunk(self, chunk.size)
            self.answer(ready)
            return
        intake = ready.intake or self._begin(ready)
        if isinstance(intake, Reply):
            await drop_chunk(self, chunk.size)
            self.say(intake)
            return
        ready.intake = intake
        await read_chunk(self, chunk, intake, ready.line_ends)
        if chunk.last or intake.fault is not None:
            await self._finish(ready, intake)
        else:
            self.say(replies.OK)

    def _begin(self, transaction: Transaction) -> Intake | Reply:
        """Hands the envelope to the flow, which takes the policy in force now; a Reply is why not."""
        desk, admitted = self.desk, transaction.admitted
        client = Client(
            identity=admitted.identity,
            how=admitted.how,
            address=str(self.address),
            helo=self.helo,
            tls=self.tls,
            esmtp=self.extended,
        )
        profile = Profile(
            listener=desk.options.name,
            refusals=desk.options.refusals,
            proofs=admitted.proofs,
            secrets=tuple(name for entry in desk.options.allow for name in entry.require_header),
        )
        try:
            submission = desk.accept.begin(transaction.envelope(client, desk.options.name), profile)
        except SpoolFull:
            self.reset()
            return self.refused(replies.NO_ROOM)
        return Intake(submission, desk.options.max_message, self.broken)

    async def _finish(self, transaction: Transaction, intake: Intake) -> None:
        """The one place where responsibility passes to us: a positive answer leaves only behind the commit."""
        # From here on the flow looks after what it has: a cancelled commit may have happened and then needs its body.
        self.transaction = None
        self.hold_off(True)
        try:
            answer = await intake.finish()
        finally:
            self.hold_off(False)
        if intake.fault is not None:
            self.refused(intake.fault)
        elif answer.is_positive:
            self.message_taken()
        self.say(answer, utf8=transaction.mail.smtputf8)
