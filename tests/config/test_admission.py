from collections.abc import Mapping
from pathlib import Path

import pytest

from gateway.config.admission import read_listeners
from gateway.config.bundle import Bundle
from gateway.config.page import Page
from gateway.config.secrets import Secrets
from gateway.config.tables import ConfigTable, SmtpTable

BUNDLE = Bundle(config=Path("/x/sealpost.toml"), policy=Path("p"), config_bytes=b"", policy_bytes=b"")
TLS = {"certificate": "c.pem", "client_ca": "system"}


def read(*tables: dict[str, object]) -> Page:
    page = Page("f")
    listeners = [SmtpTable.model_validate({"address": f"[::]:{25 + at}"} | table) for at, table in enumerate(tables)]
    read_listeners(page, listeners, Path("/x"), Secrets(page, BUNDLE))
    return page


def problems(*allow: Mapping[str, object], **more: object) -> list[str]:
    return [str(problem) for problem in read({"allow": list(allow), **more}).problems]


@pytest.mark.parametrize(
    "network",
    [
        "10.0.0.0/8",
        "192.168.0.0/16",
        "127.0.0.0/8",
        "fc00::/7",
        "fe80::/10",
        "192.0.2.0/24",
        "51.0.0.0/8",
        "2001:db9::/32",
    ],
)
def test_a_network_of_one_organisation_may_relay(network: str) -> None:
    assert problems({"networks": [network]}) == []


@pytest.mark.parametrize(
    "network",
    [
        "0.0.0.0/0",
        "::/0",
        "128.0.0.0/1",
        "8.0.0.0/7",
        "2000::/3",
        "40.107.0.0/16",
        "40.107.3.0/24",
        "104.47.1.2",
        "2a01:111:f400::/48",
    ],
)
def test_a_shared_network_proves_nothing(network: str) -> None:
    fine = {"networks": ["10.0.0.0/8"]}
    name, header = {"client_name": "a.example"}, {"require_header": {"X-Tenant": ["us"]}}
    for proof in ({}, name, header):
        found = problems(fine, {"networks": ["10.1.0.0/16", network], **proof}, **TLS)
        assert [text.split(": ", 2)[1] for text in found] == ["listen.smtp[1].allow[2]"]
        assert "is shared by many organisations" in found[0]
    assert problems(fine, {"networks": [network], **name, **header}, **TLS) == []


def test_nobody_in_particular_is_everybody() -> None:
    everybody = "f: listen.smtp[1].allow[1]: this would admit everybody: give networks or client_name"
    assert problems({}) == [everybody]
    assert problems({"require_header": {"X-Tenant": ["us"]}}) == [everybody]


def test_a_name_that_all_tenants_share_needs_a_header() -> None:
    allow: dict[str, object] = {"client_name": "mail.protection.outlook.com"}
    assert problems(allow, **TLS) == [
        "f: listen.smtp[1].allow[1]: mail.protection.outlook.com is shared by all tenants: add require_header"
    ]
    assert problems({**allow, "require_header": {"X-Tenant": ["us"]}}, **TLS) == []
    assert problems({"client_name": "mail.council.example"}, **TLS) == []


def test_a_proof_that_nobody_can_give_is_found() -> None:
    assert problems({"client_name": "mail.council.example"}) == [
        "f: listen.smtp[1].allow[1]: client_name needs the listener's certificate and client_ca"
    ]
    assert problems({"networks": ["10.0.0.0/8"], "require_header": {"X-Tenant": []}}) == [
        "f: listen.smtp[1].allow[1]: the header X-Tenant has no valid value"
    ]


def test_a_key_needs_its_certificate() -> None:
    found = problems({"networks": ["10.0.0.0/8"]}, private_key="k.pem")
    assert found == ["f: listen.smtp[1].certificate: private_key and client_ca need a certificate"]


def test_a_listener_without_clients_is_a_warning() -> None:
    page = read({})
    assert [str(warning) for warning in page.warnings] == [
        "f: listen.smtp[1]: without [[listen.smtp.allow]] nobody may send here"
    ]
    assert page.problems == []


def test_two_listeners_have_two_names() -> None:
    allow = [{"networks": ["10.0.0.0/8"]}]
    assert read({"allow": allow}, {"allow": allow}).problems == []
    twice = read({"allow": allow, "name": "front"}, {"allow": allow}, {"allow": allow, "name": "front"})
    assert [str(problem) for problem in twice.problems] == ["f: listen.smtp[3]: another listener is called front"]


def test_there_is_at_least_one_listener() -> None:
    page = Page("f")
    assert page.validate(ConfigTable, {"listen": {"smtp": []}}) is None
    assert "listen" in [problem.key for problem in page.problems]


def test_an_empty_secret_proves_nothing(tmp_path: Path) -> None:
    page = Page("f")
    bundle = Bundle(config=tmp_path / "c", policy=tmp_path, config_bytes=b"", policy_bytes=b"", secrets={"s": b"\n"})
    values = {"X-Empty": [""], "X-File": ["file:s"], "X-Good": ["us"]}
    table = SmtpTable.model_validate(
        {"address": "[::]:25", "allow": [{"networks": ["10.0.0.0/8"], "require_header": values}]}
    )
    read_listeners(page, [table], tmp_path, Secrets(page, bundle))
    assert [str(problem) for problem in page.problems] == [
        "f: listen.smtp[1].allow[1].require_header.X-Empty: an empty value proves nothing",
        "f: listen.smtp[1].allow[1].require_header.X-File: an empty value proves nothing",
    ]
