"""The OpenPGP keys of recipients, from a folder that the administrator keeps (RFC 9580).

A key is found by the address in one of its user ids. The folder is read again when a file in it has changed. Left out
on purpose: key servers and WKD, because nothing there says who put a key in.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from pysequoia import Cert

from gateway.core.address import Address, BadAddress, parse_address

_ENDINGS: Final = frozenset({".asc", ".pgp", ".gpg", ".key"})
_MOST_FILES: Final = 10_000
_LARGEST: Final = 1024 * 1024
_ADDRESS: Final = re.compile(r"<([^<>]+)>\s*$")


@dataclass(frozen=True, slots=True)
class NoKey:
    """Why nobody can be written to with OpenPGP; one sentence."""

    reason: str


class KeyFolder:
    """Blocks; call it in a thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: Mapping[Path, int] = {}
        self._certs: dict[str, list[Cert]] = {}

    def find(self, address: Address, now: datetime) -> Cert | NoKey:
        """The usable key of that address that lives longest. Raises OSError."""
        self._look()
        found = self._certs.get(address.key, [])
        usable = [cert for cert in found if not cert.is_revoked and (cert.expiration is None or cert.expiration > now)]
        if usable:
            return max(usable, key=lambda cert: cert.expiration or datetime.max.replace(tzinfo=now.tzinfo))
        if found:
            return NoKey(f"The OpenPGP key of {address} has expired or was revoked.")
        return NoKey(f"There is no OpenPGP key of {address}.")

    def _look(self) -> None:
        paths = [path for path in sorted(self._folder.iterdir()) if path.suffix.lower() in _ENDINGS][:_MOST_FILES]
        seen = {path: path.stat().st_mtime_ns for path in paths if path.stat().st_size <= _LARGEST}
        if seen == self._seen:
            return
        certs: dict[str, list[Cert]] = {}
        for path in seen:
            for cert in _read(path):
                for name in _addresses(cert):
                    certs.setdefault(name, []).append(cert)
        self._seen, self._certs = seen, certs


def _read(path: Path) -> list[Cert]:
    """A file that holds no keys has none; the others are found all the same."""
    try:
        return Cert.split_bytes(path.read_bytes())
    except (ValueError, RuntimeError):
        return []


def _addresses(cert: Cert) -> Iterable[str]:
    for user_id in cert.user_ids:
        text = str(user_id)
        match = _ADDRESS.search(text)
        try:
            yield parse_address(match[1] if match else text.strip()).key
        except BadAddress:
            continue
