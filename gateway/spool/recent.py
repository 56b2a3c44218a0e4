"""The messages taken last, as they were given: most are claimed within milliseconds, and need not be read back.

A message never changes once it is committed (its rows do, and are always read), so nothing here can be out of date.
"""

from collections import OrderedDict
from typing import Final

from gateway.core.record import Message, QueueId

_MESSAGES: Final = 512
_BYTES: Final = 8 * 1024 * 1024


class Recent:
    """At most 512 messages with at most 8 MiB of inline bodies together; the oldest go first."""

    def __init__(self) -> None:
        self._messages: OrderedDict[QueueId, Message] = OrderedDict()
        self._bytes = 0

    def add(self, message: Message) -> None:
        """A message whose commit has succeeded."""
        self._messages[message.queue_id] = message
        self._bytes += _size(message)
        while len(self._messages) > _MESSAGES or self._bytes > _BYTES:
            self._bytes -= _size(self._messages.popitem(last=False)[1])

    def __contains__(self, queue_id: QueueId) -> bool:
        return queue_id in self._messages

    def forget(self, queue_id: QueueId) -> None:
        """One that has been attempted or changed: it is gone, or waits for long."""
        message = self._messages.pop(queue_id, None)
        if message is not None:
            self._bytes -= _size(message)

    def snapshot(self) -> dict[QueueId, Message]:
        """All that are here now, for a claim to rely on while others come and push them out."""
        return dict(self._messages)


def _size(message: Message) -> int:
    return len(message.body.inline or b"")
