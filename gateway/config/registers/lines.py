"""What a line of each register can say; the columns of CSV and the keys of TOML have the same names."""

from typing import Literal

from gateway.config.page import Strict
from gateway.config.registers.cells import Day, Mailbox, Name, Networks, Some, SomeBytes, Texts, YesNo
from gateway.config.units import Duration, Line


class PartnerLine(Strict):
    """``[[partner]]``: an organisation, its agreement with us, and how mail to it is protected."""

    name: Name
    members: Some
    agreement: Literal["ISA", "NDA", "contract"] | None = None
    reference: Line | None = None
    levels: Texts = ()
    expires: Day | None = None
    last_review: Day | None = None
    next_review: Day | None = None
    owner: Line | None = None
    contact: Line | None = None
    tls: Literal["none", "encrypted", "verified"] = "none"
    cjsm_address: Mailbox | None = None
    most_wait: Duration | None = None


class MailboxLine(Strict):
    """``[[mailbox]]``: a shared mailbox or a distribution list, and the levels that all its readers may see."""

    address: Mailbox
    kind: Literal["shared", "list"]
    owner: Line
    cleared: Texts = ()
    reviewed: Day | None = None


class SchoolLine(Strict):
    """``[[school]]``: a school, its type, and whether its people have logons for the portal."""

    name: Name
    members: Some
    type: Literal["maintained", "academy", "independent"]
    urn: Line | None = None
    logon: YesNo = False


class SystemLine(Strict):
    """``[[system]]``: a machine that sends mail, known by sender, networks or listener, and its default level."""

    name: Name
    level: str
    sender: str | None = None
    networks: Networks = ()
    listener: Line | None = None
    owner: Mailbox | None = None
    review: Day | None = None


class ExceptionLine(Strict):
    """``[[exception]]``: who may send larger files by a route, to whom, and until when."""

    route: str
    sender: str
    recipient: str
    up_to: SomeBytes
    until: Day
    reference: Line
    reason: Line | None = None


class TransferLine(Strict):
    """``[[transfer]]``: certain files to certain bodies go by these routes, or are given back with this advice."""

    name: Name
    body: Some
    files: Texts = ()
    types: Texts = ()
    over: SomeBytes | None = None
    levels: Texts = ()
    route: Texts = ()
    advice: Line | None = None


class MemberLine(Strict):
    """A line of a group's CSV file."""

    member: str
