from pathlib import Path

import pytest

from gateway.config.builtin import built_in_bundle
from gateway.config.load import load
from gateway.config.trial.policy_tests import run_policy_tests
from gateway.core.policy import Policy

POLICY = Path(__file__).parents[2] / "fixtures/policies/council.toml"


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


def test_a_case_that_the_door_would_refuse_is_a_problem_and_the_others_run(policy: Policy, tmp_path: Path) -> None:
    crowd = ", ".join(f'"a{number}@x.example"' for number in range(5001))
    cases, problems = run(tmp_path, policy, case('rule = "Public"', f"visible = [{crowd}]") + case('rule = "Odd"'))
    assert cases == 2
    assert "would be refused at the door with 554 5.6.0: To and Cc of the message" in problems[0]
    assert "expected 'Odd'" in problems[1]


def test_a_policy_without_tests_has_none(policy: Policy, tmp_path: Path) -> None:
    result = run_policy_tests(tmp_path / "council.toml", policy)
    assert (result.cases, result.problems) == (0, ())


RICH = """
[organisation]
name = "Council"
domains = ["council.example"]
contact = "the desk"
postmaster = "postmaster@council.example"

[classification]
levels = ["public", "controlled"]
default = "controlled"
floor = { public = "none", controlled = "none" }

[[classification.defaults]]
level = "public"
listener = "printers"
network = "10.5.0.0/16"

[[labels]]
source = "header"
name = "X-Class"
values = { open = "public" }

[roles]
dpo = "dpo@council.example"

[[rules]]
name = "Secret in the subject"
when = { subject = { mark = "[SECRET]" } }
reject = true
override = true
advice = "take it out"

[[rules]]
name = "Census"
when = { any = [{ attachments = { name = "*.xml" } }, { attachments = { locked = true } }] }
warn = "Census files go elsewhere."
notify = "dpo"
copy_to = "archive@council.example"

[[rules]]
name = "Crowd"
when = { visible = { outside_over = 1 } }
warn = "Use Bcc."

[[rules]]
name = "Stranger"
when = { first_contact = true }
hold = true

[[rules]]
name = "Lowered"
when = { resent_lower = true }
reject = true
advice = "no"

[[rules]]
name = "Links"
when = { links = { to = "cloud.example" } }
reject = true
advice = "no links"

[[rules]]
name = "At night"
when = { time = { from = "20:00", to = "06:00", zone = "UTC" } }
reject = true
advice = "tomorrow"

[[rules]]
name = "Rest"
route = ["encrypted"]
"""


@pytest.fixture
def rich(tmp_path: Path) -> Policy:
    (tmp_path / "rich.toml").write_text(RICH.replace('warn = "Use Bcc."', 'warn = "Use Bcc."\nraise = "controlled"'))
    return load(built_in_bundle(tmp_path / "rich.toml")).policy


BASE = "at = 2026-11-22T10:00:00Z\nknown = true\nresent = false"


@pytest.mark.parametrize(
    ("more", "expect"),
    [
        ("", 'rule = "Rest", warns = [], warned_by = [], notifies = [], copies = []'),
        ('headers = { Subject = "[SECRET]" }', 'rule = "Secret in the subject"'),
        ('headers = { Subject = "[SECRET]" }\noverridden = ["Secret in the subject"]', 'rule = "Rest"'),
        (
            'files = [{ name = "a.XML", type = "text/xml", bytes = "1KiB" }]',
            'warns = ["Census files"], warned_by = ["Census"], notifies = ["dpo"], '
            'copies = ["archive@council.example"]',
        ),
        ('files = [{ name = "a.zip", members = ["x/b.xml"] }]', 'warned_by = ["Census"]'),
        ('files = [{ name = "a.zip", locked = true }]', 'warned_by = ["Census"], notifies = ["dpo@council.example"]'),
        ('listener = "printers"\nclient = "10.5.1.1"', 'level = "public"'),
        ('listener = "printers"\nclient = "10.6.1.1"', 'level = "controlled"'),
        (
            'headers = { X-Class = "open" }\nvisible = ["a@x.example", "b@y.example", "c@z.example"]',
            'level = "controlled", warned_by = ["Crowd"]',
        ),
        ('headers = { X-Class = "open" }\nvisible = ["a@x.example"]', 'level = "public"'),
        ("html = \"<a href='https://cloud.example/x'>x</a>\"", 'rule = "Links"'),
        ('text = "see https://cloud.example/x"', 'rule = "Links"'),
    ],
)
def test_every_key_of_a_case_reaches_the_rules(more: str, expect: str, rich: Policy, tmp_path: Path) -> None:
    assert run(tmp_path, rich, case(expect, f"{BASE}\n{more}")) == (1, [])


@pytest.mark.parametrize(
    ("base", "expect"),
    [
        (BASE.replace("known = true", "known = false"), 'rule = "Stranger", action = "hold"'),
        (BASE.replace("known = true", 'known = "unknown"'), 'action = "open"'),
        (BASE.replace("resent = false", 'resent = "unknown"'), 'action = "open"'),
        (BASE.replace("known = true\nresent = false", ""), 'rule = "Rest"'),
        (BASE.replace("resent = false", "resent = true"), 'rule = "Lowered"'),
        (BASE.replace("T10", "T22"), 'rule = "At night"'),
    ],
)
def test_history_and_time_are_what_the_case_says(base: str, expect: str, rich: Policy, tmp_path: Path) -> None:
    headers = 'headers = { X-Class = "open" }'
    assert run(tmp_path, rich, case(expect, f"{base}\n{headers}")) == (1, [])


@pytest.mark.parametrize(
    ("expect", "problem"),
    [
        ('warns = ["Bcc"]', "no warning says 'Bcc': ['Census files go elsewhere. "),
        ("warns = []", "there are warnings, expected none: ['Census"),
        ("warned_by = []", "the warning rules are ['Census'], expected []"),
        ('warned_by = ["Census", "Crowd"]', "the warning rules are ['Census'], expected ['Census', 'Crowd']"),
        ("notifies = []", "the notified are ['dpo@council.example'], expected []"),
        (
            'copies = ["x@council.example"]',
            "the copies are ['archive@council.example'], expected ['x@council.example']",
        ),
        ('level = "public"', "the level is 'controlled', expected 'public'"),
        ('patience = "4h"', "the patience is None, expected datetime.timedelta(seconds=14400)"),
    ],
)
def test_effects_that_do_not_come_out_are_problems(expect: str, problem: str, rich: Policy, tmp_path: Path) -> None:
    files = 'files = [{ name = "a.xml" }]'
    [found] = run(tmp_path, rich, case(expect, f"{BASE}\n{files}"))[1]
    assert found.startswith(f"0.toml: cases[1]: `c`: {problem}")


def test_several_recipients_are_each_expected_to_go_the_same_way(policy: Policy, tmp_path: Path) -> None:
    text = case('rule = "Controlled"').replace('to = "b@x.example"', 'to = ["b@x.example", "c@council.example"]')
    found = run(tmp_path, policy, text)
    assert found == (
        1,
        ["0.toml: cases[1]: `c` for c@council.example: the rule is 'Inside the organisation', expected 'Controlled'"],
    )
