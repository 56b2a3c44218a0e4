"""Says what an audit event means, in one line for a person: decision, rule, attempt, evidence, end."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import assert_never

from gateway.core.decision import Decision, Held, Open, Refused, Routed
from gateway.core.grade import grade_of_evidence
from gateway.core.outcome import Declined, Deferred, Delivered, Failed, Outcome, Sealed
from gateway.core.record import Event, EventKind, State
from gateway.core.tls import Evidence


class Tone(Enum):
    """How a line is meant."""

    PLAIN = auto()
    GOOD = auto()
    WAITING = auto()
    BAD = auto()


@dataclass(frozen=True, slots=True)
class Line:
    """One line about one recipient, or about the whole message where ``recipient`` is empty."""

    recipient: str
    text: str
    tone: Tone


def tell(event: Event) -> Line:
    """The event in words."""
    text, tone = _tell(event)
    return Line(event.address, text, tone)


def _tell(event: Event) -> tuple[str, Tone]:
    match event.kind:
        case EventKind.DECIDED if event.decision is not None:
            return _decision(event.decision), Tone.PLAIN
        case EventKind.ATTEMPT if event.outcome is not None:
            return _outcome(event.outcome, event.route)
        case EventKind.ENDED if event.state is not None:
            return _end(event.state, event.text)
        case EventKind.ACCEPTED if event.facts is not None:
            level = event.facts.classification
            return f"accepted: {level.level} ({level.source}), {event.text or event.queue_id}", Tone.PLAIN
        case EventKind.MOVED:
            return f"moved {event.text} to {event.route}", Tone.WAITING
        case _:
            return f"{event.kind.value}: {event.text}", Tone.PLAIN


def _decision(decision: Decision) -> str:
    match decision:
        case Routed(chain=chain):
            does = f"goes by {', then '.join(chain)}"
        case Held(chain=chain):
            does = f"is held for a person, then goes by {', then '.join(chain)}"
        case Refused():
            does = "is given back"
        case Open(missing=missing):
            does = f"is decided when this is known: {', '.join(missing)}"
        case _:  # pragma: no cover - the types leave nothing here
            assert_never(decision)
    because = f" ({decision.reason})" if decision.reason else ""
    return f"rule “{decision.rule}”: {does}; at least {decision.floor.label}{because}"


def _outcome(outcome: Outcome, route: str) -> tuple[str, Tone]:
    match outcome:
        case Delivered(remote=remote, evidence=evidence):
            return f"{route}: delivered to {remote.host}, {connection(evidence)}; it said {remote.reply}", Tone.GOOD
        case Sealed(sealing=sealing):
            return f"{route}: {sealing.grade}: {sealing.detail}", Tone.GOOD
        case Deferred(cause=cause, status=status, detail=detail):
            return f"{route}: deferred ({cause.value}, {status}): {detail}", Tone.WAITING
        case Declined(proof=proof, status=status, detail=detail):
            return f"{route}: cannot carry this ({proof.value}, {status}): {detail}", Tone.BAD
        case Failed(status=status, detail=detail):
            return f"{route}: failed ({status}): {detail}", Tone.BAD
        case _:  # pragma: no cover - the types leave nothing here
            assert_never(outcome)


def connection(evidence: Evidence) -> str:
    """How a message went over a connection: its version, cipher and grade, and what was checked."""
    if evidence.tls_version is None:
        return "in the clear"
    return f"{evidence.tls_version} {evidence.cipher or ''}, {grade_of_evidence(evidence)}: {evidence.how}"


def _end(state: State, text: str) -> tuple[str, Tone]:
    tone = Tone.GOOD if state in (State.DELIVERED, State.SEALED) else Tone.BAD
    return f"{state.value}{': ' if text else ''}{text}", tone
