"""Values that stand in files of their own: ``file:name``, relative to the configuration, never printed."""

from dataclasses import dataclass
from typing import Final

from gateway.config.bundle import Bundle
from gateway.config.page import Page
from gateway.config.units import ENVIRONMENT, FILE
from gateway.sealed.keys import Keyring

HOP_KEY_BYTES: Final = 16
"""The shortest hop key: 128 bits, the strength that HMAC-SHA256's use here asks for (RFC 2104 section 3)."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """The bundle's secret files; one that is missing is a problem of the key that names it."""

    page: Page
    bundle: Bundle

    def text(self, value: str, key: str) -> bytes:
        """A value that is either literal or in a file, where the line end behind it does not count; never empty."""
        data = self._file(value, key) if value.startswith(FILE) else value.encode()
        if data is not None and not data.rstrip(b"\r\n"):
            self.page.problem(key, "an empty value proves nothing")
        return (data or b"").rstrip(b"\r\n")

    def hop_key(self, value: str, key: str) -> bytes:
        """The key of the hop header: all bytes of the file; short ones are refused."""
        data = self._file(value, key)
        if data is not None and len(data) < HOP_KEY_BYTES:
            self.page.problem(
                key, f"the key has {len(data)} bytes, it needs {HOP_KEY_BYTES}; `sealpost certs` makes one"
            )
        return data or b""

    def sealing_keys(self, value: str | None, key: str) -> Keyring | None:
        """Named keys, of which the first seals and all open; None without any, and for bad ones."""
        data = self._file(value, key) if value is not None else None
        if data is None:
            return None
        try:
            return Keyring.parse(data)
        except ValueError as exc:
            self.page.problem(key, f"{exc}; `sealpost certs` makes a key")
            return None

    def _file(self, value: str, key: str) -> bytes | None:
        """All bytes of the file, or of the variable; None, and a problem, if it is not there."""
        name = value.removeprefix(FILE)
        if name not in self.bundle.secrets:
            reason = self.bundle.unreadable.get(name, "No such file or directory")
            what = "" if name.startswith(ENVIRONMENT) else "the file "
            self.page.problem(key, f"{what}`{name}` cannot be read: {reason}")
        return self.bundle.secrets.get(name)
