"""Keys that sign mail: which are taken, which are warned of, and which are refused, with file and key."""

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from gateway.config.bundle import read_bundle
from gateway.config.load import Examined, examine
from tests.config.certified import certified
from tests.signing.keys import ed25519_pem, pem, rsa_pem


def examined(folder: Path, *keys: bytes, selector: str = "s{}", domain: str = "Council.example") -> Examined:
    """The example with a key in each of the files dkim-1.pem, dkim-2.pem…"""
    config = certified(folder)
    text = ""
    for number, key in enumerate(keys, 1):
        name = f"certs/dkim-{number}.pem"
        (folder / name).write_bytes(key)
        (folder / name).chmod(0o600)
        text += f'\n[[dkim]]\ndomains = ["{domain}"]\nselector = "{selector.format(number)}"\nkey = "file:{name}"\n'
    with config.open("a") as file:
        file.write(text)
    return examine(read_bundle(config))


def problems(found: Examined) -> list[tuple[str, str]]:
    return [(problem.key, problem.text) for problem in found.problems]


def warnings(found: Examined) -> list[tuple[str, str]]:
    return [(problem.key, problem.text) for problem in found.warnings if "dkim" in problem.key]


def test_both_kinds_for_one_domain_are_what_it_should_be(tmp_path: Path) -> None:
    found = examined(tmp_path, rsa_pem(), ed25519_pem())
    assert problems(found) == warnings(found) == []
    assert found.settings is not None
    rsa, ed25519 = found.settings.dkim
    assert (rsa.selector, ed25519.selector) == ("s1", "s2")
    assert rsa.domains == ed25519.domains == {"council.example"}
    assert rsa.private_key == rsa_pem().rstrip() and "PRIVATE" not in repr(found.settings)


def test_short_and_long_rsa_keys_are_warned_of(tmp_path: Path) -> None:
    found = examined(tmp_path, rsa_pem(1024), rsa_pem(2048), rsa_pem(4104))
    assert problems(found) == []
    assert warnings(found) == [
        ("dkim[1].key", "the RSA key in `certs/dkim-1.pem` has 1024 bits; it should have 2048"),
        ("dkim[3].key", "the RSA key in `certs/dkim-3.pem` has 4104 bits; some verifiers take no more than 4096"),
    ]


def test_ed25519_alone_is_warned_of(tmp_path: Path) -> None:
    ((key, text),) = warnings(examined(tmp_path, ed25519_pem()))
    assert key == "dkim" and text.startswith("council.example has an Ed25519 key alone")


def encrypted() -> bytes:
    key = load_pem_private_key(rsa_pem(), password=None)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (b"no key", "cannot be used: this is not a private key in PEM form"),
        (rsa_pem()[:300], "cannot be used: this is not a private key in PEM form"),
        (encrypted(), "has a passphrase, which nobody could type in"),
        (pem(generate_private_key(SECP256R1())), "with RSA or Ed25519, and this key is neither"),  # pyright: ignore[reportArgumentType]
    ],
)
def test_key_that_cannot_sign_is_a_problem_of_its_key(tmp_path: Path, key: bytes, words: str) -> None:
    found = examined(tmp_path, rsa_pem(), key)
    ((place, text),) = problems(found)
    assert place == "dkim[2].key" and "`certs/dkim-2.pem`" in text and words in text
    assert not [line for line in key.decode().splitlines()[1:] if line in text]


@pytest.mark.peer("openssl")
def test_rsa_key_that_no_verifier_takes_is_refused(tmp_path: Path) -> None:
    key = subprocess.run(["openssl", "genrsa", "768"], capture_output=True, check=True).stdout
    found = examined(tmp_path, key)
    assert problems(found) == [
        ("dkim[1].key", "the RSA key in `certs/dkim-1.pem` has 768 bits, and verifiers take no less than 1024")
    ]
    assert warnings(found) == []


def test_file_that_is_not_there_is_one_problem(tmp_path: Path) -> None:
    config = certified(tmp_path)
    with config.open("a") as file:
        file.write('\n[[dkim]]\ndomains = ["council.example"]\nselector = "s1"\nkey = "file:certs/none.pem"\n')
    found = examine(read_bundle(config))
    assert problems(found) == [("dkim[1].key", "the file `certs/none.pem` cannot be read: No such file or directory")]
    assert warnings(found) == []


def test_two_keys_of_one_selector_are_a_problem(tmp_path: Path) -> None:
    ((key, text),) = problems(examined(tmp_path, rsa_pem(), ed25519_pem(), selector="s1"))
    assert key == "dkim[2].selector" and "the selector s1 has another key" in text


def test_key_for_somebody_elses_domain_is_warned_of(tmp_path: Path) -> None:
    config = certified(tmp_path)
    (tmp_path / "certs/other.pem").write_bytes(rsa_pem())
    (tmp_path / "certs/other.pem").chmod(0o600)
    with config.open("a") as file:
        file.write('\n[[dkim]]\ndomains = ["other.example"]\nselector = "s1"\nkey = "file:certs/other.pem"\n')
    found = examine(read_bundle(config))
    assert problems(found) == []
    assert [key for key, text in warnings(found) if "none of these is a domain" in text] == ["dkim[1].domains"]
