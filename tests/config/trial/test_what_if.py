from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.config.builtin import built_in_bundle
from gateway.config.bundle import read_bundle
from gateway.config.files import check_files
from gateway.config.load import examine, load
from gateway.config.problems import ConfigError
from gateway.config.trial.what_if import Assumed, Described, Door, describe, envelope, likely_route, with_outside
from gateway.core.address import NullPath
from gateway.core.decision import Decision, Held, Open, Refused, Routed
from gateway.core.effects import NOTHING, Effects
from gateway.core.facts import Answer, Lookup, Missing
from gateway.core.tls import Protection, Starttls
from tests.config.certified import certified
from tests.fixtures.build import BOB, ROUTES, facts
from tests.fixtures.council import change, council


def routed(*chain: str, floor: Protection = Protection.ENCRYPTED) -> Routed:
    return Routed(rule="r", chain=chain, floor=floor, original_floor=floor, reason="why", advice="do")


@pytest.mark.parametrize(
    ("decision", "action", "route"),
    [
        (routed("tls", "encrypted"), "route", ("tls", "encrypted")),
        (Refused(rule="r", floor=Protection.ENCRYPTED, reason="why", advice="do"), "reject", ()),
        (Held(rule="r", chain=("tls",), floor=Protection.ENCRYPTED, reason="why", advice="do"), "hold", ("tls",)),
        (Open(rule="r", missing=("x",), floor=Protection.ENCRYPTED, reason="why", advice="do"), "open", ()),
    ],
)
def test_each_decision_has_its_word(decision: Decision, action: str, route: tuple[str, ...]) -> None:
    assert describe(decision) == Described("r", action, route, "encrypted", "why", "do", NOTHING)


def test_what_comes_with_a_decision_is_described_too() -> None:
    sent = replace(routed("tls"), patience=timedelta(hours=4), effects=Effects(copies=("a@council.example",)))
    assert describe(sent).patience == timedelta(hours=4)
    assert describe(sent).effects.copies == ("a@council.example",)
    held = Held(rule="r", chain=("tls",), floor=Protection.NONE, reason="", advice="", role="dpo", overridable=True)
    assert (describe(held).role, describe(held).overridable) == ("dpo", True)
    assert describe(replace(held, patience=timedelta(hours=4))).patience == timedelta(hours=4)
    assert describe(Refused(rule="r", floor=Protection.NONE, reason="", advice="", overridable=True)).overridable


@pytest.mark.parametrize(
    ("decision", "tls", "likely"),
    [
        (routed("tls", "encrypted"), Starttls.YES, "tls"),
        (routed("tls", "encrypted"), Starttls.UNKNOWN, "tls"),
        (routed("tls", "encrypted"), Starttls.NO, "encrypted"),
        (routed("tls"), Starttls.NO, None),
        (routed("opportunistic", floor=Protection.NONE), Starttls.NO, "opportunistic"),
        (routed("opportunistic", "encrypted"), Starttls.NO, "encrypted"),
        (routed("secure", "internal", floor=Protection.SEALED), Starttls.YES, "internal"),
        (routed("gone", "tls"), Starttls.YES, "tls"),
        (Refused(rule="r", floor=Protection.NONE, reason="", advice=""), Starttls.YES, None),
    ],
)
def test_the_likely_route_is_the_first_that_can_carry_it(decision: Decision, tls: Starttls, likely: str | None) -> None:
    assert likely_route(decision, ROUTES, tls) == likely


def test_a_recipient_given_twice_is_one() -> None:
    made = envelope(NullPath.NULL, [BOB, BOB])
    assert [recipient.address for recipient in made.recipients] == [BOB]
    assert made.reverse_path is NullPath.NULL


def test_assumptions_answer_whatever_a_rule_asks() -> None:
    outside = with_outside(facts(), Assumed(tls=Starttls.NO, resent=None)).outside
    assert outside[Lookup.STARTTLS, "partner.example"] is Starttls.NO
    known, resent = outside[Lookup.KNOWN, "bob@partner.example"], outside.get((Lookup.RESENT, "any"))
    assert isinstance(known, Answer)
    assert known.yes
    assert isinstance(resent, Missing)
    assert dict(outside) == {}


def test_the_door_can_be_named() -> None:
    made = envelope(NullPath.NULL, [BOB], Door(listener="printers", client="10.5.0.1"))
    assert (made.listener, made.client.address) == ("printers", "10.5.0.1")


def test_the_built_in_routes_carry_a_policy_without_a_warning(tmp_path: Path) -> None:
    config = council(tmp_path)
    loaded = load(built_in_bundle(tmp_path / "policies/council.toml"))
    assert loaded.warnings == ()
    assert loaded.policy.rules == load(read_bundle(config)).policy.rules
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        built_in_bundle(tmp_path / "gone.toml")


def test_files_that_are_named_must_be_there_and_secrets_be_private(tmp_path: Path) -> None:
    config = certified(tmp_path)
    change(config, ('ca = "system"', 'ca = "certs/ca.pem"'))
    examined = examine(read_bundle(config))
    (tmp_path / "certs/cjsm.pem").unlink()
    (tmp_path / "certs/gateway.pem").unlink()
    (tmp_path / "certs/relay-secret").chmod(0o640)
    page = check_files(examined)
    assert [(problem.key, problem.text) for problem in page.problems] == [
        ("tls.ca", f"there is no file {tmp_path}/certs/ca.pem"),
        ("listen.smtp[1].certificate", f"there is no file {tmp_path}/certs/gateway.pem"),
        ("routes.cjsm.client_certificate", f"there is no file {tmp_path}/certs/cjsm.pem"),
    ]
    secret = f"{tmp_path}/certs/relay-secret"
    assert [warning.text for warning in page.warnings] == [f"others can read the secret {secret}: chmod 600 {secret}"]


def test_a_complete_folder_has_no_finding(tmp_path: Path) -> None:
    page = check_files(examine(read_bundle(certified(tmp_path))))
    assert (page.problems, page.warnings) == ([], [])
