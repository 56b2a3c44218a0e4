"""A next hop as Postfix names it (transport(5)): ``domain``, ``domain:port``, ``[host]``, ``[host]:port``.

Left out on purpose: services by other names than those of mail, and paths of sockets, which only LMTP has.
"""

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address
from typing import Final

from gateway.core.address import BadAddress, parse_domain

_FORM: Final = re.compile(r"(?:\[([^\[\]]{1,300})\]|([^\[\]:]{1,300}))(?::([a-z0-9]{1,12}))?")
_SERVICES: Final = {"smtp": 25, "submission": 587}


class BadNextHop(ValueError):
    """The text is no next hop; the reason is one clause and repeats nothing of it."""


@dataclass(frozen=True, slots=True)
class NextHop:
    """``name`` is a domain as lower-case A-labels, or an address literal, which is always ``exact``.

    ``exact``: the host itself, where a domain's MX records are asked otherwise. ``port`` None is the usual one.
    """

    name: str
    exact: bool = False
    port: int | None = None

    def __str__(self) -> str:
        name = f"[{self.name}]" if self.exact and not self.name.startswith("[") else self.name
        return name if self.port is None else f"{name}:{self.port}"


def parse_next_hop(text: str) -> NextHop:
    """Reads one. Raises BadNextHop."""
    form = _FORM.fullmatch(text)
    if form is None:
        raise BadNextHop("it has not the form of a next hop")
    try:
        name = _host(form[1]) if form[1] else parse_domain(form[2])
    except BadAddress as error:
        raise BadNextHop(str(error)) from None
    return NextHop(name, exact=bool(form[1]), port=_port(form[3]))


def _host(text: str) -> str:
    """What stood in brackets: an address, with or without ``ipv6:``, or a name."""
    try:
        return f"[IPv6:{IPv6Address(text).compressed}]" if "%" not in text else parse_domain(text)
    except AddressValueError:
        pass
    try:
        return parse_domain(f"[{text}]")
    except BadAddress:
        return parse_domain(text)


def _port(text: str | None) -> int | None:
    if text is None:
        return None
    if text in _SERVICES:
        return _SERVICES[text]
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise BadNextHop("it has a port that does not exist")
    return int(text)
