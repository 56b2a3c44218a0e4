"""`sealpost exception`: larger files by request (M5), added to the policy's register and listed from it.

An exception always ends, and lets nothing go less protected: it only widens the size limit of a route.
"""

import json
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gateway.cli.check import ConfigOption
from gateway.cli.errors import Usage
from gateway.cli.replace_file import replace_file
from gateway.config.bundle import Bundle, find_config, read_bundle
from gateway.config.load import load
from gateway.config.page import as_table
from gateway.config.registers.adding import NewException, with_exception
from gateway.config.registers.cells import parse_bytes, parse_day
from gateway.config.toml import read_toml
from gateway.core.policy import Policy
from gateway.core.registers.exceptions import Waiver
from gateway.core.sizes import exactly

LONGEST: Final = timedelta(days=366)
"""Until somebody has to ask again."""

WIDE: Final = 10_000
"""Columns, where nothing says how many there are."""

exception = typer.Typer(help="Let larger files go by a route, for a while, or list who may.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.add_typer(exception, name="exception")


@exception.command()
def add(
    route: Annotated[str, typer.Option("--route", help="The route whose limit is widened.")],
    sender: Annotated[str, typer.Option("--sender", help="Who: an address, a domain or group:NAME.")],
    recipient: Annotated[str, typer.Option("--recipient", help="To whom: an address, a domain or group:NAME.")],
    up_to: Annotated[str, typer.Option("--up-to", help="The attached files together, such as 25MiB.")],
    until: Annotated[str, typer.Option("--until", help="The last day, such as 2026-12-31; at most a year ahead.")],
    reference: Annotated[str, typer.Option("--reference", help="The request that it rests on.")],
    reason: Annotated[str, typer.Option("--reason", help="Why, for those who read the register.")] = "",
    config: ConfigOption = None,
) -> None:
    """Add an exception to the register that the policy names.

    The whole configuration is checked with it first; if anything is wrong, nothing changes. It is in force after
    `sealpost reload`.
    """
    new = NewException(
        route=route,
        sender=sender,
        recipient=recipient,
        up_to=_size(up_to),
        until=_last_day(until, datetime.now(UTC).date()),
        reference=reference,
        reason=reason,
    )
    path = _append(read_bundle(find_config(config)), new)
    typer.echo(f"Added to {path}, until {new.until}. `sealpost reload` puts it in force.")


@exception.command("list")
def list_(
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the exceptions of the register, ended ones too."""
    waivers = load(read_bundle(find_config(config))).policy.registers.waivers
    today = datetime.now(UTC).date()
    if as_json:
        typer.echo(json.dumps([_object(waiver, today) for waiver in waivers], indent=2))
    elif waivers:
        # Whoever reads it by a pipe gets whole addresses, however wide.
        width = None if sys.stdout.isatty() else WIDE
        Console(width=width).print(_table(waivers, today))
    else:
        typer.echo("There are no exceptions.")


def _size(text: str) -> int:
    try:
        return parse_bytes(text)
    except ValueError as error:
        raise Usage(f"--up-to: {error}") from error


def _last_day(text: str, today: date) -> date:
    try:
        day = parse_day(text)
    except ValueError as error:
        raise Usage(f"--until: {error}") from error
    if not today <= day <= today + LONGEST:
        raise Usage(f"--until: an exception ends between today and {today + LONGEST}")
    return day


def _append(bundle: Bundle, new: NewException) -> Path:
    """Writes the register with the new line, if the configuration is good with it. Raises ConfigError if it is not."""
    name = _register_of(bundle)
    before = bundle.beside.files.get(name)
    if before is None:
        raise Usage(
            f"{bundle.beside.path(name)} cannot be read: {bundle.beside.unreadable.get(name, 'it is not there')}"
        )
    try:
        after = with_exception(name, before, new)
    except ValueError as error:
        raise Usage(f"{bundle.beside.path(name)}: {error}") from error
    files = {**bundle.beside.files, name: after}
    _check_worth(load(replace(bundle, beside=replace(bundle.beside, files=files))).policy, new)
    path = Path(bundle.beside.path(name))
    try:
        if path.read_bytes() != before:
            raise Usage(f"{path} was changed by somebody else meanwhile; nothing was written, try again")
        replace_file(path, after)
    except OSError as error:
        raise Usage(f"{path} cannot be written: {error.strerror}") from error
    return path


def _register_of(bundle: Bundle) -> str:
    try:
        raw = read_toml(bundle.policy_bytes)
    except ValueError:
        raw = {}
    name = as_table(raw.get("registers")).get("exceptions")
    if not isinstance(name, str):
        # What else is wrong with the policy is said first.
        load(bundle)
        raise Usage(f'{bundle.policy} names no register: add [registers] exceptions = "registers/exceptions.csv"')
    return name


def _check_worth(policy: Policy, new: NewException) -> None:
    """An exception that changes nothing would only seem to help whoever asked for it."""
    limit = policy.routes[new.route].max_attachments
    if limit is None:
        raise Usage(f"the route `{new.route}` has no limit for attached files, so it needs no exception")
    if new.up_to <= limit:
        raise Usage(f"--up-to: the route `{new.route}` takes {exactly(limit)} from everybody")


def _object(waiver: Waiver, today: date) -> dict[str, object]:
    return {
        "route": waiver.route,
        "sender": waiver.sender.label,
        "recipient": waiver.recipient.label,
        "up_to_bytes": waiver.up_to,
        "until": waiver.until.isoformat(),
        "ended": waiver.until < today,
        "reference": waiver.reference,
        "reason": waiver.reason,
    }


def _table(waivers: tuple[Waiver, ...], today: date) -> Table:
    table = Table(box=None)
    for name in ("Route", "From", "To", "Up to", "Until", "Reference", "Reason"):
        table.add_column(name, overflow="fold")
    for waiver in waivers:
        until = f"{waiver.until} (ended)" if waiver.until < today else f"{waiver.until}"
        texts = (waiver.route, waiver.sender.label, waiver.recipient.label, exactly(waiver.up_to), until)
        table.add_row(*(escape(text) for text in (*texts, waiver.reference, waiver.reason)))
    return table
