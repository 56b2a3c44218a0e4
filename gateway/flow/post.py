"""Our own mail: a report or notice becomes an entry of the spool, behind the door, by the route of its kind.

It has a null reverse-path and a chain of one, so that it can end but never cause another.
"""

from typing import Final

from gateway.core.address import Address, NullPath
from gateway.core.chronicle import entry_events
from gateway.core.decision import Routed
from gateway.core.dsn import build
from gateway.core.envelope import Admission, Client, Envelope, Notify, Recipient
from gateway.core.record import BodyRef, Entry, Kind, Message, Origin, QueueId
from gateway.core.report import Item, Purpose, Report, Stamp
from gateway.core.tls import Protection
from gateway.flow.content import Returned, read_returned
from gateway.flow.ports import BodyWriter, Spool, SpoolError
from gateway.flow.shared import Shared

_KINDS: Final = {
    Purpose.FAILED: Kind.REPORT,
    Purpose.RELAYED: Kind.REPORT,
    Purpose.DELAYED: Kind.NOTICE,
    Purpose.MOVED: Kind.NOTICE,
}


class Post:
    """Writes our own mail for one commit or settlement of one spool."""

    def __init__(self, spool: Spool, shared: Shared) -> None:
        self._spool = spool
        self._shared = shared
        self._written: list[BodyWriter] = []

    async def entry(self, purpose: Purpose, message: Message, items: tuple[Item, ...]) -> Entry:
        """The mail about ``message``, ready to commit. The caller has made sure that its sender is answered.

        If it fails in any way, earlier entries of this object are not to be committed either: their bodies are gone.

        Raises:
            SpoolFull, SpoolError: the report could not be kept.
        """
        try:
            return await self._build(purpose, message, items)
        except BaseException:
            for writer in self._written:
                writer.discard()
            raise

    async def _build(self, purpose: Purpose, message: Message, items: tuple[Item, ...]) -> Entry:
        returned = await self._returned(message)
        report = Report(purpose=purpose, message=message, items=items, header=returned.header, full=returned.full)
        ids = self._shared.ids
        stamp = Stamp(now=self._shared.clock.now(), message_id=ids.new(), boundary=ids.new())
        text = build(report, self._shared.identity, stamp)
        writer = self._spool.bodies.writer()
        self._written.append(writer)
        writer.write(text)
        return self._entry(report, text, await writer.finish(), stamp)

    async def _returned(self, message: Message) -> Returned:
        """A message that cannot be read any more is reported all the same, without its header."""
        try:
            return await read_returned(self._spool.bodies, message)
        except SpoolError as error:
            self._shared.events.broken("body", message.queue_id, error)
            return Returned(b"", None)

    def _entry(self, report: Report, text: bytes, body: BodyRef, stamp: Stamp) -> Entry:
        shared, kind, about = self._shared, _KINDS[report.purpose], report.message
        recipient = _sender_of(about)
        message = Message(
            queue_id=self._spool.new_queue_id(),
            kind=kind,
            origin=Origin(about.queue_id, _only(report.items), kind),
            envelope=_own_envelope(recipient, shared.system.hostname),
            facts=None,
            policy_hash=shared.book.current.hash,
            accepted_at=stamp.now,
            header_bytes=text.index(b"\r\n\r\n") + 4,
            eight_bit=not text.isascii(),
            edits=(),
            body=body,
            message_id=f"<{stamp.message_id}@{shared.system.hostname}>",
        )
        decision = _decision(kind, shared.system.routes[kind], about.queue_id)
        row = shared.planner.start(0, recipient, decision, stamp.now)
        return Entry(message=message, rows=(row,), events=entry_events(message, (row,), decision.reason))


def _only(items: tuple[Item, ...]) -> int:
    """The number of the one recipient that it is about, -1 if there are several."""
    return next(iter(items)).number if len(items) == 1 else -1


def _sender_of(message: Message) -> Recipient:
    sender = message.envelope.reverse_path
    if not isinstance(sender, Address):
        raise ValueError("a null reverse-path is never answered")
    return Recipient(address=sender, notify=frozenset({Notify.NEVER}))


def _decision(kind: Kind, route: str, about: QueueId) -> Routed:
    """Our own mail is not classified: what it repeats of a protected message is chosen to need no protection."""
    return Routed(
        rule=f"[system] {kind.value}",
        chain=(route,),
        floor=Protection.NONE,
        original_floor=Protection.NONE,
        reason=f"our own {kind.value} about {about}",
        advice="",
    )


def _own_envelope(recipient: Recipient, hostname: str) -> Envelope:
    client = Client(identity="sealpost", how=Admission.LOCAL, address="", helo=hostname, tls=None)
    return Envelope(
        client=client,
        listener="",
        reverse_path=NullPath.NULL,
        recipients=(recipient,),
        smtputf8=not recipient.address.is_ascii,
    )
