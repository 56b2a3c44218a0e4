"""Who reports about TLS."""

from functools import cache
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.config.bundle import read_bundle
from gateway.config.load import Examined, examine
from gateway.core.address import parse_address
from gateway.core.record import Kind
from gateway.flow.options import TlsrptOptions
from tests.config.certified import certified
from tests.fixtures.council import change

TABLE = """
[tlsrpt]
organisation = "Derbyshire County Council"
contact = "mailto:postmaster@council.example"
sender = "tls-reports@Council.example"
"""
KEY = """
[[dkim]]
domains = ["COUNCIL.example"]
selector = "s2026"
key = "file:certs/dkim.key"
"""
ROUTE = ('notices       = "internal"', 'notices       = "internal"\ntls_reports = "opportunistic"')


@cache
def _dkim_key() -> bytes:
    private = rsa.generate_private_key(65537, 2048)
    kind, unlocked = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return private.private_bytes(serialization.Encoding.PEM, kind, unlocked)


def examined(folder: Path, text: str, *edits: tuple[str, str]) -> Examined:
    config = certified(folder)
    (folder / "certs/dkim.key").write_bytes(_dkim_key())
    change(config, *edits)
    with config.open("a") as file:
        file.write(text)
    return examine(read_bundle(config))


def problems(found: Examined) -> list[tuple[str, str]]:
    return [(problem.key, problem.text) for problem in found.problems]


def test_all_of_it_is_read(tmp_path: Path) -> None:
    found = examined(tmp_path, TABLE + KEY, ROUTE)
    assert found.settings is not None, problems(found)
    assert found.settings.tlsrpt == TlsrptOptions(
        organisation="Derbyshire County Council",
        contact="postmaster@council.example",
        sender=parse_address("tls-reports@council.example"),
    )
    assert found.settings.system[Kind.TLS_REPORT] == "opportunistic"


def test_without_the_table_nobody_reports(tmp_path: Path) -> None:
    found = examined(tmp_path, KEY)
    assert found.settings is not None and found.settings.tlsrpt is None


@pytest.mark.parametrize(
    ("old", "new", "key", "words"),
    [
        ("tls-reports@Council.example", "tls-reports", "tlsrpt.sender", "this is a mail address"),
        ("tls-reports@Council.example", "tls-reports@[192.0.2.1]", "tlsrpt.sender", "of a domain"),
        ("tls-reports@Council.example", "beröte@council.example", "tlsrpt.sender", "ASCII"),
        ("tls-reports@Council.example", "tls-reports@other.example", "tlsrpt.sender", "no [[dkim]] has a key"),
        ("mailto:postmaster@council.example", "https://council.example/", "tlsrpt.contact", "this is a mail address"),
        ("mailto:postmaster@council.example", "mailto:böte@council.example", "tlsrpt.contact", "ASCII"),
    ],
)  # fmt: skip
def test_an_address_that_cannot_be_used_is_a_problem_of_its_key(
    tmp_path: Path, old: str, new: str, key: str, words: str
) -> None:
    found = problems(examined(tmp_path, TABLE.replace(old, new) + KEY, ROUTE))
    assert [place for place, _ in found] == [key] and words in found[0][1], found


def test_reports_need_a_route(tmp_path: Path) -> None:
    found = problems(examined(tmp_path, TABLE + KEY))
    assert [place for place, _ in found] == ["system.tls_reports"]
