"""The OpenPGP keys of recipients: found by the file's name or the address in their user ids, and judged (RFC 9580).

``bob@partner.example.asc`` is for that address and no other, and wins over all others. Anybody can write any user id
into a key of their own: in a file of any other name it counts only if it is the only one, and no other key has it.

Which part of a key encrypts, and whether its signatures hold, Sequoia says; what it lets pass all the same is looked at
here. Everything blocks. Left out on purpose: key servers, and a web of trust.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum, auto
from pathlib import Path
from typing import Final, TypeAlias

from pysequoia import Cert, encrypt
from pysequoia.packet import Packet, PacketPile, PublicKeyAlgorithm, SignatureType, Tag

from gateway.core.address import Address, BadAddress, parse_address
from gateway.sealed.recipients.watched import Watched, read_limited

_ENDINGS: Final = (".asc", ".pgp", ".gpg", ".key")
_MOST_FILES: Final = 10_000
_LARGEST: Final = 1024 * 1024
_MOST_KEYS: Final = 20
"""Keys of one person that are looked at."""
_ADDRESS: Final = re.compile(r"<([^<>]+)>\s*$")
_BROKEN: Final = (RuntimeError, ValueError)
"""What Sequoia raises; its text has a trace of its own code in it, and is not repeated."""
_OLD: Final = (PublicKeyAlgorithm.DSA, PublicKeyAlgorithm.ElGamalEncrypt, PublicKeyAlgorithm.ElGamalEncryptSign)
_MOST_REASONS: Final = 3
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
_V3: Final = 3


@dataclass(frozen=True, slots=True)
class Usable:
    """A key that a message can be encrypted for. ``key`` is its binary form; ``until`` None is for ever."""

    key: bytes = field(repr=False)
    fingerprint: str
    until: datetime | None


@dataclass(frozen=True, slots=True)
class NoKey:
    """Why somebody cannot be written to with OpenPGP; one sentence."""

    reason: str


@dataclass(frozen=True, slots=True)
class _Unusable:
    """Why a key is not used; a clause."""

    reason: str


Choice: TypeAlias = Usable | NoKey
"""For one recipient."""


class Claim(Enum):
    """Who says whose a key is."""

    NAMED = auto()
    """The name of its file, or the domain that publishes it."""
    ALONE = auto()
    """Only the key itself, and it names nobody else."""
    AMONG_OTHERS = auto()
    """Only the key itself, and it names others too. Nothing is encrypted for it; that it was revoked counts."""


@dataclass(frozen=True, slots=True)
class Found:
    """A key that is said to be of an address."""

    cert: Cert
    claim: Claim


class KeyFolder:
    """A folder that the administrator keeps. It is read again when a file in it has changed."""

    def __init__(self, folder: Path) -> None:
        self._files = Watched(folder, _ENDINGS, _MOST_FILES, _index)

    def find(self, address: Address) -> Sequence[Found]:
        """All keys of that address, good or bad. Raises LookupFailed."""
        return self._files.get().get(address.key, ())


def read_keys(data: bytes, address: Address) -> Sequence[Found]:
    """The keys that a domain publishes for that address, binary or armoured; none in data that is something else."""
    return [Found(cert, Claim.NAMED) for cert in _certs(data) if address.key in _addresses(cert)]


def choose(found: Sequence[Found], address: Address, now: datetime) -> Choice:
    """The usable one that lives longest of the named keys; if none is named, the only usable one.

    One that some copy says was revoked is not used, whatever others say.
    """
    revoked = {each.cert.fingerprint for each in found if each.cert.is_revoked}
    named = [each for each in found if each.claim is Claim.NAMED]
    asked = named or found
    judged = [_judged(each, each.cert.fingerprint in revoked, now) for each in asked[:_MOST_KEYS]]
    usable = [each for each in judged if isinstance(each, Usable)]
    if not usable:
        return _no_key(address, [each.reason for each in judged if isinstance(each, _Unusable)])
    rivals = sorted({each.fingerprint for each in usable})
    # Keys that nobody looked at may be usable, too.
    if not named and (len(rivals) > 1 or len(asked) > _MOST_KEYS):
        return _no_key(address, [f"several keys name them, and no file does: {', '.join(rivals[:_MOST_REASONS])}"])
    return max(usable, key=lambda each: each.until or datetime.max.replace(tzinfo=now.tzinfo))


def _no_key(address: Address, reasons: Iterable[str]) -> NoKey:
    if not (some := list(dict.fromkeys(reasons))[:_MOST_REASONS]):
        return NoKey(f"There is no OpenPGP key of {address}.")
    return NoKey(f"The OpenPGP key of {address} cannot be used: {'; '.join(some)}.")


def _index(paths: Iterable[Path]) -> Mapping[str, tuple[Found, ...]]:
    """By `Address.key`."""
    index = dict[str, tuple[Found, ...]]()
    for path in paths:
        named = frozenset(_named([path.stem]))
        for cert in _certs(read_limited(path, _LARGEST)):
            names = named or _addresses(cert)
            own = Claim.ALONE if len(names) == 1 else Claim.AMONG_OTHERS
            for name in names:
                index[name] = (*index.get(name, ()), Found(cert, Claim.NAMED if named else own))
    return index


def _certs(data: bytes) -> Sequence[Cert]:
    try:
        return Cert.split_bytes(data)
    except _BROKEN:
        return []


def _addresses(cert: Cert) -> frozenset[str]:
    """As `Address.key`, without user ids that were revoked."""
    try:
        texts = [str(each) for each in cert.user_ids]
    except _BROKEN:
        texts = _unbelieved(cert)
    return frozenset(_named(texts))


def _unbelieved(cert: Cert) -> list[str]:
    """Of a key too weak for Sequoia to believe any; it is found all the same, so that the reason can be told."""
    try:
        return [packet.user_id or "" for packet in _packets(bytes(cert))]
    except _BROKEN:
        return []


def _named(user_ids: Iterable[str]) -> Iterator[str]:
    for text in user_ids:
        match = _ADDRESS.search(text)
        try:
            yield parse_address(match[1] if match else text.strip()).key
        except BadAddress:
            continue


def _judged(found: Found, is_revoked: bool, now: datetime) -> Usable | _Unusable:
    if is_revoked:
        return _Unusable("it was revoked")
    if found.claim is Claim.AMONG_OTHERS:
        return _Unusable("it names several people, and no file is named for this one")
    return _judged_alone(found.cert, now)


def _judged_alone(cert: Cert, now: datetime) -> Usable | _Unusable:
    try:
        until, sample = cert.expiration, encrypt(b"", recipients=[cert], armor=False)
    except _BROKEN:
        return _Unusable("no part of it encrypts well enough today")
    try:
        key = bytes(cert)
        primary, *subkeys = _components(key)
    except _BROKEN:
        # Sequoia can read parts of a signature that it cannot write.
        return _Unusable("it is damaged")
    used = _encrypted_to(sample)
    parts = [primary, *(each for each in subkeys if used & each.names)]
    if any(each.is_old for each in parts):
        return _Unusable("its kind, DSA or ElGamal, is too weak")
    ends = [end for end in (until, *(each.end for each in parts)) if end is not None]
    if ends and min(ends) <= now:
        return _Unusable(f"it expired on {min(ends):%Y-%m-%d}")
    return Usable(key, cert.fingerprint, min(ends, default=None))


@dataclass(frozen=True, slots=True)
class _Component:
    """The primary key or a subkey, with the signatures behind it."""

    key: Packet
    signatures: Sequence[Packet]

    @property
    def names(self) -> frozenset[str]:
        return frozenset(name for name in (self.key.key_id, self.key.fingerprint) if name is not None)

    @property
    def is_old(self) -> bool:
        """Sequoia refuses RSA below 2048 bits, but lets these pass."""
        return self.key.key_algorithm in _OLD

    @property
    def end(self) -> datetime | None:
        """By the newest signature that binds it as a subkey (RFC 9580 section 5.2.3.13)."""
        bindings = [each for each in self.signatures if each.signature_type == SignatureType.SubkeyBinding]
        newest = max(bindings, key=lambda each: each.signature_created or _LONG_AGO, default=None)
        if newest is None or newest.key_validity_period is None or self.key.key_created is None:
            return None
        return self.key.key_created + newest.key_validity_period


def _components(key: bytes) -> Sequence[_Component]:
    packets = _packets(key)
    starts = [number for number, packet in enumerate(packets) if packet.key_algorithm is not None]
    ends = [*starts[1:], len(packets)]
    return [_Component(packets[start], packets[start + 1 : end]) for start, end in zip(starts, ends, strict=True)]


def _encrypted_to(message: bytes) -> frozenset[str]:
    """Key ids, or fingerprints (RFC 9580 sections 5.1.1 and 5.1.2)."""
    bodies = [packet.body for packet in _packets(message) if packet.tag == Tag.PKESK]
    return frozenset((body[1:9] if body[0] == _V3 else body[3 : 2 + body[1]]).hex() for body in bodies)


def _packets(data: bytes) -> list[Packet]:
    return list(PacketPile.from_bytes(data))
