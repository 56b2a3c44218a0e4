"""How the queue is shown: rows, outcomes and audit events as JSON with stable keys, and as lines for a person."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, assert_never

from gateway.cli.evidence_view import Json, evidence_json, evidence_lines, wrapped
from gateway.core.decision import Decision, Held, Open, Refused, Routed
from gateway.core.grade import grade_of_evidence
from gateway.core.outcome import Declined, Deferred, Delivered, Failed, Outcome, Sealed
from gateway.core.plan import chain_of
from gateway.core.record import Event, Message, RecipientRow
from gateway.core.sealing import Sealing
from gateway.flow.ports import QueueItem

_FURTHER: Final = "    "
"""How the second line of an entry begins."""


def item_json(item: QueueItem) -> dict[str, Json]:
    """One element of ``queue list --json``."""
    return {"queue_id": item.message.queue_id, **_message(item.message), **row_json(item.row)}


def message_json(message: Message) -> dict[str, Json]:
    """The message's own part of ``queue show --json``."""
    facts = message.facts
    return {
        **_message(message),
        "message_id": message.message_id,
        "client": message.envelope.client.identity,
        "listener": message.envelope.listener,
        "policy": message.policy_hash,
        "classification": facts.classification.level if facts else None,
        "classification_source": facts.classification.source if facts else None,
        "intent": facts.intent.label if facts else None,
        "automatic": facts.automatic if facts else None,
        "require_tls": message.envelope.require_tls,
    }


def _message(message: Message) -> dict[str, Json]:
    return {
        "kind": message.kind.value,
        "reverse_path": str(message.envelope.reverse_path),
        "bytes": message.body.size,
        "accepted_at": when(message.accepted_at),
    }


def row_json(row: RecipientRow) -> dict[str, Json]:
    """One recipient."""
    return {
        "recipient": str(row.address),
        "number": row.number,
        "state": row.state.value,
        "decision": decision_json(row.decision),
        "route": route_of(row),
        "attempts": row.attempts,
        "due_at": when(row.due_at) if row.state.waits else None,
        "deadline": when(row.deadline),
        "expires_at": when(row.expires_at),
        "last": outcome_json(row.last) if row.last else None,
    }


def decision_json(decision: Decision) -> dict[str, Json]:
    """What was decided, and why."""
    return {
        "rule": decision.rule,
        "action": _action(decision),
        "route": list(chain_of(decision)),
        "floor": decision.floor.label,
        "reason": decision.reason,
        "advice": decision.advice,
    }


def _action(decision: Decision) -> str:
    match decision:
        case Routed():
            return "route"
        case Refused():
            return "reject"
        case Held():
            return "hold"
        case Open():
            return "open"
        case _:
            assert_never(decision)


def route_of(row: RecipientRow) -> str | None:
    """The route it is on; None for a recipient that has none."""
    chain = chain_of(row.decision)
    return chain[row.route_index] if row.route_index < len(chain) else None


def outcome_json(outcome: Outcome) -> dict[str, Json]:
    """What came of an attempt, with the evidence of the connection."""
    remote = None if isinstance(outcome, Declined | Sealed) else outcome.remote
    evidence = None if isinstance(outcome, Sealed) else outcome.evidence
    ended = isinstance(outcome, Delivered | Sealed)
    sealing = outcome.sealing if isinstance(outcome, Delivered | Sealed) else None
    return {
        "result": type(outcome).__name__.lower(),
        "cause": _cause(outcome),
        "status": None if ended else str(outcome.status),
        "detail": None if ended else outcome.detail,
        "host": remote.host if remote else None,
        "reply": str(remote.reply) if remote else None,
        "evidence": evidence_json(evidence) if evidence else None,
        "sealing": _sealing_json(sealing) if sealing else None,
    }


def _sealing_json(sealing: Sealing) -> dict[str, Json]:
    """How the message itself was protected."""
    return {
        "grade": sealing.grade,
        "method": sealing.method.value,
        "detail": sealing.detail,
        "package": sealing.package or None,
    }


def _cause(outcome: Outcome) -> str | None:
    match outcome:
        case Deferred():
            return outcome.cause.value
        case Declined():
            return outcome.proof.value
        case Delivered() | Sealed() | Failed():
            return None
        case _:
            assert_never(outcome)


def event_json(event: Event) -> dict[str, Json]:
    """One audit event; keys without a value are left out."""
    known: dict[str, Json] = {
        "at": when(event.at),
        "kind": event.kind.value,
        "recipient": event.address or None,
        "route": event.route or None,
        "rule": event.decision.rule if event.decision else None,
        "outcome": outcome_json(event.outcome) if event.outcome else None,
        "state": event.state.value if event.state else None,
        "text": event.text or None,
    }
    return {name: value for name, value in known.items() if value is not None}


def when(moment: datetime) -> str:
    """ISO 8601 in UTC, whole seconds."""
    return moment.isoformat(timespec="seconds")


def item_line(item: QueueItem) -> str:
    """One recipient in one line."""
    row = item.row
    last = f": {outcome_line(row.last)}" if row.last else ""
    return f"{item.message.queue_id}  {row.address}  {row_line(row)}{last}"


def row_line(row: RecipientRow) -> str:
    """Where it stands."""
    if not row.state.waits:
        return row.state.value
    way = f" by {route_of(row)}" if route_of(row) else ""
    return f"{row.state.value}{way}, {row.attempts} attempts, next {when(row.due_at)}"


def outcome_line(outcome: Outcome) -> str:
    """What came of it, in one line."""
    if isinstance(outcome, Delivered):
        seen = outcome.evidence
        sealed = f", {outcome.sealing.grade}" if outcome.sealing else ""
        return (
            f"delivered to {outcome.remote.host}{sealed}, {seen.tls_version or 'no TLS'},"
            f" {grade_of_evidence(seen)}: {seen.how}"
        )
    if isinstance(outcome, Sealed):
        return f"{outcome.sealing.grade}: {outcome.sealing.detail}"
    cause = _cause(outcome)
    return f"{type(outcome).__name__.lower()}{f' ({cause})' if cause else ''} {outcome.status} {outcome.detail}"


def event_lines(event: Event) -> list[str]:
    """What happened, with the evidence of the connection under an attempt."""
    seen = evidence_lines(event.outcome) if event.outcome is not None else []
    return [*wrapped(event_line(event), then=_FURTHER), *seen]


def event_line(event: Event) -> str:
    """What happened, in one line."""
    way = event.route and f"by {event.route}"
    parts = (when(event.at), event.kind.value, event.address, way, event_words(event))
    return "  ".join(part for part in parts if part)


def event_words(event: Event) -> str:
    """What happened, without when, to whom and by which route."""
    if event.state is not None:
        return event.state.value
    if event.decision is not None:
        return f"rule “{event.decision.rule}”: {event.decision.reason}"
    return event.text or (outcome_line(event.outcome) if event.outcome else "")


def message_lines(message: Message, rows: Sequence[RecipientRow]) -> list[str]:
    """The message and its recipients."""
    sender = str(message.envelope.reverse_path) or "<>"
    lines = [f"{message.queue_id}  from {sender}, {message.body.size} bytes, accepted {when(message.accepted_at)}"]
    if message.facts is not None:
        level = message.facts.classification
        lines.append(f"classification {level.level} ({level.source}), intent {message.facts.intent.label}")
    if message.envelope.require_tls:
        lines.append("sent with REQUIRETLS: to be passed on encrypted all the way")
    for row in rows:
        lines.append(f"{row.address}: {row_line(row)}")
        decision = row.decision
        lines += wrapped(f"rule “{decision.rule}”, floor {decision.floor.label}: {decision.reason}", "  ", _FURTHER)
        if row.last is not None:
            lines += wrapped(outcome_line(row.last), "  ", _FURTHER)
    return lines
