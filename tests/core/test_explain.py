from dataclasses import replace

from hypothesis import given, settings

from gateway.core.address import Address
from gateway.core.conditions.base import look
from gateway.core.conditions.message import ClassificationIs, Finds
from gateway.core.conditions.outside import StarttlsIs
from gateway.core.decision import Truth
from gateway.core.explain import explain
from gateway.core.facts import Facts
from gateway.core.policy import Choice, Hold, Policy, Reject
from gateway.core.search import search
from gateway.core.tls import Starttls
from tests.core.policies import FACTS, POLICIES, RED
from tests.fixtures.build import BOB, facts, policy, remark, rule

RESTRICTED = ClassificationIs(frozenset({"restricted"}))
CONTROLLED = ClassificationIs(frozenset({"controlled"}))
NO_TLS = StarttlsIs(Starttls.NO)
LAST = rule("last", None, "tls")


def tried(made: Policy, given_facts: Facts | None = None, recipient: Address = BOB) -> list[tuple[str, Truth]]:
    return [(one.rule, one.result) for one in explain(given_facts or facts(), recipient, made)]


def test_every_rule_up_to_the_one_that_decides_is_told_with_its_reason() -> None:
    made = policy(rule("no", RESTRICTED, Reject()), rule("if", NO_TLS, "secure"), rule("yes", CONTROLLED, "tls"), LAST)
    assert [(one.rule, one.result, one.why) for one in explain(facts(), BOB, made)] == [
        ("no", Truth.NO_MATCH, "the level is controlled (header X-Classification)"),
        ("if", Truth.UNKNOWN, "whether partner.example offers STARTTLS is not known"),
        ("yes", Truth.MATCH, "the level is controlled (header X-Classification)"),
    ]


def test_the_search_goes_on_behind_holds_and_remarks() -> None:
    made = policy(remark("mark", CONTROLLED), rule("hold", CONTROLLED, Hold()), LAST)
    assert tried(made) == [("mark", Truth.MATCH), ("hold", Truth.MATCH), ("last", Truth.MATCH)]
    assert explain(facts(), BOB, made)[-1].why == "it has no condition"


def test_a_rule_that_a_token_passes_says_so() -> None:
    made = policy(rule("no", CONTROLLED, Reject(), overridable=True), LAST)
    allowed = replace(facts(), overridden=frozenset({"no"}))
    assert tried(made) == [("no", Truth.MATCH)]
    assert tried(made, allowed) == [("no", Truth.MATCH), ("last", Truth.MATCH)]
    assert explain(allowed, BOB, made)[0].why.endswith("; passed over by a one-time token")


def test_rules_behind_a_raised_level_are_told_with_it() -> None:
    made = policy(remark("up", CONTROLLED, raises="restricted"), rule("high", RESTRICTED, "secure"), LAST)
    assert explain(facts(), BOB, made)[1].why == (
        "the level is restricted (raised by `up` from controlled, header X-Classification)"
    )


def test_nothing_is_told_behind_a_level_that_is_open() -> None:
    made = policy(remark("mark", Finds(RED)), remark("up", Finds(RED), raises="restricted"), LAST)
    assert tried(made) == [("mark", Truth.UNKNOWN), ("up", Truth.UNKNOWN)]
    assert tried(made, facts("restricted"))[-1] == ("last", Truth.MATCH)


def test_where_the_most_secure_decides_every_rule_is_told() -> None:
    made = policy(rule("a", CONTROLLED, "tls"), rule("b", CONTROLLED, "secure"), LAST, choose=Choice.MOST_SECURE)
    assert [name for name, _ in tried(made)] == ["a", "b", "last"]


@settings(deadline=None)
@given(POLICIES, FACTS)
def test_what_decides_is_among_what_is_told(made: Policy, known: Facts) -> None:
    told = {one.rule: one.result for one in explain(known, BOB, made)}
    for candidate in search(look(known, BOB), made):
        assert told[candidate.rule.name] is candidate.truth
