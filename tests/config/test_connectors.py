"""Routes to sealing hosts: what they may say of themselves, and the documented examples of each."""

import shutil
from pathlib import Path

import pytest

from gateway.cli import main
from gateway.config.bundle import read_bundle
from gateway.config.load import examine, load
from gateway.core.mapping import NO_SUFFIXES, Suffixes
from tests.config.certified import certified
from tests.fixtures.council import HERE, change

RETURNS = ("returns         = true\n", "")
TWO = ('route = ["cjsm"] ', 'route = ["cjsm", "encrypted"] ')


def connectors(folder: Path, *edits: tuple[str, str]) -> Path:
    """The example with its files."""
    config = certified(folder)
    shutil.copy(HERE / "connectors.toml", config)
    shutil.copy(HERE / "policies/connectors.toml", config.parent / "policies")
    (folder / "certs/egress-password").write_bytes(b"hunter2\n")
    (folder / "certs/egress-password").chmod(0o600)
    change(config, *edits)
    return config


def found(config: Path) -> list[str]:
    """Problems, each with its key."""
    return [f"{problem.key}: {problem.text}" for problem in examine(read_bundle(config)).problems]


def test_the_documented_example_says_what_each_host_wants(tmp_path: Path) -> None:
    settings = load(read_bundle(connectors(tmp_path))).settings
    routes = settings.routes
    assert {name for name, route in routes.items() if route.returns} == {"encrypted"}
    assert routes["cjsm"].suffixes == Suffixes(sender=".cjsm.net", recipient=".cjsm.net")
    assert routes["egress"].suffixes == NO_SUFFIXES
    assert settings.returned == "opportunistic"


def test_check_accepts_the_example_and_warns_of_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["sealpost", "check", "--config", str(connectors(tmp_path))])
    with pytest.raises(SystemExit) as ended:
        main()
    out = capsys.readouterr().out
    assert not ended.value.code, out
    assert "0 problems, 0 warnings" in out


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (
            ('protection      = "sealed"\n', ""),
            'routes.encrypted.returns: only a host that seals hands mail back: this goes with protection = "sealed"',
        ),
        (
            ('sender_suffix      = ".cjsm.net"', 'sender_suffix = "cjsm.net"'),
            'routes.cjsm.sender_suffix: "cjsm.net" is no end of a domain, such as ".cjsm.net" in lower case',
        ),
        (
            ('recipient_suffix   = ".cjsm.net"', 'recipient_suffix = ".CJSM.net"'),
            'routes.cjsm.recipient_suffix: ".CJSM.net" is no end of a domain, such as ".cjsm.net" in lower case',
        ),
        (
            ('[routes.secure]\ntransport = "mx"', '[routes.secure]\ntransport = "mx"\nsender_suffix = ".cjsm.net"'),
            "routes.secure: only a route with a fixed host can have a form of addresses of its own",
        ),
        (
            ('returned = "opportunistic"', 'returned = "oportunistic"'),
            "system.returned: unknown route `oportunistic`, did you mean `opportunistic`?",
        ),
        (
            ('returned = "opportunistic"', 'returned = "encrypted"'),
            "system.returned: mail that came back would go to the host of `encrypted` again, and never leave",
        ),
    ],
)
def test_what_could_not_work_is_a_problem(edit: tuple[str, str], problem: str, tmp_path: Path) -> None:
    assert problem in found(connectors(tmp_path, edit))


def test_a_route_that_returns_mail_needs_a_way_on(tmp_path: Path) -> None:
    edits = (('returned = "opportunistic" ', "# "), ("[routes.opportunistic]", "[routes.on]"))
    config = connectors(tmp_path, *edits)
    change(config.parent / "policies/connectors.toml", ('["opportunistic"]', '["on"]'))
    (problem,) = found(config)
    assert problem.startswith("system.returned: this key is missing: ")
    change(config, RETURNS)
    assert found(config) == []


@pytest.mark.parametrize(
    ("suffixes", "rule", "warned"),
    [
        (True, TWO, "`cjsm` has addresses of its own, which no other route of the chain can use: name it alone"),
        (False, TWO, "these recipients are reached by CJSM or not at all: nothing stands in for it, so name one route"),
        (False, None, ""),
    ],
)
def test_nothing_stands_in_for_cjsm(
    suffixes: bool,
    rule: tuple[str, str] | None,
    warned: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    suffixed = [(f'{name:<18} = ".cjsm.net"\n', "") for name in ("sender_suffix", "recipient_suffix")]
    config = connectors(tmp_path, *([] if suffixes else suffixed))
    if rule is not None:
        change(config.parent / "policies/connectors.toml", rule)
    monkeypatch.setattr("sys.argv", ["sealpost", "check", "--config", str(config)])
    with pytest.raises(SystemExit):
        main()
    warnings = [line for line in capsys.readouterr().out.splitlines() if line.startswith("warning: ")]
    assert [line.partition(".route: ")[2] for line in warnings] == ([warned] if warned else [])
