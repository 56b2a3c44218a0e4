"""What readers of conditions share: the words of a policy that a condition may use, and how values are read."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from gateway.config.page import as_list, as_table, did_you_mean
from gateway.core.conditions.base import Condition
from gateway.core.domains import Group, parse_party
from gateway.core.registers.book import Registers

_GROUP: Final = "group:"


@dataclass(frozen=True, slots=True)
class Names:
    """The words of this policy that a condition may use. ``levels`` are lowest first.

    ``named`` are the registers that the policy names a file for: a condition on one that nobody keeps is a mistake.
    """

    levels: tuple[str, ...]
    groups: Mapping[str, Group]
    organisation: Group
    registers: Registers = field(default_factory=Registers)
    named: frozenset[str] = frozenset()


Reader: TypeAlias = Callable[[object, Names], Condition]
"""Makes a condition of its value; raises ValueError with one sentence."""


def read_words(value: object) -> tuple[str, ...]:
    """One text, or a list of texts that is not empty."""
    items = as_list(value) or [value]
    words = tuple(item for item in items if isinstance(item, str) and item)
    if len(words) < len(items):
        raise ValueError("this is a text in quotes, or a list of them")
    return words


def read_known(value: object, known: Iterable[str], what: str) -> tuple[str, ...]:
    """One of the known words, or a list of them."""
    words, scale = read_words(value), tuple(known)
    for word in words:
        if word not in scale:
            raise ValueError(f"unknown {what} `{word}`{did_you_mean(word, scale)}")
    return words


def read_scale(value: object, scale: tuple[str, ...], what: str) -> frozenset[str]:
    """One word of an ordered scale, a list of them, or ``{ at_least = word }``."""
    table = as_table(value)
    if table and set(table) != {"at_least"}:
        raise ValueError(f'this is a {what}, a list of them, or {{ at_least = "{scale[-1]}" }}')
    words = read_known(table["at_least"] if table else value, scale, what)
    return frozenset(scale[scale.index(words[0]) :] if table else words)


def read_flag(value: object) -> bool:
    """True or false, and nothing that only looks like it."""
    if not isinstance(value, bool):
        raise ValueError("this is true or false")
    return value


def read_party(word: str, names: Names) -> Group:
    """``organisation``, ``group:<name>``, an address, a domain, or ``*.domain``."""
    if word == "organisation":
        return names.organisation
    if not word.startswith(_GROUP):
        return parse_party(word)
    name = word.removeprefix(_GROUP)
    if name not in names.groups:
        raise ValueError(f"unknown group `{name}`{did_you_mean(name, names.groups)}")
    return names.groups[name]
