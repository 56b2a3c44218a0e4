"""Finds the entry that stands for an address: the address itself, else its domain, else a domain above it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from types import MappingProxyType
from typing import Generic, TypeVar

from gateway.core.address import Address, BadAddress, parse_address, parse_domain

_E = TypeVar("_E")


@dataclass(frozen=True, slots=True)
class Directory(Generic[_E]):
    """``addresses`` by `Address.key`, ``domains`` exact, ``below`` those written as ``*.domain`` (not the domain)."""

    addresses: Mapping[str, _E] = field(default_factory=lambda: MappingProxyType({}))
    domains: Mapping[str, _E] = field(default_factory=lambda: MappingProxyType({}))
    below: Mapping[str, _E] = field(default_factory=lambda: MappingProxyType({}))

    def of(self, address: Address) -> _E | None:
        """The nearest entry, or None."""
        if self.addresses and (entry := self.addresses.get(address.key)) is not None:
            return entry
        domain = address.domain
        if (entry := self.domains.get(domain)) is not None or not self.below:
            return entry
        _, dot, parent = domain.partition(".")
        while dot:
            if (entry := self.below.get(parent)) is not None:
                return entry
            _, dot, parent = parent.partition(".")
        return None

    def entries(self) -> Iterator[_E]:
        """All of them, each as often as it has members."""
        return chain(self.addresses.values(), self.domains.values(), self.below.values())


def parse_member(text: str) -> str:
    """One member as registers compare it: an address's key, a domain, or ``*.domain``.

    Raises:
        BadAddress: it is none of them; the text names it.
    """
    try:
        if "@" in text:
            return parse_address(text).key
        return f"*.{parse_domain(text[2:])}" if text.startswith("*.") else parse_domain(text)
    except BadAddress as exc:
        raise BadAddress(f"`{text}` is not an address, a domain or *.domain: {exc}") from exc


def keyed(entries: Mapping[str, _E]) -> Directory[_E]:
    """The directory of entries by their member, each as `parse_member` gives it."""
    addresses: dict[str, _E] = {}
    domains: dict[str, _E] = {}
    below: dict[str, _E] = {}
    for member, entry in entries.items():
        if "@" in member:
            addresses[member] = entry
        elif member.startswith("*."):
            below[member[2:]] = entry
        else:
            domains[member] = entry
    return Directory(MappingProxyType(addresses), MappingProxyType(domains), MappingProxyType(below))


def directory(members: Iterable[tuple[str, _E]]) -> Directory[_E]:
    """Reads members such as ``a@b.example``, ``b.example`` and ``*.b.example``, each with its entry.

    Raises:
        BadAddress: one is none of them, or stands for two different entries; the text names it.
    """
    entries: dict[str, _E] = {}
    for text, entry in members:
        if entries.setdefault(parse_member(text), entry) is not entry:
            raise BadAddress(f"`{text}` stands in the register twice")
    return keyed(entries)
