from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from gateway.core.address import Address, parse_address
from gateway.core.classify import gather
from gateway.core.conditions.base import Condition, Seen, look
from gateway.core.conditions.registers import AgreementIs, CjsmAddressIs, MailboxIs, PartnerIs, SchoolIs
from gateway.core.decision import Truth
from gateway.core.envelope import Admission, Client, Envelope, Recipient
from gateway.core.registers.book import Registers
from gateway.core.registers.directory import directory
from gateway.core.registers.mailboxes import Mailbox, MailboxKind
from gateway.core.registers.partners import Agreement, Partner, Standing
from gateway.core.registers.schools import School, SchoolType
from gateway.core.visible import MAX_VISIBLE
from tests.core.scanning import scan
from tests.fixtures.build import NOON, facts, policy, rule

YES, NO, UNKNOWN = Truth.MATCH, Truth.NO_MATCH, Truth.UNKNOWN
TEAM = Mailbox(
    address="team@council.example", kind=MailboxKind.SHARED, owner="Ann", cleared=frozenset({"public", "controlled"})
)
ALL = Mailbox(address="all@council.example", kind=MailboxKind.LIST, owner="Bea", cleared=frozenset({"public"}))
BOXES = {"team@council.example": TEAM, "all@council.example": ALL}
ANY = frozenset({MailboxKind.SHARED, MailboxKind.LIST})
LIST = frozenset({MailboxKind.LIST})
AMY, BOB = parse_address("amy@council.example"), parse_address("bob@firm.example")
FIRM = Partner(
    name="A firm",
    agreement=Agreement.NDA,
    reference="NDA-3",
    levels=frozenset({"controlled"}),
    expires=date(2026, 11, 22),
    cjsm_address="office@firm.example.cjsm.net",
)
CLUB = Partner(name="A club")
PARTNERS = directory([("firm.example", FIRM), ("club.example", CLUB)])
HILL = School(name="Hill School", type=SchoolType.ACADEMY, logon=True)
ABBEY = School(name="Abbey", type=SchoolType.INDEPENDENT)
SOME = School(name="*.sch.example", type=SchoolType.UNKNOWN)
SCHOOLS = directory([("hill.sch.example", HILL), ("abbey.example", ABBEY), ("*.sch.example", SOME)])


CLIENT = Client(identity="10.0.0.1", how=Admission.NETWORK, address="10.0.0.1", helo="mail", tls=None)
ENVELOPE = Envelope(client=CLIENT, listener="smtp", reverse_path=AMY, recipients=(Recipient(address=BOB),))


def seen(recipient: Address = AMY, level: str = "controlled", **also: Any) -> Seen:
    return look(replace(facts(level), **also), recipient)


@pytest.mark.parametrize(
    ("kinds", "cleared", "at", "truth", "why"),
    [
        (
            ANY,
            None,
            seen(parse_address("TEAM@council.example")),
            YES,
            "team@council.example is a shared mailbox; its ow",
        ),
        (ANY, None, seen(visible=("x@y.example", "All@council.example")), YES, "all@council.example is a distribution"),
        (
            LIST,
            None,
            seen(parse_address("team@council.example")),
            NO,
            "neither the recipient nor To and Cc name a dist",
        ),
        (ANY, None, seen(), NO, "name a distribution list or shared mailbox"),
        (ANY, False, seen(visible=("team@council.example",)), NO, "shared mailbox that is not cleared for the level"),
        (
            ANY,
            True,
            seen(visible=("team@council.example",)),
            YES,
            "readers may all see the level controlled; its owner",
        ),
        (ANY, True, seen(visible=("all@council.example",)), NO, "that is cleared for the level"),
        (
            ANY,
            False,
            seen(parse_address("team@council.example"), "restricted"),
            YES,
            "team@council.example is a shared mailbox whose readers may not all see the level restricted; its owner is",
        ),
        # The recipient is cleared and a list beside it is not.
        (
            ANY,
            False,
            seen(parse_address("team@council.example"), visible=("all@council.example",)),
            YES,
            "owner is Bea",
        ),
        (ANY, None, seen(visible=("x@y.example",), visible_more=1), NO, "neither the recipient nor To and Cc name"),
        # Those of the register are kept first, so one more can only be among the others if there was no room for it.
        (LIST, None, seen(visible=("team@council.example",), visible_more=1), UNKNOWN, "more addresses than were kept"),
        (
            LIST,
            None,
            seen(visible=("team@council.example", "x@y.example"), visible_more=1),
            NO,
            "neither the recipient",
        ),
        (ANY, None, seen(visible=("all@council.example",), visible_more=1), YES, "owner is Bea"),
        (ANY, None, seen(visible=("", "nobody", "a@b@c", "all@council.example")), YES, "owner is Bea"),
    ],
)
def test_a_mailbox_is_found_behind_the_recipient_and_in_to_and_cc(
    kinds: frozenset[MailboxKind], cleared: bool | None, at: Seen, truth: Truth, why: str
) -> None:
    condition = MailboxIs(BOXES, kinds, cleared)
    assert condition.truth(at) is truth
    assert why in condition.why(at)


@pytest.mark.parametrize("others", [MAX_VISIBLE - 1, MAX_VISIBLE + 100])
def test_a_mailbox_is_found_however_many_addresses_stand_before_it(others: int) -> None:
    known = replace(policy(rule("all", None, "tls")), registers=Registers(mailboxes=directory(BOXES.items())))
    crowd = ", ".join(f"a{number}@firm.example" for number in range(others))
    for named, truth in (("All@council.example", YES), ("team@council.example", NO), ("x@council.example", NO)):
        whole = scan(f"From: {AMY}\nTo: {crowd}\nCc: {named}\n\nx\n")
        at = look(gather(whole, ENVELOPE, known, NOON), BOB)
        assert MailboxIs(BOXES, LIST).truth(at) is truth


def test_two_lists_of_addresses_with_the_same_words_are_asked_by_their_own_register() -> None:
    at = seen(visible=("all@council.example",))
    assert MailboxIs(BOXES, LIST).truth(at) is YES
    assert MailboxIs({"team@council.example": TEAM}, LIST).truth(at) is NO
    assert MailboxIs(BOXES, LIST).truth(seen(visible=("team@council.example",))) is NO


def test_the_first_that_fits_is_named() -> None:
    second = replace(ALL, address="some@council.example", owner="Cat")
    boxes = {**BOXES, second.address: second}
    names = (TEAM.address, second.address, ALL.address)
    assert MailboxIs(boxes, LIST).words(seen(visible=names))["owner"] == "Cat"
    assert MailboxIs(boxes, LIST).words(seen(visible=names[::-1]))["owner"] == "Bea"


def test_the_words_of_a_mailbox_are_the_one_that_matches() -> None:
    at = seen(parse_address("team@council.example"), visible=("all@council.example",))
    assert MailboxIs(BOXES, ANY).words(at) == {"mailbox": "team@council.example", "owner": "Ann"}
    assert MailboxIs(BOXES, LIST).words(at) == {"mailbox": "all@council.example", "owner": "Bea"}
    assert MailboxIs(BOXES, LIST).words(seen()) == {}


def test_an_empty_register_of_mailboxes_is_a_certain_no() -> None:
    assert MailboxIs({}, ANY).truth(seen(visible=("a@b.example",), visible_more=5)) is NO


@pytest.mark.parametrize(
    ("types", "logon", "address", "truth", "why"),
    [
        ({SchoolType.ACADEMY}, None, "a@hill.sch.example", YES, "Hill School is a school (academy) with logons"),
        ({SchoolType.ACADEMY}, True, "a@hill.sch.example", YES, "with logons"),
        ({SchoolType.ACADEMY}, False, "a@hill.sch.example", NO, "with logons"),
        ({SchoolType.MAINTAINED}, None, "a@hill.sch.example", NO, "(academy)"),
        (set(SchoolType), True, "a@abbey.example", NO, "Abbey is a school (independent) without logons"),
        (set(SchoolType), None, "a@new.sch.example", YES, "new.sch.example is where schools are, but no line"),
        (set(SchoolType), True, "a@new.sch.example", NO, "no line of the register names it"),
        (set(SchoolType), None, "a@firm.example", NO, "firm.example is no school of the register"),
    ],
)
def test_a_school_is_known_by_its_domain(
    types: set[SchoolType], logon: bool | None, address: str, truth: Truth, why: str
) -> None:
    condition, at = SchoolIs(SCHOOLS, frozenset(types), logon), seen(parse_address(address))
    assert condition.truth(at) is truth
    assert why in condition.why(at)


LATE = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "standing", "why"),
    [
        (seen(BOB), Standing.VALID, "the agreement NDA-3 with A firm covers the level controlled"),
        (seen(BOB, "restricted"), Standing.NOT_COVERING, "with A firm does not cover the level restricted"),
        (seen(BOB, at=LATE), Standing.EXPIRED, "the agreement NDA-3 with A firm ended on 2026-11-22"),
        (seen(parse_address("a@club.example")), Standing.NONE, "the register has no agreement with A club"),
        (seen(), Standing.NONE, "council.example is no partner of the register, so there is no agreement"),
    ],
)
def test_an_agreement_stands_in_exactly_one_way(at: Seen, standing: Standing, why: str) -> None:
    truths = {each: AgreementIs(PARTNERS, frozenset({each})).truth(at) for each in Standing}
    assert truths == {each: YES if each is standing else NO for each in Standing}
    assert why in AgreementIs(PARTNERS, frozenset({standing})).why(at)


def test_partners_and_their_criminal_justice_addresses() -> None:
    club = parse_address("a@club.example")
    for at, partner, reached in ((seen(BOB), YES, YES), (seen(club), YES, NO), (seen(), NO, NO)):
        assert PartnerIs(PARTNERS, wanted=True).truth(at) is partner
        assert PartnerIs(PARTNERS, wanted=False).truth(at) is not partner
        assert CjsmAddressIs(PARTNERS, wanted=True).truth(at) is reached
        assert CjsmAddressIs(PARTNERS, wanted=False).truth(at) is not reached
    assert PartnerIs(PARTNERS, wanted=True).why(seen(BOB)) == "firm.example is A firm's"
    assert PartnerIs(PARTNERS, wanted=True).why(seen()) == "council.example is no partner of the register"
    assert CjsmAddressIs(PARTNERS, wanted=True).why(seen(BOB)) == "A firm has a CJSM address in the register"
    assert CjsmAddressIs(PARTNERS, wanted=True).why(seen(club)) == "A club has no CJSM address in the register"
    assert CjsmAddressIs(PARTNERS, wanted=True).why(seen()) == "council.example is no partner of the register"


@pytest.mark.parametrize(
    "condition",
    [
        AgreementIs(PARTNERS, frozenset({Standing.VALID})),
        PartnerIs(PARTNERS, wanted=True),
        CjsmAddressIs(PARTNERS, wanted=True),
    ],
)
def test_the_words_of_a_partner(condition: Condition) -> None:
    assert condition.words(seen(BOB)) == {
        "partner": "A firm",
        "reference": "NDA-3",
        "expires": "22 November 2026",
        "cjsm_address": "office@firm.example.cjsm.net",
    }
    assert condition.words(seen(parse_address("a@club.example")))["expires"] == ""
    assert condition.words(seen()) == {}
