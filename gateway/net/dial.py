"""Opens a session that meets given terms, or says why there is none (RFC 3207, RFC 7435 for opportunistic TLS).

`core.tls.next_step` decides between TLS, clear text and neither; this file does what it says. A host's certain "no"
to what is ours is Declined, what may be different next time is Deferred. Left out on purpose: choosing among hosts and
addresses.
"""

import os
from collections.abc import Awaitable
from dataclasses import dataclass, replace
from typing import TypeAlias, TypeVar

from gateway.core.check import Check
from gateway.core.outcome import Cause, Declined, Deferred, Proof
from gateway.core.reply import Status
from gateway.core.tls import Channel, Starttls, Step, next_step
from gateway.core.tlsrpt import Result
from gateway.flow.ports import Clock
from gateway.net.answers import IpAddress
from gateway.net.connection import connect
from gateway.net.handshake import Handshake
from gateway.net.memory import TlsMemory
from gateway.net.smtp_session import Endpoint, Session
from gateway.net.terms import Terms, looking
from gateway.net.timeouts import Timeouts
from gateway.net.tls import HandshakeFailure, TlsContexts
from gateway.net.tried import Tell, Tried, nobody
from gateway.net.turned_away import NOT_OFFERED, bad_certificate, broken, deferred, not_offered, old_tls, unwelcome
from gateway.wire.errors import RemoteProtocolError

T = TypeVar("T")

Opened: TypeAlias = Session | Deferred | Declined


@dataclass(frozen=True, slots=True)
class _Broken:
    """A handshake that failed, and the session that it was for."""

    failure: HandshakeFailure
    session: Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialler:
    """Opens sessions in our name."""

    hostname: str
    contexts: TlsContexts
    memory: TlsMemory
    timeouts: Timeouts
    clock: Clock

    async def open(self, endpoint: Endpoint, address: IpAddress, terms: Terms, tell: Tell | None = None) -> Opened:
        """Connects, greets and does TLS as the terms demand; never says MAIL and never raises for the peer's fault.

        ``tell`` hears what came of TLS, once. Only then a policy in testing mode is rehearsed: what fails it is told,
        and the session is opened as if there were no such policy.
        """
        if tell is not None and terms.demand.rehearsal is not None:
            opened = await self._attempt(endpoint, address, terms, terms.demand.rehearsal, tell)
            if not isinstance(opened, _Broken):
                return opened
            tell = None
        opened = await self._attempt(endpoint, address, terms, terms.check, tell)
        return await self._after(opened, address, terms) if isinstance(opened, _Broken) else opened

    async def _attempt(
        self, endpoint: Endpoint, address: IpAddress, terms: Terms, check: Check, tell: Tell | None
    ) -> Opened | _Broken:
        session = await self._connect(endpoint, address)
        if isinstance(session, Deferred):
            return session
        return await self._guard(session, terms, self._prepare(session, terms, check, tell or nobody))

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
            return deferred(session, terms, Cause.UNREACHABLE, Status(4, 4, 2), f"{session}: {error}.")
        finally:
            if result is not session:
                self.memory.note(session.endpoint.host, Starttls.UNKNOWN)
                session.connection.abort()

    async def _prepare(self, session: Session, terms: Terms, check: Check, tell: Tell) -> Opened | _Broken:
        refused = await session.greet(self.hostname)
        if refused is not None:
            return unwelcome(session, terms, refused)
        if session.capabilities.starttls:
            return await self._secure(session, terms, check, tell)
        tried = Tried(address=session.address, ours=session.connection.ours)
        tell(replace(tried, failure=Result.NO_STARTTLS, detail=f"{session} {NOT_OFFERED}."))
        host, shown = session.endpoint.host, await self.memory.shown(session.endpoint.host)
        # A host that offered TLS before, or whose offer was overwritten on the way, proves nothing by having none; nor
        # has one that refused EHLO, for whoever stands in the way can do that in its place.
        certain = session.knows_ehlo and not session.capabilities.mangled and shown is Starttls.NO
        self.memory.note(host, Starttls.NO if certain else Starttls.UNKNOWN)
        step = _next(terms, offered=False, proven=certain)
        return await self._enter(session, terms) if step is Step.PLAIN else not_offered(session, terms, step, shown)

    async def _secure(self, session: Session, terms: Terms, check: Check, tell: Tell) -> Opened | _Broken:
        context = self.contexts.context(check, session.endpoint.own)
        handshake = Handshake(context=context, check=check, terms=terms, clock=self.clock)
        tried = Tried(address=session.address, ours=session.connection.ours)
        try:
            failure = await session.starttls(handshake, self.hostname)
        except RemoteProtocolError as error:
            failure = HandshakeFailure(detail=str(error))
        if failure is not None:
            tell(replace(tried, failure=failure.result, detail=f"{failure.detail}."))
            return _Broken(failure, session)
        tell(tried)
        self.memory.note(session.endpoint.host, Starttls.YES)
        return await self._enter(session, terms)

    async def _enter(self, session: Session, terms: Terms) -> Session | Deferred:
        """Logs in where the endpoint wants it. A refusal is taken for a fault of our configuration, so it waits."""
        login = session.endpoint.login
        if login is None:
            return session
        reply = await session.log_in(login)
        if reply is None:
            detail = f"{session} offers no way to log in that we know."
            return deferred(session, terms, Cause.LOCAL, Status(4, 7, 0), detail)
        if not reply.is_positive:
            # Its words may repeat what we said, so neither they nor the reply go any further.
            detail = f"{session} refused our login with {reply.codes}."
            return deferred(session, terms, Cause.LOCAL, Status(4, 7, 8), detail)
        return session

    async def _after(self, opened: _Broken, address: IpAddress, terms: Terms) -> Opened:
        """What follows a handshake that failed."""
        failure, session = opened.failure, opened.session
        if failure.proof is Proof.CERTIFICATE:
            return await self._refuse(failure, session, address, terms)
        shown = await self.memory.shown(session.endpoint.host)
        match _next(terms, offered=True, proven=failure.proof is not None and shown is Starttls.NO):
            case Step.PLAIN:
                return await self._open_in_clear(session.endpoint, address, terms)
            case Step.DECLINE:
                return old_tls(failure, session, terms)
            case _:
                return broken(failure, session, terms, shown)

    async def _refuse(
        self, failure: HandshakeFailure, session: Session, address: IpAddress, terms: Terms
    ) -> Deferred | Declined:
        if failure.code is None:
            return bad_certificate(failure, session, terms)
        # One that OpenSSL refused cannot be read, so a second connection looks at it; it is never used for mail.
        look = looking(terms.check.sni, terms.demanded_by)
        seen = await self._attempt(replace(session.endpoint, login=None), address, look, look.check, None)
        if not isinstance(seen, Session):
            return bad_certificate(failure, session, terms)
        try:
            return bad_certificate(failure, seen, terms)
        finally:
            await seen.leave()

    async def _open_in_clear(self, endpoint: Endpoint, address: IpAddress, terms: Terms) -> Opened:
        session = await self._connect(endpoint, address)
        if isinstance(session, Deferred):
            return session
        # It is for this message alone: the next one may not have waited for TLS to be repaired.
        session.keep = False
        return await self._guard(session, terms, self._greet_in_clear(session, terms))

    async def _greet_in_clear(self, session: Session, terms: Terms) -> Session | Deferred:
        refused = await session.greet(self.hostname)
        return await self._enter(session, terms) if refused is None else unwelcome(session, terms, refused)


def _next(terms: Terms, *, offered: bool, proven: bool) -> Step:
    """What to do without TLS. Only where we demand it ourselves its lack can be proof of anything."""
    return next_step(
        terms.requirement,
        offered=offered,
        handshake_failed=offered,
        first_failed_for=terms.handshake_failed_for if offered else None,
        proven=proven and terms.own.channel > Channel.PLAIN,
    )
