"""How conditions on content are written, and what is said of those that cannot be read."""

import tomllib
from datetime import time
from zoneinfo import ZoneInfo

import pytest

from gateway.config.conditions import read_when
from gateway.config.names import Names
from gateway.config.page import Page
from gateway.core.conditions.base import Condition
from gateway.core.conditions.content import AttachmentCountIsOver, ListenerIs, TimeIs, VisibleOver
from gateway.core.conditions.logic import All
from gateway.core.conditions.message import Finds
from gateway.core.detect.base import DEFAULT_TEXT
from gateway.core.detect.files import FileIs
from gateway.core.detect.header import HeaderSays
from gateway.core.detect.links import LinksTo
from gateway.core.detect.subject import SubjectHolds, SubjectMarked
from gateway.core.detect.text import TextHolds
from gateway.core.domains import DomainSet, Group, parse_domains, parse_party

INSIDE = Group("the organisation", domains=parse_domains(["council.example"]))
CLOUD = Group("group:cloud", domains=parse_domains(["drop.example", "*.drop.example"]))
PEOPLE = Group("group:people", addresses=frozenset({"a@b.example"}))
NAMES = Names(levels=("low",), groups={"cloud": CLOUD, "people": PEOPLE}, organisation=INSIDE)
LONDON = ZoneInfo("Europe/London")


def read(when: str) -> tuple[Condition | None, list[str]]:
    page = Page("policy.toml")
    condition = read_when(page, "when", tomllib.loads(when), NAMES)
    assert not page.warnings
    return condition, [f"{problem.key}: {problem.text}" for problem in page.problems]


@pytest.mark.parametrize(
    ("when", "condition"),
    [
        ('listener = "printers"', ListenerIs(frozenset({"printers"}))),
        ('listener = ["printers", "apps"]', ListenerIs(frozenset({"printers", "apps"}))),
        ("attachments = { count_over = 5 }", AttachmentCountIsOver(5)),
        ("attachments = { any = true }", AttachmentCountIsOver(0)),
        ('attachments = { name = "*.xml" }', Finds(FileIs(names=("*.xml",)))),
        (
            'attachments = { type = ["application/pdf", "image/*"] }',
            Finds(FileIs(types=("application/pdf", "image/*"))),
        ),
        ("attachments = { ctf = true }", Finds(FileIs(ctf=True))),
        ("attachments = { locked = true, name = ['a'] }", Finds(FileIs(names=("a",), locked=True))),
        (
            "attachments = { count_over = 1, any = true, ctf = true }",
            All((AttachmentCountIsOver(1), AttachmentCountIsOver(0), Finds(FileIs(ctf=True)))),
        ),
        ('links = { to = "group:cloud" }', Finds(LinksTo((CLOUD,)))),
        (
            'links = { to = ["we.example", "group:cloud"], except = ["ours.drop.example", "organisation"] }',
            Finds(LinksTo((parse_party("we.example"), CLOUD), (parse_party("ours.drop.example"), INSIDE))),
        ),
        ('subject = { pattern = "nhs-number" }', Finds(SubjectHolds(("nhs-number",)))),
        ('subject = { mark = ["[INTERNAL ONLY]"] }', Finds(SubjectMarked(("[INTERNAL ONLY]",)))),
        (
            'subject = { pattern = ["upn", "password"], mark = "[A]" }',
            All((Finds(SubjectHolds(("upn", "password"))), Finds(SubjectMarked(("[A]",))))),
        ),
        ('text = { pattern = ["password"] }', Finds(TextHolds(("password",), DEFAULT_TEXT))),
        ('text = { pattern = "date-of-birth", first = "8KiB" }', Finds(TextHolds(("date-of-birth",), 8192))),
        ('text = { pattern = "upn", first = "1MiB" }', Finds(TextHolds(("upn",), 1024 * 1024))),
        ('header = { name = "X-Handling", value = "internal" }', Finds(HeaderSays("X-Handling", ("internal",)))),
        ('header = { name = "X-Handling" }', Finds(HeaderSays("X-Handling", ()))),
        ("visible = { outside_over = 10 }", VisibleOver(10, INSIDE, DomainSet())),
        ('visible = { outside_over = 0, free_mail = ["group:cloud"] }', VisibleOver(0, INSIDE, CLOUD.domains)),
        (
            'time = { from = "08:00", to = "18:30", zone = "Europe/London" }',
            TimeIs(time(8), time(18, 30), frozenset(range(7)), LONDON),
        ),
        (
            'time = { from = 22:00:00, to = 06:00:00, days = ["fri", "sat"], zone = "Europe/London" }',
            TimeIs(time(22), time(6), frozenset({4, 5}), LONDON),
        ),
    ],
)
def test_a_condition_is_read(when: str, condition: Condition) -> None:
    assert read(when) == (condition, [])


@pytest.mark.parametrize(
    ("when", "problem"),
    [
        ("listener = 5", "listener: this is a text in quotes, or a list of them"),
        ("attachments = {}", 'attachments: this is a table such as { name = ["*.xml"] }'),
        ('attachments = "*.xml"', 'attachments: this is a table such as { name = ["*.xml"] }'),
        ("attachments = { names = ['a'] }", "attachments: unknown key `names`, did you mean `name`?"),
        ("attachments = { name = [] }", "attachments: this is a text in quotes, or a list of them"),
        ("attachments = { any = false }", "attachments: `any` can only be true; for the opposite put `not` around"),
        ("attachments = { locked = 1 }", "attachments: `locked` can only be true"),
        ("attachments = { count_over = true }", "attachments: this is a whole number, such as 10"),
        ("attachments = { count_over = -1 }", "attachments: this is a whole number, such as 10"),
        ('attachments = { type = "pdf" }', "attachments: `pdf` is no type such as application/pdf or image/*"),
        ('links = { except = "a.example" }', 'links: this is a table such as { to = "group:cloud" }'),
        ('links = { to = "group:clout" }', "links: unknown group `clout`, did you mean `cloud`?"),
        ('links = { to = "group:people" }', "links: group:people has no domains"),
        ('links = { to = "group:cloud", except = "a@b.example" }', "links: a@b.example has no domains"),
        ('subject = { pattern = "nhs-numbers" }', "subject: unknown pattern `nhs-numbers`, did you mean `nhs-number`?"),
        ('subject = { pattern = "x" }', "subject: unknown pattern `x`; known are date-of-birth, national-insurance, "),
        ('subject = { mark = " " }', "subject: an empty mark would stand in every subject"),
        ('text = { first = "1KiB" }', 'text: this is a table such as { pattern = "nhs-number" }'),
        ('text = { pattern = "upn", first = "2MiB" }', "text: `first` is a size up to 1MiB"),
        ('text = { pattern = "upn", first = "0B" }', "text: `first` is a size up to 1MiB"),
        ('text = { pattern = "upn", first = "64KB" }', "text: sizes are in KiB, MiB or GiB: write 64KiB, not 64KB"),
        (
            'header = { value = "a" }',
            'header: this is a table such as { name = "X-Handling", value = "internal only" }',
        ),
        ('header = { name = "X-A:", value = "b" }', "header: `name` is one header field's name, without the colon"),
        ('header = { name = 5, value = "b" }', "header: `name` is one header field's name, without the colon"),
        ('header = { name = "X-A", value = "-" }', "header: an empty value says nothing"),
        ("visible = { over = 10 }", "visible: unknown key `over`; known are free_mail, outside_over"),
        ('visible = { outside_over = "10" }', "visible: this is a whole number, such as 10"),
        ('visible = { free_mail = "group:cloud" }', "visible: this is a table such as { outside_over = 10 }"),
        (
            'time = { from = "08:00", to = "18:00" }',
            'time: this is a table such as { from = "08:00", to = "18:00", zone',
        ),
        ('time = { from = "8:00", to = "18:00", zone = "UTC" }', 'time: a time of day is such as "08:00"'),
        ('time = { from = "08:00", to = "24:00", zone = "UTC" }', 'time: a time of day is such as "08:00"'),
        ('time = { from = 8, to = "18:00", zone = "UTC" }', 'time: a time of day is such as "08:00"'),
        ('time = { from = "08:00", to = "08:00", zone = "UTC" }', "time: a window that begins when it ends"),
        (
            'time = { from = "08:00", to = "18:00", zone = "Europe/Londn" }',
            'time: `zone` is the name of a time zone, such as "Europe/London", did you mean `Europe/London`?',
        ),
        (
            'time = { from = "08:00", to = "18:00", zone = "../etc" }',
            'time: `zone` is the name of a time zone, such as "Europe/London"',
        ),
        (
            'time = { from = "08:00", to = "18:00", zone = 1 }',
            'time: `zone` is the name of a time zone, such as "Europe/London"',
        ),
        (
            'time = { from = "08:00", to = "18:00", days = ["monday"], zone = "UTC" }',
            "time: unknown day `monday`, did you mean `mon`?",
        ),
    ],
)
def test_what_cannot_be_read_is_explained(when: str, problem: str) -> None:
    condition, problems = read(when)
    assert condition is None
    assert len(problems) == 1
    assert problems[0].startswith(f"when.{problem}")


def test_the_detectors_of_a_rule_are_told_to_the_policy() -> None:
    condition, _ = read(
        'any = [{ not = { text = { pattern = "upn" } } }, { attachments = { ctf = true, any = true } }]'
    )
    assert condition is not None
    assert [detector.id for detector in condition.detectors] == [TextHolds(("upn",)).id, FileIs(ctf=True).id]
