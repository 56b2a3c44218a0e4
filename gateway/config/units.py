"""The small grammars of a configuration: durations, sizes, networks, endpoints, secrets.

Each is a function that raises ValueError with one sentence, and a pydantic type that uses it.
"""

import re
from datetime import UTC, date, datetime, time, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Final, TypeAlias

from pydantic import AfterValidator, BeforeValidator

from gateway.core.address import BadAddress, parse_domain
from gateway.core.sizes import parse_size
from gateway.listeners.options import Network

_DURATION: Final = re.compile(r"(\d{1,6})(s|m|h|d)", re.ASCII)
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_ENDPOINT: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\s\[\]]+)):(\d{1,5})", re.ASCII)
FILE: Final = "file:"
ENVIRONMENT: Final = "env:"
UNIX: Final = "unix:"


def parse_duration(value: object) -> timedelta:
    """``48h``, ``5m``, ``3d``, ``5s``."""
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("a duration is a whole number and one of s, m, h, d, such as 48h")
    return timedelta(seconds=int(match[1]) * _SECONDS[match[2]])


def read_size(value: object) -> int:
    """A size with its unit; a bare number is refused, because nobody sees its unit."""
    if not isinstance(value, str):
        raise ValueError('a size is a text with its unit, such as "13MiB"')
    return parse_size(value)


def parse_network(value: object) -> Network:
    """An address or a network in CIDR notation."""
    if not isinstance(value, str):
        raise ValueError("a network is a text such as 10.0.0.0/8")
    try:
        return ip_network(value)
    except ValueError as exc:
        raise ValueError(f"`{value}` is not a network: {exc}") from exc


def parse_endpoint(text: str) -> tuple[str, int]:
    """``10.1.2.3:25``, ``[::]:25`` or ``host.example:25``; the port 0 lets the system choose."""
    match = _ENDPOINT.fullmatch(text)
    if match is None or int(match[3]) > 65535:
        raise ValueError("an address is host:port, with an IPv6 host in square brackets, such as [::]:25")
    return match[1] or match[2], int(match[3])


def parse_milter(text: str) -> tuple[str, int] | Path:
    """An endpoint, or ``unix:/run/sealpost/milter``."""
    if not text.startswith(UNIX):
        return parse_endpoint(text)
    path = text.removeprefix(UNIX)
    # Linux takes 107 bytes and the zero behind them (unix(7)).
    if not path.startswith("/") or "\0" in path or len(path.encode()) > 107:
        raise ValueError("a local socket is unix: and its path from the root, of 107 bytes at most")
    return Path(path)


def parse_spool(url: str) -> Path:
    """``sqlite:///var/spool/x`` is absolute; ``sqlite:x`` lies beside the configuration."""
    scheme, _, path = url.partition(":")
    path = path.removeprefix("//")
    if scheme != "sqlite" or not path:
        raise ValueError("a spool is sqlite: and a folder, such as sqlite:///var/spool/sealpost")
    return Path(path)


def parse_until(value: object) -> datetime:
    """A date, up to and including that day (UTC), or a time with its offset."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("a time needs its offset, such as 2026-12-31T18:00:00Z")
        return value
    if not isinstance(value, date):
        raise ValueError("this is a date such as 2026-12-31, or a time such as 2026-12-31T18:00:00Z, without quotes")
    return datetime.combine(value, time.max, UTC)


def _one_or_more(value: object) -> object:
    """One text is a list of one."""
    return [value] if isinstance(value, str) else value


def _secret(text: str) -> str:
    if not text.startswith(FILE) or text == FILE:
        raise ValueError('a secret stands in a file of its own: "file:certs/name"')
    return text


def _sealing_secret(text: str) -> str:
    if text.startswith(ENVIRONMENT) and text != ENVIRONMENT:
        return text
    return _secret(text)


def _line(text: str) -> str:
    """Replies and reports repeat it, where a line end would begin another line."""
    if not text.strip() or not text.isprintable():
        raise ValueError("this is one line of text, without tabs or line ends")
    return text


def _hostname(text: str) -> str:
    try:
        return parse_domain(text)
    except BadAddress as exc:
        raise ValueError(str(exc)) from exc


Duration: TypeAlias = Annotated[timedelta, BeforeValidator(parse_duration)]
Size: TypeAlias = Annotated[int, BeforeValidator(read_size)]
NetworkField: TypeAlias = Annotated[Network, BeforeValidator(parse_network)]
Endpoint: TypeAlias = Annotated[str, AfterValidator(lambda text: (parse_endpoint(text), text)[1])]
MilterEndpoint: TypeAlias = Annotated[str, AfterValidator(lambda text: (parse_milter(text), text)[1])]
SpoolUrl: TypeAlias = Annotated[str, AfterValidator(lambda url: (parse_spool(url), url)[1])]
Hostname: TypeAlias = Annotated[str, AfterValidator(_hostname)]
Secret: TypeAlias = Annotated[str, AfterValidator(_secret)]
SealingSecret: TypeAlias = Annotated[str, AfterValidator(_sealing_secret)]
Line: TypeAlias = Annotated[str, AfterValidator(_line)]
Until: TypeAlias = Annotated[datetime, BeforeValidator(parse_until, json_schema_input_type=date | datetime)]
OneOrMore: TypeAlias = Annotated[list[str], BeforeValidator(_one_or_more, json_schema_input_type=str | list[str])]
