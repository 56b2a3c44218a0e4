"""The tables of a policy file as they are written; `gateway.config.policy_file` turns them into a `Policy`."""

from typing import Literal

from pydantic import Field

from gateway.config.page import Strict, Table
from gateway.config.units import Line


class OrganisationTable(Strict):
    """``[organisation]``."""

    name: Line
    domains: list[str] = Field(min_length=1)
    contact: Line
    postmaster: str


class ClassificationTable(Strict):
    """``[classification]``: levels lowest first, one floor for each."""

    levels: list[str] = Field(min_length=1)
    default: str
    floor: dict[str, Literal["none", "encrypted", "verified", "sealed"]]


class HeaderLabelTable(Strict):
    """``[[labels]]`` with ``source = "header"``: a value is a level, or "no label"."""

    source: Literal["header"]
    name: str = Field(pattern=r"^[!-9;-~]{1,76}$")
    values: dict[str, str] = Field(min_length=1)


class SubjectLabelTable(Strict):
    """``[[labels]]`` with ``source = "subject"``: a mark such as [RESTRICTED] is a level."""

    source: Literal["subject"]
    marks: dict[str, str] = Field(min_length=1)


class IntentTable(Strict):
    """``[intent]``: how the buttons reach us."""

    header: str = Field(default="X-Sealpost-Intent", pattern=r"^[!-9;-~]{1,76}$")
    marks: dict[str, Literal["secure", "encrypted"]] = Field(
        default_factory=lambda: {"[SECURE]": "secure", "[ENCRYPT]": "encrypted"}
    )


class GroupTable(Strict):
    """``[groups]``: who a rule means by ``group:<name>``."""

    addresses: list[str] = Field(default_factory=list[str])
    domains: list[str] = Field(default_factory=list[str])


class RuleTable(Strict):
    """``[[rules]]``: exactly one of route, reject and hold."""

    name: Line = Field(max_length=100)
    when: Table | None = None
    route: list[str] | None = Field(default=None, min_length=1)
    reject: Literal[True] | None = None
    hold: Literal[True] | None = None
    advice: Line | None = Field(default=None, max_length=1000)
    below_floor: Line | None = Field(default=None, max_length=1000)
    ignores_buttons: bool = False


class PolicyTable(Strict):
    """The whole of a policy file."""

    organisation: OrganisationTable
    classification: ClassificationTable
    labels: list[Table] = Field(default_factory=list[Table])
    intent: IntentTable = IntentTable()
    groups: dict[str, GroupTable] = Field(default_factory=dict[str, GroupTable])
    rules: list[RuleTable] = Field(min_length=1)
