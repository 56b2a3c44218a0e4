"""The four conditions as they are written in a policy."""

from dataclasses import replace
from types import MappingProxyType

import pytest

from gateway.config.conditions import read_when
from gateway.config.names import Names
from gateway.config.page import Page
from gateway.core.address import parse_address
from gateway.core.conditions.base import look
from gateway.core.conditions.history import FirstContact, LooksAlike, ResemblesSender, ResentLower
from gateway.core.decision import Truth
from gateway.core.domains import Group, parse_domains
from gateway.core.registers.book import Registers
from gateway.core.registers.directory import directory
from gateway.core.registers.partners import Partner
from gateway.core.registers.schools import School, SchoolType
from tests.fixtures.build import INSIDE, LEVELS, facts

FREE = Group("group:free-mail", domains=parse_domains(["freemail.example"]))
OTHER = Group("group:other", domains=parse_domains(["otherhost.example", "*.below.example"]))
NAMES = Names(LEVELS, MappingProxyType({"free-mail": FREE, "other": OTHER}), INSIDE)


def problem(name: str, value: object, names: Names = NAMES) -> str:
    page = Page("policy.toml")
    assert read_when(page, "rules[1].when", {name: value}, names) is None
    [found] = page.problems
    assert found.key == f"rules[1].when.{name}"
    return found.text


def test_true_is_all_that_most_of_them_take() -> None:
    page = Page("policy.toml")
    assert read_when(page, "when", {"first_contact": True}, NAMES) == FirstContact()
    assert read_when(page, "when", {"resent_lower": True}, NAMES) == ResentLower(LEVELS)
    assert read_when(page, "when", {"resembles_sender": True}, NAMES) == ResemblesSender(FREE)
    assert read_when(page, "when", {"resembles_sender": {"free_mail": "group:other"}}, NAMES) == ResemblesSender(OTHER)
    assert not page.problems


@pytest.mark.parametrize("name", ["look_alike", "first_contact", "resent_lower"])
@pytest.mark.parametrize("value", [False, 1, "yes", {}])
def test_anything_else_is_a_problem(name: str, value: object) -> None:
    assert problem(name, value) == "this is true; the opposite is said with `not`"


def test_the_free_mail_group_is_named_or_known() -> None:
    expected = 'this is true, or names a group as in { free_mail = "group:free-mail" }'
    for value in (False, {}, {"free_mail": 3}, {"free_mail": "group:other", "more": 1}, "group:other"):
        assert problem("resembles_sender", value) == expected
    assert "did you mean `free-mail`" in problem("resembles_sender", {"free_mail": "group:freemail"})
    assert problem("resembles_sender", True, Names(LEVELS, {}, INSIDE)) == "unknown group `free-mail`"


def test_look_alike_knows_the_organisation_the_registers_and_the_groups() -> None:
    registers = Registers(
        partners=directory([("hospital.example", Partner(name="Hospital"))]),
        schools=directory([("castleschool.example", School(name="Castle", type=SchoolType.ACADEMY))]),
    )
    condition = read_when(Page("policy.toml"), "when", {"look_alike": True}, replace(NAMES, registers=registers))
    assert isinstance(condition, LooksAlike)

    def resembled(domain: str) -> str:
        seen = look(facts(), parse_address(f"a@{domain}"))
        return condition.words(seen)["lookalike"] if condition.truth(seen) is Truth.MATCH else ""

    assert resembled("councl.example") == "council.example"
    assert resembled("hopsital.example") == "hospital.example"
    assert resembled("castleschol.example") == "castleschool.example"
    assert resembled("freemial.example") == "freemail.example"
    assert resembled("otherhos.example") == "otherhost.example"
    # Another ending: of the organisation and its partners only.
    assert (resembled("hospital.test"), resembled("otherhost.test")) == ("hospital.example", "")
    assert resembled("x.below.example") == ""


def test_look_alike_is_not_hidden_by_a_wildcard_under_which_many_have_a_name() -> None:
    unknown = School(name="*.derbyshire.sch.uk", type=SchoolType.UNKNOWN)
    school = School(name="Hill", type=SchoolType.ACADEMY)
    schools = [
        ("derbyshire.sch.uk", unknown),
        ("*.derbyshire.sch.uk", unknown),
        ("hill.derbyshire.sch.uk", school),
        ("*.trustees.example", school),
    ]
    registers = Registers(
        partners=directory([("derbyshire.gov.uk", Partner(name="D")), ("*.trustee.example", Partner(name="T"))]),
        schools=directory(schools),
    )
    government = Group("group:government", domains=parse_domains(["*.gov.uk"]))
    names = replace(NAMES, registers=registers, groups={"government": government})
    condition = read_when(Page("policy.toml"), "when", {"look_alike": True}, names)
    assert isinstance(condition, LooksAlike)

    def resembled(domain: str) -> str:
        seen = look(facts(), parse_address(f"a@{domain}"))
        return condition.words(seen)["lookalike"] if condition.truth(seen) is Truth.MATCH else ""

    assert resembled("derbyshlre.gov.uk") == "derbyshire.gov.uk"
    assert resembled("hi11.derbyshire.sch.uk") == "hill.derbyshire.sch.uk"
    # Others there are no look-alikes, nor is what belongs to one whom a register names.
    for domain in ("kent.gov.uk", "abbey.derbyshire.sch.uk", "x.trustees.example", "x.trustee.example"):
        assert resembled(domain) == ""
