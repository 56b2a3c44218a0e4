"""What an SMTP client knows of its peer and says to it (RFC 5321 section 4.1, RFC 1870, 6152, 6531, 3461, 4954, 8689).

Commands are built from parsed values only, never from text that came over the wire. Left out on purpose: BDAT,
BINARYMIME, downgrading of internationalised mail, and every command that a relay has no use for.
"""

import re
from base64 import b64encode
from dataclasses import dataclass
from typing import Final

from gateway.core.envelope import BodyType, Notify, Recipient
from gateway.core.reply import Reply
from gateway.wire.errors import LocalProtocolError
from gateway.wire.smtp_params import MailCommand

STARTTLS: Final = b"STARTTLS\r\n"
DATA: Final = b"DATA\r\n"
QUIT: Final = b"QUIT\r\n"
AUTH_LOGIN: Final = b"AUTH LOGIN\r\n"

# Middleboxes that strip an extension overwrite its name in place: "XXXXXXXA" for STARTTLS (Cisco), "XXXX" in general.
_MANGLED = re.compile(r"X{3,}[A-Z]?")
_NUMBER = re.compile(r"[0-9]{1,18}")
# A command line holds printable characters only; the values in it were parsed, this is the last look.
_PRINTABLE = re.compile("[ -~\u00a0-\ud7ff\ue000-\U0010ffff]+")
_PARAMETER = re.compile("[!-<>-~\u00a0-\ud7ff\ue000-\U0010ffff]+")
_NOT_ASCII = re.compile("[^\x00-\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a peer offered in its EHLO reply; a peer that only knows HELO offers nothing.

    ``size_limit`` is in bytes, None where none is declared; ``size`` says whether MAIL may carry SIZE at all.
    ``max_recipients`` is RFC 9422's RCPTMAX. ``mangled`` holds names that look overwritten on the way.
    """

    pipelining: bool = False
    starttls: bool = False
    size: bool = False
    size_limit: int | None = None
    eight_bit_mime: bool = False
    smtputf8: bool = False
    dsn: bool = False
    requiretls: bool = False
    chunking: bool = False
    enhanced_status_codes: bool = False
    max_recipients: int | None = None
    auth: frozenset[str] = frozenset()
    mangled: tuple[str, ...] = ()

    @classmethod
    def parse(cls, reply: Reply) -> "Capabilities":
        """Reads a positive EHLO reply (RFC 5321 section 4.1.1.1); what is unknown or malformed is passed over."""
        offered: dict[str, list[str]] = {}
        for line in reply.lines[1:]:
            keyword, *parameters = line.upper().split() or [""]
            offered.setdefault(keyword, parameters)
        return cls(
            pipelining="PIPELINING" in offered,
            starttls="STARTTLS" in offered,
            size="SIZE" in offered,
            size_limit=_positive(offered.get("SIZE", [""])[:1]),
            eight_bit_mime="8BITMIME" in offered,
            smtputf8="SMTPUTF8" in offered,
            dsn="DSN" in offered,
            requiretls="REQUIRETLS" in offered,
            chunking="CHUNKING" in offered,
            enhanced_status_codes="ENHANCEDSTATUSCODES" in offered,
            max_recipients=_positive(
                [limit.removeprefix("RCPTMAX=") for limit in offered.get("LIMITS", []) if limit.startswith("RCPTMAX=")]
            ),
            auth=frozenset(offered.get("AUTH", ())),
            mangled=tuple(keyword for keyword in offered if _MANGLED.fullmatch(keyword)),
        )


def _positive(texts: list[str]) -> int | None:
    """The number that ``texts`` begins with; 0 and nonsense mean that no limit is declared (RFC 1870 section 4)."""
    return int(texts[0]) or None if texts and _NUMBER.fullmatch(texts[0]) else None


def ehlo(hostname: str) -> bytes:
    """EHLO with our own name. Raises LocalProtocolError."""
    return _line(f"EHLO {hostname}")


def helo(hostname: str) -> bytes:
    """HELO, for a peer that refuses EHLO (RFC 5321 section 3.2). Raises LocalProtocolError."""
    return _line(f"HELO {hostname}")


def mail(command: MailCommand, peer: Capabilities) -> bytes:
    """MAIL with the parameters that the peer offers. BODY=7BIT is the default and not said.

    Raises:
        LocalProtocolError: the message needs 8BITMIME or SMTPUTF8, or asks for REQUIRETLS, and the peer does not offer
            it. Whether REQUIRETLS was offered inside TLS is the caller's to know.
    """
    parameters: list[str] = []
    if command.size is not None and peer.size:
        parameters.append(f"SIZE={command.size}")
    if command.body is BodyType.EIGHT_BIT:
        _demand(peer.eight_bit_mime)
        parameters.append("BODY=8BITMIME")
    if command.smtputf8:
        _demand(peer.smtputf8)
        parameters.append("SMTPUTF8")
    if command.require_tls:
        _demand(peer.requiretls)
        parameters.append("REQUIRETLS")
    if peer.dsn and command.ret is not None:
        parameters.append(f"RET={command.ret}")
    if peer.dsn and command.envid is not None:
        parameters.append(f"ENVID={_value(command.envid)}")
    return _command(f"MAIL FROM:<{command.reverse_path}>", parameters, utf8=command.smtputf8)


def rcpt(recipient: Recipient, peer: Capabilities, *, utf8: bool) -> bytes:
    """RCPT, with the DSN wishes where the peer offers DSN. ``utf8`` says whether MAIL asked for SMTPUTF8.

    Raises:
        LocalProtocolError: the address needs SMTPUTF8 and MAIL did not ask for it.
    """
    parameters: list[str] = []
    if peer.dsn and recipient.notify:
        parameters.append("NOTIFY=" + ",".join(wish for wish in Notify if wish in recipient.notify))
    if peer.dsn and recipient.orcpt is not None:
        parameters.append(f"ORCPT={_value(recipient.orcpt if utf8 else _as_ascii(recipient.orcpt))}")
    return _command(f"RCPT TO:<{recipient.address}>", parameters, utf8=utf8)


def auth_plain(username: str, password: str) -> bytes:
    """AUTH PLAIN with its initial response (RFC 4616); only ever inside TLS."""
    return b"AUTH PLAIN " + b64encode(f"\0{username}\0{password}".encode()) + b"\r\n"


def auth_answer(text: str) -> bytes:
    """The answer to one challenge of AUTH LOGIN: the user name, then the password."""
    return b64encode(text.encode()) + b"\r\n"


def _demand(offered: bool) -> None:
    if not offered:
        raise LocalProtocolError("the peer does not offer an extension that the message needs")


def _value(text: str) -> str:
    if not _PARAMETER.fullmatch(text):
        raise LocalProtocolError("a parameter has characters that would end it")
    return text


def _as_ascii(orcpt: str) -> str:
    """The form of a UTF-8 original recipient that any DSN server takes (RFC 6533 section 3, utf-8-addr-xtext)."""
    return _NOT_ASCII.sub(lambda match: rf"\x{{{ord(match[0]):X}}}", orcpt)


def _command(verb_and_path: str, parameters: list[str], *, utf8: bool) -> bytes:
    return _line(" ".join((verb_and_path, *parameters)), utf8=utf8)


def _line(text: str, *, utf8: bool = False) -> bytes:
    if not _PRINTABLE.fullmatch(text) or not (utf8 or text.isascii()):
        raise LocalProtocolError("a command has characters that cannot be sent")
    return text.encode() + b"\r\n"
