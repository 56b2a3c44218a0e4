"""The register of partners."""

from gateway.config.registers.entries import MOST_ENTRIES, Members, Scope, Taken, read_levels
from gateway.config.registers.lines import PartnerLine
from gateway.config.registers.sheet import Sheet, read_sheet
from gateway.core.registers.directory import Directory
from gateway.core.registers.partners import Agreement, Partner
from gateway.core.tls import Protection


def read_partners(sheet: Sheet, data: bytes, scope: Scope) -> Directory[Partner]:
    """Partners by their addresses and domains."""
    members: Members[Partner] = Members(sheet, "members")
    taken = Taken(sheet)
    for place, line in read_sheet(sheet, data, "partner", PartnerLine, MOST_ENTRIES):
        taken.add(place, line.name)
        _check(sheet, place, line)
        members.add(place, line.members, _partner(sheet, place, line, scope))
    return members.directory()


def _partner(sheet: Sheet, place: str, line: PartnerLine, scope: Scope) -> Partner:
    return Partner(
        name=line.name,
        agreement=None if line.agreement is None else Agreement(line.agreement),
        reference=line.reference or "",
        levels=read_levels(sheet, f"{place}.levels", line.levels, scope),
        expires=line.expires,
        last_review=line.last_review,
        next_review=line.next_review,
        owner=line.owner or "",
        contact=line.contact or "",
        tls=Protection[line.tls.upper()],
        cjsm_address=line.cjsm_address or "",
        most_wait=line.most_wait,
    )


def _check(sheet: Sheet, place: str, line: PartnerLine) -> None:
    """An agreement that covers nothing, and parts of one that is not there, are slips that somebody would rely on."""
    if line.agreement is not None and not line.levels:
        sheet.problem(f"{place}.levels", "an agreement says which levels it covers")
    for name in ("reference", "levels", "expires"):
        if line.agreement is None and getattr(line, name):
            sheet.problem(f"{place}.{name}", "this is part of an agreement, and `agreement` says that there is none")
    if line.last_review and line.next_review and line.next_review < line.last_review:
        sheet.problem(f"{place}.next_review", "this is before the last review")
