from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.core.conditions.logic import All
from gateway.core.conditions.message import ClassificationIs, Finds
from gateway.core.conditions.outside import StarttlsIs
from gateway.core.decide import decide
from gateway.core.decision import Held, Open, Refused, Routed
from gateway.core.edits import Add, Remove, Retitle
from gateway.core.effects import NOTHING, Effects, Notification, Point
from gateway.core.policy import Action, Hold, Reject, Wishes
from gateway.core.template import Template
from gateway.core.tls import Protection, Starttls
from tests.core.policies import NEED, RED
from tests.fixtures.build import BOB, facts, policy, remark, rule

RESTRICTED = ClassificationIs(frozenset({"restricted"}))
CONTROLLED = ClassificationIs(frozenset({"controlled"}))
NO_TLS = StarttlsIs(Starttls.NO)
LAST = rule("last", None, "tls")
WHY = "the level is controlled (header X-Classification)"
LOOK = Template("Look at {recipient}.")
STOP = Template("Stop.")


def test_a_remark_takes_effect_and_the_search_goes_on() -> None:
    wishing = remark(
        "mark",
        CONTROLLED,
        warn=LOOK,
        notify=("dpo@council.example", "ig@council.example"),
        copies=("archive@council.example",),
        edits=(Remove("X-A"), Add("X-A", "1")),
        receipt=True,
        remind_after=timedelta(days=5),
    )
    decision = decide(facts(), BOB, policy(remark("other", RESTRICTED, warn=STOP), wishing, LAST)).decision
    assert decision.rule == "last"
    assert decision.effects == Effects(
        warnings=(Point("mark", WHY, "Look at bob@partner.example."),),
        notifications=(
            Notification("mark", "dpo@council.example", WHY),
            Notification("mark", "ig@council.example", WHY),
        ),
        copies=("archive@council.example",),
        edits=(Remove("X-A"), Add("X-A", "1")),
        receipt=True,
        remind_after=timedelta(days=5),
    )


def test_a_remark_without_condition_holds_for_all() -> None:
    decision = decide(facts(), BOB, policy(remark("all", None, warn=STOP), LAST)).decision
    assert decision.effects.warnings == (Point("all", "it has no condition", "Stop."),)


def test_what_causes_nothing_has_no_effects_at_all() -> None:
    assert decide(facts(), BOB, policy(remark("no", RESTRICTED, warn=STOP), LAST)).decision.effects is NOTHING


def test_effects_come_in_the_order_of_the_rules_and_each_once() -> None:
    made = policy(
        remark("a", CONTROLLED, warn=STOP, copies=("x@council.example",), remind_after=timedelta(days=9)),
        remark("b", CONTROLLED, warn=LOOK, copies=("y@council.example", "x@council.example")),
        rule("c", CONTROLLED, "secure", wishes=Wishes(warn=STOP, remind_after=timedelta(days=3))),
        remark("behind", CONTROLLED, warn=STOP),
        LAST,
    )
    effects = decide(facts(), BOB, made).decision.effects
    assert [point.rule for point in effects.warnings] == ["a", "b", "c"]
    assert effects.copies == ("x@council.example", "y@council.example")
    assert effects.remind_after == timedelta(days=3)


@pytest.mark.parametrize("action", [Reject(), Hold()])
def test_a_refused_or_held_message_carries_all_warnings_in_front(action: Reject | Hold) -> None:
    made = policy(
        remark("a", CONTROLLED, warn=STOP),
        rule("b", CONTROLLED, action, wishes=Wishes(warn=LOOK)),
        remark("c", CONTROLLED, notify=("dpo@council.example",)),
        LAST,
    )
    decision = decide(facts(), BOB, made).decision
    assert isinstance(decision, Held | Refused)
    assert [point.rule for point in decision.effects.warnings] == ["a", "b"]
    assert len(decision.effects.notifications) == isinstance(decision, Held)


def test_a_hold_in_front_of_a_refusal_is_heard_of_too() -> None:
    made = policy(
        remark("a", CONTROLLED, warn=STOP),
        rule("hold", CONTROLLED, Hold(), wishes=Wishes(warn=LOOK)),
        remark("c", CONTROLLED, warn=STOP),
        rule("no", CONTROLLED, Reject()),
        LAST,
    )
    decision = decide(facts(), BOB, made).decision
    assert isinstance(decision, Refused)
    assert [point.rule for point in decision.effects.warnings] == ["a", "hold", "c"]


def test_an_unknown_remark_blocks_nothing_and_causes_nothing() -> None:
    made = policy(remark("if", NO_TLS, warn=STOP), LAST)
    unknown = decide(facts(), BOB, made)
    assert isinstance(unknown.decision, Routed)
    assert (unknown.decision.effects, unknown.lacks) == (NOTHING, frozenset())
    known = decide(facts(outside={NEED: Starttls.NO}), BOB, made)
    assert [point.rule for point in known.decision.effects.warnings] == ["if"]


def test_an_open_decision_carries_what_holds_whatever_comes() -> None:
    made = policy(
        remark("a", CONTROLLED, warn=STOP),
        rule("if", NO_TLS, "secure", wishes=Wishes(warn=LOOK)),
        remark("c", CONTROLLED, warn=STOP),
        LAST,
    )
    open_ = decide(facts(), BOB, made).decision
    assert isinstance(open_, Open)
    assert [point.rule for point in open_.effects.warnings] == ["a"]
    for answer, heard in ((Starttls.NO, ["a", "if"]), (Starttls.YES, ["a", "c"])):
        decision = decide(facts(outside={NEED: answer}), BOB, made).decision
        assert [point.rule for point in decision.effects.warnings] == heard


def test_an_unknown_rule_that_would_cause_more_is_looked_up() -> None:
    made = policy(remark("a", CONTROLLED, warn=STOP), rule("if", NO_TLS, "tls", wishes=Wishes(warn=LOOK)), LAST)
    ruling = decide(facts(), BOB, made)
    assert isinstance(ruling.decision, Open)
    assert (ruling.decision.rule, ruling.decision.floor, ruling.lacks) == ("if", Protection.ENCRYPTED, {NEED})
    assert [point.rule for point in ruling.decision.effects.warnings] == ["a"]
    for answer, heard in ((Starttls.NO, ["a", "if"]), (Starttls.YES, ["a"])):
        decision = decide(facts(outside={NEED: answer}), BOB, made).decision
        assert isinstance(decision, Routed)
        assert [point.rule for point in decision.effects.warnings] == heard


def test_an_unknown_rule_that_would_cause_what_is_caused_anyway_is_passed_over() -> None:
    archive = Wishes(copies=("archive@council.example",), edits=(Remove("X-A"),))
    more = Wishes(copies=("other@council.example", "archive@council.example"), edits=(Add("X-A", "1"), Remove("X-A")))
    made = policy(rule("if", NO_TLS, "tls", wishes=archive), rule("last", None, "tls", wishes=more))
    ruling = decide(facts(), BOB, made)
    assert isinstance(ruling.decision, Routed)
    assert ruling.decision.effects.copies == more.copies
    turned = policy(rule("if", NO_TLS, "tls", wishes=more), rule("last", None, "tls", wishes=archive))
    assert isinstance(decide(facts(), BOB, turned).decision, Open)


@pytest.mark.parametrize("action", ["tls", Hold("dpo"), Reject()])
def test_an_unknown_rule_that_nobody_can_look_up_causes_all_that_it_would(action: Action | str) -> None:
    wishes = Wishes(
        warn=Template("Ask {owner}."),
        notify=("dpo@council.example",),
        copies=("archive@council.example",),
        edits=(Remove("X-A"),),
        receipt=True,
        remind_after=timedelta(days=5),
    )
    made = policy(
        remark("a", CONTROLLED, warn=STOP),
        rule("red", Finds(RED), action, wishes=wishes),
        remark("b", CONTROLLED, warn=LOOK),
        rule("same", CONTROLLED, action),
        LAST,
    )
    decision = decide(facts(), BOB, made).decision
    assert decision.rule == "same"
    points = [(point.rule, point.reason, point.advice) for point in decision.effects.warnings]
    why = "not recorded: a red stands there"
    assert points == [
        ("a", WHY, "Stop."),
        ("red", why, "Ask its owner."),
        ("b", WHY, "Look at bob@partner.example."),
    ]
    assert replace(decision.effects, warnings=()) == Effects(
        notifications=(Notification("red", "dpo@council.example", why),),
        copies=("archive@council.example",),
        edits=(Remove("X-A"),),
        receipt=True,
        remind_after=timedelta(days=5),
    )
    # What is known not to stand there causes nothing.
    known = decide(replace(facts(), looked=frozenset({"red"})), BOB, made).decision
    assert [point.rule for point in known.effects.warnings] == ["a", "b"]


def test_what_may_be_looked_up_yet_waits_and_then_counts_as_a_match() -> None:
    both = All((NO_TLS, Finds(RED)))
    made = policy(rule("both", both, "tls", wishes=Wishes(notify=("dpo@council.example",))), LAST)
    assert isinstance(decide(facts(), BOB, made).decision, Open)
    looked_up = decide(facts(outside={NEED: Starttls.NO}), BOB, made).decision
    assert isinstance(looked_up, Routed)
    assert [heard.mailbox for heard in looked_up.effects.notifications] == ["dpo@council.example"]
    assert decide(facts(outside={NEED: Starttls.YES}), BOB, made).decision.effects is NOTHING


def test_an_overridden_rule_still_says_what_it_has_to_say() -> None:
    stop = rule("stop", CONTROLLED, Reject(), overridable=True, wishes=Wishes(notify=("dpo@council.example",)))
    allowed = replace(facts(), overridden=frozenset({"stop"}))
    decision = decide(allowed, BOB, policy(stop, LAST)).decision
    assert isinstance(decision, Routed)
    assert [heard.mailbox for heard in decision.effects.notifications] == ["dpo@council.example"]


def test_a_raised_level_holds_for_all_rules_behind_and_for_the_floor() -> None:
    made = policy(
        rule("early", RESTRICTED, Reject()),
        remark("raise", CONTROLLED, raises="restricted", warn=Template("It is {level}.")),
        rule("high", RESTRICTED, "secure"),
        LAST,
    )
    ruling = decide(facts(), BOB, made)
    source = "raised by `raise` from controlled, header X-Classification"
    assert ruling.decision == Routed(
        rule="high",
        chain=("secure",),
        floor=Protection.VERIFIED,
        original_floor=Protection.VERIFIED,
        reason=f"the level is restricted ({source})",
        advice="advice of high",
        effects=Effects(warnings=(Point("raise", WHY, "It is controlled."),), raised="restricted"),
    )
    assert (ruling.classification.level, ruling.classification.source) == ("restricted", source)


def test_a_level_is_raised_step_by_step_and_never_lowered() -> None:
    made = policy(
        remark("one", ClassificationIs(frozenset({"public"})), raises="controlled"),
        remark("two", CONTROLLED, raises="restricted"),
        remark("none", RESTRICTED, raises="controlled"),
        LAST,
    )
    ruling = decide(facts("public"), BOB, made)
    assert (ruling.classification.level, ruling.decision.floor) == ("restricted", Protection.VERIFIED)
    assert ruling.classification.source == (
        "raised by `two` from controlled, raised by `one` from public, header X-Classification"
    )
    assert decide(facts("unheard of"), BOB, made).decision.floor is Protection.SEALED


def test_a_level_that_cannot_be_told_is_open_with_the_highest_demand() -> None:
    made = policy(
        remark("a", CONTROLLED, warn=STOP),
        remark("raise", Finds(RED), raises="restricted"),
        rule("b", CONTROLLED, "secure"),
        LAST,
    )
    ruling = decide(facts(), BOB, made)
    assert ruling.decision == Open(
        rule="raise",
        missing=("not recorded: a red stands there",),
        floor=Protection.SEALED,
        reason="not recorded: a red stands there",
        advice="advice of raise",
        effects=Effects(warnings=(Point("a", WHY, "Stop."),)),
    )
    # Where the level is as high already, nothing hangs on it.
    assert decide(facts("restricted"), BOB, made).decision.rule == "last"


def test_a_level_that_hangs_on_a_lookup_lacks_it() -> None:
    made = policy(remark("raise", NO_TLS, raises="restricted"), LAST)
    assert decide(facts(), BOB, made).lacks == {NEED}
    assert decide(facts(outside={NEED: Starttls.NO}), BOB, made).decision.floor is Protection.VERIFIED
    assert decide(facts(outside={NEED: Starttls.YES}), BOB, made).decision.floor is Protection.ENCRYPTED


def test_only_a_remark_raises_and_only_to_a_level_that_there_is() -> None:
    for wrong in (
        remark("r", CONTROLLED, raises="secret"),
        rule("r", CONTROLLED, "tls", wishes=Wishes(raises="public")),
    ):
        with pytest.raises(ValueError, match="raises to a level of the policy"):
            policy(wrong, LAST)


def test_a_tag_is_an_edit_like_any_other() -> None:
    made = policy(remark("tag", CONTROLLED, edits=(Retitle(tag="[OFFICIAL]"),)), LAST)
    assert decide(facts(), BOB, made).decision.effects == Effects(edits=(Retitle(tag="[OFFICIAL]"),))
