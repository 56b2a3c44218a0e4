"""[listen.desk]: read strictly, and put beside the policy's roles."""

from ipaddress import ip_network
from pathlib import Path

import pytest

from gateway.config.bundle import read_bundle
from gateway.config.load import Examined, examine
from gateway.desk.options import DeskOptions
from tests.fixtures.council import change, council

DESK = """
[listen.desk]
address     = "127.0.0.1:9126"
url         = "https://Desk.council.example/"
proxies     = ["127.0.0.1/32", "10.1.2.3"]
user_header = "X-Remote-User"
readers     = ["Ann@council.example"]
[listen.desk.releasers]
ig = ["Ann@Council.example", "rita@council.example"]
"""
ROLES = '[roles]\nig = "ig@council.example"\ndpo = "dpo@council.example"\n\n[groups]'
HOLD = """[[rules]]
name = "Looked at"
when = { recipient = "x.example" }
hold = true
release_by = "%s"
advice = "Wait."

[[rules]]
name  = "Automatic mail"""


def written(folder: Path, *edits: tuple[str, str], role: str = "ig") -> Examined:
    """The example with a desk, changed."""
    config = council(folder)
    text = DESK
    for old, new in edits:
        assert text.count(old) == 1
        text = text.replace(old, new)
    config.write_text(config.read_text() + text)
    policy = folder / "policies/council.toml"
    change(policy, ("[groups]", ROLES), ('[[rules]]\nname  = "Automatic mail', HOLD % role))
    return examine(read_bundle(config))


def found(examined: Examined) -> list[str]:
    return [f"{problem.key}: {problem.text}" for problem in examined.problems]


def test_the_desk_is_read_and_people_are_compared_without_case(tmp_path: Path) -> None:
    examined = written(tmp_path)
    assert found(examined) == [] and examined.warnings == ()
    desk = examined.loaded().settings.desk
    assert desk is not None
    assert desk == DeskOptions(
        host="127.0.0.1",
        port=9126,
        url="https://Desk.council.example",
        proxies=(ip_network("127.0.0.1/32"), ip_network("10.1.2.3/32")),
        user_header="X-Remote-User",
        releasers={"ig": frozenset({"ann@council.example", "rita@council.example"})},
        readers=frozenset({"ann@council.example"}),
    )
    assert desk.origin == "https://desk.council.example"
    assert desk.may_decide("ann@council.example", "ig") and not desk.may_decide("ann@council.example", "dpo")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('"127.0.0.1/32", "10.1.2.3"', '"::/0"', "listen.desk.proxies: everybody would be believed"),
        ('"127.0.0.1/32", "10.1.2.3"', "", "listen.desk.proxies: "),
        ("https://Desk", "http://Desk", "listen.desk.url: this is where people reach the page"),
        ("council.example/", "council.example/?a=b", "listen.desk.url: "),
        ("https://Desk", "https://me@Desk", "listen.desk.url: "),
        ("https://Desk", "https://[Desk", "listen.desk.url: "),
        ("X-Remote-User", "X Remote User", "listen.desk.user_header: "),
        ('"rita@council.example"', '"rita"', "listen.desk.releasers.ig: `rita` is not an address"),
        ('["Ann@council.example"]', '["ann"]', "listen.desk.readers: `ann` is not an address"),
        ("ig = [", "igg = [", "listen.desk.releasers: unknown role `igg`, did you mean `ig`?"),
        ("user_header", "user_heder", "listen.desk.user_heder: unknown key `user_heder`, did you mean `user_header`?"),
        ("127.0.0.1:9126", "9126", "listen.desk.address: "),
    ],
)
def test_what_cannot_be_is_a_problem_of_its_key(tmp_path: Path, old: str, new: str, problem: str) -> None:
    problems = found(written(tmp_path, (old, new)))
    assert any(one.startswith(problem) for one in problems), problems


def test_a_loopback_page_may_be_without_tls(tmp_path: Path) -> None:
    assert found(written(tmp_path, ("https://Desk.council.example/", "http://127.0.0.1:9126"))) == []


def test_a_role_that_nobody_decides_for_and_a_reader_without_a_role_are_warned_of(tmp_path: Path) -> None:
    examined = written(tmp_path, ('["Ann@council.example"]', '["eve@council.example"]'), role="dpo")
    assert [f"{warning.key}: {warning.text}" for warning in examined.warnings] == [
        "listen.desk.releasers: nobody may release what is held for `dpo`, but an operator",
        "listen.desk.readers: `eve@council.example` decides for no role, and so sees no content",
    ]


def test_the_documented_desk_can_be_used(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs/held-mail.md").read_text()
    roles, table = text.partition("# policy: who is asked\n")[2].partition("```")[0].split("\n# sealpost.toml", 1)
    config = council(tmp_path)
    config.write_text(config.read_text() + "\n#" + table)
    change(tmp_path / "policies/council.toml", ("[groups]", roles + "\n[groups]"))
    examined = examine(read_bundle(config))
    assert found(examined) == [] and examined.warnings == ()
    desk = examined.loaded().settings.desk
    assert desk is not None and desk.may_decide("ann@council.example", "information-governance")
