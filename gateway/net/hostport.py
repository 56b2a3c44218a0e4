"""``host``, ``host:port``, ``[v6]:port`` or a bare IPv6 address, as settings name a server (RFC 3986 section 3.2.2)."""

import re

_FORM = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:\[\]]+))(?::([0-9]{1,5}))?")
_BARE_V6 = re.compile(r"[0-9A-Fa-f.]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*")


def split_port(text: str, default: int) -> tuple[str, int]:
    """The host without brackets, not looked at any further, and the port.

    Raises:
        ValueError: another form, or a port that does not exist; one sentence.
    """
    if _BARE_V6.fullmatch(text):
        return text, default
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not of the form host:port")
    port = int(match[3] or default)
    if not 0 < port < 65536:
        raise ValueError(f"{text!r} has a port that does not exist")
    return match[1] or match[2], port
