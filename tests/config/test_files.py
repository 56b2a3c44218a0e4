from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from gateway.config.bundle import read_bundle
from gateway.config.certificates import authorities_trouble, pair_trouble
from gateway.config.files import check_files
from gateway.config.load import examine
from tests.config.certified import certified, credential
from tests.fixtures.council import change

OURS, OTHER = credential("gateway.example"), credential("cjsm.example")
LOCKED = OURS.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
DAMAGED = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


def found(config: Path) -> list[tuple[str, str]]:
    page = check_files(examine(read_bundle(config)))
    return [(problem.key, problem.text.replace(f"{config.parent}/", "")) for problem in page.problems]


@pytest.mark.parametrize(
    ("certificate", "key", "text"),
    [
        (OURS.pem, None, None),
        (OURS.certificate_pem, OURS.key_pem, None),
        (b"xx\n", None, "there is no certificate in PEM form in a.pem"),
        (b"", OURS.key_pem, "there is no certificate in PEM form in a.pem"),
        (OURS.key_pem, None, "there is no certificate in PEM form in a.pem"),
        (OURS.certificate_pem, None, "there is no private key in PEM form in a.pem, and no private_key is named"),
        (OURS.certificate_pem, b"xx", "there is no private key in PEM form in a.key"),
        (OURS.certificate_pem, OTHER.key_pem, "the private key in a.key does not belong to the certificate in a.pem"),
        (OURS.certificate_pem, LOCKED, "the private key in a.key has a passphrase, which nobody could type in"),
    ],
)
def test_a_pair_is_told_in_plain_words(tmp_path: Path, certificate: bytes, key: bytes | None, text: str | None) -> None:
    (tmp_path / "a.pem").write_bytes(certificate)
    if key is not None:
        (tmp_path / "a.key").write_bytes(key)
    got = pair_trouble(tmp_path / "a.pem", None if key is None else tmp_path / "a.key")
    assert (got and got.replace(f"{tmp_path}/", "")) == text


def test_a_damaged_file_is_named_once(tmp_path: Path) -> None:
    file = tmp_path / "a.pem"
    file.write_bytes(DAMAGED + OURS.key_pem)
    assert (pair_trouble(file, None) or "").startswith(f"OpenSSL cannot load {file}: ")
    assert (authorities_trouble(file) or "").startswith(f"OpenSSL cannot load {file}: ")


def test_authorities_are_certificates(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_bytes(OURS.certificate_pem + OTHER.certificate_pem)
    assert authorities_trouble(file) is None
    file.write_bytes(OURS.key_pem)
    assert authorities_trouble(file) == f"there is no certificate in PEM form in {file}"


@pytest.mark.parametrize("trouble", [lambda file: pair_trouble(file, None), authorities_trouble])
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, trouble: Callable[[Path], str | None]) -> None:
    assert trouble(tmp_path) == f"the file {tmp_path} cannot be read: Is a directory"


def test_each_file_is_checked_under_its_key(tmp_path: Path) -> None:
    config = certified(tmp_path)
    change(config, ('ca = "system"', 'ca = "certs/ca.pem"'))
    assert found(config) == [("tls.ca", "there is no file certs/ca.pem")]
    for name in ("ca", "gateway", "cjsm"):
        (tmp_path / f"certs/{name}.pem").write_text("xx")
    assert found(config) == [
        ("tls.ca", "there is no certificate in PEM form in certs/ca.pem"),
        ("listen.smtp[1].certificate", "there is no certificate in PEM form in certs/gateway.pem"),
        ("routes.cjsm.client_certificate", "there is no certificate in PEM form in certs/cjsm.pem"),
    ]


def test_a_key_of_its_own_is_used_and_one_that_is_missing_is_one_problem(tmp_path: Path) -> None:
    config = certified(tmp_path)
    pem = '"certs/gateway.pem"'
    change(config, (pem, f'{pem}\nprivate_key = "certs/gateway.key"'))
    (tmp_path / "certs/gateway.pem").write_bytes(OURS.certificate_pem)
    assert found(config) == [("listen.smtp[1].private_key", "there is no file certs/gateway.key")]
    (tmp_path / "certs/gateway.key").write_bytes(OTHER.key_pem)
    [(key, text)] = found(config)
    assert key == "listen.smtp[1].certificate"
    assert "does not belong" in text
    (tmp_path / "certs/gateway.key").write_bytes(OURS.key_pem)
    assert found(config) == []


def test_a_problem_elsewhere_hides_no_file(tmp_path: Path) -> None:
    config = certified(tmp_path)
    for name in ("hop.key", "gateway.pem", "cjsm.pem"):
        (tmp_path / "certs" / name).unlink()
    assert [problem.key for problem in examine(read_bundle(config)).problems] == ["secrets.hop"]
    assert [key for key, _ in found(config)] == ["listen.smtp[1].certificate", "routes.cjsm.client_certificate"]
    change(config, ("workers  = 0", "worker = 0"))
    assert [key for key, _ in found(config)] == ["routes.cjsm.client_certificate"]
