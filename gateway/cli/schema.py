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
    """Print a file's JSON Schema for editors.

    It is of the draft 2020-12: an editor that knows it completes and checks the file.
    """
    found = config_schema() if file is File.CONFIG else policy_schema()
    typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
