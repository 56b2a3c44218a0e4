"""One audit event as it leaves the spool: flat, with names that stay, and personal values apart from the rest.

A reader needs no other record to understand one, but for who sent a message, which its ACCEPTED alone tells. Left out
on purpose: advice and reasons, which the policy's hash leads to, and names of files, which are kept nowhere.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, assert_never

from gateway.core.decision import Decision, Held, Open, Refused, Routed
from gateway.core.facts import Facts
from gateway.core.grade import grade_of_evidence
from gateway.core.outcome import Declined, Deferred, Delivered, Failed, Outcome, Sealed
from gateway.core.plan import chain_of
from gateway.core.record import Event
from gateway.core.sealing import Sealing
from gateway.core.tls import Evidence

DAMAGED: Final = "damaged"
"""The kind of an event that the spool could not read any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What is told of an event but persons. ``number`` is the recipient's, ``policy`` the hash of the policy.

    ``decision`` is what the rule did; ``route`` is the one in use, ``routes`` all that were decided. ``end`` is the
    recipient's. ``grade`` says what the connection or the sealing gave. Times are ISO 8601 in UTC.
    """

    kind: str
    at: str
    queue_id: str = ""
    number: int | None = None
    policy: str = ""
    level: str = ""
    level_source: str = ""
    intent: str = ""
    automatic: bool = False
    files: int = 0
    bytes: int = 0
    found: tuple[str, ...] = ()
    rule: str = ""
    decision: str = ""
    routes: tuple[str, ...] = ()
    floor: str = ""
    route: str = ""
    outcome: str = ""
    cause: str = ""
    status: str = ""
    host: str = ""
    tls: str = ""
    cipher: str = ""
    certificate: str = ""
    grade: str = ""
    end: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Persons:
    """What may name a person: each can be taken out later, and the chain still holds.

    ``author`` and ``header_sender`` are the fields From and Sender; ``text`` and ``detail`` are sentences in which an
    address or an operator may stand, ``reference`` the disclosure's.
    """

    sender: str = ""
    recipient: str = ""
    message_id: str = ""
    author: str = ""
    header_sender: str = ""
    reference: str = ""
    text: str = ""
    detail: str = ""

    def items(self) -> Iterator[tuple[str, str]]:
        """The names and values of those that are there."""
        return ((name, value) for name in PERSONAL if (value := str(getattr(self, name))))


PERSONAL: Final = ("sender", "recipient", "message_id", "author", "header_sender", "reference", "text", "detail")
"""The fields of `Persons`, in their order in a line."""


def told(event: Event) -> tuple[Record, Persons]:
    """The event in both its parts."""
    facts, decision, outcome = event.facts, event.decision, event.outcome
    evidence, sealing = _evidence(outcome), _sealing(outcome)
    record = Record(
        kind=event.kind.value,
        at=event.at.isoformat(),
        queue_id=event.queue_id,
        number=event.recipient,
        policy=event.policy_hash,
        level=facts.classification.level if facts else "",
        level_source=facts.classification.source if facts else "",
        intent=facts.intent.label if facts else "",
        automatic=facts.automatic if facts else False,
        files=len(facts.attachments) if facts else 0,
        bytes=facts.message_bytes if facts else 0,
        found=tuple(sorted(facts.found)) if facts else (),
        rule=decision.rule if decision else "",
        decision=_action(decision) if decision else "",
        routes=chain_of(decision) if decision else (),
        floor=decision.floor.label if decision else "",
        route=event.route,
        outcome=type(outcome).__name__.lower() if outcome else "",
        cause=_cause(outcome),
        status=str(outcome.status) if isinstance(outcome, Deferred | Declined | Failed) else "",
        host=_host(outcome),
        tls=(evidence.tls_version or "") if evidence else "",
        cipher=(evidence.cipher or "") if evidence else "",
        certificate=(evidence.chain_digest or "") if evidence else "",
        grade=sealing.grade if sealing else grade_of_evidence(evidence).value if evidence else "",
        end=event.state.value if event.state else "",
    )
    return record, _persons(event, facts, outcome)


def _persons(event: Event, facts: Facts | None, outcome: Outcome | None) -> Persons:
    return Persons(
        sender=str(event.reverse_path or ""),
        recipient=event.address,
        message_id=event.message_id,
        author=", ".join(facts.header_from) if facts else "",
        header_sender=", ".join(facts.header_sender) if facts else "",
        reference=facts.reference if facts else "",
        text=event.text,
        detail=_detail(outcome),
    )


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


def _evidence(outcome: Outcome | None) -> Evidence | None:
    return None if outcome is None or isinstance(outcome, Sealed) else outcome.evidence


def _sealing(outcome: Outcome | None) -> Sealing | None:
    return outcome.sealing if isinstance(outcome, Delivered | Sealed) else None


def _host(outcome: Outcome | None) -> str:
    if outcome is None or isinstance(outcome, Declined | Sealed):
        return ""
    return outcome.remote.host if outcome.remote else ""


def _cause(outcome: Outcome | None) -> str:
    match outcome:
        case Deferred():
            return outcome.cause.value
        case Declined():
            return outcome.proof.value
        case _:
            return ""


def _detail(outcome: Outcome | None) -> str:
    """A host's own words repeat addresses now and then."""
    match outcome:
        case Deferred() | Declined() | Failed():
            return outcome.detail
        case Delivered():
            return str(outcome.remote.reply)
        case _:
            return ""
