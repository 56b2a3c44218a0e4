from pathlib import Path

import pytest

from gateway.config.builtin import built_in_bundle
from gateway.config.load import load
from gateway.config.policy_tests import run_policy_tests
from gateway.core.policy import Policy

POLICY = Path(__file__).parents[1] / "fixtures/policies/council.toml"


@pytest.fixture
def policy() -> Policy:
    return load(built_in_bundle(POLICY)).policy


def run(folder: Path, policy: Policy, *files: str) -> tuple[int, list[str]]:
    tests = folder / "tests/council"
    tests.mkdir(parents=True)
    for number, text in enumerate(files):
        (tests / f"{number}.toml").write_text(text)
    result = run_policy_tests(folder / "council.toml", policy)
    return result.cases, [str(problem).replace(f"{tests}/", "") for problem in result.problems]


def case(expect: str, more: str = "", sender: str = "a@council.example", to: str = "b@x.example") -> str:
    return f'[[cases]]\nname = "c"\nfrom = "{sender}"\nto = "{to}"\n{more}\nexpect = {{ {expect} }}\n'


@pytest.mark.parametrize(
    "text",
    [
        case('rule = "Controlled", action = "route", route = ["tls", "encrypted"], floor = "encrypted"'),
        case('reason = "default", advice = "Ask Service Desk"'),
        case('rule = "Public", floor = "none"', 'headers = { "X-Classification" = "public" }'),
        case('rule = "The Encrypted button"', 'headers = { Subject = "[ENCRYPT] x" }'),
        case('route = ["tls"]', 'attachment_bytes = "14MiB"'),
        case('route = ["tls", "encrypted"]', 'message_bytes = "14MiB"'),
        case('rule = "Automatic mail never waits in a portal"', sender=""),
        case('rule = "Inside the organisation"', 'tls = "no"', to="b@council.example"),
        case(
            'action = "reject", floor = "sealed"',
            'attachment_bytes = "14MiB"\nheaders = { "X-Sealpost-Intent" = "encrypted" }',
        ),
    ],
)
def test_what_is_expected_and_comes_out_is_no_problem(text: str, policy: Policy, tmp_path: Path) -> None:
    assert run(tmp_path, policy, text) == (1, [])


@pytest.mark.parametrize(
    ("expect", "problem"),
    [
        ('rule = "Public"', "the rule is 'Controlled', expected 'Public'"),
        ('action = "hold"', "the action is 'route', expected 'hold'"),
        ('route = ["encrypted", "tls"]', "the route is ['tls', 'encrypted'], expected ['encrypted', 'tls']"),
        ('floor = "sealed"', "the floor is 'encrypted', expected 'sealed'"),
        ('reason = "label"', "the reason is 'the level is controlled (default)', expected 'label' in it"),
        ('advice = "Pray"', "the advice is 'Ask Service Desk, 01629 000000 how to send this.', expected 'Pray' in it"),
    ],
)
def test_what_does_not_come_out_is_a_problem_with_its_case(
    expect: str, problem: str, policy: Policy, tmp_path: Path
) -> None:
    fine = case('rule = "Controlled"')
    assert run(tmp_path, policy, fine + case(expect) + fine) == (3, [f"0.toml: cases[2]: `c`: {problem}"])


def test_a_case_that_cannot_be_read_is_a_problem_and_the_others_run(policy: Policy, tmp_path: Path) -> None:
    cases, problems = run(
        tmp_path,
        policy,
        case('rul = "x"'),
        case('rule = "Controlled"', sender="nobody") + case('rule = "Controlled"'),
        "nonsense",
    )
    assert cases == 2
    assert problems[0] == "0.toml: cases[1].expect.rul: unknown key `rul`, did you mean `rule`?"
    assert problems[1].startswith("1.toml: cases[1]: `c`: not an address: ")
    assert problems[2].startswith("2.toml: this is not TOML")
    assert len(problems) == 3


def test_a_file_that_cannot_be_opened_is_a_problem(policy: Policy, tmp_path: Path) -> None:
    (tmp_path / "tests/council/x.toml").mkdir(parents=True)
    result = run_policy_tests(tmp_path / "council.toml", policy)
    assert [problem.text for problem in result.problems] == ["the file cannot be read: Is a directory"]


def test_a_policy_without_tests_has_none(policy: Policy, tmp_path: Path) -> None:
    result = run_policy_tests(tmp_path / "council.toml", policy)
    assert (result.cases, result.problems) == (0, ())
