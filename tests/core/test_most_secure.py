import pytest

from gateway.core.conditions.logic import All
from gateway.core.conditions.message import ClassificationIs, Finds
from gateway.core.conditions.outside import StarttlsIs
from gateway.core.decide import decide
from gateway.core.decision import Decision, Held, Open, Refused, Routed
from gateway.core.facts import Facts
from gateway.core.floors import shortfalls, unreachable
from gateway.core.policy import Choice, Hold, Policy, Reject, Rule
from gateway.core.template import Template
from gateway.core.tls import Protection, Starttls
from tests.core.policies import NEED, RED
from tests.fixtures.build import BOB, facts, policy, remark, rule

RESTRICTED = ClassificationIs(frozenset({"restricted"}))
CONTROLLED = ClassificationIs(frozenset({"controlled"}))
NO_TLS = StarttlsIs(Starttls.NO)
LAST = rule("last", None, "tls")


def most_secure(*rules: Rule) -> Policy:
    return policy(*rules, choose=Choice.MOST_SECURE)


def decided(*rules: Rule, given: Facts | None = None) -> Decision:
    return decide(given or facts(), BOB, most_secure(*rules)).decision


WEAK = rule("weak", CONTROLLED, "opportunistic", below_floor="agreed")
PLAIN = rule("plain", CONTROLLED, "tls encrypted")
SAFE = rule("safe", CONTROLLED, "secure")
BEST = rule("best", CONTROLLED, "encrypted")
HOLD = rule("hold", CONTROLLED, Hold())
NO = rule("no", CONTROLLED, Reject())


@pytest.mark.parametrize(
    ("rules", "name"),
    [
        ([WEAK, PLAIN], "plain"),
        ([PLAIN, SAFE], "safe"),
        ([SAFE, BEST], "best"),
        ([BEST, SAFE], "best"),
        ([BEST, HOLD], "hold"),
        ([HOLD, BEST, NO], "no"),
        ([SAFE, rule("as safe", CONTROLLED, "secure encrypted")], "safe"),
        ([WEAK, rule("high", RESTRICTED, "encrypted")], "last"),
        ([PLAIN, rule("gone", CONTROLLED, "gone")], "gone"),
    ],
)
def test_the_matching_rule_that_protects_most_decides_else_the_earlier(rules: list[Rule], name: str) -> None:
    assert decided(*rules, LAST).rule == name


def test_what_is_held_goes_by_the_best_chain() -> None:
    decision = decided(HOLD, SAFE, BEST, LAST)
    assert isinstance(decision, Held)
    assert decision.chain == ("encrypted",)


def test_an_unknown_rule_that_would_protect_more_is_open() -> None:
    unknown = rule("if", NO_TLS, "secure")
    assert isinstance(decided(PLAIN, unknown, LAST), Open)
    assert decided(PLAIN, unknown, LAST, given=facts(outside={NEED: Starttls.NO})).rule == "if"
    assert decided(PLAIN, unknown, LAST, given=facts(outside={NEED: Starttls.YES})).rule == "plain"


def test_an_unknown_rule_that_would_protect_less_makes_no_difference() -> None:
    assert decided(rule("if", NO_TLS, "tls"), SAFE, LAST).rule == "safe"
    assert isinstance(decided(rule("if", NO_TLS, Hold()), NO, LAST), Refused)


def test_every_remark_that_matches_is_heard() -> None:
    front = remark("front", CONTROLLED, warn=Template("One."))
    behind = remark("behind", CONTROLLED, warn=Template("Two."))
    decision = decided(front, BEST, behind, LAST)
    assert decision.rule == "best"
    assert [point.rule for point in decision.effects.warnings] == ["front", "behind"]


def test_a_level_raised_behind_it_counts_for_its_floor_too() -> None:
    decision = decided(BEST, remark("raise", CONTROLLED, raises="restricted"), LAST)
    assert (decision.rule, decision.floor) == ("best", Protection.VERIFIED)
    unknown = remark("raise", Finds(RED), raises="restricted")
    assert isinstance(decided(BEST, unknown, LAST), Open)
    assert decided(NO, unknown, LAST).rule == "no"


def short(*rules: Rule) -> list[tuple[str, str, str]]:
    return [(found.rule, found.route, found.mail.level) for found in shortfalls(most_secure(*rules))]


def test_a_rule_is_judged_only_by_the_mail_that_none_protects_better() -> None:
    high = rule("high", RESTRICTED, "secure", ignores_buttons=True)
    plain = rule("plain", None, "tls", ignores_buttons=True)
    assert short(plain) == [("plain", "tls", "restricted")]
    assert short(high, plain) == []
    assert short(plain, high, plain) == []


def test_a_rule_is_judged_by_the_level_that_may_be_raised_behind_it() -> None:
    mid = rule("mid", CONTROLLED, "tls encrypted", ignores_buttons=True)
    weak = rule("weak", None, "opportunistic", below_floor="agreed")
    raising = remark("raise", All((CONTROLLED, Finds(RED))), raises="restricted")
    assert short(mid, weak) == []
    assert short(mid, raising, weak) == [("mid", "tls", "restricted")]
    assert short(raising, mid, weak) == []


def test_a_rule_that_others_always_outdo_is_never_reached() -> None:
    assert [found.name for found in unreachable(most_secure(rule("all", None, "tls"), LAST))] == ["last"]
    assert [found.name for found in unreachable(most_secure(PLAIN, SAFE, LAST))] == ["plain"]


def test_routed_by_the_last_rule_where_no_other_matches() -> None:
    assert isinstance(decided(LAST), Routed)


def test_a_remark_that_matches_is_heard_in_front_of_a_refusal_too() -> None:
    behind = remark("behind", CONTROLLED, warn=Template("Two."), raises="restricted")
    decision = decided(NO, behind, LAST)
    assert isinstance(decision, Refused)
    assert (decision.rule, decision.floor) == ("no", Protection.VERIFIED)
    assert [point.rule for point in decision.effects.warnings] == ["behind"]
