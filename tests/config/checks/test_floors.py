from dataclasses import replace
from datetime import UTC, datetime, timedelta

from gateway.config.checks.floors import check_chains, check_policy
from gateway.config.page import Page
from gateway.core.conditions.message import AutomaticIs, ClassificationIs, IntentIs
from gateway.core.facts import Intent
from gateway.core.labels import HeaderSource, SubjectSource
from gateway.core.modes import Mode, Rollout
from gateway.core.policy import Policy, Rule
from gateway.core.reading import Reading
from gateway.core.tls import Protection
from tests.fixtures.build import FLOORS, LEVELS, ROUTES, policy, rule

LAST = rule("last", None, "internal")
SOURCES = (HeaderSource("X", {"p": "public", "n": None}), SubjectSource({"[R]": "restricted"}))
READING = Reading(levels=LEVELS, default="controlled", sources=SOURCES)


def with_labels(*rules: Rule, reading: Reading = READING, floors: dict[str, Protection] = FLOORS) -> Policy:
    made = policy(*rules)
    return Policy(
        organisation=made.organisation,
        reading=reading,
        floors=floors,
        groups={},
        rules=rules,
        routes=ROUTES,
        hash="",
    )


def check(made: Policy) -> tuple[list[str], list[str]]:
    page = Page("p")
    check_policy(page, made)
    return [f"{it.key}: {it.text}" for it in page.problems], [f"{it.key}: {it.text}" for it in page.warnings]


def test_a_sound_policy_has_no_finding() -> None:
    assert check(with_labels(LAST)) == ([], [])


def test_a_route_that_does_not_exist_is_named_with_the_nearest() -> None:
    page = Page("p")
    rules: list[object] = [{"route": ["broken", "interal", 7]}, {"rout": ["x"]}, "no table", {"route": "secure"}]
    check_chains(page, {"rules": rules}, frozenset({*ROUTES, "broken"}))
    assert [f"{it.key}: {it.text}" for it in page.problems] == [
        "rules[1].route: unknown route `interal`, did you mean `internal`?"
    ]


def test_a_chain_below_the_floor_says_which_mail_and_what_to_do() -> None:
    rules = (
        rule("r", ClassificationIs(frozenset({"restricted"})), "secure", below_floor="agreed"),
        rule("l", None, "tls"),
    )
    button = IntentIs(frozenset({Intent.SECURE, Intent.ENCRYPTED}))
    assert check(with_labels(rule("b", button, "encrypted"), *rules))[0] == []
    assert check(with_labels(*rules))[0] == [
        "rules[2].route: `l` can send public mail with the Encrypted button, which needs sealed, by the route `tls`, "
        "which gives encrypted; "
        'choose another route, catch that mail in an earlier rule, or say below_floor = "<reason>"'
    ]


def test_a_rule_that_nothing_reaches_is_a_warning() -> None:
    rules = rule("a", AutomaticIs(True), "internal"), rule("b", AutomaticIs(True), "internal"), LAST
    assert check(with_labels(*rules)) == (
        [],
        ["rules[2]: `b` can never be reached: earlier rules take all its mail"],
    )


def test_a_level_without_a_label_is_a_warning() -> None:
    reading = Reading(levels=LEVELS, default="controlled", sources=SOURCES[:1])
    assert check(with_labels(LAST, reading=reading)) == ([], ["labels: no label gives the level `restricted`"])


def test_a_higher_level_never_has_a_lower_floor() -> None:
    floors = {**FLOORS, "restricted": Protection.NONE}
    assert check(with_labels(LAST, floors=floors))[0] == [
        "classification.floor.restricted: the floor is below that of the lower level `controlled`"
    ]


def test_a_mode_that_has_ended_is_a_warning() -> None:
    now = datetime(2026, 11, 22, 10, tzinfo=UTC)
    ends = (now + timedelta(minutes=1), now, now + timedelta(days=367))
    rollouts = tuple(Rollout(mode=Mode.SOFT, until=until) for until in ends)
    page = Page("p")
    check_policy(page, replace(with_labels(LAST), rollouts=rollouts), now)
    assert [f"{it.key}: {it.text}" for it in page.warnings] == [
        "modes[2].until: this mode ended on 2026-11-22 10:00 UTC and does nothing: take it out"
    ]
    assert [it.key for it in page.problems] == ["modes[3].until"]
