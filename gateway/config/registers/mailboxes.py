"""The register of shared mailboxes and distribution lists."""

from gateway.config.registers.entries import MOST_ENTRIES, Members, Scope, read_levels
from gateway.config.registers.lines import MailboxLine
from gateway.config.registers.sheet import Sheet, read_sheet
from gateway.core.registers.directory import Directory
from gateway.core.registers.mailboxes import Mailbox, MailboxKind


def read_mailboxes(sheet: Sheet, data: bytes, scope: Scope) -> Directory[Mailbox]:
    """Mailboxes by their addresses."""
    members: Members[Mailbox] = Members(sheet, "address")
    for place, line in read_sheet(sheet, data, "mailbox", MailboxLine, MOST_ENTRIES):
        mailbox = Mailbox(
            address=line.address,
            kind=MailboxKind(line.kind),
            owner=line.owner,
            cleared=read_levels(sheet, f"{place}.cleared", line.cleared, scope),
            reviewed=line.reviewed,
        )
        members.add(place, (line.address,), mailbox)
    return members.directory()
