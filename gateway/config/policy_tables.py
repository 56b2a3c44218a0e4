"""The tables of a policy file as they are written; `gateway.config.policy_file` turns them into a `Policy`."""

from typing import Literal

from pydantic import Field

from gateway.config.label_tables import FieldName
from gateway.config.page import Strict, Table
from gateway.config.units import Duration, Line, NetworkField, OneOrMore, Until


class OrganisationTable(Strict):
    """``[organisation]``."""

    name: Line
    domains: list[str] = Field(min_length=1)
    contact: Line
    postmaster: str


class DefaultTable(Strict):
    """``[[classification.defaults]]``: the level of unlabelled mail of a listener, network or sender; all must hold."""

    level: str
    listener: Line | None = None
    network: NetworkField | None = None
    sender: str | None = None


class ClassificationTable(Strict):
    """``[classification]``: levels lowest first, one floor for each. Of the defaults the first that fits holds."""

    levels: list[str] = Field(min_length=1)
    default: str
    floor: dict[str, Literal["none", "encrypted", "verified", "sealed"]]
    defaults: list[DefaultTable] = Field(default_factory=list[DefaultTable])


class IntentTable(Strict):
    """``[intent]``: how the buttons reach us; with ``remove`` their marks are taken out of the subject on the way."""

    header: FieldName = "X-Sealpost-Intent"
    marks: dict[str, Literal["secure", "encrypted"]] = Field(
        default_factory=lambda: {"[SECURE]": "secure", "[ENCRYPT]": "encrypted"}
    )
    remove: bool = True


class DisclosureTable(Strict):
    """``[disclosure]``: the word of the mark that names a disclosure, as in [ref: ABC/123]; it never leaves."""

    mark: str = Field(default="ref", pattern=r"^[A-Za-z][A-Za-z0-9-]{0,29}$")


class ReceiptsTable(Strict):
    """``[receipts]``: a domain whose mail is led here, so that receipts are known and missing ones are noticed."""

    domain: str


class GroupTable(Strict):
    """``[groups]``: who a rule means by ``group:<name>``; ``file`` holds more members (.txt, .csv or .toml)."""

    title: Line = Field(default="", max_length=100)
    addresses: list[str] = Field(default_factory=list[str])
    domains: list[str] = Field(default_factory=list[str])
    file: str | None = Field(default=None, min_length=1)


class RegistersTable(Strict):
    """``[registers]``: files (.csv or .toml) beside the policy; everybody below ``schools_under`` is at a school."""

    partners: str | None = Field(default=None, min_length=1)
    mailboxes: str | None = Field(default=None, min_length=1)
    schools: str | None = Field(default=None, min_length=1)
    schools_under: list[str] = Field(default_factory=list[str])
    systems: str | None = Field(default=None, min_length=1)
    exceptions: str | None = Field(default=None, min_length=1)
    transfers: str | None = Field(default=None, min_length=1)


class RuleTable(Strict):
    """``[[rules]]``: exactly one of route, reject and hold; or none of them, and at least one wish (a remark)."""

    name: Line = Field(max_length=100)
    when: Table | None = None
    route: list[str] | None = Field(default=None, min_length=1)
    reject: Literal[True] | None = None
    hold: Literal[True] | None = None
    table: Literal["transfers"] | None = None
    advice: Line | None = Field(default=None, max_length=1000)
    below_floor: Line | None = Field(default=None, max_length=1000)
    ignores_buttons: bool = False
    release_by: str | None = None
    override: Literal[True] | None = None
    warn: Line | None = Field(default=None, max_length=1000)
    notify: OneOrMore | None = Field(default=None, min_length=1)
    copy_to: str | None = None
    raises: str | None = Field(default=None, alias="raise")
    add_header: dict[str, Line] | None = Field(default=None, min_length=1)
    remove_header: list[str] | None = Field(default=None, min_length=1)
    tag_subject: Line | None = Field(default=None, max_length=60)
    receipt: Literal[True] | None = None
    remind_after: Duration | None = None


class ModeTable(Strict):
    """``[[modes]]``: a policy, rule or group of senders that is not enforced yet, and until when."""

    mode: Literal["observe", "soft"]
    until: Until
    rule: str | None = None
    sender: str | None = None
    baseline: str | None = None
    reason: Line | None = Field(default=None, max_length=500)
    reference: Line | None = Field(default=None, max_length=100)


class PolicyTable(Strict):
    """The whole of a policy file. ``roles`` names mailboxes; ``choose`` says which of the matching rules decides."""

    choose: Literal["first", "most-secure"] = "first"
    organisation: OrganisationTable
    classification: ClassificationTable
    labels: list[Table] = Field(default_factory=list[Table])
    intent: IntentTable = IntentTable()
    disclosure: DisclosureTable = DisclosureTable()
    receipts: ReceiptsTable | None = None
    groups: dict[str, GroupTable] = Field(default_factory=dict[str, GroupTable])
    registers: RegistersTable = RegistersTable()
    roles: dict[str, str] = Field(default_factory=dict[str, str])
    rules: list[RuleTable] = Field(min_length=1)
    modes: list[ModeTable] = Field(default_factory=list[ModeTable])
