"""What the pages are told by the configuration."""

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class PageOptions:
    """``[listen.portal]``, and what of ``[portal]`` is about pages. ``url`` is without a slash at its end.

    Without ``certificate`` a proxy speaks TLS; from ``proxies`` alone is X-Forwarded-For believed. ``scanner`` is what
    looks at files in replies, ``languages`` a folder of catalogues.
    """

    host: str
    port: int
    url: str
    certificate: Path | None
    private_key: Path | None
    proxies: tuple[IPv4Network | IPv6Network, ...]
    logo: Path | None
    scanner: str | None
    languages: Path | None

    @property
    def origin(self) -> str:
        """What a browser calls the place that a form came from."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}".lower()
