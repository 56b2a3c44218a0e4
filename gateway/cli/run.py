"""`sealpost run`: the gateway itself."""

import typer

from gateway.app.source import Files
from gateway.app.start import CannotStart, run_gateway
from gateway.cli.check import ConfigOption
from gateway.cli.errors import Usage
from gateway.config.bundle import find_config


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(run)


def run(config: ConfigOption = None) -> None:
    """Run the gateway in the foreground until SIGTERM or Ctrl-C.

    Its log goes to standard output, one JSON object a line. SIGHUP, or `sealpost reload`, reads the configuration anew.
    At a stop, conversations and deliveries in hand get 30 seconds; everything else waits in the spool.
    """
    try:
        run_gateway(Files(find_config(config)))
    except CannotStart as error:
        raise Usage(str(error)) from error
