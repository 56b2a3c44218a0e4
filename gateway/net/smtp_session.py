"""An SMTP session with one server, up to the point where MAIL could be said (RFC 5321 section 3.1, RFC 3207, RFC 4954).

A session says what it is (its channel, read from the connection itself) and holds what the peer offered; whether that
is enough for a message is decided in `net.transaction`, the only place that says MAIL. Left out on purpose: resuming a
TLS session, AUTH mechanisms besides PLAIN and LOGIN.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from gateway.core.check import Check
from gateway.core.outcome import Remote
from gateway.core.reply import Reply
from gateway.core.tls import Channel, Evidence, MxAuth
from gateway.net.certificate import PeerCertificate, read_certificate
from gateway.net.connection import Connection
from gateway.net.handshake import Handshake
from gateway.net.terms import Terms
from gateway.net.timeouts import Timeouts
from gateway.net.tls import ClientCertificate, HandshakeFailure, channel_of, failure_of
from gateway.wire import smtp_client
from gateway.wire.errors import LocalProtocolError
from gateway.wire.smtp_client import Capabilities

LEAVING: Final = timedelta(seconds=2)
"""How long the good order of an end is waited for, where somebody waits."""

MAX_USES: Final = 100
"""Transactions on one connection, as Postfix and Exchange allow it; then the peer may balance its load anew."""


@dataclass(frozen=True, slots=True)
class Login:
    """A user name and password for AUTH; only ever said inside TLS."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A host to speak to, and as whom; sessions are shared only between equal ones.

    ``realm`` keeps apart what must not share connections: empty for MX hosts, a route's name for its own host.
    """

    realm: str
    host: str
    port: int
    own: ClientCertificate | None = None
    login: Login | None = None


class Session:
    """One connection's session. One task at a time uses it.

    ``clean`` is False from MAIL until the reply to the message; ``keep`` is False where no other message may use it.
    ``check`` is what the certificate was found to fulfil; None in the clear, and where it was refused. ``knows_ehlo``
    says whether ``capabilities`` are what the peer said: to HELO it says nothing, which is no "no".
    """

    def __init__(self, connection: Connection, endpoint: Endpoint, address: str, timeouts: Timeouts) -> None:
        self.connection = connection
        self.endpoint = endpoint
        self.address = address
        self.timeouts = timeouts
        self.capabilities = Capabilities()
        self.knows_ehlo = False
        self.uses = 0
        self.clean = True
        self.keep = True
        self.check: Check | None = None
        self._how = "certificate not checked"
        self._seen: PeerCertificate | None = None
        self._evidence: dict[tuple[str, MxAuth], Evidence] = {}

    def __str__(self) -> str:
        return f"{self.endpoint.host} [{self.address}]"

    @property
    def channel(self) -> Channel:
        """What the connection is now."""
        tls = self.connection.tls
        return Channel.PLAIN if tls is None else channel_of(tls, self.check)

    @property
    def reusable(self) -> bool:
        """Whether another transaction may follow."""
        return self.clean and self.keep and self.uses < MAX_USES and self.connection.quiet

    def remote(self, reply: Reply) -> Remote:
        """The reply with the name of who gave it."""
        return Remote(host=self.endpoint.host, reply=reply)

    # Opening. Each step raises RemoteProtocolError when the peer is silent, goes away or does not speak SMTP.

    async def greet(self, hostname: str) -> Reply | None:
        """Reads the greeting and says hello; the reply that refuses us, None when we are welcome."""
        greeting = await self.connection.reply(self.timeouts.greeting)
        return greeting if greeting.code != 220 else await self.hello(hostname)

    async def hello(self, hostname: str) -> Reply | None:
        """EHLO, or HELO for a server that does not know it; all that was known of the peer before is forgotten."""
        self.capabilities, self.knows_ehlo = Capabilities(), False
        reply = await self._ask(smtp_client.ehlo(hostname))
        if reply.is_positive:
            self.capabilities, self.knows_ehlo = Capabilities.parse(reply), True
            return None
        if reply.is_permanent:
            reply = await self._ask(smtp_client.helo(hostname))
        return None if reply.is_positive else reply

    async def starttls(self, handshake: Handshake, hostname: str) -> HandshakeFailure | None:
        """STARTTLS, the handshake, the judgement and a second EHLO; only when all succeeded the host has shown TLS."""
        self.connection.send(smtp_client.STARTTLS)
        reply = await self.connection.reply(self.timeouts.starttls)
        if reply.code != 220:
            return HandshakeFailure(detail=f"it answered STARTTLS with {reply}")
        try:
            tls = await self.connection.start_tls(handshake.context, handshake.check.sni, self.timeouts.handshake)
        except OSError as error:
            return failure_of(error, ours=handshake.names_are_ours)
        except ValueError:
            # A name that DNS gave, such as one with an empty label.
            return HandshakeFailure(detail="its name cannot be said in a TLS handshake")
        self._evidence.clear()
        judged = handshake.judge(tls)
        if isinstance(judged, HandshakeFailure):
            return judged
        self.check, self._how = handshake.check, judged
        refused = await self.hello(hostname)
        if refused is not None:
            return HandshakeFailure(detail=f"it refused EHLO inside TLS with {refused}")
        return None

    async def log_in(self, login: Login) -> Reply | None:
        """AUTH; None when no mechanism of ours is offered. Raises LocalProtocolError outside TLS."""
        if self.channel is Channel.PLAIN:
            raise LocalProtocolError("a password is never sent without TLS")
        if "PLAIN" in self.capabilities.auth:
            return await self._ask(smtp_client.auth_plain(login.username, login.password))
        if "LOGIN" not in self.capabilities.auth:
            return None
        reply = await self._ask(smtp_client.AUTH_LOGIN)
        for answer in (login.username, login.password):
            if reply.code != 334:
                return reply
            reply = await self._ask(smtp_client.auth_answer(answer))
        return reply

    async def _ask(self, command: bytes) -> Reply:
        # A reply that is here already would be taken for this one's, and so on for all that follow.
        self.connection.expect_quiet()
        self.connection.send(command)
        return await self.connection.reply(self.timeouts.hello)

    # Evidence and the end.

    @property
    def certificate(self) -> PeerCertificate | None:
        """The peer's certificate, whether or not it was checked; None in the clear."""
        tls = self.connection.tls
        if self._seen is None and tls is not None:
            self._seen = read_certificate(tls.getpeercert(binary_form=True) or b"")
        return self._seen

    def evidence(self, terms: Terms) -> Evidence:
        """What this connection is for a message on these terms; made once for all that it is the same for."""
        key = terms.demanded_by, terms.mx
        if key not in self._evidence:
            self._evidence[key] = self._make_evidence(terms)
        return self._evidence[key]

    def _make_evidence(self, terms: Terms) -> Evidence:
        tls, seen = self.connection.tls, self.certificate
        cipher = tls.cipher() if tls is not None else None
        return Evidence(
            mx_host=self.endpoint.host,
            address=self.address,
            port=self.endpoint.port,
            tls_version=tls.version() if tls is not None else None,
            cipher=cipher[0] if cipher else None,
            chain_digest=seen.digest if seen else None,
            spki=seen.spki or None if seen else None,
            subject=seen.subject if seen else None,
            issuer=seen.issuer if seen else None,
            names=seen.names if seen else (),
            not_after=seen.not_after if seen else None,
            mx=terms.mx,
            channel=self.channel,
            how=self._how if tls is not None else "no TLS",
            demanded_by=terms.demanded_by,
        )

    async def leave(self) -> None:
        """Ends, and waits a little until the connection is gone."""
        self.end()
        await self.connection.closed(LEAVING)

    def end(self) -> None:
        """Says QUIT where that is possible, and closes; waits for nothing."""
        if self.clean and self.connection.quiet:
            self.connection.close(smtp_client.QUIT)
        else:
            self.connection.abort()
