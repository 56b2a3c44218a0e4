"""`sealpost audit`: whether the trail is whole, what it says, who is taken out, and what a breach report needs."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gateway.audit.files import files_in, shard_folder, shards_in
from gateway.audit.keys import BadAuditKey, Signer, Trusted
from gateway.audit.options import AuditOptions
from gateway.audit.redact import redact as take_out
from gateway.audit.verify import verify as verify_chains
from gateway.cli.audit_breach import breach_pack
from gateway.cli.audit_search import export, search
from gateway.cli.audit_source import FolderOption, read_from
from gateway.cli.check import ConfigOption
from gateway.cli.errors import Usage
from gateway.cli.evidence_view import Json
from gateway.cli.queue_doing import JsonOption, YesOption
from gateway.core.address import BadAddress, parse_address
from gateway.core.audit_chain import Verdict

audit = typer.Typer(help="Verify, search, export the audit; packs for a breach.", no_args_is_help=True)

_HEAD = ("Shard", "Events", "Missing", "Last", "Signed until (UTC)", "Behind it", "Hash of the last line", "Found")


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    audit.command()(verify)
    audit.command()(search)
    audit.command()(export)
    audit.command("breach-pack")(breach_pack)
    audit.command()(redact)
    app.add_typer(audit, name="audit")


def verify(
    public_key: Annotated[
        list[Path] | None,
        typer.Option("--public-key", metavar="FILE", help="Who signs, in PEM; may be given again for older keys."),
    ] = None,
    as_json: JsonOption = False,
    folder: FolderOption = None,
    config: ConfigOption = None,
) -> None:
    """Check every line, hash and signature.

    Of the exported audit. With --folder and --public-key it needs no configuration, so anybody can check a copy.
    Exits with 1 if anything was changed, is missing, or has not been signed for a day. A trail whose end was cut off
    is whole in itself: note the hash of the last line elsewhere to see that too.

    JSON: an array of {"shard", "lines", "events", "missing", "last", "head", "anchored_at", "unsigned",
    "flaws": [{"flaw", "file", "line", "text"}]}.
    """
    trusted, place = _trusted(public_key, folder, config)
    try:
        verdicts = verify_chains(place, trusted, datetime.now(UTC))
    except OSError as error:
        raise Usage(f"cannot read {error.filename or place}: {error.strerror}") from error
    if not verdicts:
        raise Usage(f"there is no chain in {place}")
    if as_json:
        typer.echo(json.dumps([_verdict_json(verdict) for verdict in verdicts], indent=1))
    else:
        Console(width=None if sys.stdout.isatty() else 1000).print(_table(verdicts))
    if any(verdict.flaws for verdict in verdicts):
        raise typer.Exit(1)


def redact(
    person: Annotated[str, typer.Option("--person", metavar="ADDRESS", help="Who is taken out of the audit.")],
    yes: YesOption = False,
    folder: FolderOption = None,
    config: ConfigOption = None,
) -> None:
    """Take an address out of the exported audit.

    For good, and the chain still verifies. What is left of it cannot be read or guessed. Times, decisions and
    protection stay. The spool's own copy goes by age ([queue] audit_keep), and is not changed.
    """
    try:
        parse_address(person)
    except BadAddress as error:
        raise Usage(f"--person: `{person}` is not an address: {error}") from error
    place = folder or _options(config).folder
    if not yes:
        typer.confirm(f"Take {person} out of every line in {place}? Nobody can undo it.", abort=True)
    files = sum(len(files_in(shard_folder(place, shard))) for shard in shards_in(place))
    try:
        with typer.progressbar(length=files, label="Files", file=sys.stderr) as bar:
            count = take_out(place, person, lambda _: bar.update(1))
    except OSError as error:
        raise Usage(f"cannot change {error.filename or place}: {error.strerror}; run it again") from error
    typer.echo(f"{count} lines no longer name {person}.")


def _options(config: Path | None) -> AuditOptions:
    settings = read_from(None, config).settings
    if settings is None or settings.audit is None:
        raise Usage("the configuration has no [audit]; `sealpost certs audit` makes its key, docs/audit.md says more")
    return settings.audit


def _trusted(public_key: list[Path] | None, folder: Path | None, config: Path | None) -> tuple[Trusted, Path]:
    """Who is trusted to sign, and where the chains are. Raises Usage."""
    options = None if folder and public_key else _options(config)
    try:
        pems = [path.read_bytes() for path in public_key or ()]
        own = () if options is None or public_key else (Signer(options.key).public,)
        trusted = Trusted((*Trusted.of(pems).keys, *own))
    except OSError as error:
        raise Usage(f"--public-key: cannot read {error.filename}: {error.strerror}") from error
    except BadAuditKey as error:
        raise Usage(f"--public-key: {error}") from error
    place = folder or (options.folder if options else None)
    assert place is not None
    return trusted, place


def _verdict_json(verdict: Verdict) -> dict[str, Json]:
    return {
        "shard": verdict.shard,
        "lines": verdict.lines,
        "events": verdict.events,
        "missing": verdict.missing,
        "last": verdict.last,
        "head": verdict.head,
        "anchored_at": verdict.anchored.isoformat() if verdict.anchored else None,
        "unsigned": verdict.unsigned,
        "flaws": [
            {"flaw": found.flaw.value, "file": found.file, "line": found.line, "text": found.text}
            for found in verdict.flaws
        ],
    }


def _table(verdicts: tuple[Verdict, ...]) -> Table:
    table = Table(box=None)
    for name in _HEAD:
        table.add_column(name, overflow="fold")
    for verdict in verdicts:
        signed = f"{verdict.anchored:%Y-%m-%d %H:%M}" if verdict.anchored else "never"
        numbers = (verdict.shard, verdict.events, verdict.missing, verdict.last, signed, verdict.unsigned, verdict.head)
        table.add_row(*map(str, numbers), escape(_flaws(verdict)))
    return table


def _flaws(verdict: Verdict) -> str:
    return "; ".join(f"{found.flaw.value}: {found.file}, line {found.line}" for found in verdict.flaws) or "nothing"
