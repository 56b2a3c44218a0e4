"""A transport's own keys, read by the types of its Options: this part knows no transport's fields.

Options is a frozen dataclass of the standard library. By a field's type, text becomes a path (relative to the
configuration) or a duration; a field that its repr leaves out is a secret, and stands in a file of its own. Everything
else is taken strictly.
"""

from collections.abc import Callable
from dataclasses import MISSING, Field, dataclass, fields
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ValidationError, create_model

from gateway.config.page import Page, Strict, Table, as_list, dotted
from gateway.config.secrets import Secrets
from gateway.config.units import FILE, parse_duration

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Source:
    """Where the keys stand: the page and its key, the folder of relative paths, and the secrets."""

    page: Page
    key: str
    base: Path
    secrets: Secrets


def read_options(source: Source, options: type[_T], table: Table, also_known: tuple[str, ...] = ()) -> _T | None:
    """The table as ``options``; None, and problems, if it is not one."""
    hints = get_type_hints(options)
    model = _model_of(options, hints)
    before = len(source.page.problems)
    secret = {field.name for field in fields(cast("Any", options)) if not field.repr}
    prepared = {
        name: _secret(source, name, value, hints[name])
        if name in secret
        else _prepare(source, name, value, hints.get(name))
        for name, value in table.items()
    }
    try:
        checked = model.model_validate(prepared)
    except ValidationError as exc:
        source.page.report(exc, source.key, model, also_known)
        return None
    return None if len(source.page.problems) > before else _build(source, options, checked)


def _build(source: Source, options: type[_T], checked: BaseModel) -> _T | None:
    try:
        return options(**{name: getattr(checked, name) for name in checked.model_fields_set})
    except ValueError as exc:
        source.page.problem(source.key, str(exc))
        return None


def _model_of(options: type[object], hints: dict[str, object]) -> type[BaseModel]:
    """A strict pydantic model with the same fields."""
    shape = {field.name: (hints[field.name], _default(field)) for field in fields(cast("Any", options))}
    return cast("Callable[..., type[BaseModel]]", create_model)("Options", __base__=Strict, **shape)


def _default(field: "Field[Any]") -> object:
    """Required, or any value at all: what was not given is left to the dataclass."""
    return ... if field.default is MISSING and field.default_factory is MISSING else None


def _secret(source: Source, name: str, value: object, hint: object) -> object:
    """The contents of the file; the value itself is never shown, whatever was given."""
    key, data = dotted(source.key, name), b""
    if isinstance(value, str) and value.startswith(FILE):
        data = source.secrets.text(value, key)
    else:
        source.page.problem(key, 'a secret stands in a file of its own: "file:certs/name"')
    return data if bytes in (hint, *get_args(hint)) else data.decode(errors="replace")


def _prepare(source: Source, name: str, value: object, hint: object) -> object:
    kinds = {hint, *get_args(hint)}
    if isinstance(value, str) and Path in kinds:
        return source.base / value
    if isinstance(value, str) and timedelta in kinds:
        return _duration(source, name, value)
    items = as_list(value)
    return tuple(items) if items and tuple in map(get_origin, kinds) else value


def _duration(source: Source, name: str, value: str) -> object:
    try:
        return parse_duration(value)
    except ValueError as exc:
        source.page.problem(dotted(source.key, name), str(exc))
        return timedelta(0)
