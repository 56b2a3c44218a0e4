from dataclasses import replace

import pytest

from gateway.config.conditions import read_when
from gateway.config.names import Names
from gateway.config.page import Page
from gateway.core.conditions.base import Condition
from gateway.core.conditions.registers import AgreementIs, CjsmAddressIs, MailboxIs, PartnerIs, SchoolIs
from gateway.core.registers.book import Registers
from gateway.core.registers.directory import directory
from gateway.core.registers.mailboxes import Mailbox, MailboxKind
from gateway.core.registers.partners import Partner, Standing
from gateway.core.registers.schools import School, SchoolType
from tests.fixtures.build import INSIDE, LEVELS

TEAM = Mailbox(address="team@c.example", kind=MailboxKind.SHARED, owner="Ann")
REGISTERS = Registers(
    partners=directory([("p.example", Partner(name="P"))]),
    mailboxes=directory([("team@c.example", TEAM)]),
    schools=directory([("s.example", School(name="S", type=SchoolType.ACADEMY))]),
)
NAMES = Names(LEVELS, {}, INSIDE, REGISTERS, frozenset({"partners", "mailboxes", "schools"}))
BOTH = frozenset({MailboxKind.SHARED, MailboxKind.LIST})
BOXES = REGISTERS.mailboxes.addresses


def read(name: str, value: object, names: Names = NAMES) -> tuple[Condition | None, list[str]]:
    page = Page("p")
    return read_when(page, "when", {name: value}, names), [f"{each.key}: {each.text}" for each in page.problems]


@pytest.mark.parametrize(
    ("name", "value", "condition"),
    [
        ("mailbox", {"kind": "list"}, MailboxIs(BOXES, frozenset({MailboxKind.LIST}))),
        ("mailbox", {"kind": ["list", "shared"], "cleared": False}, MailboxIs(BOXES, BOTH, cleared=False)),
        ("mailbox", {"cleared": True}, MailboxIs(BOXES, BOTH, cleared=True)),
        ("school", {"logon": True}, SchoolIs(REGISTERS.schools, frozenset(SchoolType), logon=True)),
        (
            "school",
            {"type": ["academy", "unknown"]},
            SchoolIs(REGISTERS.schools, frozenset({SchoolType.ACADEMY, SchoolType.UNKNOWN})),
        ),
        ("agreement", "not covering", AgreementIs(REGISTERS.partners, frozenset({Standing.NOT_COVERING}))),
        (
            "agreement",
            ["none", "expired"],
            AgreementIs(REGISTERS.partners, frozenset({Standing.NONE, Standing.EXPIRED})),
        ),
        ("partner", False, PartnerIs(REGISTERS.partners, wanted=False)),
        ("partner", {"cjsm_address": True}, CjsmAddressIs(REGISTERS.partners, wanted=True)),
    ],
)
def test_each_condition_is_read(name: str, value: object, condition: Condition) -> None:
    assert read(name, value) == (condition, [])


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("mailbox", "list", 'this is { kind = "list", cleared = false }'),
        ("mailbox", {}, 'this is { kind = "list", cleared = false }'),
        ("mailbox", {"knd": "list"}, "unknown key `knd`, did you mean `kind`?"),
        ("mailbox", {"kind": "person"}, "unknown kind of mailbox `person`; known are list, shared"),
        ("mailbox", {"cleared": "no"}, "this is true or false"),
        ("school", {"type": "acadmy"}, "unknown type of school `acadmy`, did you mean `academy`?"),
        ("school", {"logon": 1}, "this is true or false"),
        ("agreement", "valied", "unknown state of an agreement `valied`, did you mean `valid`?"),
        ("agreement", True, "this is a text in quotes, or a list of them"),
        ("partner", "yes", "this is true, false or { cjsm_address = true }"),
        ("partner", {"cjsm": True}, "unknown key `cjsm`; known are cjsm_address"),
        ("partner", {"cjsm_address": "a@b"}, "this is true or false"),
    ],
)
def test_what_cannot_be_meant_is_named(name: str, value: object, problem: str) -> None:
    condition, problems = read(name, value)
    assert condition is None
    assert problems == [f"when.{name}: {problem}"]


@pytest.mark.parametrize(
    ("name", "value", "register"),
    [
        ("mailbox", {"kind": "list"}, "mailboxes"),
        ("school", {"logon": True}, "schools"),
        ("agreement", "valid", "partners"),
        ("partner", True, "partners"),
        ("partner", {"cjsm_address": True}, "partners"),
    ],
)
def test_a_register_that_is_not_kept_cannot_be_asked(name: str, value: object, register: str) -> None:
    names = replace(NAMES, named=NAMES.named - {register})
    text = f'the policy keeps no such register: name its file, [registers] {register} = "…"'
    assert read(name, value, names) == (None, [f"when.{name}: {text}"])
