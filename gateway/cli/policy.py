"""`sealpost policy`: the policies that were in force, a way back to them, and the one in force as a page for people."""

import json
from itertools import islice
from pathlib import Path
from typing import Annotated, TypedDict

import typer

from gateway.app.control import NotRunning, ask
from gateway.app.editions import Edition, Editions
from gateway.app.messages import AskReload, Done
from gateway.cli.check import ConfigOption
from gateway.cli.errors import Finding, Usage
from gateway.cli.queue import JsonOption
from gateway.cli.reload import MOST_REFERENCE, ReferenceOption, spool_of
from gateway.cli.who import operator
from gateway.config.beside import policy_hash
from gateway.config.bundle import Bundle, find_config, read_bundle
from gateway.config.describe.document import as_html, as_markdown
from gateway.config.describe.pages import Audience, describe_policy
from gateway.config.load import load
from gateway.config.restore import Restored, restore, with_text

policy = typer.Typer(help="Earlier policies, and the one in force as a page.", no_args_is_help=True)

_SHORT = 12


class EditionJson(TypedDict):
    """One policy that came into force; ``before`` is empty for the first."""

    at: str
    hash: str
    before: str
    operator: str
    reference: str
    policy: str
    difference: str


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.add_typer(policy, name="policy")


@policy.command()
def history(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """List the policies that came into force.

    The latest first: when, by whom, why.
    """
    found = tuple(_editions(config).all())
    if as_json:
        typer.echo(json.dumps([_json(edition) for edition in found], indent=2))
        return
    for edition in found:
        typer.echo(_line(edition))
    if not found:
        typer.echo("No policy has come into force on this spool yet.")


@policy.command()
def show(
    hash_: Annotated[str, typer.Argument(metavar="HASH", help="The beginning of a hash that `history` shows.")],
    text: Annotated[bool, typer.Option("--text", help="Print the policy itself, as a TOML file.")] = False,
    config: ConfigOption = None,
) -> None:
    """Show who put a policy in force, and what it changed."""
    edition = _one(_editions(config), hash_)
    if text:
        typer.echo(with_text(_bundle(config), edition.policy_text).policy_bytes.decode(), nl=False)
        return
    typer.echo(_line(edition))
    typer.echo(edition.difference or "It is the first that is known.", nl=not edition.difference)


@policy.command()
def rollback(
    hash_: Annotated[
        str, typer.Argument(metavar="[HASH]", help="The beginning of a hash; default: what was in force before.")
    ] = "",
    reference: ReferenceOption = "",
    config: ConfigOption = None,
) -> None:
    """Go back to an earlier policy.

    It is written back to its files, its registers too, and the gateway reads them.

    Nothing happens if the files hold changes that were never in force, or if the earlier policy does not fit the
    configuration of today: its problems are printed then.
    """
    bundle = _bundle(config)
    editions = _editions(config)
    wanted = _one(editions, hash_) if hash_ else _previous(editions)
    _check_loaded(bundle, editions)
    earlier = with_text(bundle, wanted.policy_text)
    load(earlier)
    try:
        restored = restore(earlier)
    except OSError as error:
        raise Usage(f"{error.filename or bundle.policy} cannot be written: {error.strerror}") from error
    _reload(spool_of(config), restored, wanted, reference.strip())


@policy.command()
def describe(
    audience: Annotated[Audience, typer.Option("--audience", help="Who reads it.")] = Audience.STAFF,
    html: Annotated[bool, typer.Option("--html", help="Print a web page instead of Markdown.")] = False,
    config: ConfigOption = None,
) -> None:
    """Describe the policy as a page for people.

    For the staff, the service desk, or the data protection officer.
    """
    page = describe_policy(load(_bundle(config)).policy, audience)
    typer.echo(as_html(page) if html else as_markdown(page), nl=False)


def _reload(spool: Path, restored: Restored, wanted: Edition, reference: str) -> None:
    why = reference or f"rollback to {wanted.hash[:_SHORT]}"
    try:
        answer = ask(spool, AskReload(operator=operator(), reference=why[:MOST_REFERENCE]))
    except NotRunning:
        typer.echo(
            f"The files hold the policy {wanted.hash[:_SHORT]} again. No gateway is running; the next one reads them."
        )
        return
    except PermissionError as error:
        restored.undo()
        raise Usage(f"the spool {spool} belongs to another user; ask as that user, or as root") from error
    if not isinstance(answer, Done):
        restored.undo()
        raise Finding(f"the gateway did not take it, so the files are as they were: {answer.text}")
    typer.echo(f"The policy {wanted.hash[:_SHORT]} is in force again: {answer.text}")


def _bundle(config: Path | None) -> Bundle:
    return read_bundle(find_config(config))


def _editions(config: Path | None) -> Editions:
    return Editions(spool_of(config))


def _one(editions: Editions, prefix: str) -> Edition:
    match editions.find(prefix):
        case (edition,):
            return edition
        case ():
            raise Finding(f"no policy with the hash {prefix} is known; `sealpost policy history` shows them")
        case several:
            raise Usage(f"{prefix} is the beginning of {len(several)} hashes; say more of it")


def _previous(editions: Editions) -> Edition:
    """What was in force before the policy in force now."""
    last = list(islice(editions.all(), 2))
    if len(last) < 2:
        raise Finding("no earlier policy is known")
    return last[1]


def _check_loaded(bundle: Bundle, editions: Editions) -> None:
    """Changes that were never in force would be lost: nothing keeps them."""
    now = policy_hash(bundle.policy_text)
    last = next(editions.all(), None)
    if last is None or last.hash != now:
        raise Finding(
            f"{bundle.policy} or its registers were changed and never loaded; keep a copy and "
            "`sealpost reload` first, so that nothing is lost"
        )


def _line(edition: Edition) -> str:
    who = f" by {edition.operator}" if edition.operator else ""
    why = f" ({edition.reference})" if edition.reference else ""
    lines = edition.difference.splitlines()
    changed = sum(line.startswith(("+", "-")) and not line.startswith(("+++ ", "--- ")) for line in lines)
    what = f", {changed} lines changed" if edition.difference else ""
    return f"{edition.at.isoformat(timespec='seconds')}  {edition.hash[:_SHORT]}{who}{why}{what}"


def _json(edition: Edition) -> EditionJson:
    return {
        "at": edition.at.isoformat(timespec="seconds"),
        "hash": edition.hash,
        "before": edition.before,
        "operator": edition.operator,
        "reference": edition.reference,
        "policy": edition.policy,
        "difference": edition.difference,
    }
