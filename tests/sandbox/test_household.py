"""The data folder holds a configuration that the gateway takes, and what a person changed in the policy stays."""

from dataclasses import replace
from pathlib import Path

import pytest

from gateway.config.bundle import read_bundle
from gateway.config.load import load
from gateway.core.address import parse_address
from gateway.core.decide import decide
from gateway.core.decision import Routed
from gateway.core.facts import Classification, Facts, Intent
from gateway.sandbox.credentials import Credentials
from gateway.sandbox.household import Household, Ports
from tests.fixtures.build import NOON

PORTS = Ports(smtp=2525, admin=9125, inbox=8025, dns=8053, mx=2526)


@pytest.fixture
def house(tmp_path: Path) -> Household:
    made = Household(tmp_path / "data")
    made.create()
    made.furnish(PORTS, Credentials(made.certificates))
    return made


def test_the_gateway_takes_the_configuration_without_a_warning(house: Household) -> None:
    loaded = load(read_bundle(house.config))
    assert loaded.warnings == ()
    settings = loaded.settings
    assert [(listener.host, listener.port) for listener in settings.smtp] == [("127.0.0.1", 2525)]
    assert settings.admin is not None
    assert (settings.admin.port, settings.mx.port, settings.workers) == (9125, 2526, 1)
    assert settings.dns.nameservers == ("127.0.0.1:8053",)
    assert settings.spool_dir == house.spool
    assert settings.tls_ca == house.certificates / "ca.pem"
    assert len(settings.hop_key) == 32


def test_with_a_portal_what_is_sealed_lies_there_and_nothing_warns(tmp_path: Path) -> None:
    made = Household(tmp_path / "data")
    made.create()
    made.furnish(replace(PORTS, portal=8026), Credentials(made.certificates))
    loaded = load(read_bundle(made.config))
    assert loaded.warnings == ()
    settings = loaded.settings
    assert settings.routes["encrypted"].transport == "portal" and settings.pages is not None
    assert (settings.pages.port, settings.pages.url) == (8026, "http://127.0.0.1:8026")
    key = made.certificates / "sealing.keys"
    kept = key.read_bytes()
    assert key.stat().st_mode & 0o077 == 0
    made.furnish(PORTS, Credentials(made.certificates))
    assert key.read_bytes() == kept
    assert load(read_bundle(made.config)).settings.routes["encrypted"].transport == "smarthost"


def facts(level: str, intent: Intent = Intent.NONE) -> Facts:
    return Facts(
        at=NOON,
        classification=Classification(level=level, source="test"),
        intent=intent,
        intent_source="test",
        automatic=False,
        automatic_reason="",
        sender="officer@council.example",
        header_from=("officer@council.example",),
        attachments=(),
        attachment_bytes=0,
        message_bytes=100,
    )


@pytest.mark.parametrize(
    ("recipient", "level", "intent", "chain"),
    [
        ("a@council.example", "restricted", Intent.ENCRYPTED, ("internal",)),
        ("a@police.cjsm.net", "public", Intent.SECURE, ("cjsm",)),
        ("a@tls.example", "public", Intent.NONE, ("opportunistic",)),
        ("a@tls.example", "controlled", Intent.NONE, ("tls", "encrypted")),
        ("a@tls.example", "restricted", Intent.NONE, ("secure", "encrypted")),
        ("a@tls.example", "public", Intent.SECURE, ("secure", "encrypted")),
        ("a@tls.example", "public", Intent.ENCRYPTED, ("encrypted",)),
    ],
)
def test_the_policy_sends_each_kind_of_message_its_way(
    house: Household, recipient: str, level: str, intent: Intent, chain: tuple[str, ...]
) -> None:
    policy = load(read_bundle(house.config)).policy
    decision = decide(facts(level, intent), parse_address(recipient), policy).decision
    assert isinstance(decision, Routed)
    assert decision.chain == chain


def test_a_second_start_keeps_the_policy_and_the_hop_key_and_takes_new_ports(house: Household) -> None:
    house.policy.write_text("changed")
    key = (house.certificates / "hop.key").read_bytes()
    again = Ports(smtp=1, admin=2, inbox=3, dns=4, mx=5)
    house.create()
    house.furnish(again, Credentials(house.certificates))
    assert house.policy.read_text() == "changed"
    assert (house.certificates / "hop.key").read_bytes() == key
    assert 'address     = "127.0.0.1:1"' in house.config.read_text()
    assert house.read_ports() == again


def test_secrets_and_the_spool_are_for_their_owner_alone(house: Household) -> None:
    assert {path.stat().st_mode & 0o077 for path in (house.root, house.spool, house.certificates / "hop.key")} == {0}
    assert (house.certificates / "gateway.pem").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"smtp": 1}', '{"smtp": "1", "admin": 2, "inbox": 3, "dns": 4, "mx": 5}']
)
def test_a_damaged_note_is_no_note(house: Household, text: str) -> None:
    assert house.read_ports() == PORTS
    house.ports.write_text(text)
    assert house.read_ports() is None
    house.ports.unlink()
    assert house.read_ports() is None


def test_the_note_says_where_the_inbox_is() -> None:
    assert Ports.from_json(PORTS.to_json()).inbox_url == "http://127.0.0.1:8025"
