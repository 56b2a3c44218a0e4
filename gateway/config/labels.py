"""``[[labels]]``: each source of labels is one reader and one line of `SOURCES`."""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from gateway.config.page import Page, Table
from gateway.config.policy_tables import HeaderLabelTable, SubjectLabelTable
from gateway.core.labels import HeaderSource, LabelSource, SubjectSource

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
    if table is None:
        return None
    _check_levels(page, f"{key}.values", table.values, (*levels, NO_LABEL))
    values = {text: None if level == NO_LABEL else level for text, level in table.values.items()}
    return HeaderSource(table.name, values)


def _subject(page: Page, key: str, raw: Table, levels: tuple[str, ...]) -> LabelSource | None:
    table = page.validate(SubjectLabelTable, raw, key)
    if table is None:
        return None
    _check_levels(page, f"{key}.marks", table.marks, levels)
    return SubjectSource(table.marks)


def _check_levels(page: Page, key: str, values: Mapping[str, str], known: tuple[str, ...]) -> None:
    for text, level in values.items():
        if level not in known:
            page.unknown(f"{key}.{text}", "level", level, known)


SOURCES: Final[Mapping[str, Reader]] = {"header": _header, "subject": _subject}
