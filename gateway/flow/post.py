"""Our own mail: a report, notice or letter becomes an entry of the spool, behind the door, by the route of its kind.

It has a chain of one and, but for what a person wrote, a null reverse-path, so that it can end but never cause another.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from gateway.core.address import Address, NullPath, ReversePath
from gateway.core.chronicle import entry_events
from gateway.core.decision import Routed
from gateway.core.dsn import build
from gateway.core.envelope import Admission, Client, Envelope, Notify, Recipient
from gateway.core.record import BodyRef, Entry, Kind, Message, Origin
from gateway.core.report import Item, Purpose, Report, Stamp, Told, reader_of
from gateway.core.tls import Protection
from gateway.flow.content import Returned, read_returned
from gateway.flow.hashing import own_hash
from gateway.flow.overrides import Overrides
from gateway.flow.ports import BodyWriter, Spool, SpoolError
from gateway.flow.shared import Shared

_KINDS: Final = {
    Purpose.FAILED: Kind.REPORT,
    Purpose.RELAYED: Kind.REPORT,
    Purpose.DELAYED: Kind.NOTICE,
    Purpose.MOVED: Kind.NOTICE,
    Purpose.WARNED: Kind.NOTICE,
    Purpose.HELD: Kind.NOTICE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A finished mail of ours; ``stamp`` is the one that its text was made with. ``reason`` is for the audit.

    ``floor`` is for what repeats a protected message or opens one. ``until`` ends its delivery before its time.
    """

    kind: Kind
    to: Address
    text: bytes
    stamp: Stamp
    reason: str
    origin: Origin | None = None
    floor: Protection = Protection.NONE
    reverse_path: ReversePath = NullPath.NULL
    until: datetime | None = None


class Post:
    """Writes our own mail for one commit or settlement of one spool.

    If anything of it fails, its earlier entries are not to be committed either: their bodies are gone.
    """

    def __init__(self, spool: Spool, shared: Shared) -> None:
        self._spool = spool
        self._shared = shared
        self._written: list[BodyWriter] = []

    async def entry(self, purpose: Purpose, message: Message, items: tuple[Item, ...]) -> Entry:
        """The mail about ``message``, ready to commit. The caller has made sure that its sender is answered.

        Raises:
            SpoolFull, SpoolError: the report could not be kept.
        """
        try:
            return await self._keep(await self._report(purpose, message, items))
        except BaseException:
            self.discard()
            raise

    async def entries(self, message: Message, told: Sequence[Told]) -> tuple[Entry, ...]:
        """One mail for each purpose. Raises like `entry`."""
        purposes = dict.fromkeys(purpose for purpose, _ in told)
        each = [(purpose, tuple(item for about, item in told if about is purpose)) for purpose in purposes]
        return tuple([await self.entry(purpose, message, items) for purpose, items in each])

    async def letter(self, letter: Letter) -> Entry:
        """Any other mail of ours, ready to commit.

        Raises:
            SpoolFull, SpoolError: it could not be kept.
        """
        try:
            return await self._keep(letter)
        except BaseException:
            self.discard()
            raise

    def stamp(self) -> Stamp:
        """What makes the next mail unique."""
        ids = self._shared.ids
        return Stamp(now=self._shared.clock.now(), message_id=ids.new(), boundary=ids.new())

    def discard(self) -> None:
        """Forgets the bodies of all its entries, which are not to be committed any more."""
        for writer in self._written:
            writer.discard()

    async def _report(self, purpose: Purpose, message: Message, items: tuple[Item, ...]) -> Letter:
        returned = await self._returned(message)
        report = Report(
            purpose=purpose,
            message=message,
            items=items,
            header=returned.header,
            full=returned.full,
            tokens=await self._tokens(purpose, message, items),
        )
        kind, about, stamp = _KINDS[purpose], message.queue_id, self.stamp()
        return Letter(
            kind=kind,
            to=reader_of(message),
            text=build(report, self._shared.identity, stamp),
            stamp=stamp,
            reason=f"our own {kind.value} ({purpose.value}) about {about}",
            origin=Origin(about, _only(items), kind),
        )

    async def _tokens(self, purpose: Purpose, message: Message, items: tuple[Item, ...]) -> Mapping[str, str]:
        stopped = [(item.rule, item.recipient.address) for item in items if item.overridable]
        wanted = stopped and purpose in (Purpose.FAILED, Purpose.HELD)
        return await Overrides(self._shared).issue(message, stopped) if wanted else {}

    async def _returned(self, message: Message) -> Returned:
        """A message that cannot be read any more is reported all the same, without its header."""
        try:
            return await read_returned(self._spool.bodies, message)
        except SpoolError as error:
            self._shared.events.broken("body", message.queue_id, error)
            return Returned(b"", None)

    async def _keep(self, letter: Letter) -> Entry:
        writer = self._spool.bodies.writer()
        self._written.append(writer)
        writer.write(letter.text)
        return self._entry(letter, await writer.finish())

    def _entry(self, letter: Letter, body: BodyRef) -> Entry:
        shared = self._shared
        recipient = Recipient(address=letter.to, notify=frozenset({Notify.NEVER}))
        header_bytes = letter.text.index(b"\r\n\r\n") + 4
        message = Message(
            queue_id=self._spool.new_queue_id(),
            kind=letter.kind,
            origin=letter.origin,
            envelope=_own_envelope(letter, recipient, header_bytes, shared.system.hostname),
            facts=None,
            policy_hash=shared.book.current.hash,
            accepted_at=letter.stamp.now,
            header_bytes=header_bytes,
            eight_bit=not letter.text.isascii(),
            edits=(),
            body=body,
            message_id=f"<{letter.stamp.message_id}@{shared.system.hostname}>",
            body_hash=own_hash(shared.signer, letter.text, header_bytes),
            # RFC 8460 section 5.3.1: a report on TLS leaves whatever TLS is like, and says so (RFC 8689 section 3).
            tls_optional=letter.kind is Kind.TLS_REPORT,
        )
        decision = _decision(letter, shared.system.routes[letter.kind])
        row = shared.planner.start(0, recipient, decision, letter.stamp.now)
        until = min(row.expires_at, letter.until or row.expires_at)
        row = replace(row, deadline=min(row.deadline, until), expires_at=until)
        return Entry(message=message, rows=(row,), events=entry_events(message, (row,), letter.reason))


def _only(items: tuple[Item, ...]) -> int:
    """The number of the one recipient that it is about, -1 if there are several."""
    return next(iter(items)).number if len(items) == 1 else -1


def _decision(letter: Letter, route: str) -> Routed:
    """Our own mail is not classified: what it may not be sent below, whoever wrote it knows."""
    return Routed(
        rule=f"[system] {letter.kind.value}",
        chain=(route,),
        floor=letter.floor,
        original_floor=letter.floor,
        reason=letter.reason,
        advice="",
    )


def _own_envelope(letter: Letter, recipient: Recipient, header_bytes: int, hostname: str) -> Envelope:
    ascii_only = letter.text[:header_bytes].isascii() and recipient.address.is_ascii
    client = Client(identity="sealpost", how=Admission.LOCAL, address="", helo=hostname, tls=None)
    return Envelope(
        client=client,
        listener="",
        reverse_path=letter.reverse_path,
        recipients=(recipient,),
        smtputf8=not (ascii_only and str(letter.reverse_path).isascii()),
    )
