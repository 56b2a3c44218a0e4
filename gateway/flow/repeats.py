"""The same message again, from a client that an MTA gave up on while we took the first copy: taken once, not twice.

It is known for an hour, by the workers' shared memory, and only while the first copy waits here for, or has reached,
all who were to get it. What cannot be told is taken: rather twice than lost. A message without Message-ID is never
known again, because alarms and scans may be alike and all be meant.
"""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

from gateway.core.decision import Refused
from gateway.core.envelope import Envelope
from gateway.core.record import Event, EventKind, Message, QueueId, State
from gateway.flow.ports import Clock, Events, SpoolError, StateStore

KNOWN_FOR: Final = timedelta(hours=1)
COMMITS_WITHIN: Final = timedelta(minutes=10)
"""A first copy that no audit knows is still on its way in, or its worker died: longer than any commit lasts."""

_TAKEN: Final = "repeat/"
_ARRIVED: Final = frozenset({State.DELIVERED, State.SEALED})

Audit: TypeAlias = Callable[[QueueId], Awaitable[Sequence[Event]]]
"""What the spool says of a message, whichever shard has it. Raises SpoolError."""


async def no_audit(_: QueueId) -> Sequence[Event]:
    """Where no message is ever known again."""
    return ()


@dataclass(frozen=True, slots=True)
class First:
    """There is no other copy; ``key`` is what it is known by, empty if it will not be."""

    key: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """It was taken as ``queue_id``."""

    queue_id: QueueId


@dataclass(frozen=True, slots=True)
class Undecided:
    """Another copy is being taken just now, or was when its worker died."""


def identity(envelope: Envelope, message_id: str, content: bytes) -> str:
    """The same for the same message from the same client; empty if it cannot be known again.

    ``content`` is `core.content`'s digest: of the header but for its trace, and of all that stands behind it.
    """
    if not message_id.strip():
        return ""
    recipients = sorted(recipient.address.key for recipient in envelope.recipients)
    words = (str(envelope.reverse_path), *recipients, message_id.strip(), content.hex(), envelope.client.address)
    return hashlib.sha256("\n".join(words).encode("utf-8", "backslashreplace")).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeats:
    """For one message; made where it is needed."""

    state: StateStore
    audit: Audit
    clock: Clock
    events: Events

    async def claim(self, key: str, message: Message) -> First | Known | Undecided:
        """Whether it is the first of its kind; from then on it is, until `forget`. It raises nothing."""
        if not key:
            return First()
        try:
            return await self._claim(key, message.queue_id)
        except (SpoolError, ValueError) as error:
            self.events.broken("repeat", message.queue_id, error)
            return First()

    async def _claim(self, key: str, queue_id: QueueId) -> First | Known | Undecided:
        now = self.clock.now()
        mine = f"{queue_id} {int(now.timestamp())}".encode()
        holder = await self.state.put_if_absent(_TAKEN + key, mine, now + KNOWN_FOR)
        if holder == mine:
            return First(key)
        first, since = _read(holder)
        story = await self.audit(first)
        if not story and now < since + COMMITS_WITHIN:
            return Undecided()
        if _still_counts(story):
            return Known(first)
        await self.state.put(_TAKEN + key, mine, now + KNOWN_FOR)
        return First(key)

    async def forget(self, first: First) -> None:
        """It could not be taken after all. It raises nothing."""
        try:
            if first.key:
                await self.state.delete(_TAKEN + first.key)
        except SpoolError as error:
            self.events.broken("repeat", "", error)


def _read(value: bytes) -> tuple[QueueId, datetime]:
    """Raises ValueError for what is no claim."""
    queue_id, since = value.decode().split(" ")
    return QueueId(queue_id), datetime.fromtimestamp(int(since), UTC)


def _still_counts(story: Sequence[Event]) -> bool:
    """Whether all who were to get it wait for it here, or have it; there has to be one."""
    meant = {event.recipient for event in story if event.kind is EventKind.DECIDED and not _is_refusal(event)}
    missed = {event.recipient for event in story if event.kind is EventKind.ENDED and event.state not in _ARRIVED}
    return bool(meant) and not meant & missed


def _is_refusal(event: Event) -> bool:
    return isinstance(event.decision, Refused)
