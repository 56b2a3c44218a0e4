"""`sealpost portal`: what lies sealed for people outside, and what the Service Desk does about it.

Works on the store itself, so also while the gateway is down. Left out on purpose: the content, which no command shows.
"""

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import typer

from gateway.cli.check import ConfigOption
from gateway.cli.errors import Finding, Usage
from gateway.cli.portal_keys import rotate_key
from gateway.cli.portal_password import password
from gateway.cli.portal_view import history_lines, package_json, reader_json, reader_table
from gateway.cli.sealed_store import with_store
from gateway.cli.who import operator
from gateway.config.units import parse_duration
from gateway.core.address import Address, BadAddress, parse_address
from gateway.core.sealed import Access, PackageId, Reader
from gateway.flow.ports import SealedStore
from gateway.sealed.guesses import normalise

portal = typer.Typer(help="See, revoke, extend or erase what lies sealed for people outside.", no_args_is_help=True)

_Package = Annotated[str, typer.Argument(metavar="PACKAGE", help="A package, as `portal list` shows it.")]
_Recipient = Annotated[
    str | None, typer.Option("--recipient", metavar="ADDRESS", help="Only this recipient; without it all of them.")
]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON; keys are added at times, never renamed.")]

_PAGE: Final = 100
_LONGEST: Final = timedelta(days=366)
_SHORTEST: Final = 10


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    portal.command()(password)
    portal.command("rotate-key")(rotate_key)
    app.add_typer(portal, name="portal")


@portal.command("list")
def list_packages(
    text: Annotated[str, typer.Argument(metavar="[TEXT]", help="A part of an address, a queue id or a package.")] = "",
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="Show at most so many packages.")] = _PAGE,
    as_json: _Json = False,
    config: ConfigOption = None,
) -> None:
    """List sealed messages, the newest first.

    A line for each recipient.

    JSON: an array of {"package", "queue_id", "recipient", "number", "sender", "level", "route", "access", "unlock",
    "sealed_at", "expires_at", "opened", "opened_at", "downloaded", "downloads", "bytes"}.
    """
    found = with_store(config, lambda store: store.list(_now(), text=text, limit=limit))
    if as_json:
        typer.echo(json.dumps([reader_json(reader) for reader in found], indent=1))
    elif not found:
        typer.echo("Nothing lies sealed." if not text else f"Nothing lies sealed that has `{text}` in it.")
    else:
        typer.echo(reader_table(found))


@portal.command()
def show(package: _Package, as_json: _Json = False, config: ConfigOption = None) -> None:
    """Show a sealed message's recipients and all that happened to it.

    JSON: {"package", "readers": [as in `portal list`], "history": [{"at", "number", "what", "who", "detail"}]}.
    """

    async def look(store: SealedStore) -> None:
        found = await _readers(store, package)
        history = await store.history(PackageId(package))
        if as_json:
            typer.echo(json.dumps(package_json(package, found, history), indent=1))
            return
        typer.echo(reader_table(found))
        for line in history_lines(history):
            typer.echo(line)

    with_store(config, look)


@portal.command()
def revoke(package: _Package, recipient: _Recipient = None, config: ConfigOption = None) -> None:
    """Close a sealed message for all recipients, or for one.

    Its link then looks like one that never was. `restore` opens it again.
    """

    async def close(store: SealedStore) -> int:
        number = _number(await _readers(store, package), recipient)
        return await store.revoke(PackageId(package), number, _now(), operator())

    _tell(with_store(config, close), "closed", "it is closed already, or erased")


@portal.command()
def restore(package: _Package, recipient: _Recipient = None, config: ConfigOption = None) -> None:
    """Open a sealed message again.

    After it was revoked, locked by wrong codes, or was said to be for somebody else.
    """

    async def reopen(store: SealedStore) -> tuple[int, Access]:
        readers = await _readers(store, package)
        number = _number(readers, recipient)
        return await store.restore(PackageId(package), number, _now(), operator()), readers[0].access

    changed, access = with_store(config, reopen)
    if access is Access.ERASED:
        raise _erased(package)
    _tell(changed, "opened again", "it was not closed")


@portal.command()
def extend(
    package: _Package,
    by: Annotated[str, typer.Option("--by", metavar="TIME", help="How long from now, such as 14d.")] = "14d",
    config: ConfigOption = None,
) -> None:
    """Let a sealed message be opened for longer; never for less.

    One that has expired opens again, as long as it is not erased.
    """
    try:
        longer = parse_duration(by)
    except ValueError as error:
        raise Usage(f"--by `{by}`: {error}") from error
    if longer > _LONGEST:
        raise Usage(f"--by `{by}`: a sealed message is left open for {_LONGEST.days}d at most")
    until = _now() + longer

    async def move(store: SealedStore) -> tuple[bool, Reader]:
        moved = await store.extend(PackageId(package), until, _now(), operator())
        return moved, (await _readers(store, package))[0]

    moved, first = with_store(config, move)
    if first.access is Access.ERASED:
        raise _erased(package)
    already = "" if moved else "Nothing changed: "
    typer.echo(f"{already}{package} can be opened until {first.expires_at:%Y-%m-%d %H:%M} UTC.")


@portal.command()
def erase(
    package: _Package,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask again.")] = False,
    config: ConfigOption = None,
) -> None:
    """Destroy a sealed message's key and content, for good.

    What is left is who had it and what happened to it.
    """
    with_store(config, lambda store: _readers(store, package))
    if not yes and not typer.confirm(f"Erase {package} for all its recipients? Nothing brings it back."):
        raise typer.Exit(1)

    async def destroy(store: SealedStore) -> tuple[bool, bool]:
        return await store.erase(PackageId(package), _now(), operator()), await store.forget()

    done, forgotten = with_store(config, destroy)
    typer.echo(f"{package} is erased." if done else f"{package} was erased before.")
    if not forgotten:
        typer.echo("On the disk its key is overwritten within minutes, when those who read the store have ended.")


@portal.command()
def agree(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="The recipient's address.")],
    forget: Annotated[bool, typer.Option("--forget", help="Forget the passphrase that was agreed.")] = False,
    config: ConfigOption = None,
) -> None:
    """Keep a passphrase that was agreed with somebody outside.

    It is asked for, or read from standard input; only a hash is kept. Messages sealed from now on open with it.
    """
    who = _address(address)
    passphrase = None if forget else _typed()
    if passphrase is not None and len(normalise(passphrase)) < _SHORTEST:
        raise Usage(f"a passphrase has at least {_SHORTEST} characters, without those between its words")
    if passphrase is not None and normalise(passphrase).isdecimal():
        raise Usage("a passphrase of digits alone would be taken for a code")
    with_store(config, lambda store: store.agree(who, passphrase))
    typer.echo(f"{'Forgotten' if forget else 'Kept'} for {who}.")


def _typed() -> str:
    """Asked for twice on a terminal, else the first line of standard input."""
    if sys.stdin.isatty():
        return str(typer.prompt("Passphrase", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\r\n")


def _number(readers: Sequence[Reader], recipient: str | None) -> int | None:
    """The number of that recipient; None for all."""
    if recipient is None:
        return None
    wanted = _address(recipient).key
    found = next((reader.number for reader in readers if reader.address.key == wanted), None)
    if found is None:
        raise Usage(f"{recipient} is no recipient of this package")
    return found


async def _readers(store: SealedStore, package: str) -> tuple[Reader, ...]:
    found = await store.readers(PackageId(package), _now())
    if not found:
        raise Finding(f"there is no package {package}; `sealpost portal list` shows those that there are")
    return found


def _tell(changed: int, done: str, nothing: str) -> None:
    """Nothing to do is well, too."""
    if changed:
        typer.echo(f"{done} for {changed} recipient{'' if changed == 1 else 's'}.".capitalize())
    else:
        typer.echo(f"Nothing changed: {nothing}.")


def _erased(package: str) -> Finding:
    return Finding(f"{package} is erased, and nothing brings it back")


def _address(text: str) -> Address:
    try:
        return parse_address(text)
    except BadAddress as error:
        raise Usage(f"`{text}` is not an address: {error}") from error


def _now() -> datetime:
    return datetime.now(UTC)
