"""What all mail to a domain is owed: never more than any message is, and as much as rules on the domain alone say."""

from dataclasses import replace

import pytest
from hypothesis import given, settings

from gateway.core.address import Address
from gateway.core.conditions.at_domain import at_domain
from gateway.core.conditions.base import Condition, look
from gateway.core.conditions.logic import All, AnyOf, Not
from gateway.core.conditions.message import AutomaticIs, ClassificationIs
from gateway.core.conditions.party import PartyIs
from gateway.core.conditions.registers import PartnerIs
from gateway.core.decide import decide
from gateway.core.decision import Routed, Truth
from gateway.core.domains import parse_party
from gateway.core.facts import Facts
from gateway.core.next_hop import parse_next_hop
from gateway.core.next_hop_floor import floor_at, floor_of, partner_at
from gateway.core.policy import Choice, GoOn, Hold, Policy, Reject, Rule
from gateway.core.registers.book import Registers
from gateway.core.registers.directory import directory
from gateway.core.registers.partners import Partner
from gateway.core.route import Declared, demand
from gateway.core.tls import NOTHING, Channel, MxAuth, Protection, Requirement
from tests.core.policies import CONDITIONS, FACTS, POLICIES, completions
from tests.fixtures.build import BOB, ROUTES, policy, rule

DOMAIN = BOB.domain
RESTRICTED = ClassificationIs(frozenset({"restricted"}))
THERE = PartyIs("recipient", (parse_party(DOMAIN),))
BOB_ALONE = PartyIs("recipient", (parse_party(str(BOB)),))
ELSEWHERE = PartyIs("recipient", (parse_party("other.example"), parse_party("bob@other.example")))
LAST = rule("last", None, "opportunistic")
PARTNERS = directory([(DOMAIN, Partner(name="Partner")), ("ann@other.example", Partner(name="Other"))])
ENCRYPTED = Requirement(MxAuth.NONE, Channel.ENCRYPTED)
CHECKED = Requirement(MxAuth.NONE, Channel.PKIX)


@pytest.mark.parametrize(
    ("condition", "truth"),
    [
        (None, Truth.MATCH),
        (THERE, Truth.MATCH),
        (ELSEWHERE, Truth.NO_MATCH),
        (BOB_ALONE, Truth.UNKNOWN),
        (PartyIs("recipient", (*BOB_ALONE.groups, *THERE.groups)), Truth.MATCH),
        (PartyIs("sender", THERE.groups), Truth.UNKNOWN),
        (RESTRICTED, Truth.UNKNOWN),
        (Not(THERE), Truth.NO_MATCH),
        (Not(RESTRICTED), Truth.UNKNOWN),
        (All((THERE, RESTRICTED)), Truth.UNKNOWN),
        (All((ELSEWHERE, RESTRICTED)), Truth.NO_MATCH),
        (All((THERE, Not(ELSEWHERE))), Truth.MATCH),
        (AnyOf((THERE, RESTRICTED)), Truth.MATCH),
        (AnyOf((ELSEWHERE, RESTRICTED)), Truth.UNKNOWN),
        (AnyOf((ELSEWHERE, Not(THERE))), Truth.NO_MATCH),
        (PartnerIs(PARTNERS, wanted=True), Truth.MATCH),
        (PartnerIs(PARTNERS, wanted=False), Truth.NO_MATCH),
    ],
)
def test_a_condition_is_certain_only_where_the_domain_settles_it(condition: Condition | None, truth: Truth) -> None:
    assert at_domain(condition, DOMAIN) is truth


def test_one_mailbox_in_the_register_makes_no_partner_of_a_domain() -> None:
    assert at_domain(PartnerIs(PARTNERS, wanted=True), "other.example") is Truth.UNKNOWN
    assert at_domain(PartnerIs(PARTNERS, wanted=False), "free.example") is Truth.MATCH


@given(CONDITIONS, FACTS)
def test_what_is_certain_of_a_domain_is_so_for_every_message(condition: Condition, facts: Facts) -> None:
    certain = at_domain(condition, DOMAIN)
    for whole in completions(facts):
        for recipient in (BOB, Address("ann", DOMAIN)):
            assert certain in (Truth.UNKNOWN, condition.truth(look(whole, recipient)))


@settings(max_examples=400)
@given(FACTS, POLICIES)
def test_no_message_that_goes_there_as_it_is_is_owed_less(facts: Facts, rules: Policy) -> None:
    floor = floor_at(DOMAIN, rules)
    for whole in completions(facts):
        decision = decide(whole, BOB, rules).decision
        if not isinstance(decision, Routed):
            continue
        for route in (rules.routes[name] for name in decision.chain if name in rules.routes):
            demanded = demand(route, decision.floor)
            if demanded is None or route.declared in (Declared.SEALED, Declared.SEALING):
                continue
            assert floor is not None
            assert demanded == demanded | floor


def least(*rules: Rule, choose: Choice = Choice.FIRST) -> Requirement | None:
    return floor_at(DOMAIN, policy(*rules, choose=choose))


def test_a_rule_on_the_domain_alone_holds_for_all_its_mail() -> None:
    assert least(LAST) == NOTHING
    assert least(rule("there", THERE, "secure"), LAST) == CHECKED
    assert least(rule("elsewhere", ELSEWHERE, "secure"), LAST) == NOTHING
    assert least(rule("level", RESTRICTED, "secure"), LAST) == NOTHING


def test_a_message_may_meet_a_weaker_rule_first() -> None:
    assert least(rule("level", RESTRICTED, "tls"), rule("there", THERE, "secure"), LAST) == ENCRYPTED


def test_the_last_route_of_a_chain_counts_unless_the_message_is_sealed_on_it() -> None:
    assert least(rule("there", THERE, "secure tls"), LAST) == ENCRYPTED
    assert least(rule("there", THERE, "secure encrypted"), LAST) == CHECKED
    assert least(rule("there", THERE, "secure gone"), LAST) == CHECKED


def test_what_may_only_go_sealed_or_not_at_all_goes_by_no_other_program() -> None:
    assert least(rule("there", THERE, "encrypted"), LAST) is None
    assert least(rule("there", THERE, Reject()), LAST) is None


@pytest.mark.parametrize("action", [Hold(), GoOn()])
def test_what_goes_on_to_later_rules_meets_them(action: Hold | GoOn) -> None:
    assert least(rule("there", THERE, action), rule("again", THERE, "tls"), LAST) == ENCRYPTED


def test_what_a_token_lets_pass_meets_the_rules_behind() -> None:
    assert least(rule("there", THERE, Reject(), overridable=True), LAST) == NOTHING


def test_where_the_most_secure_rule_decides_a_certain_one_is_the_least() -> None:
    rules = (rule("machine", AutomaticIs(True), "tls"), rule("there", THERE, "secure"), LAST)
    assert least(*rules, choose=Choice.MOST_SECURE) == CHECKED
    assert least(rule("machine", AutomaticIs(True), "secure"), LAST, choose=Choice.MOST_SECURE) == NOTHING
    assert least(rule("there", THERE, Reject()), LAST, choose=Choice.MOST_SECURE) is None


def test_the_register_of_partners_raises_it() -> None:
    def with_partner(tls: Protection) -> Policy:
        partner = Partner(name="Partner", tls=tls)
        return policy(LAST, registers=Registers(partners=directory([(DOMAIN, partner)])))

    assert floor_at(DOMAIN, with_partner(Protection.VERIFIED)) == CHECKED
    assert floor_at(DOMAIN, with_partner(Protection.SEALED)) is None
    assert floor_at("other.example", with_partner(Protection.SEALED)) == NOTHING
    found = partner_at(DOMAIN, with_partner(Protection.NONE))
    assert found is not None
    assert found.name == "Partner"


@pytest.mark.parametrize(
    ("tls", "floor"),
    [
        (Protection.NONE, NOTHING),
        (Protection.ENCRYPTED, ENCRYPTED),
        (Protection.VERIFIED, CHECKED),
        (Protection.SEALED, None),
    ],
)
def test_a_host_in_brackets_is_owed_what_its_own_partner_is(tls: Protection, floor: Requirement | None) -> None:
    partners = directory([("mx.partner.example", Partner(name="Partner", tls=tls))])
    rules = policy(rule("all", None, "secure"), registers=Registers(partners=partners))
    assert floor_of(parse_next_hop("[mx.partner.example]:25"), rules) == floor
    assert floor_of(parse_next_hop("[mx.other.example]"), rules) == NOTHING
    assert floor_of(parse_next_hop("other.example:25"), rules) == CHECKED


def test_the_lowest_level_s_floor_counts_where_no_rule_says_otherwise() -> None:
    rules = policy(LAST)
    all_encrypted = dict.fromkeys(rules.floors, Protection.ENCRYPTED)
    assert floor_at(DOMAIN, replace(rules, floors=all_encrypted)) == ENCRYPTED
    lowered = policy(rule("last", None, "opportunistic", below_floor="agreed"))
    assert floor_at(DOMAIN, replace(lowered, floors=all_encrypted)) == NOTHING


def test_an_internal_route_owes_its_own_tls() -> None:
    assert least(rule("there", THERE, "internal"), LAST) == ROUTES["internal"].requirement
