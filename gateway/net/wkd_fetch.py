"""Asks a mail domain for somebody's OpenPGP key: the Web Key Directory (draft-koch-openpgp-webkey-service section 3.1).

Whoever mail goes to names the host, so it is asked as `net.https_get` does. What is certain, a key or that there is
none, is told apart from what cannot be told now. Left out on purpose: whether a key can be used, and submitting keys.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeAlias

from gateway.core.address import Address
from gateway.flow.ports import Clock
from gateway.net.answers import Unresolvable
from gateway.net.cache import Remembered
from gateway.net.destination import IpNetwork
from gateway.net.dns import Resolver
from gateway.net.https_get import HTTPS, HttpsGet, NotGot, Wanted, Why
from gateway.net.tls import Authorities

KEPT: Final = timedelta(days=1)
"""How long a key that was found is not asked for again."""
ABSENT_KEPT: Final = timedelta(hours=1)
FAILURE_KEPT: Final = timedelta(minutes=5)
"""A domain whose web server is down is spared while a queue of mail waits for it."""
MOST_KEPT: Final = 256
"""Answers of one route that are kept, each of at most `MAX_KEYS` bytes."""
MAX_KEYS: Final = 128 * 1024
"""Bytes of one answer; a key with the signatures of many people has some fifty thousand."""

# Servers send several types for it, and some none; what is no key is found out when it is read.
_KEYS: Final = Wanted(name="key", type=None, most=MAX_KEYS)
_WELL_KNOWN: Final = "/.well-known/openpgpkey"
_ZBASE32: Final = "ybndrfg8ejkmcpqxot1uwisza345h769"
_SERVER_ERROR: Final = 500
# RFC 9110 section 15.5.9, RFC 8470 section 5.2, RFC 6585 section 4: ask again later.
_LATER: Final = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class Absent:
    """The domain publishes no key for that address, for certain."""


@dataclass(frozen=True, slots=True)
class NotTold:
    """Whether there is one cannot be told now; ``reason`` is a clause."""

    reason: str


Looked: TypeAlias = bytes | Absent | NotTold


@dataclass(frozen=True, slots=True)
class Place:
    """A host and the path of the key there."""

    host: str
    path: str


class WkdFetch:
    """Looks keys up, each once at a time, and keeps what came of it.

    Raises:
        ValueError: the authorities cannot be loaded.
    """

    def __init__(
        self,
        resolver: Resolver,
        ca: Authorities,
        clock: Clock,
        allow_networks: Sequence[IpNetwork] = (),
        port: int = HTTPS,
    ) -> None:
        self._resolver = resolver
        self._https = HttpsGet(_KEYS, resolver, ca, allow_networks, port)
        self._kept: Remembered[Address, Looked] = Remembered(clock, MOST_KEPT)

    async def __call__(self, address: Address) -> Looked:
        """The file with that person's keys, as it was published; every failure is a value."""
        return await self._kept.get(address, lambda: self._ask(address))

    async def aclose(self) -> None:
        """Ends what is going on."""
        await self._https.aclose()

    async def _ask(self, address: Address) -> tuple[Looked, timedelta]:
        looked = Absent() if address.domain.startswith("[") else await self._look(address)
        match looked:
            case bytes():
                return looked, KEPT
            case Absent():
                return looked, ABSENT_KEPT
            case NotTold():
                return looked, FAILURE_KEPT

    async def _look(self, address: Address) -> Looked:
        """Only where the host of the one method does not exist is the other one's asked."""
        for place in places(address):
            found = await self._resolver.addresses(place.host)
            if isinstance(found, Unresolvable):
                return NotTold(found.reason)
            if found.v4 or found.v6:
                return _meaning(await self._https.get(place.host, place.path, {"l": address.local}))
        return Absent()


def places(address: Address) -> tuple[Place, Place]:
    """Where the key is by the advanced method, and by the direct one."""
    name = hashed(address.local)
    advanced = f"{_WELL_KNOWN}/{address.domain}/hu/{name}"
    return Place(f"openpgpkey.{address.domain}", advanced), Place(address.domain, f"{_WELL_KNOWN}/hu/{name}")


def hashed(local: str) -> str:
    """The SHA-1 of the local part, whose ASCII letters are made small, in z-base-32 (RFC 6189 section 5.1.6)."""
    lower = "".join(char.lower() if char.isascii() else char for char in local)
    # A name for a file, not a protection of anything.
    digest = int.from_bytes(hashlib.sha1(lower.encode(), usedforsecurity=False).digest())
    return "".join(_ZBASE32[digest >> shift & 31] for shift in range(155, -1, -5))


def _meaning(got: bytes | NotGot) -> Looked:
    if isinstance(got, bytes):
        return got
    match got.why:
        case Why.STATUS:
            later = got.status >= _SERVER_ERROR or got.status in _LATER
            return NotTold(got.reason) if later else Absent()
        case Why.UNFIT:
            return Absent()
        case Why.UNREACHED | Why.CERTIFICATE:
            return NotTold(got.reason)
