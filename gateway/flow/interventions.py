"""What an operator does to mail on its way: stop it, or send it by another route. Each is audited with name and reason.

No protection is lowered by either: a route that cannot give a recipient's floor is not taken for it.
"""

from datetime import datetime

from gateway.core.chronicle import route_of, row_event
from gateway.core.plan import Planner
from gateway.core.record import EventKind, RecipientRow, State
from gateway.flow.ports import OperatorChange, QueueItem, RowChange
from gateway.flow.release import undecided


def hold(name: str, planner: Planner, reason: str, at: datetime) -> OperatorChange:
    """Stops rows that wait for an attempt or for facts, until an operator releases them or `queue.hold_max` is over."""

    def change(item: QueueItem) -> RowChange | None:
        if item.row.state not in (State.QUEUED, State.OPEN):
            return None
        return _told(item, planner.hold(item.row, at), f"held by {name}: {reason}", at)

    return change


def reroute(name: str, planner: Planner, route: str, reason: str, at: datetime) -> OperatorChange:
    """Sends rows by one other route, and by no further one; held ones take it when they are released."""

    def change(item: QueueItem) -> RowChange | None:
        if item.row.state is not State.QUEUED and not undecided(item.row, None):
            return None
        row = planner.reroute(item.row, route, at)
        if row is None or route_of(item.row) == route:
            return None
        return _told(item, row, f"rerouted by {name} from {route_of(item.row)} to {route}: {reason}", at)

    return change


def _told(item: QueueItem, row: RecipientRow, text: str, at: datetime) -> RowChange:
    return RowChange(row=row, events=(row_event(item.message, row, EventKind.OPERATOR, at, text),))
