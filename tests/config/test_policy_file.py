from pathlib import Path

import pytest

from gateway.config.page import Page
from gateway.config.policy_file import read_policy
from gateway.core.address import parse_address
from gateway.core.conditions.base import Condition
from gateway.core.conditions.logic import All, AnyOf, Not
from gateway.core.conditions.message import AutomaticIs, ClassificationIs, IntentIs, SizeIsOver
from gateway.core.conditions.outside import StarttlsIs
from gateway.core.conditions.party import PartyIs
from gateway.core.domains import DomainSet, Group, parse_party
from gateway.core.facts import Intent
from gateway.core.labels import HeaderSource, SubjectSource
from gateway.core.policy import Hold, Policy, Reject, Send
from gateway.core.tls import Protection, Starttls
from tests.fixtures.build import MIB, ROUTES

HEAD = """
[organisation]
name = "Council"
domains = ["council.example", "BÜCHER.example"]
contact = "the desk"
postmaster = "postmaster@council.example"

[classification]
levels = ["public", "controlled", "restricted"]
default = "controlled"
floor = { public = "none", controlled = "encrypted", restricted = "verified" }

[groups]
cjsm = { domains = ["cjsm.net", "*.cjsm.net"], addresses = ["Amy@One.example"] }
"""
LAST = '[[rules]]\nname = "last"\nroute = ["tls"]\n'
OURS = Group("the organisation", domains=DomainSet(frozenset({"council.example", "xn--bcher-kva.example"})))
CJSM = Group("group:cjsm", frozenset({"amy@one.example"}), DomainSet(frozenset({"cjsm.net"}), frozenset({"cjsm.net"})))


def read(text: str, head: str = HEAD) -> tuple[Policy | None, list[str]]:
    page = Page("p")
    policy = read_policy(page, (head + text).encode(), ROUTES)
    return policy, [f"{problem.key}: {problem.text}" for problem in page.problems]


def good(text: str) -> Policy:
    policy, problems = read(text)
    assert problems == []
    assert policy is not None
    return policy


def when(condition: str) -> Condition | None:
    return good(f'[[rules]]\nname = "r"\nroute = ["tls"]\nwhen = {condition}\n{LAST}').rules[0].when


def when_problems(condition: str) -> list[str]:
    return read(f'[[rules]]\nname = "r"\nroute = ["tls"]\nwhen = {condition}\n{LAST}')[1]


def test_the_head_of_a_policy_is_read() -> None:
    policy = good(LAST)
    assert policy.organisation.name == "Council"
    assert policy.organisation.contact == "the desk"
    assert policy.organisation.postmaster == parse_address("postmaster@council.example")
    assert policy.owns("council.example")
    assert policy.owns("xn--bcher-kva.example")
    assert not policy.owns("sub.council.example")
    assert policy.floors == {
        "public": Protection.NONE,
        "controlled": Protection.ENCRYPTED,
        "restricted": Protection.VERIFIED,
    }
    assert policy.groups == {"cjsm": CJSM}
    assert policy.routes is ROUTES


def test_the_hash_is_of_the_bytes() -> None:
    assert good(LAST).hash == good(LAST).hash
    assert len(good(LAST).hash) == 64
    assert good(LAST + "# a comment").hash != good(LAST).hash


def test_labels_and_buttons_are_read() -> None:
    text = """
[intent]
marks = { "!s" = "secure" }
[[labels]]
source = "header"
name = "X-C"
values = { P = "public", normal = "no label" }
[[labels]]
source = "subject"
marks = { "[R]" = "restricted" }
"""
    reading = good(text + LAST).reading
    assert reading.levels == ("public", "controlled", "restricted")
    assert reading.default == "controlled"
    assert reading.sources == (
        HeaderSource("X-C", {"P": "public", "normal": None}),
        SubjectSource({"[R]": "restricted"}),
    )
    assert (reading.intent_header, list(reading.intent_marks.values())) == ("X-Sealpost-Intent", [Intent.SECURE])


def test_the_buttons_have_marks_unless_others_are_given() -> None:
    assert sorted(good(LAST).reading.intent_marks.values()) == [Intent.SECURE, Intent.ENCRYPTED]


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ('{ classification = "restricted" }', ClassificationIs(frozenset({"restricted"}))),
        ('{ classification = ["public", "restricted"] }', ClassificationIs(frozenset({"public", "restricted"}))),
        (
            '{ classification = { at_least = "controlled" } }',
            ClassificationIs(frozenset({"controlled", "restricted"})),
        ),
        ('{ intent = "secure" }', IntentIs(frozenset({Intent.SECURE}))),
        ('{ intent = { at_least = "secure" } }', IntentIs(frozenset({Intent.SECURE, Intent.ENCRYPTED}))),
        ("{ automatic = false }", AutomaticIs(False)),
        ('{ recipient = "organisation" }', PartyIs("recipient", (OURS,))),
        (
            '{ sender = ["group:cjsm", "*.x.example", "A@y.example"] }',
            PartyIs("sender", (CJSM, parse_party("*.x.example"), parse_party("A@y.example"))),
        ),
        ('{ attachment_bytes = { over = "13MiB" } }', SizeIsOver("attachment_bytes", 13 * MIB)),
        ('{ message_bytes = { over = "1B" } }', SizeIsOver("message_bytes", 1)),
        ('{ tls = "yes" }', StarttlsIs(Starttls.YES)),
        ('{ tls = "no" }', StarttlsIs(Starttls.NO)),
        ("{ not = { automatic = true } }", Not(AutomaticIs(True))),
        (
            '{ automatic = true, any = [{ tls = "no" }, { intent = "none", tls = "yes" }] }',
            All(
                (
                    AutomaticIs(True),
                    AnyOf(
                        (
                            StarttlsIs(Starttls.NO),
                            All((IntentIs(frozenset({Intent.NONE})), StarttlsIs(Starttls.YES))),
                        )
                    ),
                )
            ),
        ),
        ("{ all = [{ automatic = true }] }", All((AutomaticIs(True),))),
    ],
)
def test_conditions_are_read(text: str, condition: Condition) -> None:
    assert when(text) == condition


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{}", '.when: a condition is a table such as { classification = "public" }'),
        (
            '{ clasification = "public" }',
            ".when.clasification: unknown condition `clasification`, did you mean `classification`?",
        ),
        (
            '{ classification = "restrictd" }',
            ".when.classification: unknown level `restrictd`, did you mean `restricted`?",
        ),
        ("{ classification = [] }", ".when.classification: this is a text in quotes, or a list of them"),
        ("{ classification = [1] }", ".when.classification: this is a text in quotes, or a list of them"),
        (
            '{ classification = { at_most = "public" } }',
            '.when.classification: this is a level, a list of them, or { at_least = "restricted" }',
        ),
        ('{ intent = "secret" }', ".when.intent: unknown intent `secret`, did you mean `secure`?"),
        ('{ automatic = "yes" }', ".when.automatic: this is true or false"),
        ('{ recipient = "group:cjms" }', ".when.recipient: unknown group `cjms`, did you mean `cjsm`?"),
        ('{ recipient = "*" }', ".when.recipient: `*` is not a domain or *.domain: the domain is not a host name"),
        ('{ attachment_bytes = "13MiB" }', '.when.attachment_bytes: this is a limit such as { over = "13MiB" }'),
        (
            '{ attachment_bytes = { over = "13MB" } }',
            ".when.attachment_bytes: sizes are in KiB, MiB or GiB: write 13MiB, not 13MB",
        ),
        ("{ tls = true }", '.when.tls: this is "yes" or "no"'),
        ("{ not = 3 }", '.when.not: a condition is a table such as { classification = "public" }'),
        ("{ any = [] }", ".when.any: `any` is a list of conditions"),
        (
            "{ all = [{ automatic = true }, { automatc = true }] }",
            ".when.all[2].automatc: unknown condition `automatc`, did you mean `automatic`?",
        ),
    ],
)
def test_a_wrong_condition_is_named_by_its_key(text: str, problem: str) -> None:
    assert when_problems(text) == [f"rules[1]{problem}"]


def test_all_wrong_parts_of_a_condition_are_named() -> None:
    assert len(when_problems('{ automatic = 1, any = [{ tls = 1 }, { intent = "x" }] }')) == 3


def test_rules_are_read_in_order() -> None:
    rules = good(
        """
[[rules]]
name = "a"
when = { automatic = true }
reject = true
advice = "do this"
[[rules]]
name = "b"
when = { automatic = true }
hold = true
[[rules]]
name = "c"
when = { automatic = true }
route = ["secure", "tls"]
below_floor = "agreed"
ignores_buttons = true
"""
        + LAST
    ).rules
    assert [rule.action for rule in rules] == [Reject(), Hold(), Send(("secure", "tls")), Send(("tls",))]
    assert rules[0].advice.text == "do this"
    assert rules[1].advice.text == "Ask {contact} how to send this."
    assert [rule.key for rule in rules] == ["rules[1]", "rules[2]", "rules[3]", "rules[4]"]
    assert (rules[2].below_floor, rules[2].ignores_buttons) == ("agreed", True)
    assert (rules[3].below_floor, rules[3].ignores_buttons) == (None, False)


@pytest.mark.parametrize(
    ("rules", "problems"),
    [
        (
            '[[rules]]\nname = "r"',
            ["rules[1]: `r` is the last rule, which decides: it needs route or reject = true"],
        ),
        (
            '[[rules]]\nname = "r"\nroute = ["tls"]\nreject = true\nadvice = "x"',
            ["rules[1]: `r` needs exactly one of route, reject = true and hold = true"],
        ),
        (
            '[[rules]]\nname = "r"\nreject = true\nadvice = "one\\ntwo"',
            ["rules[1].advice: this is one line of text, without tabs or line ends"],
        ),
        (
            '[[rules]]\nname = " "\nroute = ["tls"]',
            ["rules[1].name: this is one line of text, without tabs or line ends"],
        ),
        ('[[rules]]\nname = "r"\nreject = true', ["rules[1].advice: who refuses says what to do instead"]),
        (
            '[[rules]]\nname = "r"\nreject = true\nadvice = "x"\nbelow_floor = "y"',
            ["rules[1].below_floor: only a rule with a route can go below the floor"],
        ),
        (
            '[[rules]]\nname = "r"\nroute = ["tls", "tls"]',
            ["rules[1].route: a chain never goes back: each route stands there once"],
        ),
        (
            f"{LAST}{LAST}",
            [
                "rules[1]: `last` has no condition, so no rule behind it is ever reached",
                "rules[2].name: another rule is called `last`",
            ],
        ),
        (
            '[[rules]]\nname = "r"\nroute = ["tls"]\nwhen = { automatic = true }',
            ["rules[1].when: the last rule has no condition, so that every message has an end"],
        ),
        (
            '[[rules]]\nname = "r"\nhold = true',
            ["rules[1].hold: a held message goes on by a later rule once it is released: there is none"],
        ),
        ('[[rules]]\nname = "r"\nrout = ["tls"]', ["rules[1].rout: unknown key `rout`, did you mean `route`?"]),
        ('[[rules]]\nname = "r"\nreject = false', ["rules[1].reject: unknown value `False`; known are true"]),
    ],
)
def test_rules_that_cannot_be_are_refused(rules: str, problems: list[str]) -> None:
    policy, found = read(rules)
    assert policy is None
    assert found == problems


@pytest.mark.parametrize(
    ("old", "new", "problems"),
    [
        (
            '"council.example",',
            '"*.council.example",',
            ["organisation.domains[1]: what is inside is an exact list: name each domain, without *"],
        ),
        ('"council.example",', '"council_x",', ["organisation.domains[1]: `council_x`: the domain is not a host name"]),
        (
            'default = "controlled"',
            'default = "controled"',
            ["classification.default: unknown level `controled`, did you mean `controlled`?"],
        ),
        (
            '"controlled", "restricted"]',
            '"controlled", "controlled", "restricted"]',
            ["classification.levels: a level stands there twice"],
        ),
        (
            ', restricted = "verified"',
            ', restrictd = "verified"',
            [
                "classification.floor.restricted: each level has a floor",
                "classification.floor: unknown level `restrictd`, did you mean `restricted`?",
            ],
        ),
        (
            '"verified"',
            '"verifed"',
            ["classification.floor.restricted: unknown value `verifed`, did you mean `verified`?"],
        ),
        (
            '"Amy@One.example"',
            '"Amy"',
            ["groups.cjsm.addresses[1]: `Amy` is not an address: an address needs exactly one @ after the local part"],
        ),
        (
            "addresses =",
            "adresses =",
            ["groups.cjsm.adresses: unknown key `adresses`, did you mean `addresses`?"],
        ),
        (
            '"*.cjsm.net"',
            '"*cjsm.net"',
            ["groups.cjsm.domains: `*cjsm.net` is not a domain or *.domain: the domain is not a host name"],
        ),
    ],
)
def test_a_wrong_head_is_named_by_its_key(old: str, new: str, problems: list[str]) -> None:
    assert HEAD.count(old) == 1
    assert read(LAST, HEAD.replace(old, new)) == (None, problems)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[[labels]]\nsource = "heder"', "labels[1].source: unknown source `heder`, did you mean `header`?"),
        (
            "[[labels]]",
            "labels[1].source: unknown source `None`; known are "
            "boldon-james, exchange, header, msip, protective-marking, subject, titus",
        ),
        ('[[labels]]\nsource = "header"\nname = "X"', "labels[1].values: this is missing"),
        (
            '[[labels]]\nsource = "subject"\nmark = { x = "y" }\nmarks = { a = "public" }',
            "labels[1].mark: unknown key `mark`, did you mean `marks`?",
        ),
        (
            '[[labels]]\nsource = "header"\nname = "X"\nvalues = { a = "publik" }',
            "labels[1].values.a: unknown level `publik`, did you mean `public`?",
        ),
        (
            '[[labels]]\nsource = "subject"\nmarks = { "[N]" = "no label" }',
            "labels[1].marks.[N]: unknown level `no label`; known are controlled, public, restricted",
        ),
        (
            '[[labels]]\nsource = "header"\nname = "X"\nvalues = { a = "public", A = "restricted" }',
            "labels[1]: the value 'A' of X stands twice with different levels",
        ),
        ('[intent]\nmarks = { "" = "secure" }', "intent.marks: an empty mark would stand in every subject"),
    ],
)
def test_a_wrong_label_source_is_named_by_its_key(text: str, problem: str) -> None:
    assert read(f"{text}\n{LAST}") == (None, [problem])


def test_an_empty_group_is_a_warning() -> None:
    page = Page("p")
    assert read_policy(page, f"{HEAD}nobody = {{}}\n{LAST}".encode(), ROUTES) is not None
    assert [str(warning) for warning in page.warnings] == ["p: groups.nobody: nobody is in this group"]


def test_a_group_has_the_title_that_people_call_it() -> None:
    policy = read_policy(
        Page("p"), f'{HEAD}a = {{ title = "clerks", domains = ["c.example"] }}\n{LAST}'.encode(), ROUTES
    )
    assert policy is not None
    assert (policy.groups["a"].label, policy.groups["a"].words) == ("group:a", "clerks")


def test_the_example_of_the_documentation_is_read() -> None:
    example = Path(__file__).parents[1] / "fixtures/policies/council.toml"
    page = Page("p")
    policy = read_policy(page, example.read_bytes(), ROUTES)
    assert policy is not None
    assert len(policy.rules) == 7
