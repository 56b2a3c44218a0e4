"""The command line: one file per command, and `main`, which turns every expected error into one sentence."""

import sys

import typer

from gateway.cli import (
    audit,
    certs,
    check,
    exception,
    explain,
    mode,
    policy,
    portal,
    queue,
    reload,
    routes,
    run,
    sandbox,
    schema,
    selftest,
    simulate,
    status,
    tls,
    trace,
)
from gateway.cli.errors import Finding, Usage
from gateway.config.problems import ConfigError

app = typer.Typer(
    name="sealpost",
    help="Sealpost: an outbound mail gateway that makes an organisation's secure-transfer policy true.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    # Plain help: rich would read [ ] as its own markup, and keep the source's line ends.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_COMMANDS = (
    run,
    reload,
    check,
    exception,
    explain,
    mode,
    policy,
    status,
    trace,
    audit,
    queue,
    portal,
    certs,
    tls,
    routes,
    selftest,
    sandbox,
    schema,
    simulate,
)
for command in _COMMANDS:
    command.register(app)


def main() -> None:
    """Entry point. Exit codes: 0 fine, 1 a finding, 2 usage."""
    try:
        app()
    except ConfigError as error:
        for problem in error.problems:
            sys.stderr.write(f"{problem}\n")
        sys.exit(1)
    except Finding as error:
        sys.stderr.write(f"sealpost: {error}\n")
        sys.exit(1)
    except Usage as error:
        sys.stderr.write(f"sealpost: {error}\n")
        sys.exit(2)
