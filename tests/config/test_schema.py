"""The JSON Schemas: our files are as they say, slips are not, and no condition or label source is forgotten."""

import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from gateway.config import label_tables, policy_tables
from gateway.config import tables as tables_of
from gateway.config.builtin import BUILT_IN
from gateway.config.condition_schema import CONDITIONS
from gateway.config.conditions import READERS
from gateway.config.key_words import CONFIG_KEYS
from gateway.config.labels import SOURCES
from gateway.config.page import Strict
from gateway.config.policy_key_words import POLICY_KEYS
from gateway.config.schema import config_schema, policy_schema
from gateway.transports import TRANSPORTS
from tests.config.json_schema import problems

ROOT = Path(__file__).parents[2]
CONFIG, POLICY = config_schema(), policy_schema()
POLICIES = [*sorted((ROOT / "policies").glob("*.toml")), ROOT / "tests/fixtures/policies/council.toml"]
COUNCIL = (ROOT / "tests/fixtures/policies/council.toml").read_text()
SEALPOST = (ROOT / "tests/fixtures/sealpost.toml").read_text()


def found(text: str, schema: Any) -> list[str]:
    return list(problems(tomllib.loads(text), schema, schema))


@pytest.mark.parametrize("file", POLICIES, ids=lambda file: file.name)
def test_the_policies_are_as_the_schema_says(file: Path) -> None:
    assert found(file.read_text(), POLICY) == []


@pytest.mark.parametrize("text", [SEALPOST, BUILT_IN.decode()], ids=["documented", "built-in"])
def test_the_configurations_are_as_the_schema_says(text: str) -> None:
    assert found(text, CONFIG) == []


def test_no_condition_source_or_transport_is_forgotten() -> None:
    assert set(CONDITIONS) == set(READERS)
    labels: Any = POLICY["properties"]
    assert {each["properties"]["source"]["const"] for each in labels["labels"]["items"]["anyOf"]} == set(SOURCES)
    routes: Any = CONFIG["properties"]
    forms = routes["routes"]["additionalProperties"]["anyOf"]
    assert {each["properties"]["transport"]["const"] for each in forms} == set(TRANSPORTS)


@pytest.mark.parametrize(
    ("schema", "text", "old", "new"),
    [
        (POLICY, COUNCIL, 'intent = "encrypted"', 'intent = "encripted"'),
        (POLICY, COUNCIL, 'classification = "restricted"', 'clasification = "restricted"'),
        (POLICY, COUNCIL, 'controlled = "encrypted"', 'controlled = "tls"'),
        (POLICY, COUNCIL, 'name  = "Public"', 'nam  = "Public"'),
        (POLICY, COUNCIL, "automatic = true", 'automatic = "yes"'),
        (POLICY, COUNCIL, "any = [{", "any = { x = [{"),
        (POLICY, COUNCIL, 'source = "header"\nname   = "Sens', 'source = "heeder"\nname   = "Sens'),
        (CONFIG, SEALPOST, 'transport = "mx"', 'transport = "mxx"'),
        (CONFIG, SEALPOST, '"48h"', '"48 hours"'),
        (CONFIG, SEALPOST, '"13MiB"', '"13MB"'),
        (CONFIG, SEALPOST, "[spool]", "[spol]"),
        (CONFIG, SEALPOST, "client_certificate", "client_certificat"),
    ],
)
def test_a_slip_is_seen(schema: Any, text: str, old: str, new: str) -> None:
    assert old in text
    changed = text.replace(old, new) if "{ x" not in new else text.replace(old, "any = [{ x = 1 }, {")
    assert found(changed, schema) != []


def models(module: ModuleType) -> list[type[Strict]]:
    return [each for each in vars(module).values() if isinstance(each, type) and issubclass(each, Strict)]


def every(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from every(inner)


@pytest.mark.parametrize("schema", [CONFIG, POLICY], ids=["config", "policy"])
def test_every_key_says_what_it_is_for(schema: Any) -> None:
    tables = [each["properties"] for each in every(schema) if isinstance(each.get("properties"), dict)]
    keys = [(name, about) for table in tables for name, about in table.items()]
    assert len(keys) > 80
    assert [name for name, about in keys if len(about.get("description", "")) < 4] == []


def test_no_sentence_is_left_of_a_key_that_is_gone() -> None:
    written = {**CONFIG_KEYS, **POLICY_KEYS}
    tables = {table.__name__: table for module in (tables_of, policy_tables, label_tables) for table in models(module)}
    for name, words in written.items():
        if name in TRANSPORTS:
            known = {each.name for each in fields(TRANSPORTS[name].Options)}  # pyright: ignore[reportArgumentType]
        else:
            known = {each.alias or key for key, each in tables[name].model_fields.items()}
        assert set(words) <= known, name


@pytest.mark.parametrize("schema", [CONFIG, POLICY], ids=["config", "policy"])
def test_every_table_is_described_and_strict(schema: Any) -> None:
    for name, table in schema["$defs"].items():
        assert len(table["description"]) > 4, name
        assert table["additionalProperties"] is False, name
    for each in every(schema):
        reference = each.get("$ref", "")
        assert not isinstance(reference, str) or reference.removeprefix("#/$defs/") in {"", *schema["$defs"]}
        assert not isinstance(each.get("description", ""), str) or "``" not in each.get("description", "")
