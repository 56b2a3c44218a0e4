"""What an operator does to the queue of one worker: retry and delete, as the spool applies and audits them."""

from collections.abc import Sequence
from typing import Final

from gateway.app.messages import Delete, Operation, Retry
from gateway.core.address import BadAddress, parse_address
from gateway.core.record import QueueId
from gateway.flow.ports import Clock, OperatorChange, QueueFilter, Spool
from gateway.spool import changes

_PAGE: Final = 500


class NotPossible(Exception):
    """The operation cannot be done as asked; the text is one sentence."""


class Operator:
    """Applies operations to the spools that the worker owns, in the order of ``spools``."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def apply(self, operation: Operation, spools: Sequence[Spool]) -> int:
        """Returns how many recipients were changed; those that are being delivered now are left alone.

        Raises:
            NotPossible: the recipient is no address.
            SpoolError: the spool could not; nothing of that message was changed.
        """
        change = self._change(operation)
        if operation.queue_id is None:
            return sum([await _apply_to_all(spool, change) for spool in spools])
        queue_id = QueueId(operation.queue_id)
        return sum([await _apply(spool, queue_id, operation, change) for spool in spools])

    def _change(self, operation: Operation) -> OperatorChange:
        now = self._clock.now()
        if isinstance(operation, Retry):
            return changes.retry(operation.operator, now)
        return changes.delete(operation.operator, operation.reason, now)


async def _apply(spool: Spool, queue_id: QueueId, operation: Operation, change: OperatorChange) -> int:
    if not isinstance(operation, Delete) or operation.recipient is None:
        return await spool.operate(queue_id, None, change)
    numbers = await _numbers(spool, queue_id, operation.recipient)
    return await spool.operate(queue_id, numbers, change) if numbers else 0


async def _numbers(spool: Spool, queue_id: QueueId, recipient: str) -> frozenset[int]:
    try:
        wanted = parse_address(recipient).key
    except BadAddress as error:
        raise NotPossible(f"`{recipient}` is not an address: {error}") from error
    found: set[int] = set()
    after: tuple[QueueId, int] | None = None
    while page := await spool.query(QueueFilter(queue_id=queue_id), after, _PAGE):
        found.update(item.row.number for item in page if item.row.address.key == wanted)
        after = page[-1].message.queue_id, page[-1].row.number
    return frozenset(found)


async def _apply_to_all(spool: Spool, change: OperatorChange) -> int:
    """Message by message, so that mail passes between them."""
    changed = 0
    after: tuple[QueueId, int] | None = None
    while page := await spool.query(QueueFilter(), after, _PAGE):
        for queue_id in dict.fromkeys(item.message.queue_id for item in page):
            changed += await spool.operate(queue_id, None, change)
        after = page[-1].message.queue_id, page[-1].row.number
    return changed
