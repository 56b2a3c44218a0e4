"""What becomes of a host that gave no session: Declined where it proved that it fails what is ours, else Deferred.

What fails only what the domain itself asks for waits (RFC 7672 section 2.2, RFC 8461 section 5): it may be an attack,
or a mistake of theirs. Left out on purpose: the decision between TLS and clear text, which is `core.tls.next_step`'s.
"""

from dataclasses import replace
from typing import Final

from gateway.core.outcome import Alarm, Cause, Declined, Deferred, Proof
from gateway.core.reply import Reply, Status
from gateway.core.tls import Channel, Evidence, Starttls, Step
from gateway.net.certificate import complaint
from gateway.net.smtp_session import Session
from gateway.net.terms import Terms
from gateway.net.tls import HandshakeFailure

NOT_OFFERED: Final = "does not offer STARTTLS"
_NOT_SAID: Final = "refused EHLO, so that it did not say whether it offers STARTTLS"
_WHY: Final = {
    Starttls.YES: f"{NOT_OFFERED} now; it did before, so the offer may have been removed on the way",
    Starttls.UNKNOWN: f"{NOT_OFFERED}, and whether it did before cannot be told now",
    Starttls.NO: NOT_OFFERED,
}


def deferred(
    session: Session, terms: Terms, cause: Cause, status: Status, detail: str, reply: Reply | None = None
) -> Deferred:
    """A deferral with the evidence of the session."""
    remote = session.remote(reply) if reply is not None else None
    return Deferred(cause=cause, status=status, detail=detail, remote=remote, evidence=session.evidence(terms))


def unwelcome(session: Session, terms: Terms, reply: Reply) -> Deferred:
    """A refused greeting or EHLO says nothing about the message: another host, or a later time, may take it."""
    cause = Cause.REPLY_4XX if reply.is_transient else Cause.UNREACHABLE
    given = reply.status or Status(4, 3, 2)
    status = Status(4, given.subject, given.detail)
    return deferred(session, terms, cause, status, f"{session} refused the session: {reply}", reply)


def not_offered(session: Session, terms: Terms, step: Step, shown: Starttls) -> Deferred | Declined:
    """No STARTTLS, where it is demanded. ``shown`` is what is remembered of the host."""
    if step is Step.DECLINE:
        detail = f"{session} {NOT_OFFERED}."
        evidence = session.evidence(terms)
        return Declined(proof=Proof.NO_STARTTLS, status=Status(5, 7, 4), detail=detail, evidence=evidence)
    alarm = Alarm.TLS_LOST if shown is Starttls.YES else None
    why = _WHY[shown] if session.knows_ehlo or shown is Starttls.YES else _NOT_SAID
    if mangled := session.capabilities.mangled:
        alarm, why = Alarm.STRIPPED, f"has {mangled[0]} in place of STARTTLS: it was stripped from its offer on the way"
    return replace(
        deferred(session, terms, Cause.PROTECTION, Status(4, 7, 4), f"{session} {why}."),
        alarm=alarm,
    )


def broken(failure: HandshakeFailure, session: Session, terms: Terms, shown: Starttls) -> Deferred:
    """A handshake that failed, and may succeed another time."""
    found = deferred(
        session, terms, Cause.PROTECTION, Status(4, 7, 5), f"{session} offers STARTTLS, but {failure.detail}."
    )
    # Where only the domain's own policy asks for TLS, nothing that fails it leads to clear text later.
    ours = terms.requirement.channel is Channel.PLAIN or terms.own.channel > Channel.PLAIN
    lost = failure.proof is Proof.TLS_VERSION and shown is Starttls.YES
    return replace(found, handshake_failed=ours, alarm=Alarm.TLS_LOST if lost else None)


def old_tls(failure: HandshakeFailure, session: Session, terms: Terms) -> Declined:
    """It speaks no version of TLS that we do."""
    return _declined(Proof.TLS_VERSION, f"{session}: {failure.detail}.", session.evidence(terms))


def bad_certificate(failure: HandshakeFailure, session: Session, terms: Terms) -> Deferred | Declined:
    """A certificate that was refused; ``session`` is the one that showed it, or another that could look at it."""
    detail = (
        f"The certificate of {session.endpoint.host} is refused: {failure.detail}."
        if failure.code is None
        else complaint(session.endpoint.host, failure.code, session.certificate)
    )
    if failure.ours:
        return _declined(Proof.CERTIFICATE, detail, session.evidence(terms))
    waits = deferred(session, terms, Cause.PROTECTION, Status(4, 7, 5), detail)
    return replace(waits, evidence=_refused(session.evidence(terms), detail))


def _declined(proof: Proof, detail: str, evidence: Evidence) -> Declined:
    return Declined(proof=proof, status=Status(5, 7, 5), detail=detail, evidence=_refused(evidence, detail))


def _refused(evidence: Evidence, detail: str) -> Evidence:
    return replace(evidence, how=f"refused: {detail}")
