"""`sealpost portal rotate-key`: a new key for what is sealed, told to the running gateway; it wraps all others anew.

Nothing is encrypted again: each message has a key of its own, and only what wraps that changes. So it is quick, and
can be broken off at any time. Left out on purpose: keys in a variable are changed where the variable is set.
"""

from pathlib import Path
from typing import Annotated

import typer

from gateway.app.control import NotRunning, ask
from gateway.app.messages import AskReload, Done
from gateway.cli.check import ConfigOption
from gateway.cli.errors import Usage
from gateway.cli.key_file import file_of, with_new_key, write_keys
from gateway.cli.replace_file import keep_old, old_of
from gateway.cli.sealed_store import keys_of, with_keys
from gateway.cli.who import operator
from gateway.config.bundle import find_config, read_bundle
from gateway.config.load import load
from gateway.config.settings import Settings
from gateway.flow.ports import SealedStore
from gateway.sealed.keys import Keyring


def rotate_key(
    drop_old: Annotated[bool, typer.Option("--drop-old", help="Afterwards take the old keys out of the file.")] = False,
    config: ConfigOption = None,
) -> None:
    """Make a new key for what is sealed, and have it wrap all others.

    Old messages stay readable. A backup of the store made before needs the old key: keep it as long as the backup.
    With --drop-old the file as it was stays beside it, with the ending `.old`, until you take it away.
    """
    bundle = read_bundle(find_config(config))
    settings = load(bundle).settings
    keyring = keys_of(settings)
    source = file_of(bundle, "sealing")
    if source is None:
        if drop_old:
            raise Usage("the keys are in a variable: old ones are taken out where it is set, with no command")
        count = _rewrap(settings, keyring)
        typer.echo(f"The keys are in a variable. Wrapped with the first of them: {count}.")
        typer.echo("To rotate, put a new line in front there, restart the gateway, and call this again.")
        return
    if drop_old and old_of(source).exists():
        # It may have the only key of a backup.
        raise Usage(f"{old_of(source)} is there from last time; move it to where the backups' keys are kept first")
    new = with_new_key(keyring)
    write_keys(source, new)
    typer.echo(f"{source} has a new key in front.")
    _reload(settings)
    typer.echo(f"Wrapped with it: {_rewrap(settings, new)}.")
    if drop_old:
        _drop(source, new)
        _reload(settings)
        typer.echo(f"The old keys are taken out; {old_of(source)} is the file as it was.")


def _drop(path: Path, keyring: Keyring) -> None:
    try:
        keep_old(path)
    except OSError as error:
        raise Usage(f"cannot write {old_of(path)}: {error.strerror}; no key is taken out") from error
    write_keys(path, keyring.only_current())


def _reload(settings: Settings) -> None:
    """All processes have to know a key before anything is wrapped with it."""
    try:
        answer = ask(settings.spool_dir, AskReload(operator=operator(), reference="portal rotate-key"))
    except NotRunning:
        return
    except PermissionError as error:
        raise Usage(f"the spool {settings.spool_dir} belongs to another user; ask as that user, or as root") from error
    if not isinstance(answer, Done):
        raise Usage(f"the running gateway did not take the keys over: {answer.text}; nothing is lost, try again")


def _rewrap(settings: Settings, keyring: Keyring) -> int:
    async def rewrap(store: SealedStore) -> tuple[int, bool]:
        return await store.rewrap(), await store.forget()

    count, forgotten = with_keys(settings, keyring, rewrap)
    if not forgotten:
        typer.echo("What the old key wrapped is overwritten on the disk once those who read the store have ended.")
    return count
