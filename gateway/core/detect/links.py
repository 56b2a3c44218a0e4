"""The detector of links to certain hosts in what the sender wrote (M14): addresses in text, and behind HTML's links.

The host is read as a browser does: what stands before ``@`` is no host, a backslash is a slash, names beyond ASCII
become A-labels. Outlook's SafeLinks are unwrapped; other wrappers, and services that shorten addresses, are not.
"""

import re
from collections.abc import Iterator
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
        return f"the text has a link to {' or '.join(group.label for group in self.to)}"

    def detect(self, scan: Scan) -> bool:
        hosts = {host for line in own_lines(scan, DEFAULT_TEXT) for host in linked_hosts(line)}
        return any(_is_in(host, self.to) and not _is_in(host, self.exempt) for host in hosts)

    @property
    def text_bytes(self) -> int:
        return DEFAULT_TEXT


def linked_hosts(line: Line) -> Iterator[str]:
    """The hosts that the line leads to, as lower-case A-labels."""
    for link in line.links:
        yield from _host(link.strip())
    for match in _IN_TEXT.finditer(line.text):
        link = match.group()
        yield from _host(link if link[:4].lower() != "www." else f"http://{link}")


def _host(link: str, depth: int = 0) -> Iterator[str]:
    """The link's host; of one that is only a wrapper, that of the link inside."""
    link = link[:_LONGEST].translate(_UNSEEN)
    scheme = _SCHEME.match(link)
    if scheme is None:
        return
    authority = _AUTHORITY_ENDS.split(link[scheme.end() :], maxsplit=1)[0]
    name = unquote(_PORT.sub("", authority.rpartition("@")[2])).rstrip(_TRAILING)
    try:
        host = parse_domain(name)
    except BadAddress:
        return
    wrapped = _WRAPPED.search(link) if host.endswith(_SAFELINKS) and depth < _MOST_WRAPPERS else None
    if wrapped is None:
        yield host
    else:
        yield from _host(unquote(wrapped[1]), depth + 1)


def _is_in(host: str, groups: tuple[Group, ...]) -> bool:
    bare = host.removeprefix("www.")
    return any(host in group.domains or bare in group.domains for group in groups)


def _hosts(groups: tuple[Group, ...]) -> list[str]:
    below = {f"*.{name}" for group in groups for name in group.domains.below}
    return sorted(below.union(*(group.domains.exact for group in groups)))
