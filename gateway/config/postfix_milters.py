"""What a Postfix needs in its main.cf that asks the gateway as a milter, and what is wrong with the values that it has.

Left out on purpose: what other milters do to a message, and aliases of a host behind Postfix, which nobody sees here.
"""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from gateway.config.postfix import Line, equals
from gateway.config.units import parse_endpoint

_UNIX: Final = "unix:"
_TIME: Final = re.compile(r"([0-9]{1,9})([smhdw]?)")
_SECONDS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_ENTRY: Final = re.compile(r"\{([^{}]*)\}|[^\s,{}]+")
_DELIMITER: Final = re.compile(r"[\s,]*")
_OPTION: Final = re.compile(r"([a-z_]+)\s*=\s*(\S*)")

CHANGES_RECIPIENTS: Final = (
    "virtual_alias_maps",
    "canonical_maps",
    "recipient_canonical_maps",
    "always_bcc",
    "sender_bcc_maps",
    "recipient_bcc_maps",
)
"""Parameters that change or add recipients behind the milter, of all mail that stays with Postfix."""

_NO_DELAY: Final = Line(
    name="in_flow_delay",
    value="0",
    fits=lambda value: _seconds(value) == 0,
    why="Postfix holds up mail that comes in faster than its queue sends, and what the gateway takes over never reaches"
    " that queue: each such message waits a second",
)


_JUDGED_BEFORE: Final = (
    "the gateway judges the recipients before Postfix changes or adds any, so mail that stays with Postfix may go"
    " where no rule was asked; what is taken over goes to the recipients as the client named them"
)


def milter_endpoint(address: str) -> str:
    """A milter listener's address as Postfix is told of it; one on all addresses is met on this machine."""
    if address.startswith(_UNIX):
        return address
    host, port = parse_endpoint(address)
    try:
        host = "127.0.0.1" if ip_address(host).is_unspecified else host
    except ValueError:
        pass
    return f"inet:[{host}]:{port}" if ":" in host else f"inet:{host}:{port}"


def milter_lines(addresses: Sequence[str], *, takes: bool) -> tuple[Line, ...]:
    """For milter listeners at these addresses, of which one Postfix asks one; none without any.

    ``takes`` is whether one of them takes mail over.
    """
    if not addresses:
        return ()
    ours = tuple(map(milter_endpoint, addresses))
    asks_us = _asks_last(frozenset(ours))
    last = "; ours has to be the last, because one behind it may change or refuse what was taken over, and without a"
    last += " default_action of its own but tempfail"
    return (
        Line(name="smtpd_milters", value=ours[0], fits=asks_us, why=f"its mail may pass the gateway by{last}"),
        Line(
            name="non_smtpd_milters",
            value=ours[0],
            fits=asks_us,
            why=f"mail of that machine's own programs (sendmail) may pass the gateway by{last}",
        ),
        Line(
            name="smtpd_milter_maps",
            value="",
            fits=equals(""),
            why="clients that it names have other milters, or none: what they send may pass the gateway by",
        ),
        Line(
            name="milter_default_action",
            value="tempfail",
            fits=equals("tempfail"),
            why="while the gateway does not answer, mail would leave unjudged (`accept`) or be lost",
        ),
        Line(name="milter_protocol", value="6", fits=equals("6"), why="the gateway speaks version 6"),
        _timeout("milter_command_timeout", "30s", "a lookup for a recipient may take so long"),
        _timeout("milter_content_timeout", "300s", "a large message is scanned and stored before it is answered"),
        *((_NO_DELAY,) if takes else ()),
        *(Line(name=name, value="", fits=equals(""), why=_JUDGED_BEFORE) for name in CHANGES_RECIPIENTS),
    )


@dataclass(frozen=True, slots=True)
class _Milter:
    """One of a list of milters: where it is, and its own ``default_action``, empty for that of all."""

    address: str
    default_action: str = ""


def _asks_last(ours: Collection[str]) -> Callable[[str], bool]:
    """Whether the last of a list of milters is one of ours, and mail waits while it does not answer."""

    def asks_us(value: str) -> bool:
        milters = _milters(value)
        return bool(milters) and milters[-1].address in ours and milters[-1].default_action in ("", "tempfail")

    return asks_us


def _milters(value: str) -> list[_Milter]:
    """The list as Postfix reads it (postconf(5), smtpd_milters); empty if it cannot be read."""
    found: list[_Milter] = []
    at = _end_of(_DELIMITER, value, 0)
    while at < len(value):
        entry = _ENTRY.match(value, at)
        if entry is None:
            return []
        found.append(_milter(entry[1] if entry[1] is not None else entry[0]))
        at = _end_of(_DELIMITER, value, entry.end())
    return found


def _end_of(pattern: re.Pattern[str], value: str, at: int) -> int:
    match = pattern.match(value, at)
    return match.end() if match else at


def _milter(text: str) -> _Milter:
    """An address, and behind it in braces its own options, such as ``{ inet:host:port, default_action = accept }``."""
    address, *_ = [*filter(None, re.split(r"[\s,]+", text)), ""]
    options = dict(_OPTION.findall(text.replace(",", " ")))
    return _Milter(address.replace("inet:localhost:", "inet:127.0.0.1:"), options.get("default_action", ""))


def _timeout(name: str, least: str, why: str) -> Line:
    return Line(name=name, value=least, fits=lambda value: _seconds(value) >= _seconds(least), why=why)


def _seconds(value: str) -> int:
    match = _TIME.fullmatch(value)
    return int(match[1]) * _SECONDS[match[2]] if match else 0
