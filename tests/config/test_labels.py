"""Every source of labels, the defaults and the marks, as a policy file writes them, and what is wrong with them."""

from ipaddress import ip_network

import pytest

from gateway.config.checks.floors import check_policy
from gateway.config.page import Page
from gateway.config.policy_file import read_policy
from gateway.core.defaults import Default
from gateway.core.domains import DomainSet, Group, parse_party
from gateway.core.labels.base import LabelSource
from gateway.core.labels.boldon_james import BoldonJamesSource
from gateway.core.labels.exchange import ExchangeSource
from gateway.core.labels.header import HeaderSource
from gateway.core.labels.msip import MsipSource
from gateway.core.labels.protective_marking import ProtectiveMarkingSource
from gateway.core.labels.subject import SubjectSource
from gateway.core.labels.titus import TitusSource
from gateway.core.reading import Reading
from tests.fixtures.build import ROUTES

GUID = "88914ebd-7e6c-4e12-a031-a9906be2db14"
HEAD = """
[organisation]
name = "Council"
domains = ["council.example"]
contact = "the desk"
postmaster = "postmaster@council.example"
[classification]
levels = ["public", "controlled", "restricted"]
default = "controlled"
floor = { public = "none", controlled = "encrypted", restricted = "verified" }
"""
LAST = """
[groups]
scanners = { addresses = ["scan@council.example"] }
[[rules]]
name = "last"
route = ["tls"]
"""


def read(text: str) -> tuple[Reading | None, list[str]]:
    page = Page("p")
    policy = read_policy(page, f"{HEAD}{text}{LAST}".encode(), ROUTES)
    problems = [f"{problem.key}: {problem.text}" for problem in page.problems]
    return (policy.reading if policy else None), problems


def good(text: str) -> Reading:
    reading, problems = read(text)
    assert problems == []
    assert reading is not None
    return reading


@pytest.mark.parametrize(
    ("text", "source"),
    [
        (
            'source = "header"\nname = "X"\nvalues = { a = "public", b = "no label" }',
            HeaderSource("X", {"a": "public", "b": None}),
        ),
        ('source = "subject"\nmarks = { "[R]" = "restricted" }', SubjectSource({"[R]": "restricted"})),
        (
            'source = "subject"\nremove = true\nmarks = { "[R]" = "restricted" }',
            SubjectSource({"[R]": "restricted"}, remove=True),
        ),
        (
            f'source = "msip"\nsite = "{GUID}"\nlabels = {{ "{GUID}" = "no label" }}',
            MsipSource(GUID, {GUID: None}),
        ),
        (
            'source = "protective-marking"\nnamespace = "gov.au"\n'
            'values = { "OFFICIAL:Sensitive" = "restricted", UNOFFICIAL = "no label" }\nremove = true',
            ProtectiveMarkingSource("gov.au", {"OFFICIAL:Sensitive": "restricted", "UNOFFICIAL": None}, remove=True),
        ),
        (
            f'source = "exchange"\nids = {{ "{GUID}" = "restricted" }}\nnames = {{ O = "controlled" }}',
            ExchangeSource({GUID: "restricted"}, {"O": "controlled"}),
        ),
        ('source = "exchange"\nnames = { O = "controlled" }', ExchangeSource({}, {"O": "controlled"})),
        (
            'source = "boldon-james"\nvalues = { id_a = "restricted", id_b = "no label" }',
            BoldonJamesSource({"id_a": "restricted", "id_b": None}),
        ),
        (
            f'source = "boldon-james"\nheader = "x-l"\npolicy = "{GUID}"\nvalues = {{ id_a = "restricted" }}',
            BoldonJamesSource({"id_a": "restricted"}, "x-l", GUID),
        ),
        (
            'source = "titus"\nproperty = "CTPClassification"\nvalues = { CTP_NT = "no label", X = "public" }',
            TitusSource("CTPClassification", {"CTP_NT": None, "X": "public"}),
        ),
        (
            'source = "titus"\nheader = "x-t"\nproperty = "P"\nvalues = { X = "public" }',
            TitusSource("P", {"X": "public"}, "x-t"),
        ),
    ],
)
def test_a_source_is_read(text: str, source: LabelSource) -> None:
    assert good(f"[[labels]]\n{text}\n").sources == (source,)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('source = "mip"', "labels[1].source: unknown source `mip`, did you mean `msip`?"),
        (f'source = "msip"\nlabels = {{ "{GUID}" = "public" }}', "labels[1].site: this is missing"),
        (
            f'source = "msip"\nsite = "council"\nlabels = {{ "{GUID}" = "public" }}',
            f"labels[1]: `council` is no GUID such as {GUID}",
        ),
        (
            f'source = "msip"\nsite = "{GUID}"\nlabels = {{ "{GUID}" = "publik" }}',
            f"labels[1].labels.{GUID}: unknown level `publik`, did you mean `public`?",
        ),
        (
            'source = "protective-marking"\nnamspace = "gov.au"\nnamespace = "x"\nvalues = { a = "public" }',
            "labels[1].namspace: unknown key `namspace`, did you mean `namespace`?",
        ),
        (
            'source = "protective-marking"\nnamespace = "x"\nvalues = { "A:B" = "public", "a : b" = "restricted" }',
            "labels[1]: the value 'a : b' stands twice with different levels",
        ),
        ('source = "exchange"', "labels[1]: this needs `ids`, `names` or both"),
        (
            'source = "exchange"\nnames = { O = "no label" }',
            "labels[1].names.O: unknown level `no label`; known are controlled, public, restricted",
        ),
        (
            f'source = "exchange"\nids = {{ "{GUID}" = "x" }}',
            f"labels[1].ids.{GUID}: unknown level `x`; known are controlled, public, restricted",
        ),
        (
            'source = "boldon-james"\npolicy = "p"\nvalues = { a = "public" }',
            f"labels[1]: `p` is no GUID such as {GUID}",
        ),
        ('source = "boldon-james"', "labels[1].values: this is missing"),
        ('source = "titus"\nvalues = { a = "public" }', "labels[1].property: this is missing"),
        ('source = "titus"\nproperty = "P"\nvalues = { a = "no lable" }', None),
        ('source = "subject"\nmarks = { a = "public" }\nremove = "yes"', "labels[1].remove: this is true or false"),
    ],
)
def test_a_wrong_source_is_named_by_its_key(text: str, problem: str | None) -> None:
    reading, problems = read(f"[[labels]]\n{text}\n")
    assert reading is None
    assert problems == [problem or "labels[1].values.a: unknown level `no lable`, did you mean `no label`?"]


def test_defaults_are_read_in_their_order() -> None:
    text = """
[[classification.defaults]]
level = "restricted"
listener = "printers"
network = "10.5.0.0/16"
[[classification.defaults]]
level = "public"
sender = "group:scanners"
[[classification.defaults]]
level = "public"
sender = "*.news.example"
"""
    scanners = Group("group:scanners", frozenset({"scan@council.example"}), DomainSet())
    assert good(text).defaults == (
        Default(level="restricted", listener="printers", network=ip_network("10.5.0.0/16")),
        Default(level="public", sender=scanners),
        Default(level="public", sender=parse_party("*.news.example")),
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            'level = "restrictd"\nlistener = "x"',
            "classification.defaults[1].level: unknown level `restrictd`, did you mean `restricted`?",
        ),
        (
            'level = "public"',
            "classification.defaults[1]: a default needs a listener, a network or a sender; "
            "the one for all mail is `default`",
        ),
        (
            'level = "public"\nsender = "group:scaners"',
            "classification.defaults[1].sender: unknown group `scaners`, did you mean `scanners`?",
        ),
        (
            'level = "public"\nlisten = "x"',
            "classification.defaults[1].listen: unknown key `listen`, did you mean `listener`?",
        ),
        ('listener = "x"', "classification.defaults[1].level: this is missing"),
    ],
)
def test_a_wrong_default_is_named_by_its_key(text: str, problem: str) -> None:
    assert read(f"[[classification.defaults]]\n{text}\n") == (None, [problem])


def test_a_network_that_is_none_is_named_by_its_key() -> None:
    reading, problems = read('[[classification.defaults]]\nlevel = "public"\nnetwork = "10.5.0.1/16"\n')
    assert reading is None
    assert [problem.partition(":")[0] for problem in problems] == ["classification.defaults[1].network"]


def test_marks_leave_the_subject_or_stay() -> None:
    assert good("").intent_remove
    assert good("").disclosure_mark == "ref"
    chosen = good('[intent]\nremove = false\n[disclosure]\nmark = "case"\n')
    assert (chosen.intent_remove, chosen.disclosure_mark) == (False, "case")


@pytest.mark.parametrize("mark", ["", "a]", "a b", "re:f", "x" * 31])
def test_the_word_of_a_reference_is_one_word(mark: str) -> None:
    assert read(f'[disclosure]\nmark = "{mark}"\n')[0] is None


def test_levels_of_every_source_and_default_count_as_given() -> None:
    page = Page("p")
    labels = f'[[labels]]\nsource = "msip"\nsite = "{GUID}"\nlabels = {{ "{GUID}" = "restricted" }}\n'
    default = '[[classification.defaults]]\nlevel = "public"\nlistener = "x"\n'
    for text, missing in ((labels + default, []), (labels, ["public"]), (default, ["restricted"])):
        page = Page("p")
        policy = read_policy(page, f"{HEAD}{text}{LAST}".encode(), ROUTES)
        assert policy is not None
        page.warnings.clear()
        check_policy(page, policy)
        found = [warning.text for warning in page.warnings if warning.key == "labels"]
        assert found == [f"no label gives the level `{level}`" for level in missing]
