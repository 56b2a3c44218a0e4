"""`sealpost tls policy-server`: a long-running command, so that Postfix's own deliveries keep to our floors too."""

from typing import Annotated, Final

import typer

from gateway.app.policy_server import run_policy_server
from gateway.app.policy_socket import parse_listen
from gateway.app.source import Files
from gateway.app.start import CannotStart
from gateway.cli.check import ConfigOption
from gateway.cli.errors import Usage
from gateway.config.bundle import find_config

DEFAULT: Final = "127.0.0.1:8892"
"""Where it listens unless it is told otherwise."""


def register(tls: typer.Typer) -> None:
    """Adds the command."""
    tls.command("policy-server")(policy_server)


def policy_server(
    address: Annotated[
        str,
        typer.Option("--address", help="HOST:PORT on this machine, or unix: and an absolute path."),
    ] = DEFAULT,
    config: ConfigOption = None,
) -> None:
    """Tell Postfix which TLS each next hop needs.

    For mail that Postfix delivers itself. It answers for DANE, MTA-STS, pins, the register of partners and rules on
    the domain alone, by the same lookups as the gateway; where nothing is demanded, main.cf decides. What is not known,
    or what Postfix cannot check, waits in Postfix's queue; so does all its mail while this does not run.

    In main.cf, with `postfix reload` after it:

    \b
      smtp_tls_policy_maps = socketmap:inet:127.0.0.1:8892:tls
      or, for --address unix:/var/spool/postfix/sealpost/tls,
      smtp_tls_policy_maps = socketmap:unix:sealpost/tls:tls

    `sealpost check` prints all the lines that Postfix needs. Runs in the foreground as the gateway's user; its log goes
    to standard output. SIGHUP reads the configuration anew, SIGTERM stops it.
    """
    try:
        where = parse_listen(address)
    except ValueError as error:
        raise Usage(f"--address: {error}") from error
    try:
        run_policy_server(Files(find_config(config)), where)
    except CannotStart as error:
        raise Usage(str(error)) from error
