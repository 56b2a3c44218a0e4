import pytest

from gateway.core.conditions.logic import Not
from gateway.core.conditions.message import AutomaticIs
from gateway.core.conditions.outside import StarttlsIs
from gateway.core.facts import Intent, Lookup
from gateway.core.policy import Hold, Reject
from gateway.core.tls import Protection, Starttls
from tests.fixtures.build import policy, rule

LAST = rule("last", None, "opportunistic")


def test_a_policy_ends_in_a_rule_without_condition() -> None:
    overridable = rule("no", None, Reject(), overridable=True)
    for rules in ((), (rule("one", AutomaticIs(True), "tls"),), (LAST, rule("hold", None, Hold())), (overridable,)):
        with pytest.raises(ValueError, match="every message has an end"):
            policy(*rules)


def test_only_exact_domains_are_owned() -> None:
    assert policy(LAST).owns("council.example")
    assert not policy(LAST).owns("sub.council.example")


def test_a_policy_knows_what_its_rules_look_up() -> None:
    reading = rule("reads", Not(StarttlsIs(Starttls.NO)), "tls")
    assert policy(reading, LAST).lookups == {Lookup.STARTTLS}
    assert policy(rule("plain", AutomaticIs(True), "tls"), LAST).lookups == frozenset()


@pytest.mark.parametrize(
    ("level", "intent", "automatic", "ignores", "floor"),
    [
        ("public", Intent.NONE, False, False, Protection.NONE),
        ("restricted", Intent.NONE, False, False, Protection.VERIFIED),
        ("public", Intent.SECURE, False, False, Protection.VERIFIED),
        ("restricted", Intent.SECURE, False, False, Protection.VERIFIED),
        ("public", Intent.ENCRYPTED, False, False, Protection.SEALED),
        ("controlled", Intent.ENCRYPTED, True, False, Protection.ENCRYPTED),
        ("controlled", Intent.ENCRYPTED, False, True, Protection.ENCRYPTED),
        ("never heard of", Intent.NONE, False, False, Protection.SEALED),
    ],
)
def test_the_button_raises_the_levels_floor_and_never_lowers_it(
    level: str, intent: Intent, *, automatic: bool, ignores: bool, floor: Protection
) -> None:
    last = rule("last", None, "opportunistic", ignores_buttons=ignores)
    assert policy(last).floor(last, level, intent, automatic=automatic) is floor


def test_a_policy_knows_whether_anything_in_it_can_be_overridden() -> None:
    assert not policy(rule("no", None, "tls")).overridable
    firm = Not(AutomaticIs(True))
    assert policy(rule("no", firm, Reject(), overridable=True), rule("yes", None, "tls")).overridable
