"""`sealpost selftest`: a table or JSON, an exit code that scripts can rely on, and nothing left behind."""

import json
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.sandbox.credentials import Credentials
from gateway.sandbox.household import Household, Ports
from gateway.selftest.fault import CONTROLS, NO_TLS, SELF_SIGNED
from tests.cli.conftest import Call
from tests.selftest.test_broken_gateways import sends_in_the_clear


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The sandbox's configuration; a self-test of it is short, and its folder lies where one can look."""
    household = Household(tmp_path / "data")
    household.create()
    household.furnish(Ports(smtp=1, admin=2, inbox=3, dns=4, mx=5), Credentials(household.certificates))
    monkeypatch.setattr("gateway.selftest.installation.MAX_AGE", timedelta(seconds=3))
    monkeypatch.setattr("gateway.selftest.installation._ROUTE", timedelta(seconds=1))
    monkeypatch.setattr("gateway.selftest.run.CONTROLS", CONTROLS[:1])
    monkeypatch.setattr("gateway.selftest.run.TRAPS", (NO_TLS, SELF_SIGNED))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return household.config


def test_a_sound_gateway_passes_in_a_table_and_leaves_nothing_behind(config: Path, call: Call) -> None:
    before = sorted(config.parent.rglob("*"))
    code, out, err = call("selftest", "--config", config)
    assert code == 0, out + err
    head, *lines, last = out.rstrip().splitlines()
    assert head.split("  ")[0] == "What was done"
    assert next(line for line in lines if line.startswith("offers no STARTTLS")).endswith("none left unprotected")
    assert lines[0].endswith("arrived as it should")
    assert last.endswith("faults: 0 left unprotected.")
    assert "Nothing of this leaves the machine" in err
    assert sorted(config.parent.rglob("*")) == before
    assert list((config.parent.parent / "temporary").iterdir()) == []


def test_a_broken_gateway_fails_and_the_fault_is_named(
    config: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    sends_in_the_clear(monkeypatch)
    code, out, _ = call("selftest", "--config", config)
    assert code == 1
    assert "for the host that offers no STARTTLS: seen in the clear at mx.no-starttls.selftest.invalid" in out
    assert "own witness counted" in out
    assert ": 0 left unprotected." not in out


def test_json_has_the_same_for_scripts(config: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    sends_in_the_clear(monkeypatch)
    code, out, _ = call("selftest", "--json", "--config", config)
    told = json.loads(out)
    assert (code, told["passed"], told["doubts"]) == (1, False, [])
    assert told["left_unprotected"] > 0
    assert told["unprotected_counted"] > 0
    lines = {line["fault"]: line for line in told["lines"]}
    assert lines["no-starttls"]["verdict"] == "left"
    assert {each["how"] for each in lines["no-starttls"]["violations"]} == {"in the clear"}
    assert {"level", "intent", "automatic", "floor", "where"} < lines["no-starttls"]["violations"][0].keys()
    assert lines["good"]["verdict"] == "control"


def test_a_configuration_that_cannot_be_used_is_told_with_its_problems(config: Path, call: Call) -> None:
    config.write_text(config.read_text().replace("hostname", "hostnam"))
    code, out, err = call("selftest", "--config", config)
    assert (code, out) == (2, "")
    assert "hostnam" in err


def test_certificates_that_cannot_be_loaded_are_one_sentence(config: Path, call: Call) -> None:
    (config.parent / "certs" / "gateway.pem").unlink()
    code, out, err = call("selftest", "--config", config)
    assert (code, out) == (2, "")
    assert "the self-test cannot be run: the certificates of" in err
