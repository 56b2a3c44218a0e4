"""Taking: what a judged message becomes, its commit, and what follows that; from the commit on it is ours.

Nothing that fails behind the commit may reach the client: a 451 would bring the message a second time, and giving up
its body would lose it. Such a failure is heard of, and the rest goes on.
"""

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from gateway.core.arrival import Arrival
from gateway.core.chronicle import entry_events
from gateway.core.decision import Decision, Open, Refused
from gateway.core.edits import Retitle
from gateway.core.envelope import Envelope, Recipient
from gateway.core.facts import Facts, Scan
from gateway.core.marks import marks_to_remove
from gateway.core.override import stops
from gateway.core.policy import Policy
from gateway.core.record import BodyRef, Entry, Event, EventKind, Kind, Message, QueueId, RecipientRow, State
from gateway.core.refusal import refusal
from gateway.core.reply import Reply, Status
from gateway.core.trace import received
from gateway.flow.copies import MOST_COPIES, copies
from gateway.flow.holding import hold_letters
from gateway.flow.notices import at_acceptance
from gateway.flow.notifications import Notifications, all_notifications
from gateway.flow.overrides import Overrides
from gateway.flow.policies import Edition
from gateway.flow.ports import Spool
from gateway.flow.post import Post
from gateway.flow.returned import joined
from gateway.flow.rows import given_back, started
from gateway.flow.rulings import Rulings
from gateway.flow.shared import Shared

NO_BODY: Final = BodyRef(size=0, sha256=hashlib.sha256(b"").hexdigest(), inline=b"")
"""The body of a message that is refused in the session: it is audited, but not one byte of it is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taking:
    """For one message under one policy; ``on_commit`` hears of what was committed."""

    spool: Spool
    shared: Shared
    edition: Edition
    envelope: Envelope
    on_commit: Callable[[Sequence[Entry]], None]

    def message(self, scan: Scan, arrival: Arrival, facts: Facts, body: BodyRef, body_hash: str) -> Message:
        """The record of it, accepted now."""
        now, queue_id = self.shared.clock.now(), self.spool.new_queue_id()
        trace = received(self.envelope, queue_id, self.shared.system.hostname, now)
        return Message(
            queue_id=queue_id,
            kind=Kind.RELAY,
            origin=None,
            envelope=self.envelope,
            facts=facts,
            policy_hash=self.edition.policy.hash,
            accepted_at=now,
            header_bytes=scan.header_bytes,
            eight_bit=scan.eight_bit,
            edits=(*arrival.removals, *_without_marks(scan, self.edition.policy), trace),
            body=body,
            message_id=arrival.message_id,
            taken=arrival.taken,
            tls_optional=arrival.tls_optional,
            body_hash=body_hash,
        )

    async def keep(self, message: Message, rulings: Rulings, told: str) -> Reply:
        """Takes responsibility for it; ``told`` is the audit's sentence. Raises SpoolError; then nothing was kept."""
        rows = tuple(given_back(message, row) for row in self._rows(message, self._with_copies(message, rulings)))
        post, notifications = Post(self.spool, self.shared), Notifications(self.spool, self.shared, message)
        try:
            entries = [Entry(message=message, rows=rows, events=_events(message, rows, told))]
            entries += await notifications.entries(all_notifications(rows))
            entries += await post.entries(message, at_acceptance(message, rows))
            entries += await hold_letters(post, self.shared, message, rows)
            if any(isinstance(row.decision, Open) for row in rows):
                await self.spool.keep_policy(message.policy_hash, self.edition.text)
            await self.spool.commit(entries)
        except Exception:
            post.discard()
            raise
        await self._ours(message, self._told(entries))
        await self._ours(message, self._remembered(message, rows))
        await self._ours(message, notifications.unreportable(rows))
        return _queued(message)

    async def refuse(self, message: Message, rulings: Rulings, refused: Sequence[tuple[Recipient, Refused]]) -> Reply:
        """Refuses all of it in the session. What was decided is audited all the same. Raises SpoolError."""
        rows = tuple(replace(row, state=State.REFUSED) for row in self._rows(message, self.decided(rulings)))
        entry = Entry(message=message, rows=rows, events=entry_events(message, rows))
        notified = await Notifications(self.spool, self.shared, message).entries(all_notifications(rows))
        await self.spool.commit((entry, *notified))
        await self._ours(message, self._told(notified))
        await self._ours(message, self._remembered(message, rows))
        for row in rows:
            self.shared.events.ended(message, row)
        return refusal(refused, self.edition.policy.organisation.contact, await self._tokens(message, refused))

    async def leave(self, message: Message, rulings: Rulings, told: str) -> tuple[RecipientRow, ...]:
        """Records that somebody else carries it, and gives its rows. Raises SpoolError; then nothing was kept."""
        rows = tuple(replace(row, state=State.LEFT) for row in self._rows(message, self.decided(rulings)))
        entry = Entry(message=message, rows=rows, events=entry_events(message, rows, told))
        notified = await Notifications(self.spool, self.shared, message).entries(all_notifications(rows))
        await self.spool.commit((entry, *notified))
        await self._ours(message, self._told(notified))
        await self._ours(message, self._remembered(message, rows))
        self.shared.events.accepted(message, rows)
        for row in rows:
            self.shared.events.ended(message, row)
        return rows

    async def suppress(self, message: Message, first: QueueId) -> Reply:
        """Keeps nothing of a message that was taken before but that it came again. Raises SpoolError."""
        again = Event(
            kind=EventKind.REPEATED,
            at=message.accepted_at,
            queue_id=first,
            reverse_path=message.envelope.reverse_path,
            message_id=message.message_id,
            text=f"came again from {self.envelope.client.address} by {self.envelope.listener}; not taken twice",
        )
        await self.spool.commit((Entry(message=message, rows=(), events=(again,)),))
        return _queued(replace(message, queue_id=first))

    async def pass_on(self, entry: Entry) -> Reply:
        """Takes responsibility for a message that no rule decided. Raises SpoolError; then nothing was kept."""
        await self.spool.commit((entry,))
        await self._ours(entry.message, self._told((entry,)))
        return _queued(entry.message)

    def decided(self, rulings: Rulings) -> tuple[tuple[Recipient, Decision], ...]:
        """Each recipient of the envelope with its decision."""
        return tuple(zip(self.envelope.recipients, rulings.decisions, strict=True))

    async def _ours(self, message: Message, work: Awaitable[None]) -> None:
        try:
            await work
        except Exception as error:
            self.shared.events.broken("accepted", message.queue_id, error)

    async def _told(self, entries: Sequence[Entry]) -> None:
        self.on_commit(entries)
        for entry in entries:
            self.shared.events.accepted(entry.message, entry.rows)
            for row in entry.rows:
                if not row.state.waits:
                    self.shared.events.ended(entry.message, row)

    async def _remembered(self, message: Message, rows: Sequence[RecipientRow]) -> None:
        self.shared.history.accepted(message, rows)

    async def _tokens(self, message: Message, refused: Sequence[tuple[Recipient, Refused]]) -> Mapping[str, str]:
        stopped = [(decision.rule, recipient.address) for recipient, decision in refused if stops(decision)]
        return await Overrides(self.shared).issue(message, stopped) if stopped else {}

    def _rows(self, message: Message, decided: Sequence[tuple[Recipient, Decision]]) -> tuple[RecipientRow, ...]:
        return started(message, decided, self.shared.planner, self.edition.policy)

    def _with_copies(self, message: Message, rulings: Rulings) -> tuple[tuple[Recipient, Decision], ...]:
        decided, otherwise = self.decided(rulings), self.shared.system.routes[Kind.NOTICE]
        further = copies(decided, rulings.facts, self.edition.policy, otherwise)
        if further.missed:
            why = f"more than {MOST_COPIES} copies for the record are asked for: {further.missed} are not made"
            self.shared.events.alert("copy-missed", message.queue_id, why)
        return (*decided, *further.made)


def _events(message: Message, rows: tuple[RecipientRow, ...], told: str) -> tuple[Event, ...]:
    """Facts that no rule has read are no reason to try rules on them later."""
    join = joined(message, told)
    return (*entry_events(replace(message, facts=None) if join else message, rows, told), *join)


def _queued(message: Message) -> Reply:
    return Reply(250, Status(2, 0, 0), (f"queued as {message.queue_id}",))


def _without_marks(scan: Scan, policy: Policy) -> tuple[Retitle, ...]:
    """Takes the marks that are for us out of the subject."""
    marks = marks_to_remove(policy, scan)
    return (Retitle(without=marks),) if marks else ()
