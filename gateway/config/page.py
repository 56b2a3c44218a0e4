"""One file under examination: strict validation with pydantic, and every finding gathered with its key.

Nothing is raised while a file is read, so that an administrator sees all problems at once. Values are named in a
finding only where they are words of ours (a level, a route, a unit), never where they could be a secret.
"""

import re
import types
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar, cast, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from gateway.config.problems import Problem
from gateway.config.toml import NotToml, read_toml
from gateway.core.nearest import did_you_mean

Table = dict[str, object]


class Strict(BaseModel):
    """The base of all tables: an unknown key is an error, and nothing is converted silently."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


_M = TypeVar("_M", bound=BaseModel)

# What a person calls the types of TOML.
_TYPES: Final = {
    "string_type": "this is a text in quotes",
    "int_type": "this is a whole number",
    "bool_type": "this is true or false",
    "list_type": "this is a list in square brackets",
    "dict_type": "this is a table",
    "model_type": "this is a table",
    "is_instance_of": "this is a file's name in quotes",
    "bytes_type": 'a secret stands in a file of its own: "file:certs/name"',
    "missing": "this is missing",
}


@dataclass(slots=True)
class Page:
    """A file's name as the user gave it, and what was found in it."""

    file: str
    problems: list[Problem] = field(default_factory=list[Problem])
    warnings: list[Problem] = field(default_factory=list[Problem])

    def problem(self, key: str, text: str) -> None:
        """The file cannot be used like this."""
        self.problems.append(Problem(file=self.file, key=key, text=text))

    def warning(self, key: str, text: str) -> None:
        """It can, but somebody should look."""
        self.warnings.append(Problem(file=self.file, key=key, text=text))

    def unknown(self, key: str, what: str, word: str, known: Iterable[str]) -> None:
        """A word that is not one of ours, with the nearest that is."""
        self.problem(key, f"unknown {what} `{word}`{did_you_mean(word, known)}")

    def toml(self, data: bytes) -> Table | None:
        """The file as a table; None (and a problem) if it is not TOML."""
        try:
            return read_toml(data)
        except NotToml as exc:
            self.problem("", str(exc))
        return None

    def validate(self, model: type[_M], table: object, key: str = "") -> _M | None:
        """The table as ``model``; None (and its problems) if it is not one."""
        try:
            return model.model_validate(table)
        except ValidationError as exc:
            self.report(exc, key, model)
        return None

    def report(self, error: ValidationError, key: str, model: type[BaseModel] | None, also: Sequence[str] = ()) -> None:
        """Turns pydantic's findings into ours. ``also`` are known keys that the model does not name."""
        for detail in error.errors(include_url=False, include_context=True):
            at, last = detail["loc"], str(detail["loc"][-1]) if detail["loc"] else ""
            if detail["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
                self.unknown(dotted(key, *at), "key", last, (*_keys_at(model, at[:-1]), *also))
            else:
                self.problem(dotted(key, *at), _sentence(detail))


def dotted(*steps: str | int) -> str:
    """A key as a person finds it: ``rules[3].route``, counted from 1."""
    text = ""
    for step in steps:
        text += f"[{step + 1}]" if isinstance(step, int) else f".{step}" if text and step else step
    return text


def _sentence(detail: ErrorDetails) -> str:
    if detail["type"] == "literal_error":
        expected = str(detail.get("ctx", {}).get("expected", ""))
        known = re.findall(r"'([^']*)'", expected) or [expected.lower()]
        return f"unknown value `{detail['input']}`{did_you_mean(str(detail['input']), known)}"
    text = _TYPES.get(detail["type"], detail["msg"].removeprefix("Value error, "))
    text = text.replace("Input should be", "this should be")
    return text[:1].lower() + text[1:]


def _keys_at(model: type[BaseModel] | None, steps: tuple[str | int, ...]) -> tuple[str, ...]:
    """The keys that the table at ``steps`` below ``model`` can have; numbers and names of the user's lead no deeper."""
    for step in steps:
        if model is not None and step in model.model_fields:
            model = _model_in(model.model_fields[str(step)].annotation)
    return tuple(field.alias or name for name, field in model.model_fields.items()) if model else ()


def _model_in(annotation: object) -> type[BaseModel] | None:
    """The table's class in e.g. ``list[SmtpTable] | None``."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return annotation if issubclass(annotation, BaseModel) else None
    return next((found for arg in get_args(annotation) if (found := _model_in(arg))), None)


def as_table(value: object) -> Table:
    """The value if it is a table (TOML's keys are texts), else an empty one."""
    return cast("Table", value) if isinstance(value, dict) else {}


def as_list(value: object) -> list[object]:
    """The value if it is a list, else an empty one."""
    return cast("list[object]", value) if isinstance(value, list) else []
