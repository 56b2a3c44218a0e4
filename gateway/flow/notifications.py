"""What mailboxes of roles hear of rules that matched (mission R8), and the postmaster of ends that nobody was told of.

The first match of a rule is told at once, in the transaction of the message that it is about; further ones within a day
come as one digest (`flow.digests`), and so does the next try of a message that was not kept. Never about our own mail,
and nothing here makes accepting or settling fail: what cannot be gathered is told at once instead.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeAlias

from gateway.core.address import parse_address
from gateway.core.digest import About, Batch, Line, Topic, build_alert
from gateway.core.effects import Notification
from gateway.core.record import Entry, Kind, Message, Origin, RecipientRow, State
from gateway.flow.ports import Spool
from gateway.flow.post import Letter, Post
from gateway.flow.shared import Shared

Match: TypeAlias = tuple[RecipientRow, Notification]
_Told: TypeAlias = tuple[Topic, Sequence[Line]]


def all_notifications(rows: Iterable[RecipientRow]) -> list[Match]:
    """What the decisions of the rows have to tell."""
    return [(row, one) for row in rows for one in row.decision.effects.notifications]


def new_notifications(before: RecipientRow, after: RecipientRow) -> list[Match]:
    """What the row has to tell since it was decided again."""
    told = before.decision.effects.notifications
    return [(after, one) for one in after.decision.effects.notifications if one not in told]


class Notifications:
    """For one message of one spool; made where it is needed."""

    def __init__(self, spool: Spool, shared: Shared, message: Message) -> None:
        self._spool = spool
        self._shared = shared
        self._message = message

    async def entries(self, found: Iterable[Match]) -> tuple[Entry, ...]:
        """The mail that goes at once, ready to commit with the message; the rest is gathered. It raises nothing."""
        first: dict[str, list[_Told]] = {}
        for topic, lines in self._topics(found).items():
            if await self._is_first(topic, lines):
                first.setdefault(topic.mailbox, []).append((topic, lines))
        entries = [await self._tell(told) for told in first.values()]
        return tuple(entry for entry in entries if entry is not None)

    async def gather(self, found: Iterable[Match]) -> None:
        """Leaves all of it to the digest, where no mail can be kept now. It raises nothing."""
        for topic, lines in self._topics(found).items():
            await self._gather(topic, lines)

    async def unreportable(self, rows: Iterable[RecipientRow]) -> None:
        """Gathers those of the rows that ended without a report for the postmaster's daily summary."""
        lines = [
            self._line(row, f"{row.decision.rule}: {row.decision.reason}")
            for row in rows
            if row.state is State.UNREPORTABLE and self._message.kind is Kind.RELAY
        ]
        if lines:
            mailbox = str(self._shared.identity.postmaster)
            await self._gather(Topic(about=About.UNREPORTABLE, rule="", mailbox=mailbox), lines)

    def _topics(self, found: Iterable[Match]) -> dict[Topic, list[Line]]:
        topics: dict[Topic, list[Line]] = {}
        for row, one in found:
            topic = Topic(about=About.RULE, rule=one.rule, mailbox=one.mailbox)
            topics.setdefault(topic, []).append(self._line(row, one.reason))
        return topics

    def _line(self, row: RecipientRow, why: str) -> Line:
        message = self._message
        return Line(
            at=message.accepted_at,
            queue_id=message.queue_id,
            sender=str(message.envelope.reverse_path),
            recipient=str(row.address),
            why=why,
        )

    async def _is_first(self, topic: Topic, lines: Sequence[Line]) -> bool:
        """Whether it has to be told at once; if not, it is gathered."""
        try:
            if await self._shared.tally.opens(topic):
                return True
        except Exception as error:
            self._shared.events.broken("notify", self._message.queue_id, error)
            return True
        return not await self._gather(topic, lines)

    async def _tell(self, told: Sequence[_Told]) -> Entry | None:
        """One mail for a mailbox, whatever number of rules name it."""
        try:
            return await self._at_once(_together(told), [line for _, lines in told for line in lines])
        except Exception as error:
            self._shared.events.broken("notify", self._message.queue_id, error)
            for topic, lines in told:
                await self._gather(topic, lines)
            return None

    async def _gather(self, topic: Topic, lines: Sequence[Line]) -> bool:
        """Whether the lines are kept."""
        try:
            await self._shared.tally.add(topic, lines)
        except Exception as error:
            self._shared.events.broken("notify", self._message.queue_id, error)
            return False
        return True

    async def _at_once(self, topic: Topic, lines: Sequence[Line]) -> Entry:
        post, shared = Post(self._spool, self._shared), self._shared
        to, stamp = parse_address(topic.mailbox), post.stamp()
        batch = Batch(topic=topic, since=stamp.now).with_more(lines)
        about = self._message.queue_id
        return await post.letter(
            Letter(
                kind=Kind.NOTICE,
                to=to,
                text=build_alert(batch, shared.identity, stamp),
                stamp=stamp,
                reason=f"a notification about {about}",
                origin=Origin(about, -1, Kind.NOTICE),
            )
        )


def _together(told: Sequence[_Told]) -> Topic:
    """What is told in one mail, by the names of all its rules."""
    topics = [topic for topic, _ in told]
    return replace(topics[0], rule=" and ".join(topic.rule for topic in topics))
