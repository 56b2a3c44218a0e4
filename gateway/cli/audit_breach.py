"""`sealpost audit breach-pack`: all that is recorded of one message, as a page and as JSON, for the 72-hour report."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from gateway.app.vault import folder_of
from gateway.audit.keys import Signer, Trusted
from gateway.audit.search import search
from gateway.audit.verify import verify
from gateway.cli.audit_breach_view import Pack, Package, pack_document, pack_json
from gateway.cli.audit_source import FolderOption, MessageIdOption, QueueIdOption, Read, query, read_from
from gateway.cli.check import ConfigOption
from gateway.cli.errors import Finding, Usage
from gateway.cli.sealed_store import with_keys
from gateway.config.describe.document import as_html
from gateway.config.settings import Settings
from gateway.core.audit_query import Entry
from gateway.core.breach import breach_of
from gateway.flow.ports import SealedStore, SpoolError
from gateway.sealed.schema import NAME

_MOST_PACKAGES = 100


def breach_pack(
    message_id: MessageIdOption = "",
    queue_id: QueueIdOption = "",
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Where the pack is put.")] = Path(),
    folder: FolderOption = None,
    config: ConfigOption = None,
) -> None:
    """Write all that a breach report needs.

    Two files, breach-<queue id>.html and .json, about one message. Who sent it, what label it had, how each
    recipient's copy was protected on its way, whether a sealed copy was opened and whether it is revoked, with all
    times, and whether the audit itself verifies.
    """
    asked = query(message_id=message_id, queue_id=queue_id)
    if len(asked.criteria) != 1:
        raise Usage("name one message: --message-id or --queue-id")
    read = read_from(folder, config)
    try:
        stories = _stories(search(read.trail, asked))
        packs = [_pack(read, story) for story in stories]
    except (SpoolError, OSError) as error:
        raise Usage(f"the audit cannot be read: {error}") from error
    if not packs:
        raise Finding("the audit knows nothing of this message")
    for pack in packs:
        for path in _write(pack, output):
            typer.echo(str(path))


def _stories(entries: Iterator[Entry]) -> tuple[tuple[Entry, ...], ...]:
    """By message: a Message-ID may come more than once, such as after a repeat."""
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        found.setdefault(entry.record.queue_id, []).append(entry)
    return tuple(map(tuple, found.values()))


def _pack(read: Read, story: Sequence[Entry]) -> Pack:
    breach, now = breach_of(story), datetime.now(UTC)
    packages = _packages(read.settings, breach.queue_id, now) if read.settings else ()
    return Pack(made_at=now, breach=breach, packages=packages, trail=_trail(read.settings, now))


def _trail(settings: Settings | None, now: datetime) -> str:
    if settings is None:
        return "It was not verified here: `sealpost audit verify` does it."
    if settings.audit is None:
        return "It is not exported, so it is neither chained nor signed; this is what the spool has."
    verdicts = verify(settings.audit.folder, Trusted((Signer(settings.audit.key).public,)), now)
    flaws = sum(len(verdict.flaws) for verdict in verdicts)
    if flaws:
        return f"It does not verify: {flaws} findings; see `sealpost audit verify`."
    return f"All {sum(verdict.events for verdict in verdicts)} events of it verify."


def _packages(settings: Settings, queue_id: str, now: datetime) -> tuple[Package, ...]:
    """The sealed copies of a message. Raises Usage."""
    if settings.sealing is None or not (folder_of(settings) / NAME).exists():
        return ()

    async def look(store: SealedStore) -> tuple[Package, ...]:
        readers = await store.list(now, text=queue_id, limit=_MOST_PACKAGES)
        ours = dict.fromkeys(reader.package for reader in readers if reader.queue_id == queue_id)
        return tuple([Package(one, await store.readers(one, now), tuple(await store.history(one))) for one in ours])

    return with_keys(settings, settings.sealing, look)


def _write(pack: Pack, output: Path) -> Iterator[Path]:
    """Both files, for their owner alone. Raises Usage."""
    start = output / f"breach-{pack.breach.queue_id}"
    contents = {".html": as_html(pack_document(pack)), ".json": json.dumps(pack_json(pack), indent=1) + "\n"}
    for ending, content in contents.items():
        path = start.with_name(start.name + ending)
        try:
            output.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600, exist_ok=False)
            path.write_text(content, encoding="utf-8")
        except FileExistsError as error:
            raise Usage(f"{path} is there already; a pack is never replaced: give another --output") from error
        except OSError as error:
            raise Usage(f"cannot write {path}: {error.strerror}") from error
        yield path
