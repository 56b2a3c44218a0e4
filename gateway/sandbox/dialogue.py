"""One SMTP dialogue of a sandbox host (RFC 5321), written apart from the gateway's own parsers on purpose.

It reads strictly: lines end in CRLF, content ends in CRLF.CRLF. Left out: CHUNKING, AUTH, and an empty message (a dot
alone after 354), which the gateway never sends.
"""

import asyncio
import hashlib
import re
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, assert_never

from gateway.sandbox.arrival import Accepted, Arrival, TlsSeen
from gateway.sandbox.behaviour import Act, Behaviour, Demand, Script, Stage, Starttls
from gateway.sandbox.inbox import Inbox
from gateway.sandbox.server_stream import ServerStream
from gateway.sandbox.tape import Tape

INJECTED: Final = "250 2.0.0 put here by somebody on the way"
"""What stands in the clear behind the 220 of a host that is `Starttls.INJECTED`."""

MAX_LINE: Final = 4096
"""RFC 5321 section 4.5.3.1.4 asks for 512 octets and lets extensions add to it."""

# What stands in EHLO in place of STARTTLS. A firewall of Cisco's writes such a word over what it takes out.
_OFFERS: Final = {Starttls.NONE: (), Starttls.MANGLED: ("XXXXXXXA",)}

# A path may hold ">" inside a quoted local part only.
_PATH: Final = re.compile(rb'(?:FROM|TO):<((?:"(?:[^"\\]|\\.)*"|[^>"])*)>(?: (.*))?', re.IGNORECASE)


@dataclass(slots=True, kw_only=True)
class Visit:
    """One connection to a host: who came, what it said (byte by byte), and what was taken from it."""

    peer: str
    tape: Tape
    ehlo: list[str] = field(default_factory=list[str])
    tls: TlsSeen | None = None
    arrivals: list[Arrival] = field(default_factory=list[Arrival])


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What a dialogue needs of its host."""

    name: str
    behaviour: Behaviour
    script: Script
    context: ssl.SSLContext
    inbox: Inbox


class Dialogue:
    """Talks to one client until either side has had enough."""

    def __init__(self, house: House, visit: Visit, stream: ServerStream) -> None:
        self._house = house
        self._visit = visit
        self._stream = stream
        self._open = True
        self._commands: Mapping[bytes, Callable[[bytes], Awaitable[None]]] = {
            b"EHLO": self._ehlo,
            b"HELO": self._helo,
            b"STARTTLS": self._starttls,
            b"MAIL": self._mail_from,
            b"RCPT": self._rcpt_to,
            b"DATA": self._data,
            b"RSET": self._rset,
            b"NOOP": self._noop,
            b"QUIT": self._quit,
        }
        self._forget()

    def _forget(self) -> None:
        self._mail: tuple[str, tuple[str, ...]] | None = None
        self._recipients: list[Accepted] = []

    async def run(self) -> None:
        """Ends when the client leaves, says QUIT, is too slow, or a fault closes the connection; never raises."""
        try:
            await self._answer(Stage.GREETING, f"220 {self._house.name} ESMTP sandbox")
            while self._open:
                await self._command(await self._stream.read_until(b"\r\n"))
        except (OSError, EOFError, asyncio.LimitOverrunError):
            # The client broke off, spoke no TLS that we take, sent an endless line, or was silent for too long.
            return
        finally:
            await self._stream.finish()

    async def _command(self, line: bytes) -> None:
        verb, _, rest = line[:-2].partition(b" ")
        handler = self._commands.get(verb.upper())
        if handler is None or len(line) > MAX_LINE:
            await self._say("500 5.5.2 not understood")
        else:
            await handler(rest)

    async def _say(self, reply: str) -> None:
        await self._stream.write(f"{reply}\r\n".encode())
        if reply.startswith("421"):
            self._open = False

    async def _answer(self, stage: Stage, ordinary: str, recipient: str | None = None) -> bool:
        """Says the ordinary reply, or does what the script has here; tells whether it was the ordinary one."""
        act = self._house.script.next(stage, key=recipient or "", recipient=recipient)
        return await self._perform(act, ordinary)

    async def _perform(self, act: str | Act | None, ordinary: str) -> bool:
        match act:
            case None:
                await self._say(ordinary)
            case str():
                await self._say(act)
            case Act.SILENCE:
                await self._wait_silently()
            case Act.CLOSE | Act.ACCEPT_AND_CLOSE:
                self._open = False
            case _:  # pragma: no cover - the types leave nothing here
                assert_never(act)
        return act is None

    async def _wait_silently(self) -> None:
        self._open = False
        while await self._stream.read_some():
            pass

    async def _ehlo(self, rest: bytes) -> None:
        self._forget()
        self._visit.ehlo.append(rest.decode("utf-8", "replace"))
        lines = [self._house.name, *self._house.behaviour.extensions]
        if self._visit.tls is None:
            lines += _OFFERS.get(self._house.behaviour.starttls, ("STARTTLS",))
        await self._answer(Stage.EHLO, "\r\n".join([f"250-{line}" for line in lines[:-1]] + [f"250 {lines[-1]}"]))

    async def _helo(self, rest: bytes) -> None:
        self._forget()
        self._visit.ehlo.append(rest.decode("utf-8", "replace"))
        await self._answer(Stage.EHLO, f"250 {self._house.name}")

    async def _starttls(self, _rest: bytes) -> None:
        if self._house.behaviour.starttls in _OFFERS or self._visit.tls is not None:
            await self._say("503 5.5.1 not offered")
        elif self._house.behaviour.starttls is Starttls.REFUSED:
            await self._say("454 4.7.0 TLS not available now")
        elif self._house.behaviour.starttls is Starttls.BROKEN:
            await self._say("220 2.0.0 go ahead")
            await self._stream.read_some()
            await self._say("502 5.5.1 there is no TLS here")
        elif self._house.behaviour.starttls is Starttls.INJECTED:
            await self._say(f"220 2.0.0 go ahead\r\n{INJECTED}")
            await self._handshake()
        elif await self._answer(Stage.STARTTLS, "220 2.0.0 go ahead"):
            await self._handshake()

    async def _handshake(self) -> None:
        self._forget()
        self._visit.tls = _tls_seen(await self._stream.start_tls(self._house.context))

    async def _mail_from(self, rest: bytes) -> None:
        path = _PATH.fullmatch(rest)
        if self._mail is not None:
            await self._say("503 5.5.1 one MAIL at a time")
        elif path is None:
            await self._say("501 5.5.4 not a path")
        elif (missing := self._missing()) is not None:
            await self._say(missing)
        elif await self._answer(Stage.MAIL, "250 2.1.0 sender fine"):
            self._mail = _path(path)

    def _missing(self) -> str | None:
        demand, tls = self._house.behaviour.demand, self._visit.tls
        if demand is not Demand.NOTHING and tls is None:
            return "530 5.7.0 say STARTTLS first"
        if demand is Demand.CLIENT_CERTIFICATE and tls is not None and tls.client_name is None:
            return "550 5.7.1 show a client certificate"
        return None

    async def _rcpt_to(self, rest: bytes) -> None:
        path = _PATH.fullmatch(rest)
        if self._mail is None:
            await self._say("503 5.5.1 MAIL first")
        elif path is None:
            await self._say("501 5.5.4 not a path")
        else:
            recipient = Accepted(*_path(path))
            if await self._answer(Stage.RCPT, "250 2.1.5 recipient fine", recipient.address):
                self._recipients.append(recipient)

    async def _data(self, _rest: bytes) -> None:
        if not self._recipients:
            await self._say("503 5.5.1 no recipient")
        elif await self._answer(Stage.DATA, "354 end with a dot") and await self._content_begins():
            raw = await self._stream.read_until(b"\r\n.\r\n")
            # The leading CRLF makes a dot that opens the very first line look like every other one.
            await self._take((b"\r\n" + raw[:-3]).replace(b"\r\n..", b"\r\n.")[2:])

    async def _content_begins(self) -> bool:
        """Breaks off amid the data if the script says so."""
        act = self._house.script.next(Stage.CONTENT)
        if act is None:
            return True
        await self._stream.read_some()
        await self._perform(act, "")
        # What follows is content and no command, so there is no way to go on.
        self._open = False
        return False

    async def _take(self, content: bytes) -> None:
        mail_from, params = self._mail or ("", ())
        arrival = Arrival(
            id=self._house.inbox.next_id(),
            time=datetime.now(UTC),
            mx=self._house.name,
            ehlo=self._visit.ehlo[-1] if self._visit.ehlo else "",
            mail_from=mail_from,
            mail_params=params,
            recipients=tuple(self._recipients),
            tls=self._visit.tls,
            content=content,
        )
        act = self._house.script.next(Stage.DOT, key=_message_key(arrival))
        if act is None or act is Act.ACCEPT_AND_CLOSE:
            self._house.inbox.add(arrival)
            self._visit.arrivals.append(arrival)
        self._forget()
        await self._perform(act, f"250 2.0.0 kept as {arrival.id}")

    async def _rset(self, _rest: bytes) -> None:
        self._forget()
        await self._say("250 2.0.0 forgotten")

    async def _noop(self, _rest: bytes) -> None:
        await self._say("250 2.0.0 fine")

    async def _quit(self, _rest: bytes) -> None:
        await self._say("221 2.0.0 goodbye")
        self._open = False


def _tls_seen(session: ssl.SSLObject) -> TlsSeen:
    cipher = session.cipher()
    return TlsSeen(
        version=session.version() or "unknown",
        cipher=cipher[0] if cipher else "unknown",
        client_name=_client_name(session),
    )


def _client_name(session: ssl.SSLObject) -> str | None:
    certificate = session.getpeercert()
    names = certificate.get("subjectAltName", ()) if certificate else ()
    return next((str(value) for kind, value in names if kind == "DNS"), None)


def _path(match: re.Match[bytes]) -> tuple[str, tuple[str, ...]]:
    params = (match[2] or b"").decode("utf-8", "replace")
    return match[1].decode("utf-8", "replace"), tuple(params.split())


def _message_key(arrival: Arrival) -> str:
    """What makes a repeat the same message: its Message-ID or else its content, and its recipients."""
    identity = arrival.message_id or hashlib.sha256(arrival.content).hexdigest()
    return f"{identity} {' '.join(arrival.rcpt_to)}"
