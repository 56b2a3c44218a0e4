"""The arguments of MAIL and RCPT, parsed strictly from bytes (RFC 5321 section 4.1.2 and its extensions).

Known parameters: SIZE (RFC 1870), BODY (RFC 6152), SMTPUTF8 (RFC 6531), RET, ENVID, NOTIFY and ORCPT (RFC 3461,
RFC 6533), REQUIRETLS (RFC 8689; whether the session may say it is the listener's business). Left out on purpose:
BINARYMIME, AUTH and ``<postmaster>`` without a domain; what is not offered is refused, never ignored. One leniency:
spaces between the colon and the path, which old devices send.
"""

import re
from dataclasses import dataclass
from typing import Final

from gateway.core.address import BadAddress, NullPath, ReversePath, parse_path
from gateway.core.envelope import BodyType, Notify, Recipient, Ret
from gateway.core.reply import Reply, reply

# RFC 3461 section 4: the encoded envelope id has at most 100 characters, the original recipient 500.
MAX_ENVID: Final = 100
MAX_ORCPT: Final = 500

_FROM = re.compile(rb"FROM: *", re.IGNORECASE)
_TO = re.compile(rb"TO: *", re.IGNORECASE)
# esmtp-param = esmtp-keyword ["=" esmtp-value]; RFC 6531 section 3.3 adds UTF-8 to the value.
_PARAMETER = re.compile(rb"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([!-<>-~\x80-\xff]+))?")
_SIZE = re.compile(rb"[0-9]{1,20}")
# xtext = *(xchar / hexchar); an encoded control character would become a line of a report, so it is no hexchar here.
_XTEXT = rb"(?:[!-*,-<>-~]|\+(?:[2-6][0-9A-F]|7[0-9A-E]))+"
_ENVID = re.compile(_XTEXT)
_ADDR_TYPE = rb"[A-Za-z0-9!#$%&'*/?^_`{|}~.-]+"
# RFC 6533 section 3: utf-8-addr-xtext (characters as \x{HEX}) and, with SMTPUTF8, utf-8-addr-unitext.
_HEXPOINT = rb"\\x\{(?:20|2B|3D|5C|[89A-F][0-9A-F]|(?!D[89A-F])[1-9A-F][0-9A-F]{2,3}|(?:[1-9A-F]|10)[0-9A-F]{4})\}"
_ORCPT = re.compile(
    rb"(?i:utf-8);(?:[!-*,-<>-\[\]-~\x80-\xff]|" + _HEXPOINT + rb")+|(?!(?i:utf-8);)" + _ADDR_TYPE + rb";" + _XTEXT
)

_NEEDS_UTF8: Final = reply(553, "5.6.7", "an address that is not ASCII needs SMTPUTF8")
_ROUTED: Final = reply(550, "5.7.1", "addresses that name a route are not relayed")


@dataclass(frozen=True, slots=True, kw_only=True)
class MailCommand:
    """What MAIL said. ``size`` is the announced size in bytes; ``envid`` is kept as it was sent (xtext)."""

    reverse_path: ReversePath
    size: int | None = None
    body: BodyType = BodyType.SEVEN_BIT
    smtputf8: bool = False
    ret: Ret | None = None
    envid: str | None = None
    require_tls: bool = False


class _Refusal(Exception):
    """The argument cannot be used; carries the reply."""

    def __init__(self, answer: Reply) -> None:
        super().__init__(str(answer))
        self.answer = answer


def parse_mail(argument: bytes, *, extended: bool) -> MailCommand | Reply:
    """Reads ``FROM:<path> [parameters]``; ``extended`` says whether EHLO was said. A Reply is the refusal."""
    try:
        path, parameters = _parts(argument, _FROM, "5.1.7", extended=extended)
        command = MailCommand(
            reverse_path=path,
            size=_size(parameters.pop(b"SIZE", None)),
            body=_body(parameters.pop(b"BODY", None)),
            smtputf8=_flag("SMTPUTF8", parameters.pop(b"SMTPUTF8", None)),
            ret=_ret(parameters.pop(b"RET", None)),
            envid=_envid(parameters.pop(b"ENVID", None)),
            require_tls=_flag("REQUIRETLS", parameters.pop(b"REQUIRETLS", None)),
        )
        _nothing_left(parameters)
    except _Refusal as refusal:
        return refusal.answer
    return command if command.smtputf8 or argument.isascii() else _NEEDS_UTF8


def parse_rcpt(argument: bytes, *, extended: bool, smtputf8: bool) -> Recipient | Reply:
    """Reads ``TO:<path> [parameters]``; ``smtputf8`` says whether MAIL asked for it. A Reply is the refusal."""
    if not (smtputf8 or argument.isascii()):
        return _NEEDS_UTF8
    try:
        path, parameters = _parts(argument, _TO, "5.1.3", extended=extended)
        if isinstance(path, NullPath):
            return reply(501, "5.1.3", "a recipient is never the null path")
        if path.is_routed:
            return _ROUTED
        notify = _notify(parameters.pop(b"NOTIFY", None))
        orcpt = _orcpt(parameters.pop(b"ORCPT", None))
        _nothing_left(parameters)
    except _Refusal as refusal:
        return refusal.answer
    return Recipient(address=path, notify=notify, orcpt=orcpt)


def _parts(
    argument: bytes, keyword: re.Pattern[bytes], status: str, *, extended: bool
) -> tuple[ReversePath, dict[bytes, bytes]]:
    """The path and the parameters by upper-case name; one without a value has an empty one."""
    start = keyword.match(argument)
    if start is None:
        raise _Refusal(reply(501, "5.5.4", "the command needs FROM:<path> or TO:<path>"))
    try:
        path, rest = parse_path(argument[start.end() :], utf8=True)
    except BadAddress as error:
        raise _Refusal(reply(501, status, str(error))) from error
    if not rest:
        return path, {}
    if not rest.startswith(b" "):
        raise _Refusal(reply(501, "5.5.4", "parameters follow the path after a space"))
    if not extended:
        raise _Refusal(reply(555, "5.5.4", "parameters need EHLO"))
    return path, _parameters(rest)


def _parameters(rest: bytes) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for word in filter(None, rest.split(b" ")):
        match = _PARAMETER.fullmatch(word)
        if match is None:
            raise _Refusal(reply(501, "5.5.4", "a parameter is not well formed"))
        name = match[1].upper()
        if name in found:
            raise _Refusal(reply(501, "5.5.4", f"the parameter {name.decode()} stands twice"))
        found[name] = match[2] or b""
    return found


def _nothing_left(parameters: dict[bytes, bytes]) -> None:
    for name in parameters:
        raise _Refusal(reply(555, "5.5.4", f"the parameter {name.decode()} is not offered here"))


def _bad(name: str) -> _Refusal:
    return _Refusal(reply(501, "5.5.4", f"the value of {name} is not valid"))


def _size(value: bytes | None) -> int | None:
    if value is None:
        return None
    if not _SIZE.fullmatch(value):
        raise _bad("SIZE")
    return int(value)


def _body(value: bytes | None) -> BodyType:
    if value is None:
        return BodyType.SEVEN_BIT
    try:
        return BodyType(value.upper().decode("latin-1"))
    except ValueError as error:
        raise _bad("BODY") from error


def _flag(name: str, value: bytes | None) -> bool:
    if value:
        raise _Refusal(reply(501, "5.5.4", f"{name} takes no value"))
    return value is not None


def _ret(value: bytes | None) -> Ret | None:
    if value is None:
        return None
    try:
        return Ret(value.upper().decode("latin-1"))
    except ValueError as error:
        raise _bad("RET") from error


def _envid(value: bytes | None) -> str | None:
    if value is None:
        return None
    if len(value) > MAX_ENVID or not _ENVID.fullmatch(value):
        raise _bad("ENVID")
    return value.decode("ascii")


def _notify(value: bytes | None) -> frozenset[Notify]:
    """RFC 3461 section 4.1: ``NEVER`` alone, or a list of the other three."""
    if value is None:
        return frozenset()
    try:
        wishes = frozenset(Notify(word.decode("latin-1")) for word in value.upper().split(b","))
    except ValueError as error:
        raise _bad("NOTIFY") from error
    if Notify.NEVER in wishes and len(wishes) > 1:
        raise _bad("NOTIFY")
    return wishes


def _orcpt(value: bytes | None) -> str | None:
    if value is None:
        return None
    if len(value) > MAX_ORCPT or not _ORCPT.fullmatch(value):
        raise _bad("ORCPT")
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _bad("ORCPT") from error
    if not text.isprintable():
        raise _bad("ORCPT")
    return text
