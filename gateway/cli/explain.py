"""`sealpost explain`: what would happen to this message, and why. It needs no spool and no network."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from gateway.cli.check import ConfigOption
from gateway.cli.errors import Finding, Usage
from gateway.cli.explain_json import as_json
from gateway.cli.explain_text import as_text
from gateway.config.builtin import built_in_bundle
from gateway.config.bundle import PLACES, Bundle, find_config, read_bundle
from gateway.config.load import load
from gateway.config.what_if import Explained, answered, door, envelope, with_tls
from gateway.core.address import Address, BadAddress, NullPath, ReversePath, parse_address
from gateway.core.classify import gather
from gateway.core.decide import decide
from gateway.core.facts import Scan
from gateway.core.scan import Scanner, TooComplex
from gateway.core.tls import Starttls

_BLOCK: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class _Question:
    """What was asked, with the addresses read."""

    message: Path
    sender: ReversePath
    recipients: tuple[Address, ...]
    tls: Starttls


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(explain)


def explain(
    message: Annotated[Path, typer.Argument(metavar="MESSAGE", help="The message, as a file.")],
    sender: Annotated[
        str, typer.Option("--from", metavar="ADDRESS", help='The envelope\'s sender; "" is the null reverse-path.')
    ],
    to: Annotated[list[str], typer.Option("--to", metavar="ADDRESS", help="A recipient; may be given again.")],
    config: ConfigOption = None,
    policy: Annotated[Path | None, typer.Option("--policy", help="Another policy than the configured one.")] = None,
    tls: Annotated[Starttls, typer.Option("--tls", help="Whether the recipients offer STARTTLS.")] = Starttls.UNKNOWN,
    as_data: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Explain what would happen to MESSAGE, and why.

    Shows its level, the rules in order, the decision, and what comes next. Nothing is sent and nobody is asked.
    Without any sealpost.toml, --policy alone is enough: built-in routes stand in for yours.
    """
    question = _Question(message, _sender(sender), tuple(_address("--to", text) for text in to), tls)
    explained = _explain(question, _bundle(config, policy))
    typer.echo(json.dumps(as_json(explained), indent=2) if as_data else as_text(explained))


def _explain(question: _Question, bundle: Bundle) -> Explained:
    policy = load(bundle).policy
    scan = _scan(question.message)
    facts = gather(scan, envelope(question.sender, question.recipients), policy, datetime.now(UTC))
    facts = with_tls(facts, question.recipients, question.tls)
    rulings = tuple((address, decide(facts, address, policy)) for address in dict.fromkeys(question.recipients))
    return Explained(
        message=str(question.message),
        door=door(question.sender, facts, policy),
        answered=answered(question.sender, facts),
        scan=scan,
        facts=facts,
        policy=policy,
        policy_file=str(bundle.policy),
        rulings=rulings,
        tls=question.tls,
    )


def _bundle(config: Path | None, policy: Path | None) -> Bundle:
    if policy is not None and config is None and not any(place.is_file() for place in PLACES):
        return built_in_bundle(policy)
    return read_bundle(find_config(config), policy)


def _sender(text: str) -> ReversePath:
    return NullPath.NULL if text in ("", "<>") else _address("--from", text)


def _address(option: str, text: str) -> Address:
    try:
        return parse_address(text)
    except BadAddress as exc:
        raise Usage(f"{option} `{text}` is not an address: {exc}") from exc


def _scan(message: Path) -> Scan:
    scanner = Scanner()
    try:
        for block in _blocks(message):
            scanner.feed(block)
        return scanner.close()
    except TooComplex as exc:
        raise Finding(f"{message} would be refused at the door with 554 5.6.0: {exc}") from exc


def _blocks(message: Path) -> Iterator[bytes]:
    """The file with CRLF line ends, as it would arrive; a CR at a block's end waits for what follows it."""
    try:
        with message.open("rb") as file:
            held = b""
            while block := file.read(_BLOCK):
                block = held + block
                held = b"\r" if block.endswith(b"\r") else b""
                yield block.removesuffix(b"\r").replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
            yield held
    except OSError as exc:
        raise Usage(f"{message} cannot be read: {exc.strerror or exc}") from exc
