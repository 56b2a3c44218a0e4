"""Conditions on what was sent before and on recipients that resemble others."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from gateway.core.address import parse_address
from gateway.core.conditions.base import Need, Seen, Verdict, look
from gateway.core.conditions.history import FirstContact, LooksAlike, ResemblesSender, ResentLower, refusal_id
from gateway.core.decision import Truth
from gateway.core.domains import DomainSet, Group
from gateway.core.facts import Answer, Facts, Lookup, Missing, OutsideFact
from gateway.core.lookalike import LookAlikes
from tests.fixtures.build import BOB, LEVELS, facts

YES, NO, UNKNOWN = Truth.MATCH, Truth.NO_MATCH, Truth.UNKNOWN
KNOWN = (Lookup.KNOWN, BOB.key)


def at(recipient: str, given: Facts | None = None) -> Seen:
    return look(given or facts(), parse_address(recipient))


def test_a_look_alike_names_the_domain_that_it_resembles() -> None:
    condition = LooksAlike(LookAlikes(DomainSet(frozenset({"partner.example"}))))
    wrong, right = at("bob@partnr.example"), at("bob@partner.example")
    assert condition.judge(wrong) == Verdict(YES, "partnr.example resembles partner.example")
    assert condition.words(wrong) == {"lookalike": "partner.example"}
    assert condition.judge(right) == Verdict(NO, "partner.example resembles no other domain that is known")
    assert condition.words(right) == {"lookalike": ""}
    assert condition.lookups == frozenset()


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (Answer(False, "nobody here wrote to it"), Verdict(YES, "nobody here wrote to it")),
        (Answer(True, "somebody here wrote to it"), Verdict(NO, "somebody here wrote to it")),
        (
            Missing("the lookup failed"),
            Verdict(
                UNKNOWN,
                "whether somebody here wrote to bob@partner.example before is not known: the lookup failed",
                (KNOWN,),
            ),
        ),
        (
            None,
            Verdict(UNKNOWN, "whether somebody here wrote to bob@partner.example before is not known", (KNOWN,)),
        ),
    ],
)
def test_first_contact_is_what_the_history_says(found: OutsideFact | None, verdict: Verdict) -> None:
    outside: dict[Need, OutsideFact] = {} if found is None else {KNOWN: found}
    assert FirstContact().judge(look(facts(outside=outside), BOB)) == verdict
    assert FirstContact().lookups == {Lookup.KNOWN}


def resent(level: str) -> Need:
    return Lookup.RESENT, refusal_id("print", BOB, level)


def again(level: str, outside: Mapping[Need, OutsideFact] | None = None) -> Seen:
    return look(replace(facts(level, outside=outside), fingerprint="print"), BOB)


ABOVE_PUBLIC = (resent("controlled"), resent("restricted"))
REFUSED, PASSED = Answer(True, "refused"), Answer(False, "not refused")


@pytest.mark.parametrize(
    ("level", "outside", "truth", "lacks"),
    [
        ("public", {}, UNKNOWN, ABOVE_PUBLIC),
        ("public", dict.fromkeys(ABOVE_PUBLIC, PASSED), NO, ()),
        ("public", {ABOVE_PUBLIC[0]: PASSED, ABOVE_PUBLIC[1]: REFUSED}, YES, ()),
        ("public", {ABOVE_PUBLIC[0]: REFUSED, ABOVE_PUBLIC[1]: Missing("late")}, YES, ()),
        ("public", {ABOVE_PUBLIC[0]: PASSED, ABOVE_PUBLIC[1]: Missing("late")}, UNKNOWN, ABOVE_PUBLIC[1:]),
        ("controlled", {ABOVE_PUBLIC[0]: REFUSED, ABOVE_PUBLIC[1]: PASSED}, NO, ()),
        ("controlled", {ABOVE_PUBLIC[1]: REFUSED}, YES, ()),
        ("restricted", {}, NO, ()),
        ("level of another policy", {resent("public"): REFUSED}, YES, ()),
    ],
)
def test_resent_lower_asks_about_every_level_above(
    level: str, outside: Mapping[Need, OutsideFact], truth: Truth, lacks: tuple[Need, ...]
) -> None:
    verdict = ResentLower(LEVELS).judge(again(level, outside))
    assert (verdict.truth, verdict.lacks) == (truth, lacks)
    assert {YES: "it was refused", NO: "it was not refused", UNKNOWN: "whether it was refused"}[truth] in verdict.why
    assert ResentLower(LEVELS).lookups == {Lookup.RESENT}


def test_a_refusal_is_of_one_message_one_recipient_and_one_level() -> None:
    ids = {
        refusal_id(fingerprint, recipient, level)
        for fingerprint in ("a", "b")
        for recipient in (BOB, parse_address("eve@partner.example"))
        for level in LEVELS
    }
    assert len(ids) == 12
    assert refusal_id("a", BOB, "public") == refusal_id("a", parse_address("BOB@partner.example"), "public")


FREE = ResemblesSender(Group("group:free-mail", domains=DomainSet(frozenset({"free.example"}))))


@pytest.mark.parametrize(
    ("sender", "recipient", "truth"),
    [
        ("jane.smith", "jane.smith@free.example", YES),
        ("jane.smith", "JaneSmith83@free.example", YES),
        ("jane.smith", "smith_jane@free.example", YES),
        ("jane.smith", "j.smith@free.example", YES),
        ("jane.m.smith", "jsmith@free.example", YES),
        ("jane.smith", "janesmith.home@free.example", YES),
        ("jsmith", "jane.smith@free.example", YES),
        ("thornton", "thornton.family@free.example", YES),
        ("jane.smith", "jane.smith@partner.example", NO),
        ("jane.smith", "peter.smith@free.example", NO),
        ("jane.smith", "jane.jones@free.example", NO),
        ("jane.thornton", "peter.thornton@free.example", NO),
        ("jo.li", "jli@free.example", NO),
        ("jo", "jo@free.example", NO),
        ("123", "456@free.example", NO),
    ],
)
def test_a_private_address_of_the_sender(sender: str, recipient: str, truth: Truth) -> None:
    verdict = FREE.judge(at(recipient, facts(sender=f"{sender}@council.example")))
    assert verdict.truth is truth
    assert verdict.why == (
        f"{parse_address(recipient)} resembles the sender's own name"
        if truth is YES
        else f"{parse_address(recipient)} is no private address that resembles the sender's name"
    )


def test_the_header_from_is_a_sender_too() -> None:
    given = replace(facts(sender=""), header_from=("jane.smith@council.example",))
    assert FREE.truth(at("jane.smith@free.example", given)) is YES
    assert FREE.truth(at("peter.jones@free.example", given)) is NO
