"""``when`` tables: each condition is one reader and one line of `READERS`; all, any and not combine them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from gateway.config.page import Page, as_list, as_table, did_you_mean, dotted
from gateway.config.units import read_size
from gateway.core.conditions.base import Condition
from gateway.core.conditions.logic import All, AnyOf, Not
from gateway.core.conditions.message import AutomaticIs, ClassificationIs, IntentIs, SizeIsOver
from gateway.core.conditions.outside import StarttlsIs
from gateway.core.conditions.party import PartyIs
from gateway.core.domains import Group, parse_party
from gateway.core.facts import Intent
from gateway.core.tls import Starttls

INTENTS: Final = {intent.label: intent for intent in Intent}
_GROUP: Final = "group:"


@dataclass(frozen=True, slots=True)
class Names:
    """The words of this policy that a condition may use. ``levels`` are lowest first."""

    levels: tuple[str, ...]
    groups: Mapping[str, Group]
    organisation: Group


Reader: TypeAlias = Callable[[object, Names], Condition]


def read_when(page: Page, key: str, value: object, names: Names) -> Condition | None:
    """A ``when`` table; several keys mean all of them. None, and problems, if it cannot be read."""
    table = as_table(value)
    if not table:
        page.problem(key, 'a condition is a table such as { classification = "public" }')
        return None
    parts = [_read_one(page, dotted(key, name), name, inner, names) for name, inner in table.items()]
    known = tuple(part for part in parts if part is not None)
    if len(known) < len(parts):
        return None
    return known[0] if len(known) == 1 else All(known)


def _read_one(page: Page, key: str, name: str, value: object, names: Names) -> Condition | None:
    if name == "not":
        part = read_when(page, key, value, names)
        return None if part is None else Not(part)
    if name in ("all", "any"):
        return _read_several(page, key, name, value, names)
    reader = READERS.get(name)
    if reader is None:
        page.problem(key, f"unknown condition `{name}`{did_you_mean(name, [*READERS, 'all', 'any', 'not'])}")
        return None
    try:
        return reader(value, names)
    except ValueError as exc:
        page.problem(key, str(exc))
        return None


def _read_several(page: Page, key: str, name: str, value: object, names: Names) -> Condition | None:
    items = as_list(value)
    if not items:
        page.problem(key, f"`{name}` is a list of conditions")
        return None
    parts = [read_when(page, f"{key}[{at + 1}]", item, names) for at, item in enumerate(items)]
    known = tuple(part for part in parts if part is not None)
    if len(known) < len(parts):
        return None
    return All(known) if name == "all" else AnyOf(known)


def _words(value: object) -> tuple[str, ...]:
    """One text, or a list of texts that is not empty."""
    items = as_list(value) or [value]
    words = tuple(item for item in items if isinstance(item, str) and item)
    if len(words) < len(items):
        raise ValueError("this is a text in quotes, or a list of them")
    return words


def _from_scale(value: object, scale: tuple[str, ...], what: str) -> frozenset[str]:
    """One word of an ordered scale, a list of them, or ``{ at_least = word }``."""
    table = as_table(value)
    if table and set(table) != {"at_least"}:
        raise ValueError(f'this is a {what}, a list of them, or {{ at_least = "{scale[-1]}" }}')
    words = _words(table["at_least"] if table else value)
    for word in words:
        if word not in scale:
            raise ValueError(f"unknown {what} `{word}`{did_you_mean(word, scale)}")
    return frozenset(scale[scale.index(words[0]) :] if table else words)


def _classification(value: object, names: Names) -> Condition:
    return ClassificationIs(_from_scale(value, names.levels, "level"))


def _intent(value: object, _names: Names) -> Condition:
    words = _from_scale(value, tuple(INTENTS), "intent")
    return IntentIs(frozenset(INTENTS[word] for word in words))


def _automatic(value: object, _names: Names) -> Condition:
    if not isinstance(value, bool):
        raise ValueError("this is true or false")
    return AutomaticIs(value)


def _party(side: Literal["recipient", "sender"]) -> Reader:
    return lambda value, names: PartyIs(side, tuple(_group(word, names) for word in _words(value)))


def _group(word: str, names: Names) -> Group:
    """``organisation``, ``group:<name>``, an address, a domain, or ``*.domain``."""
    if word == "organisation":
        return names.organisation
    if not word.startswith(_GROUP):
        return parse_party(word)
    name = word.removeprefix(_GROUP)
    if name not in names.groups:
        raise ValueError(f"unknown group `{name}`{did_you_mean(name, names.groups)}")
    return names.groups[name]


def _size(what: Literal["attachment_bytes", "message_bytes"]) -> Reader:
    return lambda value, _names: SizeIsOver(what, _over(value))


def _over(value: object) -> int:
    table = as_table(value)
    if set(table) != {"over"}:
        raise ValueError('this is a limit such as { over = "13MiB" }')
    return read_size(table["over"])


def _tls(value: object, _names: Names) -> Condition:
    if value == "yes":
        return StarttlsIs(Starttls.YES)
    if value == "no":
        return StarttlsIs(Starttls.NO)
    raise ValueError('this is "yes" or "no"')


READERS: Final[Mapping[str, Reader]] = {
    "classification": _classification,
    "intent": _intent,
    "automatic": _automatic,
    "recipient": _party("recipient"),
    "sender": _party("sender"),
    "attachment_bytes": _size("attachment_bytes"),
    "message_bytes": _size("message_bytes"),
    "tls": _tls,
}
