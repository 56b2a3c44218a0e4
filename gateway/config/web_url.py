"""The address of a page of ours as its users see it: https, or plain on this machine alone."""

from typing import Final
from urllib.parse import urlsplit

from gateway.config.page import Page

_HERE: Final = frozenset({"127.0.0.1", "::1", "localhost"})


def read_url(page: Page, key: str, text: str, example: str) -> str:
    """Without the slash at its end; a problem if it is none."""
    try:
        parts = urlsplit(text)
        secure = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _HERE)
        plain = bool(parts.hostname) and not (parts.query or parts.fragment or "@" in parts.netloc)
    except ValueError:
        secure = plain = False
    if not (secure and plain and text.isascii() and text.isprintable() and " " not in text):
        page.problem(key, f"this is where people reach the page, such as {example}")
    return text.rstrip("/")
