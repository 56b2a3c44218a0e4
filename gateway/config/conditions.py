"""``when`` tables: each condition is one reader and one line of `READERS`; all, any and not combine them."""

from collections.abc import Mapping
from typing import Final, Literal

from gateway.config.content_conditions import CONTENT_READERS
from gateway.config.history_conditions import HISTORY_READERS
from gateway.config.names import Names, Reader, read_flag, read_party, read_scale, read_words
from gateway.config.page import Page, as_list, as_table, did_you_mean, dotted
from gateway.config.register_conditions import REGISTER_READERS
from gateway.config.units import read_size
from gateway.core.conditions.base import Condition
from gateway.core.conditions.logic import All, AnyOf, Not
from gateway.core.conditions.message import AutomaticIs, ClassificationIs, IntentIs, SizeIsOver
from gateway.core.conditions.outside import StarttlsIs
from gateway.core.conditions.party import PartyIs
from gateway.core.facts import Intent
from gateway.core.tls import Starttls

INTENTS: Final = {intent.label: intent for intent in Intent}


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


def _classification(value: object, names: Names) -> Condition:
    return ClassificationIs(read_scale(value, names.levels, "level"))


def _intent(value: object, _names: Names) -> Condition:
    words = read_scale(value, tuple(INTENTS), "intent")
    return IntentIs(frozenset(INTENTS[word] for word in words))


def _automatic(value: object, _names: Names) -> Condition:
    return AutomaticIs(read_flag(value))


def _party(side: Literal["recipient", "sender"]) -> Reader:
    return lambda value, names: PartyIs(side, tuple(read_party(word, names) for word in read_words(value)))


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
    **CONTENT_READERS,
    **HISTORY_READERS,
    **REGISTER_READERS,
}
