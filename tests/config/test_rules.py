from datetime import UTC, datetime, timedelta

import pytest

from gateway.config.checks.floors import check_chains, check_policy
from gateway.config.page import Page
from gateway.config.policy_file import read_policy
from gateway.core.address import parse_address
from gateway.core.domains import parse_party
from gateway.core.edits import Add, Remove, Retitle
from gateway.core.modes import Mode, Rollout
from gateway.core.policy import NO_WISHES, Choice, GoOn, Hold, Policy, Rule, Wishes
from gateway.core.template import Template
from tests.fixtures.build import NOON, ROUTES, policy, rule

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

[groups]
hr = { addresses = ["hr@council.example"] }

[roles]
dpo = "dpo@council.example"
information-governance = "ig@council.example"
auditor = "auditor@outside.example"
"""
WHEN = "when = { automatic = true }\n"
LAST = '[[rules]]\nname = "last"\nroute = ["tls"]\n'
REMARK = '[[rules]]\nname = "r"\n'


def read(text: str) -> tuple[Policy | None, list[str]]:
    page = Page("p")
    made = read_policy(page, text.encode(), ROUTES)
    return made, [f"{problem.key}: {problem.text}" for problem in page.problems]


def good(rules: str, top: str = "") -> Policy:
    made, problems = read(f"{top}\n{HEAD}\n{rules}")
    assert problems == []
    assert made is not None
    return made


def first(keys: str) -> Rule:
    return good(f'[[rules]]\nname = "r"\n{WHEN}{keys}\n{LAST}').rules[0]


def problems(keys: str) -> list[str]:
    made, found = read(f'{HEAD}[[rules]]\nname = "r"\n{keys}\n{LAST}')
    assert (made is None) == bool(found)
    return found


def test_a_remark_is_read_with_all_its_wishes() -> None:
    made = first(
        """
warn = "Look at {recipient}."
notify = ["dpo", "auditor"]
copy_to = "information-governance"
add_header = { Sensitivity = "Company-Confidential" }
remove_header = ["Sensitivity", "X-Mailer"]
tag_subject = "[OFFICIAL]"
receipt = true
remind_after = "5d"
raise = "restricted"
"""
    )
    assert made.action == GoOn()
    assert made.wishes == Wishes(
        warn=Template("Look at {recipient}."),
        notify=("dpo@council.example", "auditor@outside.example"),
        copies=("ig@council.example",),
        edits=(
            Remove("Sensitivity"),
            Remove("X-Mailer"),
            Add("Sensitivity", "Company-Confidential"),
            Retitle(tag="[OFFICIAL]"),
        ),
        receipt=True,
        remind_after=timedelta(days=5),
        raises="restricted",
    )


def test_a_rule_that_decides_may_wish_too_and_one_that_does_not_costs_nothing() -> None:
    made = first('route = ["tls"]\nnotify = "dpo"\ncopy_to = "archive@council.example"')
    assert made.wishes == Wishes(notify=("dpo@council.example",), copies=("archive@council.example",))
    assert first('route = ["tls"]').wishes is NO_WISHES


def test_a_hold_names_its_role_and_may_be_overridden() -> None:
    held = first('hold = true\nrelease_by = "dpo"\noverride = true')
    assert (held.action, held.overridable) == (Hold("dpo"), True)
    assert first('reject = true\noverride = true\nadvice = "x"').overridable
    assert not first("hold = true").overridable


def test_roles_and_the_way_of_choosing_are_read() -> None:
    made = good(LAST)
    assert made.roles["dpo"] == parse_address("dpo@council.example")
    assert made.choose is Choice.FIRST
    assert good(LAST, 'choose = "most-secure"').choose is Choice.MOST_SECURE
    assert read(f'choose = "most-secur"\n{HEAD}{LAST}')[1] == [
        "choose: unknown value `most-secur`, did you mean `most-secure`?"
    ]


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        (
            WHEN,
            "rules[1]: `r` needs route, reject = true or hold = true, or at least one of warn, notify, copy_to, raise, "
            "add_header, remove_header, tag_subject, receipt, remind_after",
        ),
        (
            f'{WHEN}warn = "x"\nadvice = "y"',
            "rules[1].advice: only a rule that decides has advice; say `warn` to tell the sender something",
        ),
        (f'{WHEN}notify = "dpoo"', "rules[1].notify: unknown role `dpoo`, did you mean `dpo`?"),
        (f"{WHEN}notify = []", "rules[1].notify: value should have at least 1 item after validation, not 0"),
        (f"{WHEN}notify = 3", "rules[1].notify: this is a list in square brackets"),
        (f'{WHEN}copy_to = "dp"', "rules[1].copy_to: unknown role `dp`, did you mean `dpo`?"),
        (
            f'{WHEN}copy_to = "a@"',
            "rules[1].copy_to: `a@` is not an address: the domain is not a host name",
        ),
        (
            f'{WHEN}copy_to = "a@else.example"',
            "rules[1].copy_to: a copy stays inside the organisation: `else.example` is outside",
        ),
        (
            f'{WHEN}copy_to = "auditor"',
            "rules[1].copy_to: a copy stays inside the organisation: `outside.example` is outside",
        ),
        (f'{WHEN}warn = "{{ownr}}"', "rules[1].warn: unknown word `ownr`, did you mean `owner`?"),
        (
            f'{WHEN}reject = true\nadvice = "{{recipent}}"',
            "rules[1].advice: unknown word `recipent`, did you mean `recipient`?",
        ),
        (f'{WHEN}raise = "restrictd"', "rules[1].raise: unknown level `restrictd`, did you mean `restricted`?"),
        (f'{WHEN}raises = "restricted"', "rules[1].raises: unknown key `raises`, did you mean `raise`?"),
        (
            f'{WHEN}raise = "restricted"\nhold = true',
            "rules[1].raise: this raises the level for the rules behind, so it goes without a decision",
        ),
        (
            'when = { any = [{ tls = "no" }, { automatic = true }] }\nraise = "restricted"',
            "rules[1].raise: a level is raised by the message alone, not by `tls`",
        ),
        (
            'when = { not = { recipient = "x.example" } }\nraise = "restricted"',
            "rules[1].raise: a level is raised by the message alone, not by `recipient`",
        ),
        (
            f'{WHEN}remind_after = "5d"',
            "rules[1].remind_after: a reminder waits for a receipt: this goes with receipt = true",
        ),
        (
            f'{WHEN}route = ["tls"]\nrelease_by = "dpo"',
            "rules[1].release_by: only what is held can be released: this goes with hold = true",
        ),
        (f'{WHEN}hold = true\nrelease_by = "dp"', "rules[1].release_by: unknown role `dp`, did you mean `dpo`?"),
        (
            f'{WHEN}route = ["tls"]\noverride = true',
            "rules[1].override: only what is refused or held can be sent all the same",
        ),
        (f'{WHEN}add_header = {{ "X Y" = "1" }}', "rules[1].add_header.X Y: `X Y` is not the name of a header field"),
        (
            f'{WHEN}add_header = {{ X-A = "ü" }}',
            "rules[1].add_header.X-A: the value of a header field is plain ASCII of at most 900 characters",
        ),
        (
            f'{WHEN}add_header = {{ X-A = "{"a" * 901}" }}',
            "rules[1].add_header.X-A: the value of a header field is plain ASCII of at most 900 characters",
        ),
        (
            f'{WHEN}add_header = {{ X-A = "a\\nb" }}',
            "rules[1].add_header.X-A: this is one line of text, without tabs or line ends",
        ),
        (f'{WHEN}remove_header = "x"', "rules[1].remove_header: this is a list in square brackets"),
    ],
)
def test_wishes_that_cannot_be_are_refused(keys: str, found: str) -> None:
    assert problems(keys) == [found]


@pytest.mark.parametrize(
    "name",
    ["From", "date", "Message-ID", "RECEIVED", "X-Sealpost-Intent", "Bcc", "Content-Type", "MIME-Version", "To"],
)
def test_some_fields_are_never_changed(name: str) -> None:
    assert problems(f'{WHEN}remove_header = ["X-A", "{name}"]') == [
        f"rules[1].remove_header[2]: a rule never changes the field `{name}`"
    ]
    assert problems(f'{WHEN}add_header = {{ {name} = "x" }}') == [
        f"rules[1].add_header.{name}: a rule never changes the field `{name}`"
    ]


def test_the_last_rule_decides() -> None:
    assert read(f'{HEAD}{REMARK}warn = "x"')[1] == [
        "rules[1]: `r` is the last rule, which decides: it needs route or reject = true"
    ]
    assert problems('warn = "x"') == []
    assert read(f'{HEAD}{REMARK}reject = true\noverride = true\nadvice = "x"')[1] == [
        "rules[1].override: what a token lets pass goes on by a later rule: there is none"
    ]


def test_a_role_has_an_address() -> None:
    made, found = read(f'{HEAD}clerk = "nobody"\n{LAST}')
    assert made is None
    assert found == ["roles.clerk: `nobody` is not an address: an address needs exactly one @ after the local part"]


def modes(keys: str) -> tuple[Policy | None, list[str]]:
    return read(f"{HEAD}{LAST}[[modes]]\n{keys}")


def test_modes_are_read() -> None:
    made, found = modes(
        """mode = "observe"
until = 2026-12-31
rule = "last"
sender = "group:hr"
baseline = "opportunistic"
reason = "the first month"
reference = "CH-7"
[[modes]]
mode = "soft"
until = 2026-12-31T18:00:00+01:00
sender = "council.example"
"""
    )
    assert found == []
    assert made is not None
    assert made.rollouts == (
        Rollout(
            mode=Mode.OBSERVE,
            until=datetime(2026, 12, 31, 23, 59, 59, 999999, UTC),
            rule="last",
            senders=made.groups["hr"],
            baseline="opportunistic",
            reason="the first month",
            reference="CH-7",
        ),
        Rollout(mode=Mode.SOFT, until=datetime(2026, 12, 31, 17, tzinfo=UTC), senders=parse_party("council.example")),
    )


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        ('mode = "observe"\nbaseline = "tls"', "modes[1].until: this is missing"),
        (
            'mode = "soft"\nuntil = "2026-12-31"',
            "modes[1].until: this is a date such as 2026-12-31, or a time such as 2026-12-31T18:00:00Z, without quotes",
        ),
        (
            'mode = "soft"\nuntil = 2026-12-31T10:00:00',
            "modes[1].until: a time needs its offset, such as 2026-12-31T18:00:00Z",
        ),
        (
            'mode = "observe"\nuntil = 2026-12-31',
            "modes[1].baseline: what is observed leaves by a route that is named here",
        ),
        (
            'mode = "soft"\nuntil = 2026-12-31\nbaseline = "tls"',
            "modes[1].baseline: only what is observed leaves by another route",
        ),
        ('mode = "obsrve"\nuntil = 2026-12-31', "modes[1].mode: unknown value `obsrve`, did you mean `observe`?"),
        ('mode = "soft"\nuntil = 2026-12-31\nrule = "lst"', "modes[1].rule: unknown rule `lst`, did you mean `last`?"),
        (
            'mode = "soft"\nuntil = 2026-12-31\nsender = "group:h"',
            "modes[1].sender: unknown group `h`, did you mean `hr`?",
        ),
    ],
)
def test_modes_that_cannot_be_are_refused(keys: str, found: str) -> None:
    assert modes(keys) == (None, [found])


def test_the_baseline_is_a_route() -> None:
    page = Page("p")
    check_chains(page, {"modes": [{"baseline": "tsl"}, {"baseline": "tls"}, {}]}, frozenset(ROUTES))
    assert [f"{it.key}: {it.text}" for it in page.problems] == [
        "modes[1].baseline: unknown route `tsl`, did you mean `tls`?"
    ]


@pytest.mark.parametrize(("days", "found"), [(366, []), (367, ["modes[2].until: a mode ends within a year from now"])])
def test_a_mode_ends_within_a_year(days: int, found: list[str]) -> None:
    near = Rollout(mode=Mode.SOFT, until=NOON)
    far = Rollout(mode=Mode.SOFT, until=NOON + timedelta(days=days))
    page = Page("p")
    check_policy(page, policy(rule("last", None, "internal"), rollouts=(near, far)), NOON)
    assert [f"{it.key}: {it.text}" for it in page.problems] == found
