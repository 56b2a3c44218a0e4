"""Who may relay: a pure judgement over `[[listen.smtp.allow]]`, the peer's address and its verified certificate.

Any one entry admits and every part that it names must hold; without an entry nobody is admitted, so this is never an
open relay. A required header is judged later, with the message (`Profile.proofs`). AUTH would be one more part of an
entry; it is not offered yet.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TypeAlias, assert_never

from gateway.core.envelope import Admission
from gateway.flow.accept import HeaderProof
from gateway.listeners.options import Allow

IpAddress: TypeAlias = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """What is known of the other side. ``names`` are the dNSNames of a *verified* certificate, in lower case."""

    address: IpAddress
    names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """The peer may relay. ``proofs`` (any one of these sets of header fields) must still be shown; () = nothing."""

    identity: str
    how: Admission
    proofs: tuple[tuple[HeaderProof, ...], ...] = ()


class TurnedAway(Enum):
    """The peer may not relay: not at all, or not before it shows a certificate."""

    NOT_ALLOWED = "not allowed to relay"
    NEEDS_CERTIFICATE = "a client certificate is needed"


Verdict: TypeAlias = Admitted | TurnedAway


class Standing(IntEnum):
    """How near to relaying a connection is, lowest first."""

    STRANGER = 0
    UNPROVEN = 1
    ADMITTED = 2


def standing(verdict: Verdict) -> Standing:
    """What a verdict is worth when places are scarce."""
    match verdict:
        case Admitted():
            return Standing.ADMITTED
        case TurnedAway.NEEDS_CERTIFICATE:
            return Standing.UNPROVEN
        case TurnedAway.NOT_ALLOWED:
            return Standing.STRANGER
        case _:
            assert_never(verdict)


def peer_address(text: str) -> IpAddress:
    """The address of a socket's peer; IPv4 inside IPv6 (``::ffff:10.1.2.3``, a dual-stack socket) is IPv4.

    Raises:
        ValueError: the text is no IP address.
    """
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or address
    return address


def judge(peer: Peer, allow: Sequence[Allow], *, may_show_certificate: bool) -> Verdict:
    """The first entry that needs no header admits; else the header sets of all that hold are alternatives.

    ``may_show_certificate`` says whether TLS that asks for a certificate is offered and has not begun.
    """
    holding = [entry for entry in allow if _network_holds(entry, peer) and _name_holds(entry, peer)]
    plain = next((entry for entry in holding if not entry.require_header), None)
    if plain is not None:
        return Admitted(identity=_identity(plain, peer), how=_how(plain))
    if holding:
        return Admitted(
            identity=_identity(holding[0], peer),
            how=Admission.HEADER,
            proofs=tuple(_proofs(entry) for entry in holding),
        )
    if may_show_certificate and any(entry.client_name and _network_holds(entry, peer) for entry in allow):
        return TurnedAway.NEEDS_CERTIFICATE
    return TurnedAway.NOT_ALLOWED


def _network_holds(entry: Allow, peer: Peer) -> bool:
    return not entry.networks or any(peer.address in network for network in entry.networks)


def _name_holds(entry: Allow, peer: Peer) -> bool:
    """The exact name, never a wildcard of the certificate: whoever holds ``*.example`` is not ``mail.example``."""
    return entry.client_name is None or entry.client_name.lower() in peer.names


def _identity(entry: Allow, peer: Peer) -> str:
    return entry.client_name or str(peer.address)


def _how(entry: Allow) -> Admission:
    return Admission.CERTIFICATE if entry.client_name else Admission.NETWORK


def _proofs(entry: Allow) -> tuple[HeaderProof, ...]:
    return tuple(HeaderProof(name=name, values=values) for name, values in entry.require_header.items())
