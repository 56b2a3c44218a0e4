"""Opens a session that meets given terms, or says why there is none (RFC 3207, RFC 7435 for opportunistic TLS).

`core.tls.next_step` decides between TLS, clear text and neither; this file does what it says. A host's certain "no"
is Declined, what may be different next time is Deferred. Left out on purpose: choosing among hosts and addresses.
"""

import os
from collections.abc import Awaitable
from dataclasses import dataclass, replace
from typing import TypeAlias, TypeVar

from gateway.core.outcome import Cause, Declined, Deferred, Proof
from gateway.core.reply import Reply, Status
from gateway.core.tls import Channel, MxAuth, Requirement, Starttls, Step, next_step
from gateway.net.answers import IpAddress
from gateway.net.certificate import complaint
from gateway.net.connection import connect
from gateway.net.memory import TlsMemory
from gateway.net.smtp_session import Endpoint, Session
from gateway.net.terms import Terms
from gateway.net.timeouts import Timeouts
from gateway.net.tls import HandshakeFailure, TlsContexts
from gateway.wire.errors import RemoteProtocolError

T = TypeVar("T")

Opened: TypeAlias = Session | Deferred | Declined


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialler:
    """Opens sessions in our name."""

    hostname: str
    contexts: TlsContexts
    memory: TlsMemory
    timeouts: Timeouts

    async def open(self, endpoint: Endpoint, address: IpAddress, terms: Terms) -> Opened:
        """Connects, greets and does TLS as the terms demand; never says MAIL and never raises for the peer's fault."""
        session = await self._connect(endpoint, address)
        if isinstance(session, Deferred):
            return session
        opened = await self._guard(session, terms, self._prepare(session, terms))
        if not isinstance(opened, HandshakeFailure):
            return opened
        match self._step_after(opened, session, terms):
            case Step.PLAIN:
                return await self._open_in_clear(endpoint, address, terms)
            case Step.DECLINE if opened.proof is not None:
                return await self._decline(opened, opened.proof, session, terms, address)
            case _:
                return self._broken(opened, session, terms)

    async def _connect(self, endpoint: Endpoint, address: IpAddress) -> Session | Deferred:
        try:
            connection = await connect(str(address), endpoint.port, self.timeouts.connect)
        except OSError as error:
            self.memory.note(endpoint.host, Starttls.UNKNOWN)
            detail = f"{endpoint.host} [{address}] cannot be reached: {self._reason(error)}."
            return Deferred(cause=Cause.UNREACHABLE, status=Status(4, 4, 1), detail=detail)
        return Session(connection, endpoint, str(address), self.timeouts)

    def _reason(self, error: OSError) -> str:
        if error.errno:
            return os.strerror(error.errno).lower()
        return f"no answer within {self.timeouts.connect.total_seconds():g} s"

    async def _guard(self, session: Session, terms: Terms, steps: Awaitable[T]) -> T | Deferred:
        """Does the steps; a connection that does not become a session is closed, whatever happens."""
        result: T | None = None
        try:
            result = await steps
            return result
        except RemoteProtocolError as error:
            return self._deferred(session, terms, Cause.UNREACHABLE, Status(4, 4, 2), f"{session}: {error}.")
        finally:
            if result is not session:
                self.memory.note(session.endpoint.host, Starttls.UNKNOWN)
                session.connection.abort()

    async def _prepare(self, session: Session, terms: Terms) -> Opened | HandshakeFailure:
        refused = await session.greet(self.hostname)
        if refused is not None:
            return self._unwelcome(session, terms, refused)
        host, peer = session.endpoint.host, session.capabilities
        # A host that offered TLS before, or whose offer was overwritten on the way, has not proven that it has none.
        proven = not (peer.mangled or self.memory.showed_tls(host))
        step = next_step(
            terms.requirement, offered=peer.starttls, handshake_failed=False, first_failed_for=None, proven=proven
        )
        if step is Step.STARTTLS:
            return await self._secure(session, terms)
        self.memory.note(host, Starttls.NO if proven else Starttls.UNKNOWN)
        return await self._enter(session, terms) if step is Step.PLAIN else self._not_offered(session, terms, step)

    async def _secure(self, session: Session, terms: Terms) -> Opened | HandshakeFailure:
        endpoint = session.endpoint
        context = self.contexts.context(checked=terms.requirement.channel >= Channel.PKIX, own=endpoint.own)
        try:
            failure = await session.starttls(context, self.hostname)
        except RemoteProtocolError as error:
            return HandshakeFailure(proof=None, code=None, detail=str(error))
        if failure is not None:
            return failure
        self.memory.note(endpoint.host, Starttls.YES)
        return await self._enter(session, terms)

    async def _enter(self, session: Session, terms: Terms) -> Session | Deferred:
        """Logs in where the endpoint wants it. A refusal is taken for a fault of our configuration, so it waits."""
        login = session.endpoint.login
        if login is None:
            return session
        reply = await session.log_in(login)
        if reply is None:
            detail = f"{session} offers no way to log in that we know."
            return self._deferred(session, terms, Cause.LOCAL, Status(4, 7, 0), detail)
        if not reply.is_positive:
            detail = f"{session} refused our login: {reply}"
            return self._deferred(session, terms, Cause.LOCAL, Status(4, 7, 8), detail, reply)
        return session

    async def _open_in_clear(self, endpoint: Endpoint, address: IpAddress, terms: Terms) -> Opened:
        session = await self._connect(endpoint, address)
        if isinstance(session, Deferred):
            return session
        # It is for this message alone: the next one may not have waited for TLS to be repaired.
        session.keep = False
        return await self._guard(session, terms, self._greet_in_clear(session, terms))

    async def _greet_in_clear(self, session: Session, terms: Terms) -> Session | Deferred:
        refused = await session.greet(self.hostname)
        return await self._enter(session, terms) if refused is None else self._unwelcome(session, terms, refused)

    def _step_after(self, failure: HandshakeFailure, session: Session, terms: Terms) -> Step:
        shown_before = self.memory.showed_tls(session.endpoint.host)
        return next_step(
            terms.requirement,
            offered=True,
            handshake_failed=True,
            first_failed_for=terms.handshake_failed_for,
            proven=failure.proof is Proof.CERTIFICATE or (failure.proof is not None and not shown_before),
        )

    # What becomes of a host that gave no session.

    async def _decline(
        self, failure: HandshakeFailure, proof: Proof, session: Session, terms: Terms, address: IpAddress
    ) -> Declined:
        detail, evidence = f"{session}: {failure.detail}.", session.evidence(terms.demanded_by)
        if proof is Proof.CERTIFICATE:
            # A refused certificate cannot be read, so a second connection looks at it; it is never used for mail.
            look = replace(terms, requirement=Requirement(MxAuth.NONE, Channel.ENCRYPTED))
            seen = await self.open(replace(session.endpoint, login=None), address, look)
            certificate = None
            if isinstance(seen, Session):
                certificate, evidence = seen.certificate, seen.evidence(terms.demanded_by)
                seen.end()
            detail = complaint(session.endpoint.name, failure.code, certificate)
        evidence = replace(evidence, how=f"refused: {detail}")
        return Declined(proof=proof, status=Status(5, 7, 5), detail=detail, evidence=evidence)

    def _broken(self, failure: HandshakeFailure, session: Session, terms: Terms) -> Deferred:
        detail = f"{session} offers STARTTLS, but {failure.detail}."
        deferred = self._deferred(session, terms, Cause.PROTECTION, Status(4, 7, 5), detail)
        return replace(deferred, handshake_failed=True)

    def _not_offered(self, session: Session, terms: Terms, step: Step) -> Deferred | Declined:
        if step is Step.DECLINE:
            evidence = session.evidence(terms.demanded_by)
            detail = f"{session} does not offer STARTTLS."
            return Declined(proof=Proof.NO_STARTTLS, status=Status(5, 7, 4), detail=detail, evidence=evidence)
        detail = f"{session} does not offer STARTTLS now; it did before, or the offer was removed on the way."
        return self._deferred(session, terms, Cause.PROTECTION, Status(4, 7, 4), detail)

    def _unwelcome(self, session: Session, terms: Terms, reply: Reply) -> Deferred:
        """A refused greeting or EHLO says nothing about the message: another host, or a later time, may take it."""
        cause = Cause.REPLY_4XX if reply.is_transient else Cause.UNREACHABLE
        given = reply.status or Status(4, 3, 2)
        status = Status(4, given.subject, given.detail)
        return self._deferred(session, terms, cause, status, f"{session} refused the session: {reply}", reply)

    def _deferred(
        self, session: Session, terms: Terms, cause: Cause, status: Status, detail: str, reply: Reply | None = None
    ) -> Deferred:
        remote = session.remote(reply) if reply is not None else None
        evidence = session.evidence(terms.demanded_by)
        return Deferred(cause=cause, status=status, detail=detail, remote=remote, evidence=evidence)
