"""As much of JSON Schema (2020-12) as our own schemas use; an unknown keyword is a failure, not a pass."""

import re
from collections.abc import Iterator
from datetime import date
from typing import Any

KNOWN = {
    *("$schema", "$defs", "title", "description", "default", "format", "discriminator"),
    *("$ref", "type", "const", "enum", "pattern", "minLength", "maxLength", "minimum", "maximum"),
    *("properties", "required", "additionalProperties", "minProperties", "items", "minItems", "anyOf"),
}
TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


def problems(value: Any, schema: Any, root: Any, at: str = "") -> Iterator[str]:
    """Where the value is not as the schema says."""
    assert set(schema) <= KNOWN, set(schema) - KNOWN
    if isinstance(value, date):
        value = value.isoformat()
    if "$ref" in schema:
        yield from problems(value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root, at)
    if "anyOf" in schema and all([*problems(value, each, root, at)] for each in schema["anyOf"]):
        yield f"{at}: none of the forms"
    if "const" in schema and value != schema["const"]:
        yield f"{at}: not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at}: none of {schema['enum']}"
    if "type" in schema and (
        not isinstance(value, TYPES[schema["type"]]) or (schema["type"] == "integer" and value is True)
    ):
        yield f"{at}: not of type {schema['type']}"
    elif isinstance(value, dict):
        yield from _table(value, schema, root, at)
    elif isinstance(value, list):
        yield from _list(value, schema, root, at)
    else:
        yield from _plain(value, schema, at)


def _table(value: Any, schema: Any, root: Any, at: str) -> Iterator[str]:
    known, other = schema.get("properties", {}), schema.get("additionalProperties", True)
    if len(value) < schema.get("minProperties", 0):
        yield f"{at}: too few keys"
    yield from (f"{at}.{name}: missing" for name in schema.get("required", ()) if name not in value)
    for name, inner in value.items():
        if name in known:
            yield from problems(inner, known[name], root, f"{at}.{name}")
        elif other is False:
            yield f"{at}.{name}: unknown"
        elif isinstance(other, dict):
            yield from problems(inner, other, root, f"{at}.{name}")


def _list(value: Any, schema: Any, root: Any, at: str) -> Iterator[str]:
    if len(value) < schema.get("minItems", 0):
        yield f"{at}: too short"
    for number, inner in enumerate(value):
        yield from problems(inner, schema.get("items", {}), root, f"{at}[{number + 1}]")


def _plain(value: Any, schema: Any, at: str) -> Iterator[str]:
    if isinstance(value, str):
        if "pattern" in schema and not re.search(schema["pattern"], value):
            yield f"{at}: not as {schema['pattern']}"
        if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
            yield f"{at}: too short or too long"
    elif isinstance(value, int) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        yield f"{at}: too small or too large"
