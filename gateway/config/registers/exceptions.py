"""The register of exceptions to routes' size limits."""

from gateway.config.registers.entries import MOST_IN_ORDER, Scope, read_routes, read_side
from gateway.config.registers.lines import ExceptionLine
from gateway.config.registers.sheet import Sheet, read_sheet
from gateway.core.registers.exceptions import Waiver


def read_waivers(sheet: Sheet, data: bytes, scope: Scope) -> tuple[Waiver, ...]:
    """Exceptions in the order of their lines."""
    lines = read_sheet(sheet, data, "exception", ExceptionLine, MOST_IN_ORDER)
    return tuple(_waiver(sheet, place, line, scope) for place, line in lines)


def _waiver(sheet: Sheet, place: str, line: ExceptionLine, scope: Scope) -> Waiver:
    read_routes(sheet, f"{place}.route", (line.route,), scope)
    return Waiver(
        route=line.route,
        sender=read_side(sheet, f"{place}.sender", line.sender, scope),
        recipient=read_side(sheet, f"{place}.recipient", line.recipient, scope),
        up_to=line.up_to,
        until=line.until,
        reference=line.reference,
        reason=line.reason or "",
    )
