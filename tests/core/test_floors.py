import pytest

from gateway.core.conditions.base import Condition
from gateway.core.conditions.logic import All, AnyOf, Not
from gateway.core.conditions.message import AutomaticIs, ClassificationIs, Finds, IntentIs
from gateway.core.conditions.party import PartyIs
from gateway.core.facts import Intent
from gateway.core.floors import shortfalls, unreachable
from gateway.core.policy import Hold, Reject, Rule
from gateway.core.tls import Protection
from tests.core.policies import RED
from tests.fixtures.build import INSIDE, LEVELS, policy, remark, rule

RESTRICTED = ClassificationIs(frozenset({"restricted"}))
SECURE = IntentIs(frozenset({Intent.SECURE}))
ENCRYPTED = IntentIs(frozenset({Intent.ENCRYPTED}))
BUTTON = IntentIs(frozenset({Intent.SECURE, Intent.ENCRYPTED}))
MACHINE = AutomaticIs(True)
TO_US = PartyIs("recipient", (INSIDE,))
SEALED_FIRST = (rule("button", ENCRYPTED, "encrypted"), rule("high", AnyOf((RESTRICTED, SECURE)), "secure"))


def short(*rules: Rule) -> list[tuple[str, str, str, Protection]]:
    return [(found.rule, found.route, str(found.mail), found.floor) for found in shortfalls(policy(*rules))]


def test_a_sound_policy_has_no_shortfall() -> None:
    controlled = rule("mid", ClassificationIs(frozenset({"controlled"})), "tls encrypted")
    assert (
        short(rule("machine", MACHINE, "secure"), *SEALED_FIRST, controlled, rule("last", None, "opportunistic")) == []
    )


def test_a_chain_is_as_good_as_each_of_its_routes() -> None:
    found = short(*SEALED_FIRST, rule("last", None, "encrypted tls opportunistic"))
    assert found == [
        ("last", "opportunistic", "controlled mail", Protection.ENCRYPTED),
    ]


def test_the_mail_that_needs_most_is_named() -> None:
    assert short(rule("last", None, "opportunistic secure")) == [
        ("last", "opportunistic", "public mail with the Encrypted button", Protection.SEALED),
        ("last", "secure", "public mail with the Encrypted button", Protection.SEALED),
    ]


def test_automatic_mail_has_its_levels_floor_whatever_its_button() -> None:
    assert short(rule("machine", MACHINE, "tls"), *SEALED_FIRST, rule("last", None, "tls")) == [
        ("machine", "tls", "automatic restricted mail", Protection.VERIFIED)
    ]


def test_an_internal_route_meets_every_floor() -> None:
    assert short(rule("last", None, "internal")) == []


def test_a_rule_that_ignores_the_buttons_owes_the_level_alone() -> None:
    last = rule("last", None, "secure", ignores_buttons=True)
    assert short(last) == []


def test_a_rule_that_says_below_floor_is_let_through() -> None:
    assert short(rule("last", None, "opportunistic", below_floor="agreed")) == []


def test_a_rule_on_anything_else_takes_no_mail_for_certain() -> None:
    """The sender or recipient may differ, so the mail that such a rule takes may reach the next one too."""
    assert short(rule("ours", TO_US, "internal"), rule("last", None, "secure"))[0][:2] == ("last", "secure")


def test_a_held_message_reaches_the_rules_behind() -> None:
    assert [found[0] for found in short(rule("hold", ENCRYPTED, Hold()), rule("last", None, "secure"))] == ["last"]


def test_a_refused_message_does_not() -> None:
    assert short(rule("no", ENCRYPTED, Reject()), rule("last", None, "secure")) == []


@pytest.mark.parametrize(
    ("taken", "found"),
    [
        (All((ENCRYPTED, AutomaticIs(False))), []),
        (All((ENCRYPTED, TO_US)), ["last"]),
        (AnyOf((BUTTON, TO_US)), []),
        (Not(Not(BUTTON)), []),
        (Not(TO_US), ["last"]),
        (AnyOf((SECURE, TO_US)), ["last"]),
    ],
)
def test_combined_conditions_take_only_what_they_certainly_take(taken: Condition, found: list[str]) -> None:
    assert [name for name, *_ in short(rule("first", taken, Reject()), rule("last", None, "secure"))] == found


def test_a_route_that_does_not_exist_is_somebody_elses_finding() -> None:
    assert short(rule("last", None, "gone")) == []


def test_rules_that_nothing_reaches_are_found() -> None:
    rules = (
        rule("hold", TO_US, Hold()),
        rule("ours", TO_US, "internal"),
        rule("ours again", TO_US, "internal"),
        rule("high", RESTRICTED, "secure"),
        rule("high and secure", All((RESTRICTED, SECURE)), "opportunistic"),
        rule("all", ClassificationIs(frozenset(LEVELS)), "encrypted"),
        rule("last", None, "opportunistic"),
    )
    assert [found.name for found in unreachable(policy(*rules))] == ["ours again", "high and secure", "last"]
    assert short(*rules) == [("high", "secure", "restricted mail with the Encrypted button", Protection.SEALED)]


CONTROLLED = ClassificationIs(frozenset({"controlled"}))
CALM = rule("last", None, "tls", ignores_buttons=True)
HIGH = rule("high", RESTRICTED, "secure", ignores_buttons=True)


def test_a_remark_takes_nothing_and_is_taken_by_what_is_in_front() -> None:
    last = rule("last", None, "secure")
    assert short(remark("all", None, receipt=True), last)[0][0] == "last"
    rules = rule("no", RESTRICTED, Reject()), remark("late", RESTRICTED, receipt=True), remark("all", None), last
    assert [found.name for found in unreachable(policy(*rules))] == ["late"]


def test_a_level_that_may_be_raised_reaches_the_rules_behind_as_both() -> None:
    maybe = remark("maybe", Finds(RED), raises="restricted")
    assert short(HIGH, CALM) == []
    assert short(maybe, HIGH, CALM) == []
    assert short(HIGH, maybe, CALM) == [("last", "tls", "restricted mail", Protection.VERIFIED)]


def test_a_level_that_is_raised_for_certain_reaches_them_as_the_higher_one() -> None:
    for_all = remark("all", None, raises="controlled")
    plain = rule("last", None, "opportunistic", ignores_buttons=True)
    public = rule("public", ClassificationIs(frozenset({"public"})), "opportunistic", ignores_buttons=True)
    assert [found.name for found in unreachable(policy(for_all, public, CALM))] == ["public"]
    assert short(for_all, HIGH, plain) == [("last", "opportunistic", "controlled mail", Protection.ENCRYPTED)]


def test_the_same_condition_behind_a_raised_level_is_another() -> None:
    rules = HIGH, remark("raise", Finds(RED), raises="restricted"), rule("again", RESTRICTED, "encrypted"), CALM
    assert unreachable(policy(*rules)) == ()


def test_a_token_lets_mail_reach_the_rules_behind_which_owe_the_floor_all_the_same() -> None:
    assert short(rule("no", RESTRICTED, Reject()), CALM) == []
    found = short(rule("no", RESTRICTED, Reject(), overridable=True), CALM)
    assert found == [("last", "tls", "restricted mail", Protection.VERIFIED)]
