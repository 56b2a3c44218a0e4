"""The shipped policies, exhaustively: no label and no button ever gives a message less protection (R17)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise, product
from pathlib import Path

import pytest

from gateway.config.builtin import built_in_bundle
from gateway.config.load import Loaded, load
from gateway.config.policy_tests import run_policy_tests
from gateway.config.what_if import likely_route
from gateway.core.address import Address, parse_address
from gateway.core.decide import decide
from gateway.core.decision import Decision, Refused, Routed
from gateway.core.facts import Facts, Intent, Lookup
from gateway.core.floors import shortfalls
from gateway.core.labels import HeaderSource
from gateway.core.policy import Policy
from gateway.core.route import Route
from gateway.core.tls import Protection, Starttls
from tests.fixtures.build import MIB, facts

POLICIES = Path(__file__).parents[2] / "policies"
NAMES = sorted(path.stem for path in POLICIES.glob("*.toml"))
LIMIT = 13 * MIB
GIVEN_BACK = Protection.SEALED + 1


@dataclass(frozen=True, slots=True)
class Circumstances:
    """All but level and button."""

    automatic: bool
    sender: str
    recipient: Address
    files: int
    tls: Starttls


@pytest.fixture(params=NAMES)
def loaded(request: pytest.FixtureRequest) -> Loaded:
    return load(built_in_bundle(POLICIES / f"{request.param}.toml"))


def circumstances(policy: Policy) -> Iterator[Circumstances]:
    own = min(policy.organisation.domains)
    members = [f"member@{min(group.domains.exact)}" for group in policy.groups.values() if group.domains.exact]
    below = [f"member@deep.below.{min(group.domains.below)}" for group in policy.groups.values() if group.domains.below]
    recipients = [f"a@{own}", f"a@sub.{own}", "a@partner.example", *members, *below]
    senders = [
        f"officer@{own}",
        "",
        *(address for group in policy.groups.values() for address in sorted(group.addresses)),
    ]
    for automatic, sender, recipient, files, tls in product(
        (False, True), senders, recipients, (0, LIMIT, LIMIT + 1), Starttls
    ):
        yield Circumstances(automatic, sender, parse_address(recipient), files, tls)


def made(level: str, intent: Intent, around: Circumstances) -> Facts:
    outside = {(Lookup.STARTTLS, around.recipient.domain): around.tls}
    return facts(level, intent, automatic=around.automatic, sender=around.sender, files=around.files, outside=outside)


def protection(decision: Decision, routes: Mapping[str, Route], tls: Starttls) -> int:
    """What the message has on the worst way it may take, and on the one it would take; given back is best of all."""
    if isinstance(decision, Refused):
        return GIVEN_BACK
    assert isinstance(decision, Routed)
    likely = likely_route(decision, routes, tls)
    worst = min(max(routes[name].gives, decision.floor) for name in decision.chain)
    return GIVEN_BACK if likely is None else max(worst, decision.floor)


def rank(policy: Policy, level: str, intent: Intent, around: Circumstances) -> int:
    decision = decide(made(level, intent, around), around.recipient, policy).decision
    return protection(decision, policy.routes, around.tls)


def test_a_shipped_policy_has_no_warning_and_passes_its_own_tests(loaded: Loaded) -> None:
    run = run_policy_tests(loaded.settings.policy, loaded.policy)
    assert loaded.warnings == ()
    assert run.problems == ()
    assert run.cases >= 7


def test_no_rule_can_fall_below_its_floor(loaded: Loaded) -> None:
    assert shortfalls(loaded.policy) == ()
    assert shortfalls(replace(loaded.policy, floors=dict.fromkeys(loaded.policy.reading.levels, Protection.SEALED)))


def test_intent_only_raises(loaded: Loaded) -> None:
    policy = loaded.policy
    seen: set[int] = set()
    for around, level in product(circumstances(policy), policy.reading.levels):
        ranks = [rank(policy, level, intent, around) for intent in Intent]
        assert ranks == sorted(ranks), (around, level, ranks)
        seen.update(ranks)
    assert {Protection.NONE, Protection.VERIFIED, Protection.SEALED, GIVEN_BACK} <= seen


def test_a_higher_label_never_gets_a_less_protected_route(loaded: Loaded) -> None:
    policy = loaded.policy
    for around, intent in product(circumstances(policy), Intent):
        ranks = [rank(policy, level, intent, around) for level in policy.reading.levels]
        assert all(lower <= higher for lower, higher in pairwise(ranks)), (around, intent, ranks)


def test_encrypted_over_its_limit_is_never_silently_tls(loaded: Loaded) -> None:
    policy = loaded.policy
    for level in policy.reading.levels:
        sender, recipient = f"a@{min(policy.organisation.domains)}", parse_address("a@partner.example")
        over = Circumstances(False, sender, recipient, LIMIT + 1, Starttls.YES)
        decision = decide(made(level, Intent.ENCRYPTED, over), recipient, policy).decision
        assert isinstance(decision, Refused)
        assert "the limit is 13 MiB" in decision.reason


def test_public_without_a_button_reaches_a_domain_without_tls(loaded: Loaded) -> None:
    policy = loaded.policy
    sender, recipient = f"a@{min(policy.organisation.domains)}", parse_address("a@partner.example")
    around = Circumstances(False, sender, recipient, 0, Starttls.NO)
    decision = decide(made("public", Intent.NONE, around), recipient, policy).decision
    assert isinstance(decision, Routed)
    assert likely_route(decision, policy.routes, Starttls.NO) == "opportunistic"
    assert rank(policy, "public", Intent.SECURE, around) > Protection.NONE


def test_every_level_has_a_header_that_gives_it(loaded: Loaded) -> None:
    reading = loaded.policy.reading
    headers = [source for source in reading.sources if isinstance(source, HeaderSource)]
    assert {level for source in headers for level in source.values.values()} >= set(reading.levels)


def test_no_mark_in_a_subject_lowers_the_default(loaded: Loaded) -> None:
    reading = loaded.policy.reading
    at = reading.levels.index(reading.default)
    marks = [
        level for source in reading.sources if not isinstance(source, HeaderSource) for level in source.marks.values()
    ]
    assert marks
    assert all(reading.levels.index(level) >= at for level in marks)


def test_every_advice_says_what_to_do_in_its_first_120_characters(loaded: Loaded) -> None:
    """R13: the first sentence is an instruction and ends within the limit."""
    for rule in loaded.policy.rules:
        assert 0 < rule.advice.text.find(".") < 120, rule.advice
