"""The register of machines that send mail."""

from gateway.config.registers.entries import MOST_IN_ORDER, Scope, Taken, read_levels
from gateway.config.registers.lines import SystemLine
from gateway.config.registers.sheet import Sheet, read_sheet
from gateway.core.address import BadAddress
from gateway.core.registers.directory import parse_member
from gateway.core.registers.systems import System


def read_systems(sheet: Sheet, data: bytes, scope: Scope) -> tuple[System, ...]:
    """Systems in the order of their lines."""
    taken = Taken(sheet)
    systems: list[System] = []
    for place, line in read_sheet(sheet, data, "system", SystemLine, MOST_IN_ORDER):
        taken.add(place, line.name)
        read_levels(sheet, f"{place}.level", (line.level,), scope)
        if not (line.sender or line.networks or line.listener):
            sheet.problem(place, "a system is known by at least one of sender, networks and listener")
        systems.append(_system(line, _sender(sheet, f"{place}.sender", line.sender or "")))
    return tuple(systems)


def _system(line: SystemLine, sender: str) -> System:
    return System(
        name=line.name,
        level=line.level,
        sender=sender,
        networks=line.networks,
        listener=line.listener or "",
        owner=line.owner or "",
        review=line.review,
    )


def _sender(sheet: Sheet, place: str, text: str) -> str:
    try:
        return parse_member(text) if text else ""
    except BadAddress as exc:
        sheet.problem(place, str(exc))
        return ""
