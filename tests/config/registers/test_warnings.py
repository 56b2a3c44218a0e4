from dataclasses import replace
from datetime import date, timedelta

import pytest

from gateway.config.registers.warnings import Finding, register_warnings
from gateway.core.domains import DomainSet, Group, parse_party
from gateway.core.policy import Policy
from gateway.core.registers.book import Registers
from gateway.core.registers.directory import directory
from gateway.core.registers.exceptions import Waiver
from gateway.core.registers.mailboxes import Mailbox, MailboxKind
from gateway.core.registers.partners import Agreement, Partner
from gateway.core.registers.systems import System
from tests.fixtures.build import policy, rule

TODAY = date(2026, 11, 22)
DAY = timedelta(days=1)
FREE = Group("group:free-mail", domains=DomainSet(frozenset({"gmail.example"})))


def warned(registers: Registers, **groups: Group) -> list[Finding]:
    made: Policy = replace(policy(rule("last", None, "tls")), registers=registers, groups=groups)
    return register_warnings(made, TODAY)


def partners(*each: Partner) -> Registers:
    members = [(f"{at}{number}.example", one) for number, one in enumerate(each) for at in ("", "*.", "x@")]
    return Registers(partners=directory(members))


@pytest.mark.parametrize(
    ("expires", "text"),
    [
        (TODAY - DAY, "the NDA with P (R-1) ended on 2026-11-21"),
        (TODAY, "the NDA with P (R-1) ends on 2026-11-22, in 0 days"),
        (TODAY + 60 * DAY, "the NDA with P (R-1) ends on 2027-01-21, in 60 days"),
        (TODAY + 61 * DAY, None),
        (None, "the NDA with P (R-1) holds for ever: say when it `expires`"),
    ],
)
def test_an_agreement_that_ends(expires: date | None, text: str | None) -> None:
    partner = Partner(name="P", agreement=Agreement.NDA, reference="R-1", expires=expires)
    assert warned(partners(partner)) == ([] if text is None else [Finding("partners", "P", text)])


def test_only_an_agreement_ends() -> None:
    assert warned(partners(Partner(name="P", expires=TODAY))) == []


@pytest.mark.parametrize(("review", "due"), [(TODAY, True), (TODAY + DAY, False), (None, False)])
def test_reviews_that_are_due(review: date | None, *, due: bool) -> None:
    registers = partners(Partner(name="P", next_review=review, owner="Ann"))
    expected = [Finding("partners", "P", f"the review of P was due on {TODAY}; ask Ann")]
    assert warned(registers) == (expected if due else [])
    system = System(name="printers", level="public", listener="x", review=review)
    expected = [Finding("systems", 0, f"the review of printers was due on {TODAY}")]
    assert warned(Registers(systems=(system,))) == (expected if due else [])


@pytest.mark.parametrize(
    ("reviewed", "text"),
    [
        (TODAY - 365 * DAY, None),
        (TODAY - 366 * DAY, "who reads a@c.example was last reviewed on 2025-11-21; ask Ann"),
        (None, "nobody has reviewed who reads a@c.example; ask Ann"),
    ],
)
def test_mailboxes_that_nobody_looked_at_for_a_year(reviewed: date | None, text: str | None) -> None:
    mailbox = Mailbox(address="a@c.example", kind=MailboxKind.LIST, owner="Ann", reviewed=reviewed)
    registers = Registers(mailboxes=directory([("a@c.example", mailbox)]))
    assert warned(registers) == ([] if text is None else [Finding("mailboxes", "a@c.example", text)])


@pytest.mark.parametrize(("until", "ended"), [(TODAY, False), (TODAY - DAY, True)])
def test_exceptions_that_have_ended(until: date, *, ended: bool) -> None:
    waiver = Waiver(
        route="r", sender=parse_party("a"), recipient=parse_party("b"), up_to=1, until=until, reference="SD-1"
    )
    expected = [Finding("exceptions", 0, "the exception SD-1 ended on 2026-11-21: take it out")]
    assert warned(Registers(waivers=(waiver,))) == (expected if ended else [])


def test_an_agreement_with_everybody() -> None:
    agreed = Partner(name="P", agreement=Agreement.NDA, expires=TODAY + 99 * DAY)
    members = [("gmail.example", agreed), ("one.example", agreed), ("x@gmail.example", agreed)]
    registers = Registers(partners=directory(members))
    expected = [Finding("partners", "P", "everybody can have an address at gmail.example, which stands for P")]
    assert warned(registers, **{"free-mail": FREE}) == expected
    assert warned(registers, other=FREE) == []
    registers = Registers(partners=directory([("gmail.example", Partner(name="P"))]))
    assert warned(registers, **{"free-mail": FREE}) == []


def test_each_kind_is_cut() -> None:
    many = [
        Partner(name=f"P{number:02}", agreement=Agreement.NDA, expires=TODAY, next_review=TODAY) for number in range(22)
    ]
    said = warned(partners(*many))
    assert len(said) == 42
    assert said[0] == Finding("partners", "P00", "the NDA with P00 ends on 2026-11-22, in 0 days")
    assert said[20] == said[41] == Finding("partners", None, "and 2 more of this kind")
