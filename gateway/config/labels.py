"""``[[labels]]``: each source of labels is one reader and one line of `SOURCES`."""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from gateway.config.label_tables import (
    BoldonJamesTable,
    ExchangeLabelTable,
    HeaderLabelTable,
    MsipLabelTable,
    ProtectiveMarkingTable,
    SubjectLabelTable,
    TitusTable,
)
from gateway.config.page import Page, Table
from gateway.core.labels.base import LabelSource
from gateway.core.labels.boldon_james import BoldonJamesSource
from gateway.core.labels.exchange import ExchangeSource
from gateway.core.labels.header import HeaderSource
from gateway.core.labels.msip import MsipSource
from gateway.core.labels.protective_marking import ProtectiveMarkingSource
from gateway.core.labels.subject import SubjectSource
from gateway.core.labels.titus import TitusSource

NO_LABEL: Final = "no label"

Reader: TypeAlias = Callable[[Page, str, Table, tuple[str, ...]], LabelSource | None]


def read_labels(page: Page, key: str, table: Table, levels: tuple[str, ...]) -> LabelSource | None:
    """One source; None, and problems, if it cannot be read."""
    name = str(table.get("source"))
    reader = SOURCES.get(name)
    if reader is None:
        page.unknown(f"{key}.source", "source", name, SOURCES)
        return None
    try:
        return reader(page, key, table, levels)
    except ValueError as exc:
        page.problem(key, str(exc))
        return None


def _header(page: Page, key: str, raw: Table, levels: tuple[str, ...]) -> LabelSource | None:
    table = page.validate(HeaderLabelTable, raw, key)
    return None if table is None else HeaderSource(table.name, _values(page, f"{key}.values", table.values, levels))


def _subject(page: Page, key: str, raw: Table, levels: tuple[str, ...]) -> LabelSource | None:
    table = page.validate(SubjectLabelTable, raw, key)
    if table is None:
        return None
    _check_levels(page, f"{key}.marks", table.marks, levels)
    return SubjectSource(table.marks, table.remove)


def _msip(page: Page, key: str, raw: Table, levels: tuple[str, ...]) -> LabelSource | None:
    table = page.validate(MsipLabelTable, raw, key)
    return None if table is None else MsipSource(table.site, _values(page, f"{key}.labels", table.labels, levels))


def _protective_marking(page: Page, key: str, raw: Table, levels: tuple[str, ...]) -> LabelSource | None:
    table = page.validate(ProtectiveMarkingTable, raw, key)
    if table is None:
        return None
    values = _values(page, f"{key}.values", table.values, levels)
    return ProtectiveMarkingSource(table.namespace, values, table.remove)


def _exchange(page: Page, key: str, raw: Table, levels: tuple[str, ...]) -> LabelSource | None:
    table = page.validate(ExchangeLabelTable, raw, key)
    if table is None:
        return None
    if not table.ids and not table.names:
        page.problem(key, "this needs `ids`, `names` or both")
    _check_levels(page, f"{key}.ids", table.ids, levels)
    _check_levels(page, f"{key}.names", table.names, levels)
    return ExchangeSource(table.ids, table.names)


def _boldon_james(page: Page, key: str, raw: Table, levels: tuple[str, ...]) -> LabelSource | None:
    table = page.validate(BoldonJamesTable, raw, key)
    if table is None:
        return None
    return BoldonJamesSource(_values(page, f"{key}.values", table.values, levels), table.header, table.policy or "")


def _titus(page: Page, key: str, raw: Table, levels: tuple[str, ...]) -> LabelSource | None:
    table = page.validate(TitusTable, raw, key)
    if table is None:
        return None
    return TitusSource(table.property, _values(page, f"{key}.values", table.values, levels), table.header)


def _values(page: Page, key: str, values: Mapping[str, str], levels: tuple[str, ...]) -> Mapping[str, str | None]:
    """Levels, and None for what says "no label"."""
    _check_levels(page, key, values, (*levels, NO_LABEL))
    return {text: None if level == NO_LABEL else level for text, level in values.items()}


def _check_levels(page: Page, key: str, values: Mapping[str, str], known: tuple[str, ...]) -> None:
    for text, level in values.items():
        if level not in known:
            page.unknown(f"{key}.{text}", "level", level, known)


SOURCES: Final[Mapping[str, Reader]] = {
    "header": _header,
    "subject": _subject,
    "msip": _msip,
    "protective-marking": _protective_marking,
    "exchange": _exchange,
    "boldon-james": _boldon_james,
    "titus": _titus,
}
