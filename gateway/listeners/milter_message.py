"""One message as an MTA tells it to a milter: its client, MAIL and RCPT, and the lines of its content (RFC 5321).

The MTA has taken the commands already, so parameters that mean nothing to us are passed over and not refused; a name
without a domain is one of the MTA's own. Line ends are held to as they are by SMTP: CRLF and nothing else.
"""

import re
from dataclasses import dataclass, field
from typing import Final

from gateway.core.address import Address
from gateway.core.envelope import Admission, Client, Envelope, InboundTls, Recipient
from gateway.core.reply import Reply
from gateway.listeners import smtp_replies as replies
from gateway.listeners.intake import Intake
from gateway.wire.bdat import LineEnds
from gateway.wire.milter.events import Connect, MailFrom
from gateway.wire.milter.events import Recipient as RcptEvent
from gateway.wire.smtp_params import MailCommand, parse_mail, parse_rcpt

LOCAL: Final = "127.0.0.1"
"""The client of mail that was not handed over by IP: the MTA's own machine."""

BLOCK: Final = 64 * 1024
"""Bytes of header that are passed on together; a body comes in pieces of this size anyway."""

_MAIL: Final = frozenset({b"SIZE", b"BODY", b"SMTPUTF8", b"RET", b"ENVID", b"REQUIRETLS"})
_RCPT: Final = frozenset({b"NOTIFY", b"ORCPT"})
_NOT_A_NAME: Final = re.compile(r"[^A-Za-z0-9._:\[\]-]")
_HOST: Final = re.compile(rb"[A-Za-z0-9.-]{1,255}")
_MAX_NAME: Final = 255


def read_mail(event: MailFrom, host: bytes | None) -> MailCommand | Reply:
    """MAIL; ``host`` is what the MTA calls itself. A Reply is the refusal."""
    parameters = _known(event.parameters, _MAIL)
    if not event.path.isascii() and b"SMTPUTF8" not in parameters:
        parameters = (*parameters, b"SMTPUTF8")
    return parse_mail(b" ".join((b"FROM:" + _path(event.path, host), *parameters)), extended=True)


def read_rcpt(event: RcptEvent, host: bytes | None) -> Recipient | Reply:
    """RCPT, likewise."""
    path = _path(event.path, host)
    return parse_rcpt(b" ".join((b"TO:" + path, *_known(event.parameters, _RCPT))), extended=True, smtputf8=True)


def client_of(connect: Connect | None, helo: bytes, tls: InboundTls | None) -> Client:
    """Who handed the message to the MTA."""
    known = connect is not None and connect.address is not None and not isinstance(connect.address, bytes)
    address = str(connect.address) if known and connect is not None else LOCAL
    name = _NOT_A_NAME.sub("?", helo.decode("utf-8", "surrogateescape")[:_MAX_NAME])
    return Client(identity=address, how=Admission.MTA, address=address, helo=name, tls=tls)


def read_tls(version: bytes, cipher: bytes, bits: bytes) -> InboundTls | None:
    """The TLS session between client and MTA, by the MTA's macros; None without one."""
    if not version or not cipher:
        return None
    known = [re.sub(r"[^A-Za-z0-9._-]", "", value.decode("ascii", "ignore"))[:64] for value in (version, cipher)]
    return InboundTls(known[0], known[1], int(bits) if re.fullmatch(rb"[0-9]{1,5}", bits) else 0)


@dataclass(slots=True)
class MilterMessage:
    """From MAIL on; ``intake`` is there once content comes, and gets it in whole blocks, or ``fault`` says why not."""

    mail: MailCommand
    recipients: dict[Address, Recipient] = field(default_factory=dict[Address, Recipient])
    intake: Intake | None = None
    fault: Reply | None = None
    _head: bytearray = field(default_factory=bytearray)
    _line_ends: LineEnds = field(default_factory=LineEnds)

    def envelope(self, client: Client, listener: str) -> Envelope:
        """The envelope as the flow knows it."""
        mail = self.mail
        return Envelope(
            client=client,
            listener=listener,
            reverse_path=mail.reverse_path,
            recipients=tuple(self.recipients.values()),
            ret=mail.ret,
            envid=mail.envid,
            body=mail.body,
            smtputf8=mail.smtputf8 or not all(address.is_ascii for address in self.recipients),
            require_tls=mail.require_tls,
        )

    def header(self, line: bytes) -> None:
        """Takes a field, or the empty line behind the last; a field may be longer than a block."""
        self._head += line
        while len(self._head) >= BLOCK:
            self._take(bytes(self._head[:BLOCK]))
            del self._head[:BLOCK]

    def body(self, chunk: bytes) -> None:
        """Takes a piece of the body."""
        if self._head:
            self._take(bytes(self._head))
            self._head.clear()
        self._take(chunk)

    def end(self) -> None:
        """Ends the last line, as DATA would have."""
        self.body(b"")
        self._take(self._line_ends.finish())
        self._judge()

    def _take(self, block: bytes) -> None:
        if self.intake is None:
            return
        self._line_ends.feed(block)
        self.intake.take(block)
        self._judge()

    def _judge(self) -> None:
        if self._line_ends.bare and self.intake is not None:
            self.intake.fail(replies.BARE_LINE_END)


def _path(path: bytes, host: bytes | None) -> bytes:
    inside = path[1:-1] if path.startswith(b"<") and path.endswith(b">") else path
    if inside and b"@" not in inside and host and _HOST.fullmatch(host):
        inside += b"@" + host
    return b"<" + inside + b">"


def _known(parameters: tuple[bytes, ...], names: frozenset[bytes]) -> tuple[bytes, ...]:
    return tuple(one for one in parameters if one.partition(b"=")[0].upper() in names)
