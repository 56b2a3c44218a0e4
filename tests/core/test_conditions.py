from itertools import product
from typing import Any

import pytest

from gateway.core.conditions.base import Condition, Verdict, look
from gateway.core.conditions.logic import All, AnyOf, Not
from gateway.core.conditions.message import AutomaticIs, ClassificationIs, IntentIs, SizeIsOver
from gateway.core.conditions.outside import StarttlsIs
from gateway.core.conditions.party import PartyIs
from gateway.core.decision import Truth
from gateway.core.domains import Group, parse_domains, parse_party
from gateway.core.facts import Intent, Lookup, Missing
from gateway.core.tls import Starttls
from tests.fixtures.build import BOB, INSIDE, facts

COURTS = Group("group:courts", domains=parse_domains(["courts.example"]), title="court addresses")
PARTNERS = Group("group:agreed", domains=parse_domains([BOB.domain]), title="agreed partners")
NEED = (Lookup.STARTTLS, BOB.domain)
YES, NO, UNKNOWN = Truth.MATCH, Truth.NO_MATCH, Truth.UNKNOWN
# A condition of each value: what is not known of the recipient's TLS is Unknown.
OF = {
    YES: AutomaticIs(False),
    NO: AutomaticIs(True),
    UNKNOWN: StarttlsIs(Starttls.YES),
}


def judge(condition: Condition, **given: Any) -> Verdict:
    return condition.judge(look(facts(**given), BOB))


@pytest.mark.parametrize(
    ("condition", "given", "truth", "why"),
    [
        (ClassificationIs(frozenset({"restricted"})), {"level": "restricted"}, YES, "the level is restricted (header"),
        (ClassificationIs(frozenset({"restricted"})), {"level": "public"}, NO, "the level is public"),
        (
            IntentIs(frozenset({Intent.SECURE})),
            {"intent": Intent.SECURE},
            YES,
            "the Secure button was pressed (subject",
        ),
        (IntentIs(frozenset({Intent.SECURE})), {"intent": Intent.ENCRYPTED}, NO, "the Encrypted button"),
        (IntentIs(frozenset({Intent.SECURE})), {}, NO, "no button was pressed"),
        (AutomaticIs(True), {"automatic": True}, YES, "it is automatic mail (null reverse-path)"),
        (AutomaticIs(False), {"automatic": True}, NO, "it is automatic mail"),
        (AutomaticIs(True), {}, NO, "it is not automatic mail"),
        (PartyIs("sender", (INSIDE,)), {}, YES, "the sender officer@council.example is in the organisation"),
        (PartyIs("recipient", (INSIDE,)), {}, NO, "bob@partner.example is not in the organisation"),
        (PartyIs("sender", (INSIDE,)), {"sender": ""}, NO, "the sender is the null reverse-path"),
        (PartyIs("recipient", (INSIDE, parse_party("BOB@partner.example"))), {}, YES, "is in BOB@partner.example"),
        (PartyIs("recipient", (INSIDE, COURTS)), {}, NO, "is not in the organisation or among court addresses"),
        (PartyIs("recipient", (INSIDE, PARTNERS)), {}, YES, "bob@partner.example is among agreed partners"),
        (
            SizeIsOver("attachment_bytes", 2048),
            {"files": 2048},
            NO,
            "the attached files come to 2.0 KiB, not over 2 KiB",
        ),
        (SizeIsOver("attachment_bytes", 2048), {"files": 2049}, YES, "over 2 KiB"),
        (SizeIsOver("attachment_bytes", 2048), {"size": 9999}, NO, "the attached files come to 0 bytes"),
        (SizeIsOver("message_bytes", 2048), {"size": 2049}, YES, "the message comes to 2.0 KiB, over 2 KiB"),
        (StarttlsIs(Starttls.NO), {"outside": {NEED: Starttls.NO}}, YES, "partner.example does not offer STARTTLS"),
        (StarttlsIs(Starttls.NO), {"outside": {NEED: Starttls.YES}}, NO, "partner.example offers STARTTLS"),
        (StarttlsIs(Starttls.NO), {"outside": {NEED: Starttls.UNKNOWN}}, UNKNOWN, "is not known"),
        (StarttlsIs(Starttls.NO), {"outside": {NEED: Missing("DNS")}}, UNKNOWN, "is not known: DNS"),
        (StarttlsIs(Starttls.NO), {}, UNKNOWN, "whether partner.example offers STARTTLS is not known"),
        (StarttlsIs(Starttls.NO), {"outside": {(Lookup.STARTTLS, "x.example"): Starttls.NO}}, UNKNOWN, "not known"),
    ],
)
def test_each_condition_says_whether_it_holds_and_why(
    condition: Condition, given: dict[str, Any], truth: Truth, why: str
) -> None:
    verdict = judge(condition, **given)
    assert verdict.truth is truth
    assert why in verdict.why
    assert verdict.lacks == ((NEED,) if truth is UNKNOWN else ())


@pytest.mark.parametrize("values", list(product(Truth, repeat=2)))
def test_all_and_any_follow_kleene(values: tuple[Truth, Truth]) -> None:
    parts = tuple(OF[value] for value in values)
    expected_all = NO if NO in values else UNKNOWN if UNKNOWN in values else YES
    expected_any = YES if YES in values else UNKNOWN if UNKNOWN in values else NO
    assert judge(All(parts)).truth is expected_all
    assert judge(AnyOf(parts)).truth is expected_any


def test_not_turns_the_certain_values_only() -> None:
    assert [judge(Not(OF[value])).truth for value in (YES, NO, UNKNOWN)] == [NO, YES, UNKNOWN]
    assert judge(Not(OF[UNKNOWN])).lacks == (NEED,)


def test_a_combination_says_what_decided_it() -> None:
    secret = ClassificationIs(frozenset({"restricted"}))
    assert judge(All((OF[YES], secret))).why == "the level is controlled (header X-Classification)"
    assert judge(AnyOf((secret, OF[NO]))).why == (
        "the level is controlled (header X-Classification); it is not automatic mail"
    )
    assert judge(All((OF[YES], OF[UNKNOWN]))).why == "whether partner.example offers STARTTLS is not known"


def test_lookups_are_found_however_deep() -> None:
    deep = All((OF[YES], AnyOf((OF[NO], Not(StarttlsIs(Starttls.NO))))))
    assert deep.lookups == {Lookup.STARTTLS}
    assert All((OF[YES], OF[NO])).lookups == frozenset()
