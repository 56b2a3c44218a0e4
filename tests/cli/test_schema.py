"""`sealpost schema`."""

import json
from typing import Any

import pytest

from gateway.config.schema import config_schema, policy_schema
from tests.cli.conftest import Call


@pytest.mark.parametrize(("file", "schema"), [("config", config_schema()), ("policy", policy_schema())])
def test_the_command_prints_it(call: Call, file: str, schema: Any) -> None:
    code, out, err = call("schema", file)
    assert (code, err) == (0, "")
    assert json.loads(out) == schema
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_there_are_two_files(call: Call) -> None:
    assert call("schema", "spool")[0] == 2
