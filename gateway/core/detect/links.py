"""The detector of links to certain hosts in what the sender wrote (M14): addresses in text, and behind HTML's links.

The host is read as a browser does: what stands before ``@`` is no host, a backslash is a slash, names beyond ASCII
become A-labels. Outlook's SafeLinks are unwrapped; other wrappers, and services that shorten addresses, are not. Of
names beyond ASCII the first 500 different ones of a message are looked at, because each takes a while to read.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote

from gateway.core.address import BadAddress, parse_domain
from gateway.core.detect.base import DEFAULT_TEXT, Detector
from gateway.core.detect.html import Line
from gateway.core.detect.keys import key
from gateway.core.detect.own import own_lines
from gateway.core.domains import Group
from gateway.core.facts import Scan

_LONGEST: Final = 4096
_IN_TEXT = re.compile(rf"(?:\bhttps?:[/\\]{{1,8}}|\bwww\.)[^\s<>\"]{{1,{_LONGEST}}}+", re.IGNORECASE)
_SCHEME = re.compile(r"(?:https?:)?[/\\]{2,8}|https?:[/\\]?", re.IGNORECASE)
_AUTHORITY_ENDS = re.compile(r"[/\\?#]")
_PORT = re.compile(r":[0-9]{0,5}\Z")
# Browsers leave these out wherever they stand (WHATWG URL, 4.4).
_UNSEEN: Final = str.maketrans("", "", "\t\r\n")
_TRAILING: Final = "/.,;:!?'\")]}>*"
_SAFELINKS: Final = ".safelinks.protection.outlook.com"
_WRAPPED = re.compile(r"[?&]url=([^&#]+)", re.IGNORECASE)
_MOST_WRAPPERS: Final = 3
MOST_FOREIGN: Final = 500
"""Different names beyond ASCII that are read in one message."""


@dataclass(frozen=True, slots=True)
class LinksTo(Detector):
    """A link leads to a host of ``to`` that is none of ``exempt``; ``www.`` before a name tells nothing."""

    to: tuple[Group, ...]
    exempt: tuple[Group, ...] = ()
    _id: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_id", key("links", {"to": _hosts(self.to), "except": _hosts(self.exempt)}))

    @property
    def id(self) -> str:
        return self._id

    @property
    def label(self) -> str:
        return f"the text links to {' or '.join(group.words for group in self.to)}"

    def detect(self, scan: Scan) -> bool:
        hosts = linked_hosts(own_lines(scan, DEFAULT_TEXT))
        return any(_is_in(host, self.to) and not _is_in(host, self.exempt) for host in hosts)

    @property
    def text_bytes(self) -> int:
        return DEFAULT_TEXT


def linked_hosts(lines: Iterable[Line]) -> set[str]:
    """The hosts that the lines lead to, as lower-case A-labels."""
    foreign: dict[str, str] = {}
    return {host for line in lines for link in _links(line) if (host := _host(link, foreign))}


def _links(line: Line) -> Iterator[str]:
    for link in line.links:
        yield link.strip()
    for match in _IN_TEXT.finditer(line.text):
        link = match.group()
        yield link if link[:4].lower() != "www." else f"http://{link}"


def _domain(name: str, foreign: dict[str, str]) -> str:
    """Nothing, which is no domain, if it cannot be read. ``foreign`` holds the names beyond ASCII that were read."""
    if name in foreign:
        return foreign[name]
    if len(foreign) == MOST_FOREIGN and not name.isascii():
        return ""
    try:
        host = parse_domain(name)
    except BadAddress:
        host = ""
    if not name.isascii():
        foreign[name] = host
    return host


def _host(link: str, foreign: dict[str, str], depth: int = 0) -> str:
    """The link's host; of one that is only a wrapper, that of the link inside. Nothing if there is none."""
    link = link[:_LONGEST].translate(_UNSEEN)
    scheme = _SCHEME.match(link)
    if scheme is None:
        return ""
    authority = _AUTHORITY_ENDS.split(link[scheme.end() :], maxsplit=1)[0]
    host = _domain(unquote(_PORT.sub("", authority.rpartition("@")[2])).rstrip(_TRAILING), foreign)
    wrapped = _WRAPPED.search(link) if host.endswith(_SAFELINKS) and depth < _MOST_WRAPPERS else None
    return host if wrapped is None else _host(unquote(wrapped[1]), foreign, depth + 1)


def _is_in(host: str, groups: tuple[Group, ...]) -> bool:
    bare = host.removeprefix("www.")
    return any(host in group.domains or bare in group.domains for group in groups)


def _hosts(groups: tuple[Group, ...]) -> list[str]:
    below = {f"*.{name}" for group in groups for name in group.domains.below}
    return sorted(below.union(*(group.domains.exact for group in groups)))
