"""What telemetry makes of each fact of the flow: one log line and its counters (`flow.ports.Events`).

No subject, text, attachment name or label value is passed on. The words of a next hop's reply are left out too,
because a server may quote the message in them: its code and status are logged, the audit event holds the words.
"""

from collections.abc import Sequence
from typing import Final, assert_never

from gateway.core.decision import Decision, Held, Open, Refused, Routed
from gateway.core.grade import grade_of_evidence
from gateway.core.outcome import Declined, Deferred, Delivered, Failed, Outcome, Remote, Sealed
from gateway.core.override import OverrideResult
from gateway.core.record import Kind, Message, RecipientRow, State
from gateway.core.route import Route
from gateway.core.tls import Evidence
from gateway.flow.ports import Clock
from gateway.telemetry.log import Log, describe
from gateway.telemetry.metrics import (
    DECLINED,
    DEFERRED,
    DELIVERED,
    FAILED,
    HOLD,
    NO_TLS,
    OPEN,
    REJECT,
    ROUTE,
    SEALED,
    Metrics,
)

_ID: Final = 200
"""Characters of a Message-ID that are logged; it has no limit of its own."""


class Telemetry:
    """Hears the flow. It never raises and never waits; ``log`` and ``metrics`` promise the same."""

    def __init__(self, log: Log, metrics: Metrics, clock: Clock) -> None:
        self._log = log
        self._metrics = metrics
        self._clock = clock

    def accepted(self, message: Message, rows: Sequence[RecipientRow]) -> None:
        """One line for the message and, unless it is our own, one per recipient for its decision."""
        level = message.facts.classification.level if message.facts else ""
        self._count_accepted(message)
        self._log_accepted(message, len(rows), level)
        # Our own mail goes where [system] says; no rule decided it.
        if message.kind is Kind.RELAY:
            for row in rows:
                self._decided(message, row, level)

    def _count_accepted(self, message: Message) -> None:
        if message.kind is not Kind.RELAY:
            self._metrics.own.labels(message.kind.value).inc()
            return
        listener = message.envelope.listener
        self._metrics.received.labels(listener).inc()
        self._metrics.received_bytes.labels(listener).inc(message.body.size)
        for label in message.facts.classification.labels if message.facts else ():
            self._metrics.labels.labels(label.source, label.result.value).inc()

    def _log_accepted(self, message: Message, recipients: int, level: str) -> None:
        envelope, facts = message.envelope, message.facts
        self._log.info(
            "accepted",
            queue_id=message.queue_id,
            kind=message.kind.value,
            listener=envelope.listener,
            message_id=message.message_id[:_ID] or None,
            client=envelope.client.identity,
            reverse_path=str(envelope.reverse_path),
            recipients=recipients,
            bytes=message.body.size,
            classification=level or None,
            intent=facts.intent.label if facts else None,
            automatic=facts.automatic if facts else None,
            require_tls=envelope.require_tls or None,
            policy=message.policy_hash[:12],
        )

    def _decided(self, message: Message, row: RecipientRow, level: str) -> None:
        decision = row.decision
        action, chain = _action(decision)
        route = chain[0] if action == ROUTE else ""
        self._metrics.decisions.labels(decision.rule, action, route, level).inc()
        self._log.info(
            "decided",
            queue_id=message.queue_id,
            recipient=str(row.address),
            rule=decision.rule,
            action=action,
            chain=chain,
            floor=decision.floor.label,
            **_wishes(decision),
        )

    def refused(self, listener: str, client: str, reason: str, code: int) -> None:
        """A refusal in the session; ``reason`` is our own sentence."""
        self._metrics.refused.labels(listener, code).inc()
        self._log.info("refused", listener=listener, client=client, reason=reason, code=code)

    def attempted(self, message: Message, row: RecipientRow, route: Route, outcome: Outcome) -> None:
        """One attempt for one recipient; ``row`` as it stood before it."""
        result, cause = _result(outcome)
        self._metrics.outcomes.labels(route.name, result, cause).inc()
        if isinstance(outcome, Delivered):
            self._count_tls(outcome.evidence)
        remote = None if isinstance(outcome, Declined | Sealed) else outcome.remote
        evidence = None if isinstance(outcome, Sealed) else outcome.evidence
        sealing = outcome.sealing if isinstance(outcome, Delivered | Sealed) else None
        self._log.info(
            "attempt",
            queue_id=message.queue_id,
            recipient=str(row.address),
            route=route.name,
            attempt=row.attempts + 1,
            result=result,
            cause=cause or None,
            status=_status(outcome),
            code=remote.reply.code if remote else None,
            host=_host(remote, evidence),
            sealing=sealing.grade if sealing else None,
            **(_seen(evidence) if evidence else {}),
        )

    def _count_tls(self, evidence: Evidence) -> None:
        self._metrics.tls.labels(evidence.tls_version or NO_TLS, grade_of_evidence(evidence).value).inc()

    def moved(self, message: Message, row: RecipientRow, from_route: str, to_route: str) -> None:
        """A recipient went on to a later route of its chain."""
        self._metrics.moved.labels(from_route, to_route).inc()
        self._log.info(
            "moved", queue_id=message.queue_id, recipient=str(row.address), from_route=from_route, to_route=to_route
        )

    def ended(self, message: Message, row: RecipientRow) -> None:
        """A recipient reached its one end."""
        seconds = (self._clock.now() - message.accepted_at).total_seconds()
        self._metrics.ended.labels(row.state.value).inc()
        if row.state in (State.DELIVERED, State.SEALED):
            self._metrics.seconds.observe(seconds)
        self._log.info(
            "ended",
            queue_id=message.queue_id,
            recipient=str(row.address),
            state=row.state.value,
            attempts=row.attempts,
            seconds=round(seconds, 3),
        )

    def unprotected(self, message: Message, row: RecipientRow) -> None:
        """A delivery below its floor: the promise that must never break."""
        self._metrics.unprotected.inc()
        self._log.error(
            "unprotected", queue_id=message.queue_id, recipient=str(row.address), floor=row.decision.floor.label
        )

    def observed_unprotected(self, message: Message, row: RecipientRow) -> None:
        """A delivery below what its rules ask for, while they are only observed: known, wanted, and counted apart."""
        decision = row.decision
        asked = decision.original_floor if isinstance(decision, Routed) else decision.floor
        self._metrics.observed_unprotected.inc()
        self._log.warning(
            "observed_unprotected", queue_id=message.queue_id, recipient=str(row.address), floor=asked.label
        )

    def overridden(self, rule: str, sender: str, result: OverrideResult) -> None:
        """A one-time token that a sender tried; ``rule`` is empty if it is no token of ours for anything."""
        self._metrics.overrides.labels(result.value).inc()
        self._log.info("override", rule=rule or None, sender=sender, result=result.value)

    def alert(self, name: str, queue_id: str, detail: str) -> None:
        """Something a person must look at; ``detail`` is our own sentence."""
        self._metrics.alerts.labels(name).inc()
        self._log.warning("alert", name=name, queue_id=queue_id or None, detail=detail)

    def broken(self, where: str, queue_id: str, error: BaseException) -> None:
        """An unexpected exception: our fault, so the mail waits."""
        self._metrics.broken.labels(where).inc()
        self._log.error("broken", where=where, queue_id=queue_id or None, error=describe(error))


def _seen(evidence: Evidence) -> dict[str, str | bool | None]:
    """What the connection was, and why it had to be that; what a certificate says is the host's, not a message's."""
    return {
        "mx": evidence.mx_host,
        "address": evidence.address,
        "tls": evidence.tls_version,
        "cipher": evidence.cipher,
        "grade": grade_of_evidence(evidence).value,
        "verified": evidence.verified,
        "how": evidence.how,
        "demanded_by": evidence.demanded_by,
        "certificate": evidence.subject,
        "issuer": evidence.issuer,
        "not_after": evidence.not_after.isoformat(timespec="seconds") if evidence.not_after else None,
        "spki": evidence.spki,
    }


def _wishes(decision: Decision) -> dict[str, str | int]:
    """What the decision causes besides its route; nothing for most."""
    effects = decision.effects
    found = {
        "warned_by": ", ".join(dict.fromkeys(point.rule for point in effects.warnings)),
        "notified": len(effects.notifications),
        "copies": len(effects.copies),
        "observed": decision.instead.action if isinstance(decision, Routed) and decision.instead else "",
    }
    return {name: value for name, value in found.items() if value}


def _action(decision: Decision) -> tuple[str, tuple[str, ...]]:
    match decision:
        case Routed():
            return ROUTE, decision.chain
        case Held():
            return HOLD, decision.chain
        case Refused():
            return REJECT, ()
        case Open():
            return OPEN, ()
        case _:
            assert_never(decision)


def _result(outcome: Outcome) -> tuple[str, str]:
    match outcome:
        case Delivered():
            return DELIVERED, ""
        case Sealed():
            return SEALED, ""
        case Deferred():
            return DEFERRED, outcome.cause.value
        case Declined():
            return DECLINED, outcome.proof.value
        case Failed():
            return FAILED, ""
        case _:
            assert_never(outcome)


def _status(outcome: Outcome) -> str:
    if isinstance(outcome, Delivered):
        status = outcome.remote.reply.status
        return str(status) if status else "2.0.0"
    if isinstance(outcome, Sealed):
        return "2.0.0"
    return str(outcome.status)


def _host(remote: Remote | None, evidence: Evidence | None) -> str | None:
    if remote:
        return remote.host
    return evidence.mx_host if evidence else None
