"""The policy as a page: everything is in it, nothing is escaped wrongly, and it is the same each time."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from gateway.config.builtin import built_in_bundle
from gateway.config.describe.condition_words import in_words
from gateway.config.describe.document import Bullets, Document, Paragraph, Rows, Section, as_html, as_markdown
from gateway.config.describe.pages import Audience, describe_policy
from gateway.config.describe.tables import routes
from gateway.config.load import load
from gateway.core.conditions.content import VisibleOver
from gateway.core.conditions.logic import All, AnyOf, Not
from gateway.core.conditions.message import AutomaticIs, ClassificationIs, Finds, IntentIs, SizeIsOver
from gateway.core.conditions.party import PartyIs
from gateway.core.conditions.registers import AgreementIs, SchoolIs
from gateway.core.detect.links import LinksTo
from gateway.core.domains import DomainSet, Group, parse_party
from gateway.core.facts import Intent
from gateway.core.policy import GoOn, Policy
from gateway.core.registers.directory import keyed
from gateway.core.registers.partners import Partner, Standing
from gateway.core.registers.schools import School, SchoolType

POLICIES = Path(__file__).parents[3] / "policies"
SHIPPED = sorted(POLICIES.glob("*.toml"))


def shipped(file: Path) -> Policy:
    return load(built_in_bundle(file)).policy


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
@pytest.mark.parametrize("audience", Audience)
def test_every_rule_that_does_something_is_named_and_no_place_is_left_open(file: Path, audience: Audience) -> None:
    policy = shipped(file)
    page = describe_policy(policy, audience)
    text = as_markdown(page)
    for rule in policy.rules:
        told = audience is not Audience.STAFF or not isinstance(rule.action, GoOn)
        assert not told or rule.name.replace("*", r"\*") in text
    assert "{" not in text
    assert "a condition holds" not in text
    assert policy.organisation.contact in text


@pytest.mark.parametrize("audience", Audience)
def test_the_same_policy_gives_the_same_page(audience: Audience) -> None:
    script = (
        "import sys; from tests.config.describe.test_pages import *;"
        f"sys.stdout.write(as_html(describe_policy(shipped(SHIPPED[0]), Audience('{audience}'))))"
    )
    pages = {
        subprocess.run(
            (sys.executable, "-c", script),
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(pages) == 1
    assert len(pages.pop()) > 2000


class Outline(HTMLParser):
    """Notes what assistive technology looks at, and whether every element is closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[int] = []
        self.language = ""
        self.text = ""
        self.tables: list[set[str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "html":
            self.language = values.get("lang") or ""
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag == "table":
            self.tables.append(set())
        if tag == "th":
            self.tables[-1].add(values.get("scope") or "")
        if tag == "caption":
            self.tables[-1].add("caption")
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("audience", Audience)
def test_the_web_page_can_be_read_by_everybody(audience: Audience) -> None:
    outline = Outline()
    outline.feed(as_html(describe_policy(shipped(SHIPPED[0]), audience)))
    outline.close()
    assert outline.open == []
    assert outline.language == "en"
    assert outline.headings[0] == 1
    assert set(outline.headings[1:]) == {2}
    assert all(table == {"caption", "col", "row"} for table in outline.tables)
    assert bool(outline.tables) is (audience is not Audience.STAFF)


HOSTILE = '<b>&"x" | *y* `z` [a](b)'


def test_no_text_of_a_policy_becomes_markup() -> None:
    blocks = (Paragraph(HOSTILE), Bullets((HOSTILE,)), Rows(HOSTILE, ("h",), ((HOSTILE,),)))
    document = Document(HOSTILE, HOSTILE, (Section(HOSTILE, blocks),))
    outline = Outline()
    outline.feed(as_html(document))
    assert outline.text.count(HOSTILE) == 8
    text = as_markdown(document)
    assert re.sub(r"\\(.)", r"\1", text).count(HOSTILE) == 7
    assert r"\<b\>&" in text
    assert not re.search(r"(?<!\\)[<`*](?!\*)", text.replace("**", ""))


def test_markdown_has_the_usual_form() -> None:
    blocks = (Paragraph("one."), Bullets(("a", "b")), Rows("c", ("x", "y"), (("1", "2"),)))
    assert as_markdown(Document("t", "lead", (Section("s", blocks),))) == (
        "# t\n\nlead\n\n## s\n\none.\n\n- a\n- b\n\n**c**\n\n| x | y |\n| --- | --- |\n| 1 | 2 |\n"
    )


def test_conditions_are_said_in_words() -> None:
    to = PartyIs("recipient", (Group("group:cjsm"), Group("x.example")))
    secret = ClassificationIs(frozenset({"restricted", "controlled"}))
    assert in_words(None) == "nothing above applies"
    assert in_words(to) == "the recipient is in the group cjsm or in x.example"
    assert in_words(Not(to)) == "the recipient is not in the group cjsm or in x.example"
    assert in_words(PartyIs("sender", (Group("group:a", title="clerks"),))) == "the sender is among clerks"
    assert in_words(Not(AutomaticIs(False))) == "it is not so that a person sent it"
    assert in_words(All((secret, AnyOf((IntentIs(frozenset({Intent.SECURE})), AutomaticIs(True)))))) == (
        "the message is controlled or restricted and (the Secure button is pressed or a machine sent it)"
    )
    assert in_words(SizeIsOver("message_bytes", 13 * 1024**2)) == "the whole message comes to more than 13 MiB"
    assert in_words(IntentIs(frozenset({Intent.NONE}))) == "no button is pressed"
    assert in_words(IntentIs(frozenset({Intent.NONE, Intent.SECURE}))) == "no button or the Secure button is pressed"


def test_what_is_left_aside_is_said() -> None:
    sites, ours = Group("group:cloud", title="sharing sites"), (parse_party("b.example"), parse_party("a.example"))
    assert in_words(Finds(LinksTo((sites,)))) == "the text links to sharing sites"
    assert in_words(Finds(LinksTo((sites,), ours))) == (
        "the text links to sharing sites (other than a.example or b.example)"
    )
    assert in_words(VisibleOver(10, Group("the organisation"), DomainSet())) == (
        "more than 10 outside addresses (the largest organisation's own people aside) stand in To and Cc"
    )


def test_no_word_of_the_code_stands_in_a_register_condition() -> None:
    schools = SchoolIs(schools=keyed(dict[str, School]()), types=frozenset(SchoolType), logon=None)
    assert in_words(schools) == (
        "the recipient is at a maintained school or a school that the register does not name or an academy school "
        "or an independent school"
    )
    agreement = AgreementIs(partners=keyed(dict[str, Partner]()), wanted=frozenset(Standing))
    assert in_words(agreement) == (
        "the agreement with the recipient's organisation does not cover the level or does not exist or has expired "
        "or is valid"
    )


@pytest.mark.parametrize(
    ("time", "words"),
    [
        (timedelta(hours=48), "48 hours"),
        (timedelta(hours=1), "1 hour"),
        (timedelta(minutes=2), "2 minutes"),
        (timedelta(minutes=90), "90 minutes"),
        (timedelta(seconds=1), "1 second"),
        (timedelta(seconds=61), "61 seconds"),
    ],
)
def test_a_time_is_said_in_the_largest_unit_that_fits(time: timedelta, words: str) -> None:
    policy = shipped(SHIPPED[0])
    timed = replace(policy.routes["secure"], give_up_after=time)
    assert ("secure", words) in {
        (name, limits.removeprefix("tried for "))
        for name, _, limits in routes(replace(policy, routes={"secure": timed}))
    }
