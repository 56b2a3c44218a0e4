"""Which mail a command about the queue means: ids, or filters, or all; read from the spool as it is now."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

import typer

from gateway.cli.errors import Usage
from gateway.config.units import parse_duration
from gateway.core.address import BadAddress, parse_address, parse_domain
from gateway.core.record import QueueId, State
from gateway.core.selection import NULL_PATH, Selection
from gateway.flow.ports import QueueFilter, QueueItem, SpoolError
from gateway.spool.ids import shard_of
from gateway.spool.reader import ShardReader

IdsArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[ID]...", help="Queue ids, as the log and `queue list` show them.")
]
SenderOption = Annotated[
    str | None,
    typer.Option("--sender", metavar="ADDRESS", help="Only mail from this address, from `@domain`, or `<>`: reports."),
]
RecipientsOption = Annotated[
    list[str] | None,
    typer.Option("--recipient", metavar="ADDRESS", help="Only this recipient; may be given again."),
]
DomainOption = Annotated[str | None, typer.Option("--domain", metavar="DOMAIN", help="Only recipients of this domain.")]
RuleOption = Annotated[
    str | None, typer.Option("--rule", metavar="NAME", help="Only what this rule of the policy decided.")
]
OlderOption = Annotated[
    str | None, typer.Option("--older-than", metavar="AGE", help="Only what was accepted so long ago, such as 4h.")
]
AllOption = Annotated[bool, typer.Option("--all", help="Everything that waits.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Of ``ids``, or of all messages for none, the recipients of ``domain`` (any for None) that are selected."""

    ids: tuple[QueueId, ...]
    domain: str | None
    selection: Selection

    def items(self, reader: ShardReader, states: frozenset[State]) -> Iterator[QueueItem]:
        """Those that are in one of the states, as they are now. Raises Usage if the spool cannot be read."""
        try:
            for queue_id in self.ids or (None,):
                wanted = QueueFilter(queue_id=queue_id, states=states, domain=self.domain)
                for item in reader.items(wanted):
                    if self.selection.holds(item.message, item.row):
                        yield item
        except SpoolError as error:
            raise Usage(str(error)) from error

    @property
    def filters(self) -> bool:
        """Whether anything but ids was given."""
        return self.domain is not None or self.selection != Selection()


def choice(
    ids: list[str] | None,
    sender: str | None,
    recipient: list[str] | None,
    domain: str | None,
    rule: str | None,
    older_than: str | None,
) -> Choice:
    """What the options say. Raises Usage for what cannot be read."""
    return Choice(
        ids=tuple(read_id(text) for text in ids or ()),
        domain=_domain(domain),
        selection=Selection(
            sender=_sender(sender),
            recipients=frozenset(_key(text) for text in recipient or ()),
            rule=rule or "",
            accepted_before=_before(older_than),
        ),
    )


def read_id(text: str) -> QueueId:
    """A queue id. Raises Usage."""
    if shard_of(text) is None:
        raise Usage(f"`{text}` is not a queue id; `sealpost queue list` shows them")
    return QueueId(text)


def _domain(text: str | None) -> str | None:
    try:
        return parse_domain(text) if text is not None else None
    except BadAddress as error:
        raise Usage(f"`{text}` is not a domain: {error}") from error


def _sender(text: str | None) -> str:
    if text is None or text == NULL_PATH:
        return text or ""
    if text.startswith("@"):
        return f"@{_domain(text[1:])}"
    _key(text)
    return text


def _key(text: str) -> str:
    try:
        return parse_address(text).key
    except BadAddress as error:
        raise Usage(f"`{text}` is not an address: {error}") from error


def _before(age: str | None) -> datetime | None:
    try:
        return datetime.now(UTC) - parse_duration(age) if age is not None else None
    except ValueError as error:
        raise Usage(f"--older-than: {error}") from error
