from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.address import Address, parse_address
from gateway.core.conditions.base import Need
from gateway.core.conditions.message import ClassificationIs, Finds
from gateway.core.conditions.outside import StarttlsIs
from gateway.core.decide import Ruling, decide
from gateway.core.decision import Decision, Held, Instead, Open, Refused, Routed
from gateway.core.domains import Group, parse_party
from gateway.core.effects import NOTHING
from gateway.core.facts import Facts, OutsideFact
from gateway.core.modes import Mode, Rollout, in_force, overrules, stands
from gateway.core.observing import SOFT_END, apply
from gateway.core.policy import Action, Hold, Policy, Reject, Wishes
from gateway.core.template import Template
from gateway.core.tls import Protection, Starttls
from tests.core.policies import FACTS, NEED, POLICIES, RED, completions
from tests.fixtures.build import BOB, NOON, facts, policy, remark, rule

HR = parse_party("hr@council.example")
SENDER = parse_address("hr@council.example")
OTHER = parse_address("officer@council.example")
WHY = "the level is controlled (header X-Classification)"
CONTROLLED = ClassificationIs(frozenset({"controlled"}))


def mode(
    which: Mode = Mode.OBSERVE, *, rule: str = "", senders: Group | None = None, days: int = 1, reason: str = ""
) -> Rollout:
    baseline = "opportunistic" if which is Mode.OBSERVE else ""
    until = NOON + timedelta(days=days)
    return Rollout(mode=which, until=until, rule=rule, senders=senders, baseline=baseline, reason=reason)


def found(*rollouts: Rollout, rule: str = "r", sender: Address | None = SENDER) -> Rollout | None:
    return in_force(rollouts, NOON, rule, sender)


def test_a_mode_covers_its_rule_and_its_senders_until_it_ends() -> None:
    assert found() is None
    assert found(mode()) == mode()
    assert found(mode(days=0)) is None
    assert found(mode(rule="r")) == mode(rule="r")
    assert found(mode(rule="other")) is None
    assert found(mode(senders=HR)) == mode(senders=HR)
    assert found(mode(senders=HR), sender=OTHER) is None
    assert found(mode(senders=HR), sender=None) is None
    assert found(mode(), sender=None) == mode()


def test_the_most_specific_holds_and_the_last_of_several() -> None:
    plain, by_sender, by_rule = mode(), mode(Mode.SOFT, senders=HR), mode(rule="r")
    both = mode(Mode.SOFT, rule="r", senders=HR)
    assert found(both, by_rule, by_sender, plain) == both
    assert found(by_rule, by_sender, plain) == by_rule
    assert found(by_sender, plain) == by_sender
    assert found(mode(reason="first"), mode(reason="second")) == mode(reason="second")


def test_enforcing_ends_what_stands_before_it_with_its_scope_even_after_its_own_end() -> None:
    assert found(mode(), mode(Mode.ENFORCE)) is None
    assert found(mode(days=9), mode(Mode.ENFORCE, days=-1)) is None
    assert found(mode(Mode.ENFORCE), mode()) == mode()
    assert found(mode(), mode(Mode.ENFORCE, rule="other")) == mode()
    assert found(mode(), mode(Mode.ENFORCE, rule="r")) is None
    assert found(mode(rule="r"), mode(Mode.ENFORCE)) == mode(rule="r")


def test_one_stands_until_it_is_over_or_ended() -> None:
    both = [mode(), mode(Mode.ENFORCE)]
    assert [stands(both, number, NOON) for number in (0, 1)] == [False, True]
    assert [stands([mode(), mode(days=0)], number, NOON) for number in (0, 1)] == [True, False]


STAFF, OFFICE = parse_party("staff.example"), parse_party("office@staff.example")


@pytest.mark.parametrize(
    ("later", "earlier", "expected"),
    [
        ({}, {}, True),
        ({"rule": "r"}, {}, True),
        ({"rule": "r"}, {"rule": "r"}, True),
        ({}, {"rule": "r"}, False),
        ({"rule": "r"}, {"rule": "other"}, False),
        ({"rule": "r"}, {"senders": STAFF}, True),
        ({"senders": STAFF}, {"rule": "r"}, False),
        ({"senders": STAFF}, {}, True),
        ({}, {"senders": STAFF}, False),
        ({"senders": Group("group:nobody")}, {"senders": Group("group:nobody")}, True),
        ({"senders": Group("group:nobody")}, {"senders": STAFF}, False),
        ({"senders": OFFICE}, {"senders": STAFF}, True),
        ({"senders": STAFF}, {"senders": OFFICE}, True),
        ({"senders": OFFICE}, {"senders": parse_party("OFFICE@staff.example")}, True),
        ({"senders": OFFICE}, {"senders": parse_party("desk@staff.example")}, False),
        ({"senders": STAFF}, {"senders": parse_party("*.staff.example")}, False),
        ({"senders": parse_party("*.staff.example")}, {"senders": parse_party("a.staff.example")}, True),
        ({"senders": parse_party("*.example")}, {"senders": parse_party("*.staff.example")}, True),
        ({"senders": STAFF}, {"senders": parse_party("other.example")}, False),
    ],
)
def test_one_overrules_what_it_would_hold_in_place_of(later: Any, earlier: Any, expected: bool) -> None:
    assert overrules(mode(Mode.ENFORCE, **later), mode(**earlier)) is expected


WISHES = Wishes(warn=Template("Look."))


def made(action: Action | str) -> Policy:
    return policy(rule("r", CONTROLLED, action, wishes=WISHES), rule("last", None, "secure"))


def applied(action: Action | str, *rollouts: Rollout) -> Decision:
    ruling = decide(facts(), BOB, made(action))
    return apply(ruling, SENDER, rollouts, made(action), NOON).decision


@pytest.mark.parametrize(
    ("action", "name", "chain"),
    [("secure encrypted", "route", ("secure", "encrypted")), (Reject(), "reject", ()), (Hold(), "hold", ("secure",))],
)
def test_observed_mail_leaves_by_the_baseline_and_records_what_it_would_have_been(
    action: Action | str, name: str, chain: tuple[str, ...]
) -> None:
    assert applied(action, mode()) == Routed(
        rule="r",
        chain=("opportunistic",),
        floor=Protection.NONE,
        original_floor=Protection.ENCRYPTED,
        reason=f"only observed until 2026-11-23 12:00 UTC; {WHY}",
        advice="advice of r",
        instead=Instead(rule="r", action=name, chain=chain, floor=Protection.ENCRYPTED),
        effects=NOTHING,
    )


def test_what_cannot_be_told_is_observed_too_and_waits_for_nothing() -> None:
    asking = policy(rule("if", StarttlsIs(Starttls.NO), "encrypted"), rule("last", None, "secure"))
    ruling = apply(decide(facts(), BOB, asking), SENDER, [mode()], asking, NOON)
    assert isinstance(ruling.decision, Routed)
    assert ruling.decision.instead == Instead(rule="if", action="open", chain=(), floor=Protection.ENCRYPTED)
    assert ruling.lacks == frozenset()


NO_TLS = StarttlsIs(Starttls.NO)


def ruled(made: Policy, *rollouts: Rollout, outside: Mapping[Need, OutsideFact] | None = None) -> Ruling:
    return apply(decide(facts(outside=outside), BOB, made), SENDER, rollouts, made, NOON)


def test_what_may_be_decided_by_an_enforced_rule_is_not_observed() -> None:
    asking = policy(rule("if", NO_TLS, "opportunistic", below_floor="agreed"), rule("no", None, Reject()))
    waiting = ruled(asking, mode(rule="if"))
    assert isinstance(waiting.decision, Open)
    assert waiting.lacks == {NEED}
    # Once it is known, the mode is that of the rule that decides.
    assert isinstance(ruled(asking, mode(rule="if"), outside={NEED: Starttls.YES}).decision, Refused)
    observed = ruled(asking, mode(rule="if"), outside={NEED: Starttls.NO}).decision
    assert isinstance(observed, Routed)
    assert observed.instead == Instead(rule="if", action="route", chain=("opportunistic",), floor=Protection.NONE)


def test_what_is_open_is_observed_where_all_rules_that_may_decide_are() -> None:
    asking = policy(rule("if", NO_TLS, "encrypted"), rule("no", CONTROLLED, Reject()), rule("last", None, "secure"))
    both = ruled(asking, mode(rule="if"), mode(rule="no")).decision
    assert isinstance(both, Routed)
    assert both.instead == Instead(rule="if", action="open", chain=(), floor=Protection.ENCRYPTED)
    for other in (mode(Mode.SOFT, rule="no"), mode(Mode.ENFORCE, rule="no"), replace(mode(rule="no"), baseline="tls")):
        assert isinstance(ruled(asking, mode(), mode(rule="if"), other).decision, Open)
    assert isinstance(ruled(asking, mode(), mode(Mode.SOFT, rule="last")).decision, Routed)


def test_a_rule_that_may_decide_the_same_is_asked_for_its_mode_too() -> None:
    twice = policy(rule("red", Finds(RED), Reject()), rule("no", CONTROLLED, Reject()), rule("last", None, "tls"))
    assert isinstance(ruled(twice, mode(rule="no")).decision, Refused)
    assert isinstance(ruled(twice, mode(rule="no"), mode(rule="red")).decision, Routed)
    known = replace(facts(), looked=frozenset({"red"}))
    assert isinstance(apply(decide(known, BOB, twice), SENDER, [mode(rule="no")], twice, NOON).decision, Routed)


def test_an_enforced_hold_in_front_of_an_observed_refusal_lets_nothing_out() -> None:
    made = policy(rule("check", CONTROLLED, Hold()), rule("no", CONTROLLED, Reject()), rule("last", None, "tls"))
    firm = apply(decide(facts(), BOB, made), SENDER, [mode(rule="no")], made, NOON).decision
    assert isinstance(firm, Refused)
    both = [mode(rule="no"), mode(rule="check")]
    assert isinstance(apply(decide(facts(), BOB, made), SENDER, both, made, NOON).decision, Routed)
    behind = policy(rule("check", CONTROLLED, Hold()), rule("last", None, "tls"))
    assert isinstance(apply(decide(facts(), BOB, behind), SENDER, [mode(rule="check")], behind, NOON).decision, Routed)


def test_what_waits_for_its_level_may_be_decided_by_any_rule() -> None:
    raising = policy(
        rule("early", CONTROLLED, Hold()),
        remark("raise", Finds(RED), raises="restricted"),
        rule("no", ClassificationIs(frozenset({"restricted"})), Reject()),
        rule("last", None, "tls"),
    )
    named = (mode(rule="early"), mode(rule="last"), mode(rule="raise"))
    assert isinstance(ruled(raising, *named).decision, Open)
    assert isinstance(ruled(raising, *named, mode(rule="no")).decision, Routed)
    assert isinstance(
        ruled(raising, mode(), mode(Mode.SOFT, rule="raise", senders=parse_party("x.example"))).decision, Routed
    )


@settings(deadline=None)
@given(POLICIES, FACTS, st.frozensets(st.sampled_from(["r0", "r1", "r2", "last"])))
def test_what_is_observed_early_is_observed_however_it_turns_out(
    made: Policy, known: Facts, observed: frozenset[str]
) -> None:
    rollouts = [mode(rule=name) for name in observed]
    early = apply(decide(known, BOB, made), SENDER, rollouts, made, NOON).decision
    if isinstance(early, Routed) and early.instead is not None:
        assert {decide(complete, BOB, made).decision.rule for complete in completions(known)} <= observed


def test_a_lowered_floor_is_counted_against_what_was_asked_for() -> None:
    low = policy(rule("r", None, "tls", below_floor="agreed"))
    decision = apply(decide(facts("restricted"), BOB, low), SENDER, [mode()], low, NOON).decision
    assert isinstance(decision, Routed)
    assert decision.original_floor is Protection.VERIFIED
    holding = policy(rule("hold", None, Hold()), *low.rules)
    decision = apply(decide(facts("restricted"), BOB, holding), SENDER, [mode()], holding, NOON).decision
    assert isinstance(decision, Routed)
    assert decision.original_floor is Protection.VERIFIED


def test_mail_that_stays_inside_is_not_observed() -> None:
    decision = applied("internal", mode())
    assert isinstance(decision, Routed)
    assert (decision.chain, decision.instead) == (("internal",), None)
    assert getattr(applied("internal secure", mode()), "instead", None) is not None
    gone = policy(rule("r", None, "gone"))
    assert apply(decide(facts(), BOB, gone), SENDER, [mode()], gone, NOON).decision.reason.startswith("only observed")


def test_a_softened_refusal_waits_and_everything_else_is_as_it_was() -> None:
    refused = applied(Reject())
    assert isinstance(refused, Refused)
    assert applied(Reject(), mode(Mode.SOFT)) == Open(
        rule="r",
        missing=(SOFT_END,),
        floor=refused.floor,
        reason=refused.reason,
        advice=refused.advice,
        effects=refused.effects,
    )
    assert isinstance(applied(Hold(), mode(Mode.SOFT)), Held)
    assert applied("tls", mode(Mode.SOFT)) == applied("tls")


def test_nothing_changes_where_no_mode_is_in_force() -> None:
    assert applied(Reject(), mode(days=0)) == applied(Reject())
    assert applied(Reject(), replace(mode(), rule="other")) == applied(Reject())
