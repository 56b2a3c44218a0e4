"""`sealpost reload`: the running gateway reads its configuration anew."""

from pathlib import Path
from typing import Annotated, Final

import typer

from gateway.app.control import NotRunning, ask
from gateway.app.messages import Answer, AskReload, Done, Request
from gateway.cli.check import ConfigOption
from gateway.cli.errors import Usage
from gateway.cli.who import operator
from gateway.config.bundle import find_config, read_bundle
from gateway.config.page import as_table
from gateway.config.problems import ConfigError, Problem
from gateway.config.toml import read_toml
from gateway.config.units import parse_spool

ReferenceOption = Annotated[
    str, typer.Option("--reference", metavar="TEXT", help="The change or ticket; it is kept with your name.")
]
MOST_REFERENCE: Final = 200


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(reload)


def reload(reference: ReferenceOption = "", config: ConfigOption = None) -> None:
    """Have the running gateway read its configuration anew.

    All of it is checked first; if anything is wrong, nothing changes, every problem is printed, and the exit code is 1.
    A message that is being received or delivered keeps the policy it began with. `sealpost policy history` shows every
    policy that came into force, with your name and the reference.
    """
    tell(ask_gateway(spool_of(config), AskReload(operator=operator(), reference=reference.strip()[:MOST_REFERENCE])))


def spool_of(config: Path | None) -> Path:
    """The spool that the configuration names, whatever else is wrong with it: the gateway says that better.

    Raises ConfigError if there is no configuration, or none that names a spool.
    """
    bundle = read_bundle(find_config(config))
    try:
        url = as_table(read_toml(bundle.config_bytes).get("spool")).get("url")
        return bundle.base / parse_spool(url if isinstance(url, str) else "")
    except ValueError as error:
        raise ConfigError((Problem(file=str(bundle.config), key="spool.url", text=str(error)),)) from error


def ask_gateway(spool: Path, request: Request) -> Answer:
    """Asks the gateway that runs on the spool. Raises Usage with what to do if it cannot be asked."""
    try:
        return ask(spool, request)
    except NotRunning as error:
        raise Usage(f"{error}; start it with `sealpost run`") from error
    except PermissionError as error:
        raise Usage(f"the spool {spool} belongs to another user; ask as that user, or as root") from error


def tell(answer: Answer) -> None:
    """Prints the answer; exit code 1 if it was not done."""
    typer.echo(answer.text, err=not isinstance(answer, Done))
    if not isinstance(answer, Done):
        raise typer.Exit(1)
