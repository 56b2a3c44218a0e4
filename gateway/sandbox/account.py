"""What became of one message, as one JSON value for scripts: `sandbox send --json`."""

from collections.abc import Sequence

from gateway.core.decision import Held, Routed
from gateway.core.grade import grade_of_evidence
from gateway.core.outcome import Outcome, Sealed
from gateway.core.record import Event, EventKind
from gateway.core.tls import Evidence
from gateway.sandbox.letter import Submission
from gateway.sandbox.telling import tell
from gateway.sandbox.watch import Unfinished


def account(submission: Submission, seen: Sequence[Event | Unfinished]) -> dict[str, object]:
    """``{"queue_id", "replies": [{"to", "code", "text"}], "recipients": [...]}``; times are RFC 3339 UTC.

    Each recipient is ``{"recipient", "rule", "route": [...], "floor", "attempts": [{"time", "route", "result", "text",
    "tls"}], "end", "next_attempt"}``; ``tls`` is ``{"version", "cipher", "verified", "grade", "how", "demanded_by"}``.
    What there is not is null.
    """
    events = [event for event in seen if isinstance(event, Event)]
    waiting = {row.number: row.due_at.isoformat() for end in seen if isinstance(end, Unfinished) for row in end.rows}
    numbers = dict.fromkeys(event.recipient for event in events if event.recipient is not None)
    return {
        "queue_id": submission.queue_id,
        "replies": [{"to": said.to, "code": said.code, "text": said.text} for said in submission.said],
        "recipients": [
            {
                **_recipient([event for event in events if event.recipient == number]),
                "next_attempt": waiting.get(number),
            }
            for number in numbers
        ],
    }


def _recipient(events: list[Event]) -> dict[str, object]:
    decision = next((event.decision for event in events if event.decision is not None), None)
    end = next((event.state.value for event in events if event.kind is EventKind.ENDED and event.state), None)
    return {
        "recipient": events[0].address,
        "rule": decision.rule if decision else None,
        "route": list(decision.chain) if isinstance(decision, Routed | Held) else [],
        "floor": decision.floor.label if decision else None,
        "attempts": [_attempt(event, event.outcome) for event in events if event.outcome is not None],
        "end": end,
    }


def _attempt(event: Event, outcome: Outcome) -> dict[str, object]:
    evidence = None if isinstance(outcome, Sealed) else outcome.evidence
    return {
        "time": event.at.isoformat(),
        "route": event.route,
        "result": type(outcome).__name__.lower(),
        "text": tell(event).text,
        "tls": _tls(evidence) if evidence is not None else None,
    }


def _tls(evidence: Evidence) -> dict[str, object] | None:
    if evidence.tls_version is None:
        return None
    return {
        "version": evidence.tls_version,
        "cipher": evidence.cipher,
        "verified": evidence.verified,
        "grade": grade_of_evidence(evidence).value,
        "how": evidence.how,
        "demanded_by": evidence.demanded_by,
    }
