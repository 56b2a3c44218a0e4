"""The register of schools, and the domains under which everybody is at one."""

from gateway.config.registers.entries import MOST_ENTRIES, Members
from gateway.config.registers.lines import SchoolLine
from gateway.config.registers.sheet import Sheet, read_sheet
from gateway.core.registers.directory import Directory, keyed
from gateway.core.registers.schools import School, SchoolType


def read_schools(sheet: Sheet, data: bytes) -> Directory[School]:
    """Schools by their addresses and domains."""
    members: Members[School] = Members(sheet, "members")
    for place, line in read_sheet(sheet, data, "school", SchoolLine, MOST_ENTRIES):
        school = School(name=line.name, type=SchoolType(line.type), urn=line.urn or "", logon=line.logon)
        members.add(place, line.members, school)
    return members.directory()


def with_unknown(schools: Directory[School], under: tuple[str, ...]) -> Directory[School]:
    """An address under one of these members, as `parse_member` gives them, that no line names is at a school too."""
    unknown = keyed({member: School(name=member, type=SchoolType.UNKNOWN) for member in under})
    return Directory(
        addresses={**unknown.addresses, **schools.addresses},
        domains={**unknown.domains, **schools.domains},
        below={**unknown.below, **schools.below},
    )
