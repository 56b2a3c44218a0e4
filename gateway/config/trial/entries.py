"""What a policy's registers say of one address, in one line each."""

from collections.abc import Iterator
from datetime import date

from gateway.core.address import Address
from gateway.core.policy import Policy
from gateway.core.registers.mailboxes import Mailbox
from gateway.core.registers.partners import Partner
from gateway.core.registers.schools import School
from gateway.core.tls import Protection


def entries_of(address: Address, policy: Policy, level: str, day: date) -> Iterator[str]:
    """The entries of partners, mailboxes and schools; nothing for an address that none of them knows."""
    registers = policy.registers
    partner, mailbox, school = (
        registers.partners.of(address),
        registers.mailboxes.of(address),
        registers.schools.of(address),
    )
    if partner is not None:
        yield _partner(partner, level, day)
    if mailbox is not None:
        yield _mailbox(mailbox)
    if school is not None:
        yield _school(school)


def _partner(partner: Partner, level: str, day: date) -> str:
    parts = [f"agreement for {level}: {partner.standing(level, day).value}"]
    if partner.agreement is not None:
        until = f" until {partner.expires}" if partner.expires else ""
        parts.append(f"{partner.agreement.value} {partner.reference}{until} ({', '.join(sorted(partner.levels))})")
    if partner.tls is not Protection.NONE:
        parts.append(f"never below {partner.tls.label}")
    if partner.cjsm_address:
        parts.append(f"CJSM address {partner.cjsm_address}")
    if partner.most_wait is not None:
        parts.append("clinical safety")
    return f"partner {partner.name}: {', '.join(parts)}"


def _mailbox(mailbox: Mailbox) -> str:
    cleared = ", ".join(sorted(mailbox.cleared)) or "no level"
    reviewed = f", reviewed {mailbox.reviewed}" if mailbox.reviewed else ""
    return f"{mailbox.kind.value} mailbox {mailbox.address}: owner {mailbox.owner}, cleared for {cleared}{reviewed}"


def _school(school: School) -> str:
    logon = "with a portal logon" if school.logon else "without a portal logon"
    return f"school {school.name}: {school.type.value}, {logon}"
