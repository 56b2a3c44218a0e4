from dataclasses import replace

import pytest

from gateway.config.registers.transfers import read_transfers, transfer_rule
from gateway.core.address import parse_address
from gateway.core.conditions.base import look
from gateway.core.conditions.message import ClassificationIs
from gateway.core.decision import Truth
from gateway.core.detect.files import FileIs
from gateway.core.policy import Reject, Rule, Send
from gateway.core.template import Template
from tests.config.registers.reading import bad, good
from tests.fixtures.build import facts

TEXT = """
[[transfer]]
name   = "bundles"
files  = ["*bundle*.pdf", "Court Papers *.zip"]
types  = ["application/pdf"]
over   = "2KiB"
levels = ["controlled", "restricted"]
body   = ["group:courts", "police.example"]
route  = ["secure"]

[[transfer]]
name   = "census"
types  = ["text/csv"]
body   = "dfe.example"
advice = "Upload it to {domain}."
"""
RULE = Rule(
    name="Bodies",
    when=ClassificationIs(frozenset({"controlled"})),
    action=Reject(),
    advice=Template("of the rule"),
    key="rules[3]",
)
FILE = FileIs(names=("*bundle*.pdf", "Court Papers *.zip"), types=("application/pdf",))


@pytest.mark.parametrize(
    ("to", "size", "level", "found", "truth"),
    [
        ("a@x.court.example", 2049, "controlled", True, Truth.MATCH),
        ("a@police.example", 2049, "controlled", True, Truth.MATCH),
        ("a@court.example", 2049, "controlled", True, Truth.NO_MATCH),
        ("a@police.example", 2048, "controlled", True, Truth.NO_MATCH),
        ("a@police.example", 2049, "controlled", False, Truth.NO_MATCH),
        ("a@police.example", 2049, "public", True, Truth.NO_MATCH),
        # The line's condition would hold; the rule's does not.
        ("a@police.example", 2049, "restricted", True, Truth.NO_MATCH),
    ],
)
def test_all_that_a_line_names_holds_and_the_rule_too(
    to: str, size: int, level: str, *, found: bool, truth: Truth
) -> None:
    rule = transfer_rule(RULE, good(read_transfers, TEXT, "t.toml")[0])
    ids = frozenset({FILE.id})
    seen = replace(facts(level, files=size), looked=ids, found=ids if found else frozenset[str]())
    assert rule.when is not None
    assert rule.when.detectors == (FILE,)
    assert rule.when.truth(look(seen, parse_address(to))) is truth


def test_a_line_says_what_follows_and_the_rule_the_rest() -> None:
    bundles, census = (transfer_rule(RULE, line) for line in good(read_transfers, TEXT, "t.toml"))
    assert (bundles.name, bundles.action, bundles.advice) == ("Bodies: bundles", Send(("secure",)), RULE.advice)
    assert (census.name, census.action) == ("Bodies: census", Reject())
    assert census.advice == Template("Upload it to {domain}.")
    assert census.key == bundles.key == "rules[3]"
    alone = good(read_transfers, TEXT, "t.toml")[1]
    assert transfer_rule(replace(RULE, when=None), alone).when == alone.when


def test_csv_says_the_same_where_globs_have_no_spaces() -> None:
    text = "name,files,types,over,levels,body,route,advice\nc,,text/csv,,,dfe.example,,Upload it to {domain}.\n"
    [line] = good(read_transfers, text)
    assert replace(line, name="census") == good(read_transfers, TEXT, "t.toml")[1]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("t,,,,,a.example,secure,", "line 2: a line names the files it is about: at least one of files, types and ov"),
        ("t,*.xml,,,,a.example,,", "line 2: a line has a route, or an advice with which the message is given back"),
        ("t,*.xml,,,,a.example,secure,Ask.", "line 2: a line has a route, or an advice"),
        ("t,*.xml,,,,a.example,secure secure,", "line 2.route: a chain never goes back"),
        ("t,*.xml,,,,a.example,secur,", "line 2.route: unknown route `secur`, did you mean `secure`?"),
        ("t,*.xml,,,,group:court,secure,", "line 2.body.recipient: unknown group `court`, did you mean `courts`?"),
        ("t,*.xml,,,publc,a.example,secure,", "line 2.levels.classification: unknown level `publc`, did you mean"),
        ("t,,pdf,,,a.example,secure,", "line 2.types.attachments: "),
        ("t,*.xml,,0B,,a.example,secure,", "line 2.over: a limit of nothing is none"),
        ("t,*.xml,,,,a.example,,Ask {nobody}.", "line 2.advice: "),
        ("t,*.xml,,,,a.example,secure,\nt,*.xml,,,,b.example,secure,", "line 3.name: `t` stands at line 2 already"),
    ],
)
def test_a_line_that_cannot_be_a_rule_is_refused(line: str, problem: str) -> None:
    said = bad(read_transfers, "name,files,types,over,levels,body,route,advice\n" + line + "\n")
    assert len(said) == 1
    assert said[0].startswith(problem)
