"""What one condition says of another, and rules that nothing reaches because of it."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.checks.implies import implies
from gateway.config.checks.warnings import shadowed
from gateway.core.address import Address
from gateway.core.conditions.base import Condition, look
from gateway.core.conditions.logic import All, AnyOf, Not
from gateway.core.conditions.message import AutomaticIs, ClassificationIs, IntentIs, SizeIsOver
from gateway.core.conditions.party import PartyIs
from gateway.core.decision import Truth
from gateway.core.domains import Group, parse_domains
from gateway.core.facts import Intent
from gateway.core.policy import Choice, Hold, Reject, Rule
from tests.fixtures.build import facts, policy, remark, rule


def to(*texts: str) -> PartyIs:
    group = Group(
        "g",
        frozenset(text for text in texts if "@" in text),
        parse_domains(text for text in texts if "@" not in text),
    )
    return PartyIs("recipient", (group,))


PUBLIC, SECRET = ClassificationIs(frozenset({"public"})), ClassificationIs(frozenset({"restricted"}))
EITHER = ClassificationIs(frozenset({"public", "restricted"}))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (PUBLIC, EITHER),
        (IntentIs(frozenset({Intent.SECURE})), IntentIs(frozenset({Intent.SECURE, Intent.NONE}))),
        (SizeIsOver("attachment_bytes", 20), SizeIsOver("attachment_bytes", 10)),
        (to("a.example"), to("a.example", "b.example")),
        (to("x@a.example"), to("a.example")),
        (to("x@a.example"), to("x@a.example", "y@a.example")),
        (to("deep.a.example"), to("*.a.example")),
        (to("*.deep.a.example"), to("*.a.example")),
        (All((PUBLIC, AutomaticIs(True))), PUBLIC),
        (PUBLIC, AnyOf((SECRET, EITHER))),
        (AnyOf((PUBLIC, SECRET)), EITHER),
        (All((PUBLIC, to("a.example"))), All((EITHER, to("a.example")))),
        (Not(PUBLIC), Not(PUBLIC)),
    ],
)
def test_what_is_narrower_implies_what_is_wider_and_not_the_other_way(one: Condition, other: Condition) -> None:
    assert implies(one, other)
    assert one == other or isinstance(one, AnyOf) or not implies(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (SizeIsOver("attachment_bytes", 20), SizeIsOver("message_bytes", 10)),
        (to("a.example"), PartyIs("sender", to("a.example").groups)),
        (to("a.example"), to("*.a.example")),
        (to("*.a.example"), to("a.example")),
        (to("a.example"), to("x@a.example")),
        (PUBLIC, Not(SECRET)),
        (AutomaticIs(True), PUBLIC),
    ],
)
def test_what_cannot_be_proven_is_no(one: Condition, other: Condition) -> None:
    assert not implies(one, other)


LEAVES = [
    PUBLIC,
    SECRET,
    EITHER,
    AutomaticIs(True),
    SizeIsOver("message_bytes", 10),
    SizeIsOver("message_bytes", 2000),
    to("a.example"),
    to("*.example", "x@a.example"),
]
CONDITIONS = st.recursive(
    st.sampled_from(LEAVES),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: All(tuple(parts))),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: AnyOf(tuple(parts))),
        inner.map(Not),
    ),
    max_leaves=4,
)
WORLD = [
    look(facts(level, automatic=automatic, size=size), Address("x", domain))
    for level, automatic, size, domain in itertools.product(
        ("public", "controlled", "restricted"), (True, False), (5, 5000), ("a.example", "b.example", "other")
    )
]


@given(CONDITIONS, CONDITIONS)
def test_whatever_is_implied_holds_everywhere(one: Condition, other: Condition) -> None:
    if implies(one, other):
        for seen in WORLD:
            assert one.truth(seen) is not Truth.MATCH or other.truth(seen) is Truth.MATCH


WIDE, NARROW = rule("wide", to("a.example", "b.example"), "secure"), rule("narrow", to("a.example"), Reject())
LAST = rule("last", None, "encrypted")


def names(*rules: Rule, choose: Choice = Choice.FIRST) -> list[tuple[str, str]]:
    found = shadowed(policy(*rules, LAST, choose=choose))
    return [(late.name, early.name) for late, early in found]


def test_a_rule_for_part_of_an_earlier_rules_mail_is_found() -> None:
    assert names(WIDE, NARROW) == [("narrow", "wide")]
    assert names(NARROW, WIDE) == []


def test_only_rules_that_take_the_mail_count() -> None:
    held = rule("held", to("a.example", "b.example"), Hold())
    passed = rule("token", to("a.example", "b.example"), Reject(), overridable=True)
    noted = remark("noted", to("a.example", "b.example"), receipt=True)
    assert names(held, passed, noted, NARROW) == []
    assert names(WIDE, remark("late", to("a.example"), receipt=True)) == [("late", "wide")]
    assert names(WIDE, NARROW, choose=Choice.MOST_SECURE) == []


def test_a_raised_level_makes_the_same_words_mean_other_mail() -> None:
    early = rule("early", EITHER, "secure")
    raising = remark("raising", AutomaticIs(True), raises="restricted")
    assert names(early, raising, rule("late", SECRET, Reject())) == []
