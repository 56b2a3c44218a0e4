"""`sealpost schema`: JSON Schema of both files, for editors."""

import json
from enum import StrEnum
from typing import Annotated

import typer

from gateway.config.schema import config_schema, policy_schema


class File(StrEnum):
    """Which file."""

    CONFIG = "config"
    POLICY = "policy"


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(schema)


def schema(file: Annotated[File, typer.Argument(help="config is sealpost.toml, policy a policy file.")]) -> None:
    """Print the JSON Schema (2020-12) of a file, so that an editor completes and checks it."""
    found = config_schema() if file is File.CONFIG else policy_schema()
    typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
