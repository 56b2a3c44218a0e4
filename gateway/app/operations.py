"""What people do to the queue of one worker: retry, delete, release, give back, as the spool applies and audits it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, assert_never

from gateway.app.messages import Delete, GiveBack, Operation, Release, Retry, SetMode, ShowContent
from gateway.core.address import BadAddress, parse_address
from gateway.core.plan import Planner
from gateway.core.record import QueueId
from gateway.flow.modes import Order
from gateway.flow.ports import Clock, OperatorChange, QueueFilter, Spool
from gateway.flow.release import give_back, read_note, release, shown
from gateway.spool import changes

_PAGE: Final = 500


class NotPossible(Exception):
    """The operation cannot be done as asked; the text is one sentence."""


def order_of(wanted: SetMode, at: datetime) -> Order:
    """The roll-out mode that is wanted, ordered now."""
    return Order(
        mode=wanted.mode,
        until=wanted.until or at,
        rule=wanted.rule,
        sender=wanted.sender,
        baseline=wanted.baseline,
        reason=wanted.reason,
        reference=wanted.reference,
        operator=wanted.operator,
        at=at,
    )


class Operator:
    """Applies operations to the spools that the worker owns, in the order of ``spools``."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def apply(self, operation: Operation, spools: Sequence[Spool], planner: Planner) -> int:
        """Returns how many recipients were changed; those that are being delivered now are left alone.

        ``planner`` knows the routes that a released recipient enters.

        Raises:
            NotPossible: the recipient is no address, or the note cannot be one.
            SpoolError: the spool could not; nothing of that message was changed.
        """
        change = self._change(operation, planner)
        if operation.queue_id is None:
            return sum([await _apply_to_all(spool, change) for spool in spools])
        queue_id = QueueId(operation.queue_id)
        return sum([await _apply(spool, queue_id, operation, change) for spool in spools])

    def _change(self, operation: Operation, planner: Planner) -> OperatorChange:
        now, name = self._clock.now(), operation.operator
        match operation:
            case Retry():
                return changes.retry(name, now)
            case Delete():
                return changes.delete(name, operation.reason, now)
            case Release():
                return release(name, planner, now, role=operation.role, reason=operation.reason)
            case GiveBack():
                return give_back(name, _note(operation.note), now, role=operation.role)
            case ShowContent():
                return shown(name, now, role=operation.role)
            case _:
                assert_never(operation)


def _note(text: str) -> str:
    try:
        return read_note(text)
    except ValueError as error:
        raise NotPossible(str(error)) from error


async def _apply(spool: Spool, queue_id: QueueId, operation: Operation, change: OperatorChange) -> int:
    numbers = None
    if isinstance(operation, Delete) and operation.recipient is not None:
        numbers = await _numbers(spool, queue_id, operation.recipient)
    elif isinstance(operation, Release | GiveBack) and operation.numbers is not None:
        numbers = frozenset(operation.numbers)
    elif isinstance(operation, ShowContent):
        numbers = frozenset({operation.number})
    return await spool.operate(queue_id, numbers, change) if numbers is None or numbers else 0


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
