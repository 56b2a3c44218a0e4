"""Certificates in a folder, one in a file (PEM or DER), found by the addresses in them or by the file's name.

``bob@partner.example.pem`` is for that address whatever it says inside and for no other, ``@partner.example.pem`` for a
whole domain. What stands inside was written by whoever made the certificate: in a file of any other name it counts only
where an authority vouches for it. Left out on purpose: folders inside the folder, and certificates behind the first one
of a file, which are authorities'.
"""

import asyncio
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.core.address import Address, BadAddress, parse_address, parse_domain
from gateway.sealed.cms.certificates import MAX_SIZE, UNREADABLE, names, parse
from gateway.sealed.recipients.found import Found
from gateway.sealed.recipients.watched import Watched, read_limited

_ENDINGS: Final = (".pem", ".crt", ".cer", ".der")
_MOST_FILES: Final = 5000
"""All are looked at for each message, and kept in memory; more people than that have a directory."""
_MOST_BYTES: Final = 4 * MAX_SIZE
_PEM: Final = re.compile(rb"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")


class Folder:
    """``believed`` says that an administrator fills it."""

    def __init__(self, path: Path, *, believed: bool) -> None:
        self._files = Watched(path, _ENDINGS, _MOST_FILES, _index)
        self._believed = believed

    async def find(self, address: Address) -> Sequence[Found]:
        """Those of the address, then those of its domain, if an administrator says so. Raises LookupFailed."""
        index = await asyncio.to_thread(self._files.get)
        own, shared = str(address), f"@{address.domain}"
        return [
            *(Found(one.der, own, self._believed and one.is_named) for one in index.get(address.key, ())),
            *(Found(one.der, shared, self._believed) for one in index.get(shared, ()) if self._believed),
        ]


@dataclass(frozen=True, slots=True)
class _Certificate:
    """``is_named`` says that the file's name tells whose it is."""

    der: bytes
    is_named: bool


def _index(paths: Iterable[Path]) -> Mapping[str, tuple[_Certificate, ...]]:
    """By `Address.key` or ``@domain`` the certificates for it."""
    found = dict[str, tuple[_Certificate, ...]]()
    for path in paths:
        der = _first(read_limited(path, _MOST_BYTES))
        named = frozenset(_named(path))
        for name in named or _inside(der):
            found[name] = (*found.get(name, ()), _Certificate(der, bool(named)))
    return found


def _first(data: bytes) -> bytes:
    """The DER form; of something else whatever it is, which can then not be read."""
    match = _PEM.search(data)
    try:
        return binascii.a2b_base64(match[1]) if match else data
    except binascii.Error:
        return data


def _named(path: Path) -> Iterator[str]:
    """What the file's name says, if it is an address or a domain."""
    local, at, domain = path.stem.rpartition("@")
    try:
        if at:
            yield parse_address(path.stem).key if local else f"@{parse_domain(domain)}"
    except BadAddress:
        return


def _inside(der: bytes) -> frozenset[str]:
    try:
        return names(parse(der))
    except UNREADABLE:
        return frozenset()
