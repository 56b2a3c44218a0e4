"""Domains that resemble one that we know and are not it: confused letters, a slip of the hand, another ending (R15).

Asked for every recipient, so all that can be is prepared: one look-up for confusable letters, hyphens and dots, one for
the ending, and one for each letter of the name (its deletions, after Garbe's SymSpell). Left out on purpose: the Public
Suffix List; the few kinds of two-part endings below are what the names of public bodies and their partners need.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from gateway.core.confusable import skeleton, to_unicode
from gateway.core.domains import DomainSet

SHORTEST_SLIP: Final = 6
"""Letters of a name in which one is wrong; between shorter names one letter is a difference."""
SHORTEST_SWAP: Final = 5
"""Letters of a name in which two neighbours are exchanged, as in gmial."""
SHORTEST_OTHER_ENDING: Final = 4

# What stands before a country: co.uk, gov.uk, com.au.
_SECOND: Final = frozenset(
    {"ac", "co", "com", "edu", "gov", "ltd", "me", "mod", "net", "nhs", "org", "plc", "police", "sch"}
)
# Nobody outside can have a name there, so kent.police.uk does not pretend to be kent.gov.uk.
_CLOSED: Final = frozenset({"ac", "edu", "gov", "int", "mil", "mod", "nhs", "police", "sch"})

_HASH_BITS: Final = 40
_NUMBER_BITS: Final = 23


@dataclass(frozen=True, slots=True)
class _Name:
    """What somebody registered: ``name`` with its ``ending``, e.g. ``derbyshire`` and ``gov.uk``."""

    name: str
    ending: str

    def __str__(self) -> str:
        return f"{self.name}.{self.ending}"

    @property
    def is_closed(self) -> bool:
        return not _CLOSED.isdisjoint(self.ending.split("."))


@dataclass(frozen=True, slots=True)
class LookAlikes:
    """``known`` are all domains that we know; another ending is noticed for those that are also in ``trusted``."""

    known: DomainSet
    trusted: frozenset[str] = frozenset()
    _names: tuple[tuple[str, _Name], ...] = field(init=False, repr=False, compare=False)
    _owned: frozenset[str] = field(init=False, repr=False, compare=False)
    _looks: dict[str, str] = field(init=False, repr=False, compare=False)
    _endings: dict[str, str] = field(init=False, repr=False, compare=False)
    _slips: "array[int]" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        names = tuple((domain, _name(domain)) for domain in sorted(self.known.exact) if not domain.startswith("["))
        looks = {_look(str(name)): domain for domain, name in reversed(names)}
        looks |= {_look(domain): domain for domain, _ in reversed(names)}
        trusted = {name.name: domain for domain, name in reversed(names) if domain in self.trusted}
        object.__setattr__(self, "_names", names)
        object.__setattr__(self, "_owned", frozenset(str(name) for _, name in names))
        object.__setattr__(self, "_looks", looks)
        object.__setattr__(
            self, "_endings", {name: domain for name, domain in trusted.items() if len(name) >= SHORTEST_OTHER_ENDING}
        )
        object.__setattr__(self, "_slips", _index(names))

    def resembled(self, domain: str) -> str | None:
        """The known domain that this one resembles; None for one that we know, that belongs to one, or is like none."""
        if domain.startswith("[") or domain in self.known:
            return None
        name = _name(domain)
        if str(name) in self._owned or self._is_below(domain):
            return None
        return self._looking_like(domain, name) or self._with_other_ending(name) or self._slipped(name)

    def _is_below(self, domain: str) -> bool:
        """Whether a known domain is above this one."""
        _, dot, parent = domain.partition(".")
        while dot:
            if parent in self.known.exact:
                return True
            _, dot, parent = parent.partition(".")
        return False

    def _looking_like(self, domain: str, name: _Name) -> str | None:
        return self._looks.get(_look(domain)) or self._looks.get(_look(str(name)))

    def _with_other_ending(self, name: _Name) -> str | None:
        return None if name.is_closed else self._endings.get(name.name)

    def _slipped(self, name: _Name) -> str | None:
        for variant in _variants(name):
            wanted = variant << _NUMBER_BITS
            at = bisect_left(self._slips, wanted)
            while at < len(self._slips) and self._slips[at] >> _NUMBER_BITS == variant:
                domain, known = self._names[self._slips[at] - wanted]
                if known.ending == name.ending and is_slip(known.name, name.name):
                    return domain
                at += 1
        return None


def _name(domain: str) -> _Name:
    labels = to_unicode(domain).split(".")
    parts = 1
    if len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SECOND:
        parts = 2
    if len(labels) > 3 and labels[-2:] == ["sch", "uk"]:
        # Schools stand below their county: name.derbyshire.sch.uk.
        parts = 3
    return _Name(labels[-parts - 1] if len(labels) > parts else "", ".".join(labels[-parts:]))


def _look(domain: str) -> str:
    """How a whole domain looks to somebody who overlooks hyphens and dots."""
    return skeleton(to_unicode(domain)).replace("-", "").replace(".", "")


def _index(names: Iterable[tuple[str, _Name]]) -> "array[int]":
    """Sorted numbers, a variant's hash above the name's place: a few bytes for each, where a dict takes a hundred."""
    entries = (
        variant << _NUMBER_BITS | number for number, (_, name) in enumerate(names) for variant in _variants(name)
    )
    return array("q", sorted(entries))


def _variants(name: _Name) -> Iterator[int]:
    """Hashes of the name, and of the name without each of its letters; two names one slip apart share one of them."""
    text = name.name
    if len(text) < SHORTEST_SWAP - 1:
        return
    shorter = (text[:at] + text[at + 1 :] for at in range(len(text)))
    for variant in {text, *shorter}:
        yield hash((variant, name.ending)) & ((1 << _HASH_BITS) - 1)


def is_slip(known: str, other: str) -> bool:
    """Whether one letter was added, left out, replaced, or exchanged with its neighbour, in a name long enough for it.

    Names that differ in a digit only (school12, school13) are counted ones, and both meant.
    """
    start = _common(known, other)
    end = _common(known[start:][::-1], other[start:][::-1])
    left, right = known[start : len(known) - end], other[start : len(other) - end]
    if len(left) == len(right) == 2:
        return left == right[::-1] and len(known) >= SHORTEST_SWAP
    if max(len(left), len(right)) != 1 or len(known) < SHORTEST_SLIP:
        return False
    return not (left.isdigit() and right.isdigit())


def _common(one: str, other: str) -> int:
    """How many characters they have in common at the start."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
