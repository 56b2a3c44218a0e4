"""[portal] and [listen.portal]: read strictly, put beside the policy's levels and roles, and complete or not at all."""

from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest

from gateway.config.bundle import read_bundle
from gateway.config.load import Examined, examine
from gateway.core.address import parse_address
from gateway.core.route import Declared
from gateway.sealed.keys import new_keyring
from gateway.transports.portal import Portal
from tests.fixtures.council import change, council

PORTAL = """
[listen.portal]
address     = "127.0.0.1:9443"
url         = "https://secure.council.example/"
proxies     = ["127.0.0.1/32"]

[portal]
sender             = "secure-mail@council.example"
telephone          = "01632 960001"
wording            = ["We never ask for a password."]
unlock_by_mail_max = "controlled"
subject_max        = "public"
officer            = "ig"

[routes.sealed]
transport = "portal"
expires   = "7d"
downloads = 3
"""
KEY = '[secrets]\nsealing = "file:certs/sealing.keys"'
ROLES = '[roles]\nig = "ig@council.example"\n\n[groups]'


def written(folder: Path, *edits: tuple[str, str]) -> Examined:
    """The example with a portal, changed."""
    config = council(folder)
    (folder / "certs/sealing.keys").write_bytes(new_keyring().to_bytes())
    text = config.read_text().replace("[secrets]", KEY) + PORTAL
    for old, new in edits:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    config.write_text(text)
    change(folder / "policies/council.toml", ("[groups]", ROLES))
    return examine(read_bundle(config))


def found(examined: Examined) -> list[str]:
    return [f"{problem.key}: {problem.text}" for problem in examined.problems]


def test_everything_is_read(tmp_path: Path) -> None:
    settings = written(tmp_path).loaded().settings
    portal, pages = settings.portal, settings.pages
    assert portal is not None and pages is not None and settings.sealing is not None
    assert (portal.url, str(portal.sender)) == ("https://secure.council.example", "secure-mail@council.example")
    assert portal.codes_for == {"public", "controlled"} and portal.subject_for == {"public"}
    assert portal.officer == parse_address("ig@council.example")
    assert (portal.expires, portal.reminder, portal.max_reply) == (timedelta(days=28), timedelta(days=3), 25 * 2**20)
    assert (pages.host, pages.port, pages.url) == ("127.0.0.1", 9443, "https://secure.council.example")
    assert pages.proxies == (ip_network("127.0.0.1/32"),)
    route = settings.routes["sealed"]
    assert (route.declared, route.transport) == (Declared.SEALING, "portal")
    assert settings.transport_options["sealed"] == Portal.Options(expires=timedelta(days=7), downloads=3)
    assert "sealing=Keyring" not in repr(settings)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('sender             = "secure-mail@council.example"', 'sender = "x@elsewhere.example"', "portal.sender"),
        ('sender             = "secure-mail@council.example"', 'sender = "nobody"', "portal.sender"),
        ('unlock_by_mail_max = "controlled"', 'unlock_by_mail_max = "controled"', "portal.unlock_by_mail_max"),
        ('subject_max        = "public"', 'subject_max = "open"', "portal.subject_max"),
        ('officer            = "ig"', 'officer = "dpo"', "portal.officer"),
        ('expires   = "7d"', 'expires = "29d"', "routes.sealed"),
        ('expires   = "7d"', 'expires = "7d"\ntls = "may"', "routes.sealed.tls"),
        ('telephone          = "01632 960001"', 'telephone = "1"\nexpires = "30d"', "portal.expires"),
        ('telephone          = "01632 960001"', 'telephone = "1"\nscanner = "nothing"', "portal.scanner"),
        ('telephone          = "01632 960001"', 'telephone = "1"\nlogo = "absent.png"', "portal.logo"),
        (
            'url         = "https://secure.council.example/"',
            'url = "http://secure.council.example"',
            "listen.portal.url",
        ),
        ('proxies     = ["127.0.0.1/32"]', "", "listen.portal.certificate"),
        ('proxies     = ["127.0.0.1/32"]', 'proxies = ["0.0.0.0/0"]', "listen.portal.proxies"),
        (KEY, "[secrets]", "secrets.sealing"),
        (KEY, '[secrets]\nsealing = "env:SEALPOST_NO_SUCH_VARIABLE"', "secrets.sealing"),
        (KEY, '[secrets]\nsealing = "file:certs/hop.key"', "secrets.sealing"),
        ('codes         = "opportunistic"', "", "system.codes"),
        ('notifications = "opportunistic"', "", "system.notifications"),
        ('replies       = "internal"', "", "system.replies"),
    ],
)
def test_what_cannot_work_is_refused_at_its_key(old: str, new: str, problem: str, tmp_path: Path) -> None:
    keys = [each.partition(":")[0] for each in found(written(tmp_path, (old, new)))]
    assert keys == [problem]


def test_a_route_that_connects_says_its_tls(tmp_path: Path) -> None:
    assert found(written(tmp_path, ('tls       = "may"', ""))) == [
        "routes.opportunistic.tls: this key is missing: may, encrypt, verify or authentic"
    ]


def test_without_its_tables_a_portal_is_no_route(tmp_path: Path) -> None:
    config = council(tmp_path)
    config.write_text(config.read_text() + '[routes.sealed]\ntransport = "portal"\n')
    assert [each.partition(":")[0] for each in found(examine(read_bundle(config)))] == [
        "routes.sealed.transport",
        "secrets.sealing",
    ]


def test_the_key_may_stand_in_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keyring = new_keyring()
    monkeypatch.setenv("COUNCIL_SEALING", keyring.to_bytes().decode())
    examined = written(tmp_path, (KEY, '[secrets]\nsealing = "env:COUNCIL_SEALING"'))
    sealing = examined.loaded().settings.sealing
    assert sealing is not None and sealing.to_bytes() == keyring.to_bytes()
    assert all("env:" not in str(path) for path in examined.bundle.paths)
    assert "COUNCIL_SEALING" not in repr(examined.bundle)


def test_the_floor_of_a_sealing_route_is_the_highest(tmp_path: Path) -> None:
    config = written(tmp_path)
    assert config.loaded().settings.routes["sealed"].gives.label == "sealed"
