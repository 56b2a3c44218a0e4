from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.conditions.history import ResentLower, refusal_id
from gateway.core.conditions.logic import All
from gateway.core.conditions.message import ClassificationIs, Finds
from gateway.core.conditions.outside import StarttlsIs
from gateway.core.conditions.party import PartyIs
from gateway.core.decide import decide, wanted
from gateway.core.decision import Decision, Held, Open, Refused, Routed, asked_for
from gateway.core.domains import parse_party
from gateway.core.effects import NOTHING
from gateway.core.facts import Facts, Intent, Lookup, Missing
from gateway.core.floors import shortfalls
from gateway.core.policy import NO_WISHES, Action, GoOn, Hold, Policy, Reject, Rule, Wishes
from gateway.core.registers.book import Registers
from gateway.core.registers.directory import directory
from gateway.core.registers.partners import Partner
from gateway.core.route import demand
from gateway.core.template import Template
from gateway.core.tls import Protection, Starttls
from tests.core.policies import FACTS, NEED, POLICIES, RED, completions
from tests.fixtures.build import BOB, LEVELS, MIB, facts, policy, rule

RESTRICTED = ClassificationIs(frozenset({"restricted"}))
CONTROLLED = ClassificationIs(frozenset({"controlled"}))
ANY_LEVEL = ClassificationIs(frozenset(LEVELS))
NO_TLS = StarttlsIs(Starttls.NO)
LAST = rule("last", None, "tls")


def test_the_first_match_wins_and_the_rest_is_not_looked_at() -> None:
    rules = policy(
        rule("no", RESTRICTED, Reject()), rule("yes", CONTROLLED, "secure"), rule("also", ANY_LEVEL, "tls"), LAST
    )
    ruling = decide(facts(), BOB, rules)
    assert ruling.decision == Routed(
        rule="yes",
        chain=("secure",),
        floor=Protection.ENCRYPTED,
        original_floor=Protection.ENCRYPTED,
        reason="the level is controlled (header X-Classification)",
        advice="advice of yes",
    )
    assert ruling.lacks == frozenset()


def test_a_rejecting_rule_stops_the_search() -> None:
    decision = decide(
        facts(), BOB, policy(rule("stop", CONTROLLED, Reject()), rule("next", CONTROLLED, "tls"), LAST)
    ).decision
    assert decision == Refused(
        rule="stop",
        floor=Protection.ENCRYPTED,
        reason="the level is controlled (header X-Classification)",
        advice="advice of stop",
    )


def test_a_held_message_goes_on_by_the_rules_behind() -> None:
    held = policy(rule("hold", CONTROLLED, Hold()), rule("next", CONTROLLED, "secure encrypted"), LAST)
    ruling = decide(facts(intent=Intent.SECURE), BOB, held)
    assert ruling.decision == Held(
        rule="hold",
        chain=("secure", "encrypted"),
        floor=Protection.VERIFIED,
        reason="the level is controlled (header X-Classification)",
        advice="advice of hold",
    )


def test_what_is_held_keeps_what_lowered_its_floor_and_how_long_it_may_wait() -> None:
    urgent = Partner(name="Partner", tls=Protection.NONE, most_wait=timedelta(hours=4))
    held = policy(
        rule("hold", CONTROLLED, Hold("dpo")),
        rule("again", CONTROLLED, Hold()),
        rule("low", None, "encrypted opportunistic tls", below_floor="agreed"),
        registers=Registers(partners=directory([(BOB.domain, urgent)])),
    )
    decision = decide(facts(files=14 * MIB), BOB, held).decision
    assert decision == Held(
        rule="hold",
        chain=("opportunistic", "tls"),
        floor=Protection.NONE,
        reason="the level is controlled (header X-Classification)",
        advice="advice of hold",
        role="dpo",
        lowered_from=Protection.ENCRYPTED,
        lowered_because="agreed",
        patience=timedelta(hours=4),
        without=("It cannot go by encrypted: the attached files come to 14.0 MiB, the limit is 13 MiB.",),
    )
    assert asked_for(decision) is Protection.ENCRYPTED


def test_what_is_open_asks_for_what_its_ends_ask_for_whatever_their_rules_lowered() -> None:
    low = policy(
        rule("if", NO_TLS, "opportunistic", below_floor="agreed"),
        rule("last", None, "tls opportunistic", below_floor="agreed"),
    )
    decision = decide(facts("restricted"), BOB, low).decision
    assert isinstance(decision, Open)
    assert decision.floor is Protection.VERIFIED


def test_two_holding_rules_hold_once() -> None:
    decision = decide(facts(), BOB, policy(rule("a", CONTROLLED, Hold()), rule("b", CONTROLLED, Hold()), LAST)).decision
    assert isinstance(decision, Held)
    assert (decision.rule, decision.chain) == ("a", ("tls",))


def test_nobody_is_asked_about_what_is_refused_anyway() -> None:
    refusing = policy(rule("hold", CONTROLLED, Hold()), rule("no", CONTROLLED, Reject()), LAST)
    assert decide(facts(), BOB, refusing).decision == decide(facts(), BOB, policy(refusing.rules[1], LAST)).decision


def test_a_hold_that_does_not_match_holds_nothing() -> None:
    decision = decide(facts(), BOB, policy(rule("hold", RESTRICTED, Hold()), LAST)).decision
    assert isinstance(decision, Routed)


def test_an_unknown_rule_stops_the_search() -> None:
    ruling = decide(facts(), BOB, policy(rule("if", NO_TLS, "encrypted"), rule("other", CONTROLLED, "secure"), LAST))
    assert ruling.decision == Open(
        rule="if",
        missing=("starttls of partner.example",),
        floor=Protection.ENCRYPTED,
        reason="whether partner.example offers STARTTLS is not known",
        advice="advice of if",
    )
    assert ruling.lacks == {NEED}


def test_an_unknown_rule_that_makes_no_difference_is_passed_over() -> None:
    ruling = decide(
        facts(),
        BOB,
        policy(rule("if", NO_TLS, "secure"), rule("no", RESTRICTED, "tls"), rule("z", CONTROLLED, "secure"), LAST),
    )
    assert isinstance(ruling.decision, Routed)
    assert (ruling.decision.rule, ruling.decision.chain) == ("z", ("secure",))
    assert ruling.lacks == frozenset()


def test_the_same_chain_with_another_floor_is_a_difference() -> None:
    rules = policy(rule("if", NO_TLS, "secure", ignores_buttons=True), rule("z", CONTROLLED, "secure"), LAST)
    decision = decide(facts(intent=Intent.SECURE), BOB, rules).decision
    assert isinstance(decision, Open)
    assert decision.floor is Protection.VERIFIED
    assert isinstance(decide(facts(), BOB, rules).decision, Routed)


def test_one_unknown_rule_behind_another_names_what_both_lack() -> None:
    both = All((NO_TLS, CONTROLLED))
    ruling = decide(facts(), BOB, policy(rule("a", NO_TLS, "tls"), rule("b", both, "secure"), LAST))
    assert isinstance(ruling.decision, Open)
    assert (ruling.decision.rule, ruling.decision.missing) == ("a", ("starttls of partner.example",))


def test_an_unknown_hold_is_open() -> None:
    rules = policy(rule("hold", NO_TLS, Hold()), LAST)
    assert isinstance(decide(facts(), BOB, rules).decision, Open)
    assert isinstance(decide(facts(outside={NEED: Starttls.NO}), BOB, rules).decision, Held)
    assert isinstance(decide(facts(outside={NEED: Starttls.YES}), BOB, rules).decision, Routed)


@pytest.mark.parametrize(("files", "chain"), [(13 * MIB, ("tls", "encrypted")), (13 * MIB + 1, ("tls",))])
def test_a_passed_limit_is_its_routes_certain_no(files: int, chain: tuple[str, ...]) -> None:
    decision = decide(facts(files=files), BOB, policy(rule("last", None, "tls encrypted"))).decision
    assert isinstance(decision, Routed)
    assert decision.chain == chain
    assert ("not by encrypted: The attached files come to 13.0 MiB" in decision.reason) == (len(chain) == 1)


def test_a_message_that_no_route_may_carry_is_given_back_with_the_limit_in_words() -> None:
    over = facts(intent=Intent.ENCRYPTED, files=14 * MIB)
    decision = decide(over, BOB, policy(rule("button", CONTROLLED, "encrypted"), LAST)).decision
    assert decision == Refused(
        rule="button",
        floor=Protection.SEALED,
        reason="The attached files come to 14.0 MiB, the limit is 13 MiB",
        advice="advice of button",
    )


@pytest.mark.parametrize(("more", "words"), [(1, "1 byte"), (2, "2 bytes")])
def test_a_limit_that_is_hardly_passed_says_by_how_much(more: int, words: str) -> None:
    decision = decide(facts(files=13 * MIB + more), BOB, policy(rule("last", None, "encrypted"))).decision
    assert decision.reason == f"The attached files come to 13.0 MiB, the limit is 13 MiB ({words} too much)"


def test_each_passed_limit_is_named() -> None:
    decision = decide(facts(files=20 * MIB, size=28 * MIB), BOB, policy(rule("last", None, "small encrypted"))).decision
    assert isinstance(decision, Refused)
    assert decision.reason == (
        "The message comes to 28.0 MiB, the limit is 2 MiB. The attached files come to 20.0 MiB, the limit is 13 MiB"
    )
    fitting = decide(facts(size=2 * MIB), BOB, policy(rule("last", None, "small"))).decision
    assert isinstance(fitting, Routed)


def test_a_lowered_floor_is_what_the_weakest_route_gives_and_keeps_the_original() -> None:
    low = policy(rule("low", None, "secure tls", below_floor="agreed with the DPO"))
    decision = decide(facts("restricted"), BOB, low).decision
    assert isinstance(decision, Routed)
    assert decision.floor is Protection.ENCRYPTED
    assert decision.original_floor is Protection.VERIFIED
    assert decision.lowered_because == "agreed with the DPO"


def test_a_floor_is_never_raised_by_below_floor_nor_lowered_without_need() -> None:
    low = policy(rule("low", None, "secure", below_floor="agreed"))
    decision = decide(facts("public"), BOB, low).decision
    assert isinstance(decision, Routed)
    assert (decision.floor, decision.original_floor) == (Protection.NONE, Protection.NONE)
    assert decision.lowered_because is None


def test_a_route_that_vanished_stays_in_the_chain_and_lowers_nothing() -> None:
    gone = policy(rule("low", None, "gone", below_floor="agreed"), routes={})
    decision = decide(facts("restricted"), BOB, gone).decision
    assert isinstance(decision, Routed)
    assert decision.chain == ("gone",)
    assert decision.floor is Protection.VERIFIED


def test_only_lookups_that_matter_are_wanted() -> None:
    other = replace(BOB, domain="other.example")
    reading = policy(
        rule("inside", PartyIs("recipient", (parse_party("other.example"),)), "internal"),
        rule("if", NO_TLS, "encrypted"),
        LAST,
    )
    assert wanted(facts(), [BOB, other], reading) == {NEED}
    assert wanted(facts(outside={NEED: Starttls.YES}), [BOB, other], reading) == frozenset()
    assert wanted(facts(outside={NEED: Missing("time-out")}), [BOB], reading) == {NEED}
    assert wanted(facts(), [BOB], policy(LAST)) == frozenset()


def test_what_was_not_recorded_is_named_where_nothing_can_be_looked_up() -> None:
    decision = decide(facts(), BOB, policy(rule("red", Finds(RED), "secure"), LAST)).decision
    assert isinstance(decision, Open)
    assert decision.missing == ("not recorded: a red stands there",)


def test_a_refusal_before_is_named_without_the_hash_it_is_asked_by() -> None:
    print_ = replace(facts("public"), fingerprint="print")
    resent = policy(rule("again", ResentLower(LEVELS), Reject()), LAST)
    ruling = decide(print_, BOB, resent)
    assert isinstance(ruling.decision, Open)
    assert ruling.decision.missing == (Lookup.RESENT.value,)
    assert ruling.lacks == {(Lookup.RESENT, refusal_id("print", BOB, level)) for level in ("controlled", "restricted")}


def test_advice_is_filled_with_what_the_rule_knows_of_the_recipient() -> None:
    advice = Template("Not to {recipient} at {domain}, {sender}: {level}; ask {contact} about {owner}.")
    made = policy(replace(rule("no", CONTROLLED, Reject()), advice=advice), LAST)
    assert decide(facts(), BOB, made).decision.advice == (
        "Not to bob@partner.example at partner.example, officer@council.example: controlled; "
        "ask the desk about its owner."
    )


def test_what_is_open_asks_in_general_for_what_only_a_match_would_know() -> None:
    made = policy(replace(rule("if", NO_TLS, "secure"), advice=Template("Ask {owner} at {domain}.")), LAST)
    assert decide(facts(), BOB, made).decision.advice == "Ask its owner at partner.example."


def test_a_hold_names_who_may_release_it_and_may_be_overridden() -> None:
    made = policy(rule("hold", CONTROLLED, Hold("dpo"), overridable=True), LAST)
    decision = decide(facts(), BOB, made).decision
    assert isinstance(decision, Held)
    assert (decision.role, decision.overridable) == ("dpo", True)
    assert not getattr(decide(facts(), BOB, policy(rule("no", CONTROLLED, Reject()), LAST)).decision, "overridable", 1)


def test_who_may_release_it_is_a_difference() -> None:
    made = policy(rule("if", NO_TLS, Hold("dpo")), rule("hold", CONTROLLED, Hold("desk")), LAST)
    assert isinstance(decide(facts(), BOB, made).decision, Open)
    same = policy(rule("if", NO_TLS, Hold("desk")), rule("hold", CONTROLLED, Hold("desk")), LAST)
    assert decide(facts(), BOB, same).decision.rule == "hold"


@pytest.mark.parametrize("action", [Reject(), Hold()])
def test_an_overridden_rule_is_passed_over_and_those_behind_decide(action: Action) -> None:
    made = policy(rule("stop", CONTROLLED, action, overridable=True), rule("next", CONTROLLED, "secure"), LAST)
    allowed = replace(facts(), overridden=frozenset({"stop", "next"}))
    decision = decide(allowed, BOB, made).decision
    assert isinstance(decision, Routed)
    assert (decision.rule, decision.chain) == ("next", ("secure",))
    firm = policy(rule("stop", CONTROLLED, action), LAST)
    assert decide(allowed, BOB, firm).decision.rule == "stop"
    unknown = policy(rule("stop", NO_TLS, action, overridable=True), LAST)
    assert decide(allowed, BOB, unknown).decision.rule == "last"


def test_each_recipient_is_decided_alone() -> None:
    made = policy(rule("his", PartyIs("recipient", (parse_party("partner.example"),)), Reject()), LAST)
    other = replace(BOB, domain="other.example")
    assert isinstance(decide(facts(), BOB, made).decision, Refused)
    assert isinstance(decide(facts(), other, made).decision, Routed)


def effect(decision: Decision) -> tuple[object, ...]:
    return type(decision), getattr(decision, "chain", ()), decision.floor


@settings(deadline=None)
@given(POLICIES, FACTS)
def test_deciding_is_total_and_an_early_answer_is_what_every_completion_gives(made: Policy, known: Facts) -> None:
    early = decide(known, BOB, made)
    late = [decide(complete, BOB, made).decision for complete in completions(known)]
    assert not any(isinstance(decision, Open) for decision in late)
    if isinstance(early.decision, Open):
        assert early.lacks == wanted(known, [BOB], made) <= {NEED}
        assert early.decision.missing
        assert max(decision.floor for decision in late) <= early.decision.floor
    else:
        assert {effect(decision) for decision in late} == {effect(early.decision)}
        assert early.lacks == frozenset()


@settings(deadline=None)
@given(POLICIES, FACTS)
def test_no_decision_has_a_floor_below_its_level_unless_its_rule_says_so(made: Policy, known: Facts) -> None:
    partner = made.registers.partners.of(BOB)
    owed = Protection.NONE if partner is None else partner.tls
    for complete in completions(known):
        ruling = decide(complete, BOB, made)
        decision = ruling.decision
        floor = max(owed, made.floors.get(ruling.classification.level, Protection.SEALED))
        if isinstance(decision, Routed) and decision.lowered_because is not None:
            assert owed <= decision.floor < decision.original_floor
            assert decision.original_floor >= floor
        elif not isinstance(decision, Held):
            assert decision.floor >= floor


@settings(deadline=None)
@given(POLICIES, FACTS, st.sampled_from(Starttls))
def test_what_is_known_of_another_recipient_changes_nothing(made: Policy, known: Facts, other: Starttls) -> None:
    more = replace(known, outside={**known.outside, (Lookup.STARTTLS, "other.example"): other})
    assert decide(more, BOB, made) == decide(known, BOB, made)


@settings(deadline=None)
@given(POLICIES, FACTS)
def test_effects_never_change_what_is_decided(made: Policy, known: Facts) -> None:
    def bare(wishes: Wishes) -> Wishes:
        return NO_WISHES if wishes.raises is None else Wishes(raises=wishes.raises)

    plain = replace(made, rules=tuple(replace(each, wishes=bare(each.wishes)) for each in made.rules))
    ruling, other = decide(known, BOB, made), decide(known, BOB, plain)
    without = replace(ruling.decision, effects=replace(NOTHING, raised=ruling.decision.effects.raised))
    # What would be caused besides may have to be looked up first.
    assert other.decision == without or (isinstance(ruling.decision, Open) and ruling.lacks)


@settings(deadline=None)
@given(POLICIES, FACTS)
def test_an_early_answer_causes_all_that_its_deciding_rules_may_turn_out_to_cause(made: Policy, known: Facts) -> None:
    def deciding(each: Rule) -> Rule:
        remark = isinstance(each.action, GoOn)
        return replace(each, wishes=Wishes(raises=each.wishes.raises) if remark else each.wishes, overridable=False)

    without = replace(made, rules=tuple(deciding(each) for each in made.rules))
    early = decide(known, BOB, without).decision
    if not isinstance(early, Open):
        told = {(each.rule, each.mailbox) for each in early.effects.notifications}
        for complete in completions(known):
            late = decide(complete, BOB, without).decision.effects
            assert {(each.rule, each.mailbox) for each in late.notifications} <= told
            assert {*late.copies} <= {*early.effects.copies}
            assert {*late.edits} <= {*early.effects.edits}


@settings(deadline=None)
@given(POLICIES, FACTS)
def test_a_policy_without_shortfall_never_sends_below_the_floor(made: Policy, known: Facts) -> None:
    """What a partner is owed is asked of the connection (decision 008); all else the routes give by themselves."""
    sound = not shortfalls(made)
    partner = made.registers.partners.of(BOB) or Partner(name="")
    for complete in completions(known):
        if complete.classification.level not in LEVELS:
            continue
        decision = decide(complete, BOB, made).decision
        if not isinstance(decision, Routed) or decision.chain == ("gone",):
            continue
        assert all(demand(made.routes[name], partner.tls) is not None for name in decision.chain)
        gives = min(made.routes[name].gives for name in decision.chain)
        assert decision.floor <= max(gives, partner.tls) or not sound


def test_every_level_and_button_has_a_decision() -> None:
    rules = policy(rule("r", RESTRICTED, "secure"), LAST)
    seen = {decide(facts(level, intent), BOB, rules).decision.floor for level, intent in product(LEVELS, Intent)}
    assert seen == {Protection.NONE, Protection.ENCRYPTED, Protection.VERIFIED, Protection.SEALED}
