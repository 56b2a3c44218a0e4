"""What a Postfix needs in its main.cf whose own deliveries keep to our floors, and what is wrong with what it has.

Only what bears on protection and on not losing mail. Left out on purpose: master.cf, whose services may override all
of it, and reading a Postfix's settings, which `cli.postfix_settings` does. `postfix_milters` has what a milter needs.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from gateway.config.page import Page

POLICY_TABLE: Final = "socketmap:inet:127.0.0.1:8892:tls"
"""`sealpost tls policy-server` where it listens by default; another address is as good."""

_OURS: Final = re.compile(r"socketmap:(?:inet:[^\s,]+|unix:[^\s,]+):tls")
_LEVELS: Final = ("may", "encrypt", "dane")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of main.cf. ``fits`` says whether another value will do too; ``why`` is what becomes of one that won't.

    ``since`` is the version of Postfix that has the parameter first, where that is a late one; ``instead`` is another
    parameter, whose value will do as well. One without a ``value`` is best left out.
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
        else Line(name="smtp_tls_CAfile", value=str(ca), fits=equals(str(ca)), why="[tls] ca names other authorities")
    )
    dnssec = Line(
        name="smtp_dns_support_level",
        value="dnssec",
        fits=equals("dnssec"),
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
            fits=equals("sha256"),
            why="mail for partners whose keys are pinned waits: their fingerprints are SHA-256",
        ),
        Line(
            name="tls_required_enable",
            value="no",
            fits=equals("no"),
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
            wanted = f", and should be `{line.value}`" if line.value else ""
            page.warning(line.name, f"{is_now}{wanted}: {line.why}")


def equals(wanted: str) -> Callable[[str], bool]:
    """No other value will do."""
    return lambda value: value == wanted


def _asks_first(value: str) -> bool:
    first = re.split(r"[\s,]+", value.strip())[0].removeprefix("proxy:")
    return _OURS.fullmatch(first) is not None
