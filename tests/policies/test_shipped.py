"""The shipped policies, exhaustively: no label and no button ever gives a message less protection (R17)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise, product
from pathlib import Path

import pytest

from gateway.config.builtin import built_in_bundle
from gateway.config.load import Loaded, load
from gateway.config.trial.policy_tests import run_policy_tests
from gateway.config.trial.what_if import likely_route
from gateway.core.address import Address, parse_address
from gateway.core.decide import decide
from gateway.core.decision import Decision, Held, Refused, Routed
from gateway.core.facts import Answer, Facts, Intent, Lookup
from gateway.core.floors import shortfalls
from gateway.core.labels import HeaderSource, SubjectSource
from gateway.core.policy import Policy
from gateway.core.route import Route
from gateway.core.tls import Protection, Starttls
from tests.fixtures.build import MIB, facts

POLICIES = Path(__file__).parents[2] / "policies"
NAMES = sorted(path.stem for path in POLICIES.glob("*.toml"))
LIMIT = 13 * MIB
GIVEN_BACK = Protection.SEALED + 1
ASKED_FOR = {Intent.NONE: Protection.NONE, Intent.SECURE: Protection.VERIFIED, Intent.ENCRYPTED: Protection.SEALED}


@dataclass(frozen=True, slots=True)
class Circumstances:
    """All but level and button. ``found`` are the ids of the detectors that found something."""

    automatic: bool
    sender: str
    recipient: Address
    files: int
    tls: Starttls
    found: frozenset[str] = frozenset()
    known: bool = True
    resent: bool = False


@pytest.fixture(params=NAMES)
def loaded(request: pytest.FixtureRequest) -> Loaded:
    return load(built_in_bundle(POLICIES / f"{request.param}.toml"))


def recipients(policy: Policy) -> Iterator[Address]:
    """Inside, outside, and one of everything that a group or register names."""
    own, registers = min(policy.organisation.domains), policy.registers
    yield from map(parse_address, (f"a@{own}", f"a@sub.{own}", "a@nobody.example"))
    for group in policy.groups.values():
        yield from (parse_address(f"member@{domain}") for domain in sorted(group.domains.exact)[:1])
        yield from (parse_address(f"member@deep.below.{domain}") for domain in sorted(group.domains.below)[:1])
    for directory in (registers.partners, registers.schools):
        yield from (parse_address(f"member@{domain}") for domain in sorted(directory.domains))
        yield from (parse_address(f"member@below.{domain}") for domain in sorted(directory.below))
    yield from (parse_address(key) for key in sorted(registers.mailboxes.addresses))


def senders(policy: Policy) -> Iterator[str]:
    yield f"officer@{min(policy.organisation.domains)}"
    yield ""
    for group in policy.groups.values():
        yield from sorted(group.addresses)[:1]
    yield from sorted({waiver.sender.label for waiver in policy.registers.waivers})


def circumstances(policy: Policy) -> Iterator[Circumstances]:
    for automatic, sender, recipient, files, tls in product(
        (False, True), senders(policy), recipients(policy), (0, LIMIT, LIMIT + 1), Starttls
    ):
        yield Circumstances(automatic, sender, recipient, files, tls)
    officer = f"officer@{min(policy.organisation.domains)}"
    for recipient, detector in product(recipients(policy), policy.detectors):
        yield Circumstances(False, officer, recipient, 1000, Starttls.NO, found=frozenset({detector.id}))
    for recipient, known, resent in product(recipients(policy), (False, True), (False, True)):
        yield Circumstances(False, officer, recipient, 0, Starttls.YES, known=known, resent=resent)


def made(level: str, intent: Intent, around: Circumstances, policy: Policy) -> Facts:
    recipient = around.recipient
    plain = facts(level, intent, automatic=around.automatic, sender=around.sender, files=around.files)
    return replace(
        plain,
        looked=frozenset(detector.id for detector in policy.detectors),
        found=around.found,
        fingerprint="f",
        outside={
            (Lookup.STARTTLS, recipient.domain): around.tls,
            (Lookup.KNOWN, recipient.key): Answer(around.known, "the test says so"),
            **{
                (lookup, key): Answer(around.resent, "the test says so") for lookup, key in asked(plain, around, policy)
            },
        },
    )


def asked(plain: Facts, around: Circumstances, policy: Policy) -> Iterator[tuple[Lookup, str]]:
    """The keys by which the history is asked whether the message was refused before."""
    seen = replace(plain, fingerprint="f", looked=frozenset(detector.id for detector in policy.detectors))
    lacks = decide(replace(seen, outside={}), around.recipient, policy).lacks
    yield from (need for need in lacks if need[0] is Lookup.RESENT)


def protection(decision: Decision, routes: Mapping[str, Route], tls: Starttls) -> int:
    """What the message has on the worst way it may take, and on the one it would take; given back is best of all."""
    if isinstance(decision, Refused):
        return GIVEN_BACK
    assert isinstance(decision, Routed | Held), decision
    likely = likely_route(decision, routes, tls)
    worst = min(max(routes[name].gives, decision.floor) for name in decision.chain)
    return GIVEN_BACK if likely is None else max(worst, decision.floor)


def rank(policy: Policy, level: str, intent: Intent, around: Circumstances) -> int:
    decision = decide(made(level, intent, around, policy), around.recipient, policy).decision
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
    """What a rule gives back until a button is pressed (M8) then goes by what the button asks for, or not at all."""
    policy = loaded.policy
    seen: set[int] = set()
    for around, level in product(circumstances(policy), policy.reading.levels):
        ranks = [rank(policy, level, intent, around) for intent in Intent]
        seen.update(ranks)
        for intent in (Intent.SECURE, Intent.ENCRYPTED):
            least = max((before for before in ranks[:intent] if before != GIVEN_BACK), default=Protection.NONE)
            assert ranks[intent] >= least, (around, level, ranks)
            if ranks[Intent.NONE] == GIVEN_BACK and ranks[intent] != GIVEN_BACK:
                assert ranks[intent] >= ASKED_FOR[intent], (around, level, ranks)
    assert {Protection.NONE, Protection.VERIFIED, Protection.SEALED, GIVEN_BACK} <= seen


def test_a_higher_label_never_gets_a_less_protected_route(loaded: Loaded) -> None:
    """What comes back has no route: a lower level may be given back where a higher one has a better way."""
    policy = loaded.policy
    for around, intent in product(circumstances(policy), Intent):
        every = [rank(policy, level, intent, around) for level in policy.reading.levels]
        ranks = [each for each in every if each != GIVEN_BACK]
        assert all(lower <= higher for lower, higher in pairwise(ranks)), (around, intent, ranks)


@pytest.mark.parametrize("name", ["derbyshire", "starter"])
def test_encrypted_over_its_limit_is_never_silently_tls(name: str) -> None:
    policy = load(built_in_bundle(POLICIES / f"{name}.toml")).policy
    for level in policy.reading.levels:
        sender, recipient = f"a@{min(policy.organisation.domains)}", parse_address("a@agency.example")
        over = Circumstances(False, sender, recipient, LIMIT + 1, Starttls.YES)
        decision = decide(made(level, Intent.ENCRYPTED, over, policy), recipient, policy).decision
        assert isinstance(decision, Refused)
        assert "the limit is 13 MiB" in decision.reason


@pytest.mark.parametrize("name", ["derbyshire", "starter"])
def test_public_without_a_button_reaches_a_domain_without_tls(name: str) -> None:
    policy = load(built_in_bundle(POLICIES / f"{name}.toml")).policy
    sender, recipient = f"a@{min(policy.organisation.domains)}", parse_address("a@plain.example")
    around = Circumstances(False, sender, recipient, 0, Starttls.NO)
    decision = decide(made("public", Intent.NONE, around, policy), recipient, policy).decision
    assert isinstance(decision, Routed)
    assert likely_route(decision, policy.routes, Starttls.NO) == "opportunistic"
    assert rank(policy, "public", Intent.SECURE, around) > Protection.NONE


def test_only_what_is_said_to_hold_no_personal_data_leaves_the_trust_unprotected() -> None:
    policy = load(built_in_bundle(POLICIES / "kcsp.toml")).policy
    unprotected: set[str] = set()
    for around, level, intent in product(circumstances(policy), policy.reading.levels, Intent):
        decision = decide(made(level, intent, around, policy), around.recipient, policy).decision
        if isinstance(decision, Routed) and decision.floor is Protection.NONE:
            assert (level, intent) == ("ordinary", Intent.NONE)
            unprotected.add(decision.rule)
    assert unprotected == {"No personal data"}


def test_every_level_has_a_header_that_gives_it(loaded: Loaded) -> None:
    reading = loaded.policy.reading
    headers = [source for source in reading.sources if isinstance(source, HeaderSource)]
    assert {level for source in headers for level in source.values.values()} >= set(reading.levels)


def test_no_mark_in_a_subject_lowers_the_default(loaded: Loaded) -> None:
    reading = loaded.policy.reading
    at = reading.levels.index(reading.default)
    marks = [
        level for source in reading.sources if isinstance(source, SubjectSource) for level in source.marks.values()
    ]
    assert marks
    assert all(reading.levels.index(level) >= at for level in marks)


def test_every_advice_says_what_to_do_in_its_first_120_characters(loaded: Loaded) -> None:
    """R13: the first sentence is an instruction and ends within the limit."""
    for rule in loaded.policy.rules:
        for text in (rule.advice.text, rule.wishes.warn.text if rule.wishes.warn else rule.advice.text):
            assert 0 < text.find(".") < 120 or 0 < text.find(":") < 120, text
