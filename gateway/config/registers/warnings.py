"""What somebody should look at in the registers of a policy that can be used: ended, endless and overdue entries."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Finding:
    """``register`` is its key in ``[registers]``.

    ``entry`` is what the line is found by: its name or address, its number from 0 in a register whose lines have an
    order, or None for no line in particular.
    """

    register: str
    entry: str | int | None
    text: str


_Findings = Iterator[Finding]


def register_warnings(policy: Policy, today: date) -> list[Finding]:
    """All of them; of each kind so many at most."""
    return [finding for kind in _KINDS for finding in _cut(kind(policy, today))]


def _cut(findings: _Findings) -> _Findings:
    yield from islice(findings, MOST_SAID)
    rest = list(findings)
    if rest:
        yield Finding(rest[0].register, None, f"and {len(rest)} more of this kind")


def partners_of(directory: Directory[Partner]) -> list[Partner]:
    """Each once, by name."""
    partners = {partner.name: partner for partner in directory.entries()}
    return sorted(partners.values(), key=lambda partner: partner.name)


def _agreements(policy: Policy, today: date) -> _Findings:
    for partner in partners_of(policy.registers.partners):
        if partner.agreement is None or (partner.expires is not None and partner.expires - today > AHEAD):
            continue
        what = f"the {partner.agreement} with {partner.name}{f' ({partner.reference})' if partner.reference else ''}"
        yield Finding("partners", partner.name, f"{what} {_end(partner.expires, today)}")


def _end(expires: date | None, today: date) -> str:
    if expires is None:
        return "holds for ever: say when it `expires`"
    left = (expires - today).days
    return f"ended on {expires}" if left < 0 else f"ends on {expires}, in {left} days"


def _reviews(policy: Policy, today: date) -> _Findings:
    for partner in partners_of(policy.registers.partners):
        if partner.next_review is not None and partner.next_review <= today:
            asked = f"; ask {partner.owner}" if partner.owner else ""
            yield Finding(
                "partners", partner.name, f"the review of {partner.name} was due on {partner.next_review}{asked}"
            )


def _free_mail(policy: Policy, _today: date) -> _Findings:
    """An agreement is with an organisation (R2): at these domains it would hold for everybody."""
    group = policy.groups.get(FREE_MAIL)
    partners = policy.registers.partners
    domains = () if group is None else (each for each in partners.domains if each in group.domains)
    for domain in domains:
        partner = partners.domains[domain]
        if partner.agreement is not None:
            text = f"everybody can have an address at {domain}, which stands for {partner.name}"
            yield Finding("partners", partner.name, text)


def _mailboxes(policy: Policy, today: date) -> _Findings:
    for mailbox in policy.registers.mailboxes.addresses.values():
        if mailbox.reviewed is None:
            text = f"nobody has reviewed who reads {mailbox.address}; ask {mailbox.owner}"
            yield Finding("mailboxes", mailbox.address, text)
        elif today - mailbox.reviewed > OLD:
            text = f"who reads {mailbox.address} was last reviewed on {mailbox.reviewed}; ask {mailbox.owner}"
            yield Finding("mailboxes", mailbox.address, text)


def _systems(policy: Policy, today: date) -> _Findings:
    for number, system in enumerate(policy.registers.systems):
        if system.review is not None and system.review <= today:
            asked = f"; ask {system.owner}" if system.owner else ""
            yield Finding("systems", number, f"the review of {system.name} was due on {system.review}{asked}")


def _waivers(policy: Policy, today: date) -> _Findings:
    for number, waiver in enumerate(policy.registers.waivers):
        if waiver.until < today:
            text = f"the exception {waiver.reference} ended on {waiver.until}: take it out"
            yield Finding("exceptions", number, text)


_KINDS: Final[tuple[Callable[[Policy, date], _Findings], ...]] = (
    _agreements,
    _reviews,
    _free_mail,
    _mailboxes,
    _systems,
    _waivers,
)
