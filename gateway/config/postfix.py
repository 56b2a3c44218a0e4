"""What a Postfix in front of the gateway needs in its main.cf, and what is wrong with the values that it has.

Only what bears on protection and on not losing mail. Left out on purpose: master.cf, whose services may override all
of it, and reading a Postfix's settings, which `cli.postfix_settings` does.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Final, Literal

from gateway.config.page import Page
from gateway.config.units import parse_endpoint

POLICY_TABLE: Final = "socketmap:inet:127.0.0.1:8892:tls"
"""`sealpost tls policy-server` where it listens by default; another address is as good."""

_OURS: Final = re.compile(r"socketmap:(?:inet:[^\s,]+|unix:[^\s,]+):tls")
_TIME: Final = re.compile(r"([0-9]{1,9})([smhdw]?)")
_SECONDS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_LEVELS: Final = ("may", "encrypt", "dane")
_UNIX: Final = "unix:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of main.cf. ``fits`` says whether another value will do too; ``why`` is what becomes of one that won't.

    ``since`` is the version of Postfix that has the parameter first, where that is a late one; ``instead`` is another
    parameter, whose value will do as well.
    """

    name: str
    value: str
    fits: Callable[[str], bool]
    why: str
    since: str = ""
    instead: str = ""

    def __str__(self) -> str:
        late = f"# Postfix {self.since} and later: " if self.since else ""
        return f"{late}{self.name} = {self.value}"


_NO_DELAY: Final = Line(
    name="in_flow_delay",
    value="0",
    fits=lambda value: _seconds(value) == 0,
    why="Postfix holds up mail that comes in faster than its queue sends, and what the gateway takes over never reaches"
    " that queue: each such message waits a second",
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

    def asks_us(value: str) -> bool:
        return any(one in value for one in ours)

    return (
        Line(name="smtpd_milters", value=ours[0], fits=asks_us, why="its mail passes the gateway by"),
        Line(
            name="non_smtpd_milters",
            value=ours[0],
            fits=asks_us,
            why="mail of that machine's own programs (sendmail) passes the gateway by",
        ),
        Line(
            name="milter_default_action",
            value="tempfail",
            fits=_is("tempfail"),
            why="while the gateway does not answer, mail would leave unjudged (`accept`) or be lost",
        ),
        Line(name="milter_protocol", value="6", fits=_is("6"), why="the gateway speaks version 6"),
        _timeout("milter_command_timeout", "30s", "a lookup for a recipient may take so long"),
        _timeout("milter_content_timeout", "300s", "a large message is scanned and stored before it is answered"),
        *((_NO_DELAY,) if takes else ()),
    )


def tls_lines(ca: Path | Literal["system"], *, dane: bool) -> tuple[Line, ...]:
    """For a Postfix that delivers by itself and asks the policy server. ``ca`` and ``dane`` are what we believe."""
    trust = (
        Line(
            name="smtp_tls_CApath",
            value="/etc/ssl/certs",
            fits=bool,
            why="mail waits where a certificate has to be checked: Postfix believes no authority",
            instead="smtp_tls_CAfile",
        )
        if ca == "system"
        else Line(name="smtp_tls_CAfile", value=str(ca), fits=_is(str(ca)), why="[tls] ca names other authorities")
    )
    dnssec = Line(
        name="smtp_dns_support_level",
        value="dnssec",
        fits=_is("dnssec"),
        why="mail for domains with DANE waits: Postfix does not ask for signed answers",
    )
    return (
        Line(
            name="smtp_tls_policy_maps",
            value=POLICY_TABLE,
            fits=_asks_first,
            why="the policy server is not the first table, so what Postfix delivers itself keeps to no floor of ours",
        ),
        Line(
            name="smtp_tls_security_level",
            value="dane" if dane else "may",
            fits=lambda value: value in _LEVELS,
            why="where nothing is demanded this holds: without a level there is no TLS, and an entry of the policy"
            " server may ask for less than a level above `encrypt`",
        ),
        *((dnssec,) if dane else ()),
        trust,
        Line(
            name="smtp_tls_fingerprint_digest",
            value="sha256",
            fits=_is("sha256"),
            why="mail for partners whose keys are pinned waits: their fingerprints are SHA-256",
        ),
        Line(
            name="tls_required_enable",
            value="no",
            fits=_is("no"),
            why="a message's own `TLS-Required: no` sets aside every floor",
            since="3.10",
        ),
    )


def parameters(lines: Sequence[Line]) -> tuple[str, ...]:
    """The names that `compare` needs the values of."""
    return tuple(name for line in lines for name in (line.name, line.instead) if name)


def compare(page: Page, lines: Sequence[Line], found: Mapping[str, str]) -> None:
    """A warning for each value that will not do; a parameter that this Postfix does not know is left out."""
    for line in lines:
        value = found.get(line.name)
        if value is not None and not line.fits(value) and not found.get(line.instead):
            is_now = f"this is `{value}`" if value else "this is empty"
            page.warning(line.name, f"{is_now}, and should be `{line.value}`: {line.why}")


def _is(wanted: str) -> Callable[[str], bool]:
    return lambda value: value == wanted


def _timeout(name: str, least: str, why: str) -> Line:
    return Line(name=name, value=least, fits=lambda value: _seconds(value) >= _seconds(least), why=why)


def _seconds(value: str) -> int:
    match = _TIME.fullmatch(value)
    return int(match[1]) * _SECONDS[match[2]] if match else 0


def _asks_first(value: str) -> bool:
    first = re.split(r"[\s,]+", value.strip())[0].removeprefix("proxy:")
    return _OURS.fullmatch(first) is not None
