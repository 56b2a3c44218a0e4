"""What the page is told by the configuration."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskOptions:
    """``[listen.desk]``. People are `Address.key`s: ``releasers`` by role, and ``readers``, who may see the content.

    ``user_header`` names the person who is signed in, and is believed from ``proxies`` alone. ``url`` is without a
    slash at its end.
    """

    host: str
    port: int
    url: str
    proxies: tuple[IPv4Network | IPv6Network, ...]
    user_header: str
    releasers: Mapping[str, frozenset[str]]
    readers: frozenset[str]

    @property
    def origin(self) -> str:
        """What a browser calls the place that a form came from."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}".lower()

    def may_decide(self, user: str, role: str) -> bool:
        """Whether the person is one of the role's."""
        return user in self.releasers.get(role, frozenset())
