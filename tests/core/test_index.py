from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.address import Address, parse_address
from gateway.core.conditions.base import Condition, look
from gateway.core.conditions.logic import All, AnyOf, Not
from gateway.core.conditions.message import ClassificationIs, Finds
from gateway.core.conditions.party import PartyIs
from gateway.core.decide import decide
from gateway.core.domains import Group, parse_domains, parse_party
from gateway.core.facts import Facts
from gateway.core.index import MOST_KEYS, index_of
from gateway.core.policy import Policy
from tests.core.policies import BLUE, FACTS, POLICIES, RED
from tests.fixtures.build import BOB, LEVELS, facts

TO_PARTNER = PartyIs("recipient", (parse_party("partner.example"), parse_party("*.partner.example")))
TO_BOB = PartyIs("recipient", (parse_party("Bob@partner.example"),))
FROM_US = PartyIs("sender", (parse_party("council.example"),))
RESTRICTED = ClassificationIs(frozenset({"restricted"}))
WHO = st.sampled_from(
    [
        parse_address(text)
        for text in ("bob@partner.example", "a@sub.partner.example", "x@other.example", "x@[192.0.2.1]")
    ]
)


def asked(*conditions: Condition | None, recipient: Address = BOB, given_facts: Facts | None = None) -> list[int]:
    return list(index_of(conditions, LEVELS).rules_for(look(given_facts or facts(), recipient)))


@pytest.mark.parametrize(
    ("recipient", "expected"),
    [
        ("bob@partner.example", [0, 1, 3, 4]),
        ("amy@partner.example", [0, 3, 4]),
        ("amy@a.b.partner.example", [0, 3, 4]),
        ("amy@other.example", [3, 4]),
        ("amy@[192.0.2.1]", [3, 4]),
    ],
)
def test_rules_for_others_are_not_asked(recipient: str, expected: list[int]) -> None:
    conditions = TO_PARTNER, TO_BOB, RESTRICTED, FROM_US, None
    assert asked(*conditions, recipient=parse_address(recipient)) == expected


def test_the_sender_binds_too() -> None:
    assert asked(FROM_US, None) == [0, 1]
    assert asked(FROM_US, None, given_facts=facts(sender="a@x.example")) == [1]
    assert asked(FROM_US, None, given_facts=facts(sender="")) == [1]


def test_a_finding_binds_unless_nobody_looked() -> None:
    conditions = Finds(RED), AnyOf((Finds(RED), Finds(BLUE))), All((RESTRICTED, Finds(BLUE))), None
    looked = replace(facts(), looked=frozenset({"red", "blue"}))
    assert asked(*conditions) == [0, 1, 2, 3]
    assert asked(*conditions, given_facts=looked) == [3]
    assert asked(*conditions, given_facts=replace(looked, found=frozenset({"blue"}))) == [1, 2, 3]
    assert asked(*conditions, given_facts=replace(looked, looked=frozenset({"red"}))) == [1, 2, 3]


def test_what_can_do_without_the_group_is_asked() -> None:
    other = parse_address("x@other.example")
    assert asked(AnyOf((TO_PARTNER, Finds(RED))), Not(TO_PARTNER), None, recipient=other) == [0, 1, 2]
    assert asked(AnyOf((TO_PARTNER, TO_BOB)), All((Finds(RED), TO_PARTNER)), None, recipient=other) == [2]


def test_a_level_that_nobody_knows_leaves_every_rule() -> None:
    assert asked(RESTRICTED, None) == [1]
    assert asked(RESTRICTED, None, given_facts=facts("unheard of")) == [0, 1]


def test_a_very_large_group_is_asked_itself() -> None:
    large = Group("group:large", domains=parse_domains(f"d{at}.example" for at in range(MOST_KEYS + 1)))
    assert asked(PartyIs("recipient", (large,)), None) == [0, 1]
    assert asked(PartyIs("sender", (large,)), TO_BOB, None) == [0, 1, 2]


@settings(deadline=None)
@given(POLICIES, FACTS, WHO)
def test_asking_fewer_rules_decides_the_same(made: Policy, known: Facts, recipient: Address) -> None:
    plain = replace(made)
    every = tuple(range(len(made.rules)))
    empty = index_of([], [])
    object.__setattr__(plain, "index", replace(empty, all_free=every))
    assert decide(known, recipient, made) == decide(known, recipient, plain)
