"""The register of machines that send mail: their default level and who answers for them (mission R1)."""

from dataclasses import dataclass
from datetime import date
from ipaddress import IPv4Network, IPv6Network
from typing import TypeAlias

Network: TypeAlias = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """Found by its ``sender`` (address, domain or ``*.domain``), its ``networks`` or its ``listener``; all given hold.

    ``level`` replaces the default where no label was found; reports about its mail go to ``owner``, if one is named.
    """

    name: str
    level: str
    sender: str = ""
    networks: tuple[Network, ...] = ()
    listener: str = ""
    owner: str = ""
    review: date | None = None
