"""The register of schools: which of them have the documents portal (mission M8)."""

from dataclasses import dataclass
from enum import StrEnum


class SchoolType(StrEnum):
    """UNKNOWN stands for an address under the schools' domain that no line of the register names."""

    MAINTAINED = "maintained"
    ACADEMY = "academy"
    INDEPENDENT = "independent"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class School:
    """One school; ``logon`` says that its people have logons for the portal."""

    name: str
    type: SchoolType
    urn: str = ""
    logon: bool = False
