"""Pins: what an administrator demands of the mail hosts of one partner, beyond floors, routes and what DNS says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from gateway.core.tls import Requirement


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """For mail to ``domains`` (exact, or ``*.`` and a name for all below it).

    ``fingerprints`` are SHA-256 of public keys in hex, ``names`` what the certificate may be for instead of the host,
    ``authorities`` the file of those that are believed instead of the usual ones; each may be empty. ``certificate``
    and ``private_key`` are the files of our own certificate for these hosts.
    """

    name: str
    domains: tuple[str, ...]
    requirement: Requirement
    fingerprints: frozenset[str] = frozenset()
    names: tuple[str, ...] = ()
    authorities: str = ""
    certificate: str = ""
    private_key: str = ""

    @property
    def names_are_ours(self) -> bool:
        """Whether what proves a host was set here and not found in DNS."""
        return bool(self.names or self.fingerprints)


@dataclass(frozen=True, slots=True)
class Pins:
    """Finds the pin of a domain: an exact one first, then the longest wildcard."""

    all: tuple[Pin, ...]
    _by_domain: Mapping[str, Pin] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_domain", {domain: pin for pin in self.all for domain in pin.domains})

    def of(self, domain: str) -> Pin | None:
        """The pin for a lower-case recipient domain."""
        found = self._by_domain.get(domain)
        while found is None and self._by_domain and "." in domain:
            domain = domain.partition(".")[2]
            found = self._by_domain.get(f"*.{domain}")
        return found


NO_PINS: Final = Pins(())
