"""Releasing held mail: an operator's change that lets a held recipient enter its route, audited with the person's name.

Delete and retry are the spool's own (`spool.changes`); this one needs the routes in force.
"""

from datetime import datetime

from gateway.core.chronicle import row_event
from gateway.core.plan import Planner
from gateway.core.record import EventKind, State
from gateway.flow.ports import OperatorChange, QueueItem, RowChange


def release(name: str, planner: Planner, at: datetime) -> OperatorChange:
    """Lets held rows go, never below their stored floor; other rows are left alone."""

    def change(item: QueueItem) -> RowChange | None:
        if item.row.state is not State.HELD:
            return None
        row = planner.release(item.row, at)
        return RowChange(row=row, events=(row_event(item.message, row, EventKind.OPERATOR, at, f"released by {name}"),))

    return change
