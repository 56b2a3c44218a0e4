from dataclasses import replace
from datetime import date, timedelta

import pytest

from gateway.core.conditions.message import ClassificationIs
from gateway.core.decide import decide
from gateway.core.decision import Decision, Refused, Routed
from gateway.core.domains import parse_party
from gateway.core.facts import Facts
from gateway.core.policy import Reject
from gateway.core.registers.book import Registers
from gateway.core.registers.directory import directory
from gateway.core.registers.exceptions import Waiver
from gateway.core.registers.partners import Partner
from gateway.core.tls import Protection
from tests.fixtures.build import BOB, MIB, NOON, facts, policy, rule

CONTROLLED = ClassificationIs(frozenset({"controlled"}))
WHY = "it has no condition"
TODAY = NOON.date()


def with_partner(tls: Protection, chain: str, level: str = "controlled", below_floor: str | None = None) -> Decision:
    partner = Partner(name="The Partner", tls=tls, most_wait=timedelta(hours=4))
    registers = Registers(partners=directory([("partner.example", partner)]))
    made = policy(rule("last", None, chain, below_floor=below_floor), registers=registers)
    return decide(facts(level), BOB, made).decision


def test_a_partner_may_be_owed_more_than_the_level() -> None:
    decision = with_partner(Protection.VERIFIED, "secure encrypted")
    assert isinstance(decision, Routed)
    assert (decision.floor, decision.original_floor) == (Protection.VERIFIED, Protection.VERIFIED)
    assert decision.chain == ("secure", "encrypted")
    assert decision.patience == timedelta(hours=4)


def test_the_level_may_owe_more_than_the_partner() -> None:
    assert with_partner(Protection.ENCRYPTED, "secure", "restricted").floor is Protection.VERIFIED


def test_what_the_partner_is_owed_is_asked_of_every_connection() -> None:
    decision = with_partner(Protection.VERIFIED, "tls secure")
    assert isinstance(decision, Routed)
    assert (decision.chain, decision.floor, decision.reason) == (("tls", "secure"), Protection.VERIFIED, WHY)


def test_a_route_that_can_never_give_what_the_partner_is_owed_is_left_out() -> None:
    decision = with_partner(Protection.SEALED, "tls encrypted")
    assert isinstance(decision, Routed)
    owed = "It cannot go by tls: mail to The Partner has to be sealed, and this gives encrypted."
    assert decision.without == (owed,)
    assert (decision.chain, decision.floor) == (("encrypted",), Protection.SEALED)
    assert decision.reason == (f"{WHY}; not by tls: Mail to The Partner has to be sealed, and this gives encrypted")


@pytest.mark.parametrize("below_floor", [None, "agreed"])
def test_nothing_is_sent_where_no_route_gives_what_the_partner_is_owed(below_floor: str | None) -> None:
    decision = with_partner(Protection.SEALED, "tls opportunistic", below_floor=below_floor)
    assert decision == Refused(
        rule="last",
        floor=Protection.SEALED,
        reason="Mail to The Partner has to be sealed, and this gives encrypted. "
        "Mail to The Partner has to be sealed, and this gives none",
        advice="advice of last",
    )


def test_a_lowered_floor_is_still_what_the_partner_is_owed() -> None:
    decision = with_partner(Protection.ENCRYPTED, "tls opportunistic", "restricted", below_floor="agreed")
    assert isinstance(decision, Routed)
    assert (decision.chain, decision.floor) == (("tls", "opportunistic"), Protection.ENCRYPTED)
    assert (decision.original_floor, decision.lowered_because) == (Protection.VERIFIED, "agreed")


def test_a_refusal_names_what_the_partner_is_owed_and_others_owe_nothing() -> None:
    registers = Registers(partners=directory([("partner.example", Partner(name="P", tls=Protection.SEALED))]))
    made = policy(rule("no", CONTROLLED, Reject()), rule("last", None, "tls"), registers=registers)
    assert decide(facts(), BOB, made).decision.floor is Protection.SEALED
    decision = decide(facts("public"), replace(BOB, domain="other.example"), made).decision
    assert isinstance(decision, Routed)
    assert (decision.floor, decision.patience) == (Protection.NONE, None)


def test_an_internal_route_gives_whatever_a_partner_is_owed() -> None:
    assert isinstance(with_partner(Protection.SEALED, "internal"), Routed)


def waiver(reference: str = "EX-1", up_to: int = 25 * MIB, until: date = TODAY) -> Waiver:
    return Waiver(
        route="encrypted",
        sender=parse_party("officer@council.example"),
        recipient=parse_party("partner.example"),
        up_to=up_to,
        until=until,
        reference=reference,
    )


def large(*waivers: Waiver, given: Facts | None = None, chain: str = "encrypted") -> Decision:
    made = policy(rule("last", None, chain), registers=Registers(waivers=waivers))
    return decide(given or facts(files=20 * MIB), BOB, made).decision


def test_an_exception_lets_larger_files_through_and_is_named() -> None:
    decision = large(waiver())
    assert isinstance(decision, Routed)
    assert decision.reason == f"{WHY}; up to 25 MiB by encrypted under the exception EX-1"
    assert isinstance(large(waiver(), given=facts(files=25 * MIB)), Routed)


def test_the_exception_that_allows_most_counts() -> None:
    decision = large(waiver("A", 14 * MIB), waiver("B"), waiver("C", 21 * MIB))
    assert decision.reason.endswith("under the exception B")


def test_an_exception_has_a_limit_too() -> None:
    decision = large(waiver(), given=facts(files=25 * MIB + 1))
    assert isinstance(decision, Refused)
    assert decision.reason == "The attached files come to 25.0 MiB, the limit is 25 MiB (1 byte too much)"
    less = large(waiver(up_to=2 * MIB), given=facts(files=13 * MIB + 1))
    assert less.reason == "The attached files come to 13.0 MiB, the limit is 13 MiB (1 byte too much)"


@pytest.mark.parametrize(
    "other",
    [
        waiver(until=TODAY - timedelta(days=1)),
        replace(waiver(), route="small"),
        replace(waiver(), sender=parse_party("else@council.example")),
        replace(waiver(), recipient=parse_party("other.example")),
    ],
)
def test_an_exception_for_anything_else_does_not_count(other: Waiver) -> None:
    assert isinstance(large(other), Refused)


def test_an_exception_is_for_attached_files_and_not_for_the_message() -> None:
    decision = large(replace(waiver(), route="small"), given=facts(size=3 * MIB), chain="small")
    assert isinstance(decision, Refused)
    assert decision.reason == "The message comes to 3.0 MiB, the limit is 2 MiB"


def test_a_small_message_needs_no_exception() -> None:
    assert large(waiver(), given=facts(files=1)).reason == WHY
