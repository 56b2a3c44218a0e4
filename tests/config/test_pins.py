from pathlib import Path

import pytest

from gateway.config.bundle import read_bundle
from gateway.config.files import check_files
from gateway.config.load import examine
from gateway.core.pin import Pin
from gateway.core.tls import Channel, MxAuth, Requirement
from tests.config.certified import certified, credential
from tests.fixtures.council import change

HEX = "0f" * 32
FULL = f"""
[[tls.pins]]
name = "Health Trust"
domains = ["Trust.example", "*.trust.example"]
grade = "pinned"
fingerprints = ["sha256:{HEX}", "sha256:{"AB:" * 31}CD"]
match_names = ["Mail.trust.example"]
ca = "certs/trust-ca.pem"
client_certificate = "certs/ours.pem"
private_key = "certs/ours.key"
"""


def with_pins(folder: Path, text: str, *edits: tuple[str, str]) -> Path:
    config = certified(folder)
    ours = credential("ours.example")
    for name, data in {"ours.pem": ours.certificate_pem, "ours.key": ours.key_pem, "trust-ca.pem": ours.pem}.items():
        (folder / "certs" / name).write_bytes(data)
    change(config, *edits)
    with config.open("a") as file:
        file.write(text)
    return config


def problems(config: Path) -> list[tuple[str, str]]:
    return [(problem.key, problem.text) for problem in examine(read_bundle(config)).problems]


def test_a_pin_is_read_with_all_it_may_have(tmp_path: Path) -> None:
    examined = examine(read_bundle(with_pins(tmp_path, FULL)))
    assert not examined.problems and examined.settings is not None
    pins = examined.settings.pins
    assert pins.all == (
        Pin(
            name="Health Trust",
            domains=("trust.example", "*.trust.example"),
            requirement=Requirement(MxAuth.NONE, Channel.PINNED),
            fingerprints=frozenset({HEX, "ab" * 31 + "cd"}),
            names=("mail.trust.example",),
            authorities=str(tmp_path / "certs/trust-ca.pem"),
            certificate=str(tmp_path / "certs/ours.pem"),
            private_key=str(tmp_path / "certs/ours.key"),
        ),
    )
    assert pins.of("a.b.trust.example") is pins.all[0]
    assert pins.of("distrust.example") is None
    assert not check_files(examined).problems


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        (FULL.replace('"sha256:' + HEX, '"sha1:' + HEX), "fingerprints", "is not sha256:"),
        (FULL.replace("Trust.example", "trust example"), "domains", "is not a domain"),
        (FULL.replace('client_certificate = "certs/ours.pem"\n', ""), "private_key", "needs client_certificate"),
        (FULL + FULL.replace("Health", "Other"), "domains", "is pinned for Health Trust already"),
        ('[[tls.pins]]\nname = "A"\ndomains = ["a.example"]\ngrade = "pinned"\n', "fingerprints", "needs the"),
        ('[[tls.pins]]\nname = "A"\ndomains = ["a.example"]\ngrade = "dane"\n', "grade", "trust_ad = true"),
        (
            '[[tls.pins]]\nname = "A"\ndomains = ["a.example"]\ngrade = "encrypted"\nmatch_names = ["b.example"]\n',
            "grade",
            "at least verified",
        ),
        ('[[tls.pins]]\nname = "A"\ndomains = ["a.example"]\ngrade = "secure"\n', "grade", "known are authentic, dane"),
    ],
)
def test_a_pin_that_could_not_hold_is_a_problem_of_its_key(tmp_path: Path, text: str, key: str, words: str) -> None:
    found = problems(with_pins(tmp_path, text))
    assert any(place.startswith("tls.pins[") and place.endswith(key) and words in said for place, said in found), found


def test_dane_can_be_demanded_where_dnssec_is_believed(tmp_path: Path) -> None:
    text = '[[tls.pins]]\nname = "A"\ndomains = ["a.example"]\ngrade = "dane"\n'
    config = with_pins(tmp_path, text, ("trust_ad    = false", "trust_ad    = true"))
    assert problems(config) == []


def test_the_files_of_a_pin_are_looked_at(tmp_path: Path) -> None:
    config = with_pins(tmp_path, FULL)
    (tmp_path / "certs/trust-ca.pem").write_text("no certificate")
    (tmp_path / "certs/ours.key").unlink()
    found = {problem.key: problem.text for problem in check_files(examine(read_bundle(config))).problems}
    assert set(found) == {"tls.pins[1].ca", "tls.pins[1].private_key"}, found
