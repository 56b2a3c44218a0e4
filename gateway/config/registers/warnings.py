"""What somebody should look at in the registers of a policy that can be used: ended, ending and overdue entries."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from itertools import islice
from typing import Final

from gateway.core.policy import Policy
from gateway.core.registers.directory import Directory
from gateway.core.registers.partners import Partner

AHEAD: Final = timedelta(days=60)
"""Before the end of an agreement: a new one takes that long (R2)."""

OLD: Final = timedelta(days=365)
"""Since somebody looked at who reads a mailbox (M2)."""

FREE_MAIL: Final = "free-mail"
"""The group whose domains belong to nobody in particular."""

MOST_SAID: Final = 20
"""Of one kind: a register that nobody kept would fill the page."""

_Findings = Iterator[tuple[str, str]]


def register_warnings(policy: Policy, today: date) -> list[tuple[str, str]]:
    """Each with the key that names the register."""
    return [finding for kind in _KINDS for finding in _cut(kind(policy, today))]


def _cut(findings: _Findings) -> _Findings:
    yield from islice(findings, MOST_SAID)
    rest = list(findings)
    if rest:
        yield rest[0][0], f"and {len(rest)} more of this kind"


def partners_of(directory: Directory[Partner]) -> list[Partner]:
    """Each once, by name."""
    partners = {partner.name: partner for partner in directory.entries()}
    return sorted(partners.values(), key=lambda partner: partner.name)


def _agreements(policy: Policy, today: date) -> _Findings:
    for partner in partners_of(policy.registers.partners):
        if partner.agreement is None or partner.expires is None or partner.expires - today > AHEAD:
            continue
        what = f"the {partner.agreement} with {partner.name}{f' ({partner.reference})' if partner.reference else ''}"
        left = (partner.expires - today).days
        when = f"ended on {partner.expires}" if left < 0 else f"ends on {partner.expires}, in {left} days"
        yield "registers.partners", f"{what} {when}"


def _reviews(policy: Policy, today: date) -> _Findings:
    for partner in partners_of(policy.registers.partners):
        if partner.next_review is not None and partner.next_review <= today:
            asked = f"; ask {partner.owner}" if partner.owner else ""
            yield "registers.partners", f"the review of {partner.name} was due on {partner.next_review}{asked}"


def _free_mail(policy: Policy, _today: date) -> _Findings:
    """An agreement is with an organisation (R2): at these domains it would hold for everybody."""
    group = policy.groups.get(FREE_MAIL)
    partners = policy.registers.partners
    domains = () if group is None else (each for each in partners.domains if each in group.domains)
    for domain in domains:
        partner = partners.domains[domain]
        if partner.agreement is not None:
            yield "registers.partners", f"everybody can have an address at {domain}, which stands for {partner.name}"


def _mailboxes(policy: Policy, today: date) -> _Findings:
    for mailbox in policy.registers.mailboxes.addresses.values():
        if mailbox.reviewed is None:
            yield "registers.mailboxes", f"nobody has reviewed who reads {mailbox.address}; ask {mailbox.owner}"
        elif today - mailbox.reviewed > OLD:
            text = f"who reads {mailbox.address} was last reviewed on {mailbox.reviewed}; ask {mailbox.owner}"
            yield "registers.mailboxes", text


def _systems(policy: Policy, today: date) -> _Findings:
    for system in policy.registers.systems:
        if system.review is not None and system.review <= today:
            asked = f"; ask {system.owner}" if system.owner else ""
            yield "registers.systems", f"the review of {system.name} was due on {system.review}{asked}"


def _waivers(policy: Policy, today: date) -> _Findings:
    for waiver in policy.registers.waivers:
        if waiver.until < today:
            yield "registers.exceptions", f"the exception {waiver.reference} ended on {waiver.until}: take it out"


_KINDS: Final[tuple[Callable[[Policy, date], _Findings], ...]] = (
    _agreements,
    _reviews,
    _free_mail,
    _mailboxes,
    _systems,
    _waivers,
)
