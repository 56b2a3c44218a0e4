"""JSON Schema (2020-12) of both files, so that editors complete and check while one writes.

Made from the tables that read the files. It is looser than they are: what hangs together over several keys, and the
policy's own names, `sealpost check` tells.
"""

import re
from collections.abc import Iterable
from dataclasses import MISSING, fields
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, cast, get_args, get_type_hints

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from gateway.config import label_tables
from gateway.config.condition_schema import SIZE, WHEN, Schema, when_schema
from gateway.config.key_words import CONFIG_KEYS
from gateway.config.page import Strict, as_table
from gateway.config.policy_key_words import POLICY_KEYS
from gateway.config.policy_tables import PolicyTable
from gateway.config.tables import ConfigTable, RouteTable
from gateway.config.units import parse_duration, parse_network, read_size
from gateway.transports import TRANSPORTS

_DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
_KEYS: Final = {**CONFIG_KEYS, **POLICY_KEYS}
_DURATION: Final = r"^\d{1,6}[smhd]$"

_SOURCE: Final = "Where the level is written."

# What a person writes where the tables hold something else.
_WRITTEN: Final[dict[object, Schema]] = {
    parse_duration: {"type": "string", "pattern": _DURATION, "description": "Such as 48h, 5m or 3d."},
    read_size: {"type": "string", "pattern": SIZE, "description": "Such as 13MiB; decimal units are refused."},
    parse_network: {"type": "string", "description": "An address or a network such as 10.0.0.0/8."},
}


class _AsWritten(GenerateJsonSchema):
    """Describes what stands in the file, not what it is read into."""

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> JsonSchemaValue:
        """See `_WRITTEN`."""
        written = _WRITTEN.get(schema["function"]["function"])
        return dict(written) if written is not None else super().function_before_schema(schema)


def config_schema() -> Schema:
    """Of sealpost.toml."""
    schema = _of(ConfigTable, "sealpost.toml: where mail comes in, by which routes it leaves, and where it waits.")
    routes = as_table(as_table(schema["properties"])["routes"])
    routes["additionalProperties"] = _route()
    return schema


def policy_schema() -> Schema:
    """Of a policy file."""
    schema = _of(PolicyTable, "A policy: what an organisation demands of its mail.")
    definitions = cast("dict[str, object]", schema["$defs"])
    definitions[WHEN] = when_schema()
    rule = as_table(as_table(definitions["RuleTable"])["properties"])
    rule["when"] = {"$ref": f"#/$defs/{WHEN}", "description": as_table(rule["when"])["description"]}
    labels = [_of(table) for table in _label_tables()]
    sources = as_table(as_table(schema["properties"])["labels"])
    sources["items"] = {"anyOf": labels}
    return schema


def _of(model: type[BaseModel], title: str = "") -> Schema:
    schema: Schema = model.model_json_schema(by_alias=True, schema_generator=_AsWritten)
    plain = as_table(_plain(schema))
    _describe(model.__name__, plain)
    for name, table in as_table(plain.get("$defs")).items():
        _describe(name, as_table(table))
    return {"$schema": _DRAFT, "title": title, **plain} if title else plain


def _describe(name: str, table: Schema) -> None:
    """Says of each key what it is for, and behind that how it is written."""
    words = _KEYS.get(name, {})
    for key, value in as_table(table.get("properties")).items():
        about = as_table(value)
        said = (words.get(key, _SOURCE if key == "source" else ""), str(about.get("description", "")))
        about["description"] = " ".join(filter(None, said))


def _plain(value: object) -> object:
    """Without the titles that only repeat a key, and with descriptions that read as text."""
    if isinstance(value, list):
        return [_plain(item) for item in cast("list[object]", value)]
    if not isinstance(value, dict):
        return value
    table = cast("dict[str, object]", value)
    kept = {key: _plain(inner) for key, inner in table.items() if not (key == "title" and isinstance(inner, str))}
    if isinstance(kept.get("description"), str):
        kept["description"] = re.sub(r"\s+", " ", str(kept["description"]).replace("``", "`"))
    return kept


def _label_tables() -> Iterable[type[BaseModel]]:
    found = (value for value in vars(label_tables).values() if isinstance(value, type) and issubclass(value, Strict))
    return [table for table in found if "source" in table.model_fields]


def _route() -> Schema:
    """What every route has, and for each transport its own keys."""
    common = _of(RouteTable)
    each = [_transport(name, common) for name in sorted(TRANSPORTS)]
    return {"description": "A way out.", "anyOf": each}


def _transport(name: str, common: Schema) -> Schema:
    options = TRANSPORTS[name].Options
    hints = get_type_hints(options)
    own: Schema = {field.name: _option(hints[field.name], secret=not field.repr) for field in _fields(options)}
    _describe(name, {"properties": own})
    needed = [field.name for field in _fields(options) if field.default is MISSING and field.default_factory is MISSING]
    shared = as_table(common["properties"])
    properties = {**shared, "transport": {**as_table(shared["transport"]), "const": name}, **own}
    required = [*cast("list[str]", common["required"]), *needed]
    about = re.sub(r"\s+", " ", (options.__doc__ or "").partition("Raises:")[0].replace("``", "`")).strip()
    return {**common, "properties": properties, "required": required, "description": about}


def _fields(options: type[object]) -> tuple[Any, ...]:
    return fields(cast("Any", options))


def _option(hint: object, *, secret: bool) -> Schema:
    kinds = {hint, *get_args(hint)}
    if secret:
        return {"type": "string", "pattern": "^file:.", "description": "A file that holds the secret."}
    if timedelta in kinds:
        return dict(_WRITTEN[parse_duration])
    if bool in kinds:
        return {"type": "boolean"}
    if int in kinds:
        return {"type": "integer"}
    return {"type": "string"} if {str, Path} & kinds else {}
