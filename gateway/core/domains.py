"""Domain patterns, and the groups of addresses and domains that rules name.

A pattern is an exact domain or ``*.domain``, which means any depth below and not the domain itself. Regular
expressions are left out on purpose: a pattern that a reader can get wrong decides where a secret goes.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.core.address import Address, BadAddress, parse_address, parse_domain


@dataclass(frozen=True, slots=True)
class DomainSet:
    """Domains as lower-case A-labels: ``exact`` ones, and those below any in ``below``."""

    exact: frozenset[str] = frozenset()
    below: frozenset[str] = frozenset()

    def __contains__(self, domain: str) -> bool:
        if domain in self.exact:
            return True
        if not self.below or domain.startswith("["):
            return False
        _, dot, parent = domain.partition(".")
        while dot:
            if parent in self.below:
                return True
            _, dot, parent = parent.partition(".")
        return False


def parse_domains(patterns: Iterable[str]) -> DomainSet:
    """Reads patterns such as ``cjsm.net`` and ``*.cjsm.net``; internationalised names become A-labels.

    Raises:
        BadAddress: one of them is no pattern; the text names it.
    """
    exact: set[str] = set()
    below: set[str] = set()
    for pattern in patterns:
        target, name = (below, pattern[2:]) if pattern.startswith("*.") else (exact, pattern)
        try:
            target.add(parse_domain(name))
        except BadAddress as exc:
            raise BadAddress(f"`{pattern}` is not a domain or *.domain: {exc}") from exc
    return DomainSet(frozenset(exact), frozenset(below))


@dataclass(frozen=True, slots=True)
class Group:
    """Mailboxes by address (as `Address.key`) and by domain. ``label`` is how a rule names it, e.g. ``group:cjsm``.

    ``title`` is what people call its members, such as "criminal justice addresses"; empty if the policy does not say.
    """

    label: str
    addresses: frozenset[str] = frozenset()
    domains: DomainSet = DomainSet()
    title: str = ""

    def __contains__(self, address: Address) -> bool:
        if address.domain in self.domains:
            return True
        return bool(self.addresses) and address.key in self.addresses

    @property
    def words(self) -> str:
        """How a text for people names it."""
        name = self.label.removeprefix("group:")
        return self.title or (self.label if name == self.label else f"the group {name}")

    @property
    def place(self) -> str:
        """Where its members are, for a sentence: "among criminal justice addresses", "in the organisation"."""
        return f"{'among' if self.title else 'in'} {self.words}"


def parse_party(text: str) -> Group:
    """Reads one address, domain or ``*.domain`` as a group of its own, labelled as it was written.

    Raises:
        BadAddress: it is none of them.
    """
    if "@" in text:
        return Group(text, addresses=frozenset({parse_address(text).key}))
    return Group(text, domains=parse_domains([text]))
