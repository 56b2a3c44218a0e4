"""The level of a message without a label, by where it comes from: listener, network, sender, system (mission R1).

The policy's own defaults are asked first, in their order, then the register of systems. Only the envelope's sender is
asked: a header field is easily written.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from gateway.core.address import Address, BadAddress
from gateway.core.domains import Group, parse_party
from gateway.core.envelope import Envelope
from gateway.core.registers.systems import Network, System


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a message comes from. ``client`` is None for one without an IP address, ``sender`` for the null path."""

    listener: str
    client: IPv4Address | IPv6Address | None
    sender: Address | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Default:
    """A level for unlabelled mail of one listener, network or sender; all that are given must hold.

    Raises:
        ValueError: none is given, so it would hold for all mail.
    """

    level: str
    listener: str = ""
    network: Network | None = None
    sender: Group | None = None

    def __post_init__(self) -> None:
        if not self.listener and self.network is None and self.sender is None:
            raise ValueError("a default needs a listener, a network or a sender; the one for all mail is `default`")

    def holds(self, origin: Origin) -> bool:
        """Whether a message from there has this level without a label."""
        return (
            (not self.listener or self.listener == origin.listener)
            and (self.network is None or _inside(origin, (self.network,)))
            and (self.sender is None or (origin.sender is not None and origin.sender in self.sender))
        )

    @property
    def source(self) -> str:
        """Where the level comes from, such as ``default of listener printers``."""
        parts = (
            f"listener {self.listener}" if self.listener else "",
            f"network {self.network}" if self.network is not None else "",
            f"sender {self.sender.words}" if self.sender is not None else "",
        )
        return f"default of {' and '.join(filter(None, parts))}"


def origin_of(envelope: Envelope) -> Origin:
    """Where the message of this envelope comes from."""
    sender = envelope.reverse_path
    return Origin(
        listener=envelope.listener,
        client=_client(envelope.client.address),
        sender=sender if isinstance(sender, Address) else None,
    )


def system_of(systems: Iterable[System], origin: Origin) -> System | None:
    """The first system of the register that the message comes from."""
    return next((system for system in systems if _from_system(system, origin)), None)


def default_level(
    defaults: Iterable[Default], system: System | None, otherwise: str, origin: Origin
) -> tuple[str, str]:
    """The level of unlabelled mail from there, and where it comes from."""
    for default in defaults:
        if default.holds(origin):
            return default.level, default.source
    return (otherwise, "default") if system is None else (system.level, f"default of the system {system.name}")


def _from_system(system: System, origin: Origin) -> bool:
    if not (system.listener or system.networks or system.sender):
        return False
    return (
        (not system.listener or system.listener == origin.listener)
        and (not system.networks or _inside(origin, system.networks))
        and (not system.sender or (origin.sender is not None and origin.sender in _party(system.sender)))
    )


def _inside(origin: Origin, networks: Iterable[Network]) -> bool:
    return origin.client is not None and any(origin.client in network for network in networks)


@lru_cache(maxsize=4096)
def _party(sender: str) -> Group:
    """Whom a register's line means; nobody, if it is no address or domain."""
    try:
        return parse_party(sender)
    except BadAddress:
        return Group(sender)


def _client(text: str) -> IPv4Address | IPv6Address | None:
    """IPv4 inside IPv6, as a dual-stack socket says it, is IPv4; the zone of a link-local address is no part of it."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address
