"""The register of certain files to certain bodies (M15): each line becomes a rule where the policy names the table."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from gateway.config.conditions import read_when
from gateway.config.page import Table
from gateway.config.registers.entries import Scope, Taken, read_routes
from gateway.config.registers.lines import TransferLine
from gateway.config.registers.sheet import Sheet, read_sheet
from gateway.config.wishes import read_template
from gateway.core.conditions.base import Condition
from gateway.core.conditions.logic import All
from gateway.core.policy import Reject, Rule, Send
from gateway.core.template import Template

MOST_LINES: Final = 500
"""Each is a rule that every recipient may be asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """One line. ``advice`` None leaves it to the rule that names the table."""

    name: str
    when: Condition
    action: Send | Reject
    advice: Template | None


def read_transfers(sheet: Sheet, data: bytes, scope: Scope) -> tuple[Transfer, ...]:
    """The lines in their order."""
    taken = Taken(sheet)
    transfers: list[Transfer] = []
    for place, line in read_sheet(sheet, data, "transfer", TransferLine, MOST_LINES):
        taken.add(place, line.name)
        _check(sheet, place, line, scope)
        parts = [read_when(sheet, f"{place}.{column}", when, scope.names) for column, when in _parts(line)]
        known = tuple(part for part in parts if part is not None)
        if len(known) == len(parts):
            transfers.append(_transfer(sheet, place, line, All(known)))
    return tuple(transfers)


def transfer_rule(rule: Rule, transfer: Transfer) -> Rule:
    """The rule that names the table, for one line of it: both conditions hold, and the line says what follows."""
    return replace(
        rule,
        name=f"{rule.name}: {transfer.name}",
        when=transfer.when if rule.when is None else All((rule.when, transfer.when)),
        action=transfer.action,
        advice=transfer.advice or rule.advice,
    )


def _check(sheet: Sheet, place: str, line: TransferLine, scope: Scope) -> None:
    if not (line.files or line.types or line.over):
        sheet.problem(place, "a line names the files it is about: at least one of files, types and over")
    if bool(line.route) is (line.advice is not None):
        sheet.problem(place, "a line has a route, or an advice with which the message is given back, and not both")
    if len(set(line.route)) < len(line.route):
        sheet.problem(f"{place}.route", "a chain never goes back: each route stands there once")
    read_routes(sheet, f"{place}.route", line.route, scope)


def _parts(line: TransferLine) -> Iterator[tuple[str, Table]]:
    """The line as conditions, by column: they mean what a rule with the same words would."""
    files: Table = {name: list(words) for name, words in (("name", line.files), ("type", line.types)) if words}
    yield "body", {"recipient": list(line.body)}
    if files:
        yield "files" if line.files else "types", {"attachments": files}
    if line.over is not None:
        yield "over", {"attachment_bytes": {"over": f"{line.over}B"}}
    if line.levels:
        yield "levels", {"classification": list(line.levels)}


def _transfer(sheet: Sheet, place: str, line: TransferLine, when: Condition) -> Transfer:
    action = Send(line.route) if line.route else Reject()
    advice = None if line.advice is None else read_template(sheet, f"{place}.advice", line.advice)
    return Transfer(name=line.name, when=when, action=action, advice=advice)
