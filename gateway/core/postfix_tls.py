"""What a next hop's hosts have to be, said as one entry of Postfix's smtp_tls_policy_maps (postconf(5), Postfix 3.7).

An entry stands for a next hop, not for one host, and has one level. So it is the one that protects most of those that
the hosts need; a host that cannot be so gets no mail from Postfix. Levels that trust unsigned DNS for a name (verify)
or settle for less where DNS says little (dane) are never used: the names and keys that were looked up and vetted stand
in the entry itself. What no level can check, mail has to wait for (decision 018).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum
from hashlib import sha256
from ipaddress import ip_address
from typing import Final, TypeAlias, assert_never

from gateway.core.check import Check
from gateway.core.dane import END_ENTITY, Tlsa
from gateway.core.demand import Demand, Need
from gateway.core.tls import Channel

_PROTOCOLS: Final = "protocols=>=TLSv1.2"
"""Ours at every level (`net.tls`); Postfix's own default still takes TLS 1.0."""

_SNI: Final = "servername=hostname"

_FULL, _SHA256 = 0, 1
"""Matching types of a TLSA record (RFC 6698 section 2.1.3) of which SHA-256 can be told."""

_APART: Final = frozenset(" \t,{}=")
"""What ends or groups an attribute of an entry, so that no file with it in its name can be named there."""


@dataclass(frozen=True, slots=True)
class PolicyEntry:
    """The level and its attributes, as the table gives them."""

    text: str


class NoEntry(Enum):
    """Nothing is demanded, so what the site's main.cf says holds."""

    NOTHING = "nothing is demanded of the next hop"


@dataclass(frozen=True, slots=True)
class Wait:
    """Postfix must not send there now; ``reason`` is one sentence."""

    reason: str


PostfixTls: TypeAlias = PolicyEntry | NoEntry | Wait


class _Level(IntEnum):
    """Ordered: what fulfils one fulfils those below it."""

    NOTHING = 0
    ENCRYPT = 1
    SECURE = 2
    FINGERPRINT = 3
    DANE_ONLY = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class _Proof:
    """What one host has to show; ``match`` are names or keys. ``sni`` is whether it can be asked for by its name."""

    level: _Level
    match: tuple[str, ...] = ()
    authorities: str = ""
    sni: bool = True


def postfix_tls(needs: Sequence[Need], *, signed: bool) -> PostfixTls:
    """The entry for a next hop whose hosts have these needs; ``signed``: DNSSEC vouches for their names."""
    proofs: list[_Proof] = []
    for need in needs:
        if isinstance(need, Demand):
            proof = _proof(need, signed=signed)
            if isinstance(proof, Wait):
                return proof
            proofs.append(proof)
    level = max((proof.level for proof in proofs), default=_Level.NOTHING)
    others = [need.reason for need in needs if not isinstance(need, Demand)]
    if others and level < _Level.SECURE:
        # Nothing in the entry would keep Postfix from these hosts.
        return Wait(others[0])
    return _entry(level, [proof for proof in proofs if proof.level is level])


def _proof(demand: Demand, *, signed: bool) -> _Proof | Wait:
    check, needed = demand.check, demand.requirement.channel
    parts = sum(map(bool, (check.tlsa, check.pins, check.names)))
    if parts > 1:
        return Wait(f"Postfix cannot check all that is demanded ({demand.demanded_by}) in one connection.")
    if check.tlsa:
        return _by_records(demand, signed=signed)
    if check.pins:
        return _Proof(level=_Level.FINGERPRINT, match=tuple(map(_colons, sorted(check.pins))), sni=_has_name(check))
    if check.names:
        return _by_names(demand)
    return _Proof(level=_Level.NOTHING if needed is Channel.PLAIN else _Level.ENCRYPT)


def _by_records(demand: Demand, *, signed: bool) -> _Proof | Wait:
    """Postfix believes TLSA records for certain only where the MX is signed; elsewhere it can be told their keys."""
    if signed:
        return _Proof(level=_Level.DANE_ONLY)
    keys = [digest for record in demand.check.tlsa if (digest := _digest(record))]
    if not keys:
        return Wait(f"Postfix cannot check the TLSA records of {demand.check.sni}, because the domain is not signed.")
    return _Proof(level=_Level.FINGERPRINT, match=tuple(map(_colons, keys)))


def _digest(record: Tlsa) -> str:
    """The SHA-256 of the certificate or key that a record of usage DANE-EE means, in hex; empty if it does not tell."""
    if record.usage != END_ENTITY or record.matching not in (_FULL, _SHA256):
        return ""
    return record.data.hex() if record.matching == _SHA256 else sha256(record.data).hexdigest()


def _by_names(demand: Demand) -> _Proof | Wait:
    check = demand.check
    if any(map(_is_address, check.names)):
        return Wait(f"Postfix cannot check a certificate for the address {check.sni} ({demand.demanded_by}).")
    if not _APART.isdisjoint(check.authorities):
        return Wait(f"Postfix cannot be told of a file with such a name ({demand.demanded_by}).")
    return _Proof(level=_Level.SECURE, match=check.names, authorities=check.authorities, sni=_has_name(check))


def _entry(level: _Level, proofs: Sequence[_Proof]) -> PostfixTls:
    match = dict.fromkeys(each for proof in proofs for each in proof.match)
    sni = [_SNI] if all(proof.sni for proof in proofs) else []
    match level:
        case _Level.NOTHING:
            return NoEntry.NOTHING
        case _Level.ENCRYPT:
            return _told("encrypt")
        case _Level.SECURE:
            trusted = [f"tafile={file}" for file in dict.fromkeys(each.authorities for each in proofs) if file]
            return _told("secure", f"match={':'.join(match)}", *trusted, *sni)
        case _Level.FINGERPRINT:
            return _told("fingerprint", f"match={'|'.join(match)}", *sni)
        case _Level.DANE_ONLY:
            return _told("dane-only")
        case _:  # pragma: no cover - the type checker proves that there is no other.
            assert_never(level)


def _told(*words: str) -> PolicyEntry:
    return PolicyEntry(" ".join((*words, _PROTOCOLS)))


def _colons(digest: str) -> str:
    """As every version of Postfix reads a fingerprint."""
    return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2)).upper()


def _has_name(check: Check) -> bool:
    return not _is_address(check.sni)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
