"""From the decisions on a message to its recipients' rows; a refused recipient's row ends before it begins."""

from collections.abc import Iterable
from dataclasses import replace

from gateway.core.decision import Decision, Refused
from gateway.core.envelope import Recipient
from gateway.core.plan import Planner, left_out
from gateway.core.policy import Policy
from gateway.core.record import Message, RecipientRow, State
from gateway.core.report import Purpose, answers, wished


def started(
    message: Message, decided: Iterable[tuple[Recipient, Decision]], planner: Planner, policy: Policy
) -> tuple[RecipientRow, ...]:
    """One row for each recipient, in order."""
    rows: list[RecipientRow] = []
    for number, (recipient, decision) in enumerate(decided):
        row, without = planner.start(number, recipient, decision, message.accepted_at), left_out(decision, policy)
        rows.append(replace(row, left_out=without) if without else row)
    return tuple(rows)


def given_back(message: Message, row: RecipientRow) -> RecipientRow:
    """A refused recipient's end, when the message as a whole is not refused in the session."""
    if not isinstance(row.decision, Refused):
        return row
    reportable = answers(message) and wished(row.recipient, Purpose.FAILED)
    return replace(row, state=State.REPORTED if reportable else State.UNREPORTABLE)
