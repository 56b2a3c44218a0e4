"""What people do to the queue of one worker: retry, hold, release and the like, as the spool applies and audits it."""

from collections.abc import Sequence
from datetime import datetime
from typing import assert_never

from gateway.app.messages import Delete, GiveBack, Hold, Operation, Release, Reroute, Retry, SetMode, ShowContent
from gateway.core.plan import Planner
from gateway.core.record import QueueId
from gateway.flow.interventions import hold, reroute
from gateway.flow.modes import Order
from gateway.flow.ports import Clock, OperatorChange, Spool
from gateway.flow.release import give_back, read_note, release, shown
from gateway.spool import changes


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

        Message by message, so that mail passes between them. ``planner`` knows the routes that are entered.

        Raises:
            NotPossible: there is no such route, or the note cannot be one.
            SpoolError: the spool could not; nothing of that message was changed.
        """
        change, changed = self._change(operation, planner), 0
        for pick in operation.picks:
            numbers = None if pick.numbers is None else frozenset(pick.numbers)
            changed += sum([await spool.operate(QueueId(pick.queue_id), numbers, change) for spool in spools])
        return changed

    def _change(self, operation: Operation, planner: Planner) -> OperatorChange:
        now, name = self._clock.now(), operation.operator
        match operation:
            case Retry():
                return changes.retry(name, now)
            case Hold():
                return hold(name, planner, operation.reason, now)
            case Reroute():
                return reroute(name, planner, _route(operation.route, planner), operation.reason, now)
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


def _route(name: str, planner: Planner) -> str:
    if planner.ways.route(name) is None:
        raise NotPossible(f"there is no route `{name}`; `sealpost routes` lists them")
    return name
