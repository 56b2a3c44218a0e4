"""`sealpost explain`: what would happen to this message, and why; or to one that is known by its queue id."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.check import ConfigOption
from gateway.cli.errors import Usage
from gateway.cli.explain_json import as_json
from gateway.cli.explain_message import NO_FILE, read_message, refused_at_the_door
from gateway.cli.explain_recorded import explain_recorded
from gateway.cli.explain_text import as_text
from gateway.config.builtin import built_in_bundle
from gateway.config.bundle import PLACES, Bundle, find_config, read_bundle
from gateway.config.load import Loaded, load
from gateway.config.page import did_you_mean
from gateway.config.trial.explained import Explained, by_passphrase, judge
from gateway.config.trial.what_if import Assumed, Door, answered, door, envelope, with_outside
from gateway.core.address import Address, BadAddress, NullPath, ReversePath, parse_address
from gateway.core.classify import gather
from gateway.core.scan import TooComplex
from gateway.core.tls import Starttls
from gateway.flow.custody import Custody


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """What was asked of a message that nobody sent yet, with the addresses read."""

    message: Path
    sender: ReversePath
    recipients: tuple[Address, ...]
    assumed: Assumed
    by: Door
    at: datetime


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(explain)


def explain(
    message: Annotated[
        Path | None, typer.Argument(metavar="[MESSAGE]", help="The message, as a file; - is the standard input.")
    ] = None,
    sender: Annotated[
        str | None,
        typer.Option("--from", metavar="ADDRESS", help='The envelope\'s sender; "" is the null reverse-path.'),
    ] = None,
    to: Annotated[
        list[str] | None, typer.Option("--to", metavar="ADDRESS", help="A recipient; may be given again.")
    ] = None,
    queue_id: Annotated[
        str | None, typer.Option("--queue-id", metavar="ID", help="A message that the gateway took, instead of a file.")
    ] = None,
    listener: Annotated[
        str, typer.Option("--listener", metavar="NAME", help="By which listener it comes.")
    ] = Door().listener,
    client: Annotated[str, typer.Option("--client", metavar="IP", help="From which address it comes.")] = Door().client,
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help="When it comes, such as 2026-11-22T10:00; default now.")
    ] = None,
    config: ConfigOption = None,
    policy: Annotated[Path | None, typer.Option("--policy", help="Another policy than the configured one.")] = None,
    tls: Annotated[Starttls, typer.Option("--tls", help="Whether the recipients offer STARTTLS.")] = Starttls.UNKNOWN,
    new: Annotated[bool, typer.Option("--new", help="Nobody here wrote to the recipients before.")] = False,
    resent: Annotated[bool, typer.Option("--resent", help="It was refused before at a higher level.")] = False,
    as_data: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Explain what would happen to MESSAGE, and why.

    Shows its level, the rules in order, the decision, and what comes next. Nothing is sent and nobody is asked.
    Without any sealpost.toml, --policy alone is enough: built-in routes stand in for yours. With --queue-id it is a
    message that waits, or that the audit remembers; what was not recorded is said.
    """
    if queue_id is not None:
        if message is not None or sender is not None or to:
            raise Usage("--queue-id names the message, its sender and its recipients; give none of them besides")
        explained = explain_recorded(queue_id, config, policy)
    else:
        if message is None or sender is None or not to:
            raise Usage("name a MESSAGE with --from and --to, or a --queue-id")
        asked = _Question(
            message=message,
            sender=_sender(sender),
            recipients=tuple(_address("--to", text) for text in to),
            assumed=Assumed(tls=tls, known=not new, resent=resent),
            by=Door(listener=listener, client=_client(client)),
            at=_moment(at),
        )
        explained = _explain(asked, bundle_of(config, policy), any_listener=_is_alone(config, policy))
    typer.echo(json.dumps(as_json(explained), indent=2) if as_data else as_text(explained))


def _explain(asked: _Question, bundle: Bundle, *, any_listener: bool) -> Explained:
    loaded = load(bundle)
    policy = loaded.policy
    if not any_listener:
        _check_listener(asked.by.listener, loaded)
    scan = read_message(asked.message, policy.text_bytes)
    try:
        facts = gather(scan, envelope(asked.sender, asked.recipients, asked.by), policy, asked.at)
    except TooComplex as exc:
        raise refused_at_the_door(asked.message, exc) from exc
    facts = with_outside(facts, asked.assumed)
    return Explained(
        message="the standard input" if asked.message == NO_FILE else str(asked.message),
        door=door(asked.sender, facts, policy),
        answered=answered(asked.sender, facts),
        defects=scan.defects,
        facts=facts,
        policy=policy,
        policy_file=str(bundle.policy),
        judged=judge(facts, asked.recipients, policy),
        tls=asked.assumed.tls,
        portal=loaded.settings.portal,
        by_passphrase=by_passphrase(loaded.settings),
        custody=_custody(asked.by.listener, loaded),
    )


def bundle_of(config: Path | None, policy: Path | None) -> Bundle:
    """The configuration with that policy; where there is none, built-in routes."""
    if policy is not None and _is_alone(config, policy):
        return built_in_bundle(policy)
    return read_bundle(find_config(config), policy)


def _is_alone(config: Path | None, policy: Path | None) -> bool:
    """Whether there is a policy and no configuration, and so no listeners that could be known."""
    return policy is not None and config is None and not any(place.is_file() for place in PLACES)


def _check_listener(name: str, loaded: Loaded) -> None:
    known = set(loaded.settings.listeners)
    if name != Door().listener and name not in known:
        raise Usage(f"--listener: unknown listener `{name}`{did_you_mean(name, known)}")


def _custody(name: str, loaded: Loaded) -> Custody:
    return next((milter.custody for milter in loaded.settings.milter if milter.name == name), Custody.RELAY)


def _client(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError as exc:
        raise Usage(f"--client `{text}` is not an IP address") from exc


def _sender(text: str) -> ReversePath:
    return NullPath.NULL if text in ("", "<>") else _address("--from", text)


def _address(option: str, text: str) -> Address:
    try:
        return parse_address(text)
    except BadAddress as exc:
        raise Usage(f"{option} `{text}` is not an address: {exc}") from exc


def _moment(text: str | None) -> datetime:
    """Without a zone it is the time of this machine."""
    if text is None:
        return datetime.now(UTC)
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError as exc:
        raise Usage(f"--at `{text}` is not a time such as 2026-11-22T10:00") from exc
