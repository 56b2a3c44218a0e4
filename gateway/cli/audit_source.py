"""Where a command reads the audit, and which of its messages an operator means."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from gateway.audit.trails import Chains, SpoolTrail, Trail
from gateway.cli.errors import Usage
from gateway.config.bundle import find_config, read_bundle
from gateway.config.load import load
from gateway.config.settings import Settings
from gateway.config.units import parse_duration
from gateway.core.audit_query import By, Criterion, Query

FolderOption = Annotated[
    Path | None,
    typer.Option(
        "--folder", metavar="DIR", help="Chains that lie elsewhere, such as a copy; else those of the configuration."
    ),
]
SenderOption = Annotated[
    str, typer.Option("--sender", metavar="ADDRESS", help="Mail from this address, or from `@domain`.")
]
RecipientOption = Annotated[
    str, typer.Option("--recipient", metavar="ADDRESS", help="Mail to this address, or to `@domain`.")
]
PersonOption = Annotated[
    str,
    typer.Option(
        "--person", metavar="ADDRESS", help="All that names this address, without the other recipients of what it got."
    ),
]
MessageIdOption = Annotated[str, typer.Option("--message-id", metavar="ID", help="The message with this Message-ID.")]
QueueIdOption = Annotated[str, typer.Option("--queue-id", metavar="ID", help="The message with this queue id.")]
ReferenceOption = Annotated[
    str, typer.Option("--reference", metavar="REF", help="Disclosures with this reference: a file of yours.")
]
RuleOption = Annotated[str, typer.Option("--rule", metavar="NAME", help="Mail about which this rule decided.")]
SinceOption = Annotated[
    str, typer.Option("--since", metavar="TIME", help="Of which something happened since: 2026-03-01, or an age: 7d.")
]
UntilOption = Annotated[
    str, typer.Option("--until", metavar="TIME", help="Of which something happened before this time.")
]


@dataclass(frozen=True, slots=True)
class Read:
    """``settings`` is None for chains that were named."""

    trail: Trail
    settings: Settings | None


def read_from(folder: Path | None, config: Path | None) -> Read:
    """The chains, or without ``[audit]`` the spool. Raises Usage, ConfigError."""
    if folder is not None:
        if not folder.is_dir():
            raise Usage(f"--folder: there is no folder {folder}")
        return Read(Chains(folder), None)
    settings = load(read_bundle(find_config(config))).settings
    trail = SpoolTrail(settings.spool_dir) if settings.audit is None else Chains(settings.audit.folder)
    return Read(trail, settings)


def query(
    sender: str = "",
    recipient: str = "",
    person: str = "",
    message_id: str = "",
    queue_id: str = "",
    reference: str = "",
    rule: str = "",
    since: str = "",
    until: str = "",
) -> Query:
    """What the options say. Raises Usage."""
    given = {
        By.SENDER: sender,
        By.RECIPIENT: recipient,
        By.PERSON: person,
        By.MESSAGE_ID: message_id,
        By.QUEUE_ID: queue_id,
        By.REFERENCE: reference,
        By.RULE: rule,
    }
    for by in (By.SENDER, By.RECIPIENT, By.PERSON):
        if given[by] and "@" not in given[by]:
            raise Usage(f"--{by}: `{given[by]}` is not an address")
    return Query(
        criteria=tuple(Criterion(by, value.strip()) for by, value in given.items() if value.strip()),
        since=_time("--since", since),
        until=_time("--until", until),
    )


def _time(option: str, text: str) -> datetime | None:
    """A day or time (UTC unless it says otherwise), or an age."""
    if not text:
        return None
    try:
        return datetime.now(UTC) - parse_duration(text)
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise Usage(f"{option}: `{text}` is neither a day such as 2026-03-01 nor an age such as 7d") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)
