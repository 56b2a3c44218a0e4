"""`sealpost portal password`: the passwords of a message's protected archives, with whom each is for.

Who had an archive is in the audit; what that no longer knows is shown by its number. Left out on purpose: who may ask,
which is whoever can read the store and its keys.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from gateway.cli.check import ConfigOption
from gateway.cli.errors import Finding
from gateway.cli.portal_view import in_columns
from gateway.cli.sealed_store import with_store
from gateway.config.bundle import find_config, read_bundle
from gateway.config.load import load
from gateway.core.outcome import Delivered
from gateway.core.record import Event, QueueId
from gateway.core.sealing import archive_secret_names
from gateway.flow.ports import SealedStore, SpoolError
from gateway.spool.reader import ShardReader


def password(
    queue_id: Annotated[str, typer.Argument(metavar="ID", help="The queue id of the message.")],
    config: ConfigOption = None,
) -> None:
    """Show again the passwords of a message's protected archives.

    For its sender alone; they are kept for as long as the route says. Recipients at one organisation share an archive.
    """
    now = datetime.now(UTC)

    async def look(store: SealedStore) -> list[tuple[str, str]]:
        names = await store.password_names(archive_secret_names(queue_id), now)
        asked = [(name, await store.known_password(name, now)) for name in names]
        return [(name, found) for name, found in asked if found is not None]

    passwords = sorted(with_store(config, look), key=lambda each: _number(each[0]))
    if not passwords:
        raise Finding(f"no password is kept for {queue_id}")
    story = _story(queue_id, config)
    typer.echo(in_columns([("PASSWORD", "RECIPIENTS"), *((found, readers(story, name)) for name, found in passwords)]))


def readers(story: Sequence[Event], name: str) -> str:
    """Who got the archive whose password has that name; before it has left, the recipient whose number it has."""
    had = [event.address for event in story if _archive(event) == name]
    first = [event.address for event in story if event.recipient == _number(name) and event.address]
    return ", ".join(dict.fromkeys(had)) or next(iter(first), f"recipient {_number(name)}")


def _archive(event: Event) -> str:
    outcome = event.outcome
    return outcome.sealing.package if isinstance(outcome, Delivered) and outcome.sealing is not None else ""


def _story(queue_id: str, config: ConfigOption) -> tuple[Event, ...]:
    try:
        return ShardReader(load(read_bundle(find_config(config))).settings.spool_dir).story(QueueId(queue_id))
    except SpoolError:
        # Who waits on the telephone for a password can be told it without the addresses.
        return ()


def _number(name: str) -> int:
    return int(name.rpartition("/")[2])
