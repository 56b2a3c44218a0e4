"""`sealpost simulate`: another policy over the audit on disk."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.config.bundle import read_bundle
from gateway.config.load import load
from gateway.config.trial import simulation
from gateway.core.address import parse_address
from gateway.core.decide import decide
from gateway.core.policy import Policy
from tests.cli.conftest import Call
from tests.config.certified import certified
from tests.fixtures.build import facts
from tests.fixtures.council import change
from tests.spool.audited import events, write

RULE = 'route = ["tls", "encrypted"]                          # ["secure", "encrypted"] is the stricter reading'
NOW = datetime.now(UTC)


@pytest.fixture
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The documented configuration, a candidate beside it, and two days of audit in two shards."""
    config = certified(tmp_path)
    change(config, ("sqlite:///var/spool/sealpost", "sqlite:spool"))
    policy = load(read_bundle(config)).policy
    candidate = tmp_path / "policies/new.toml"
    candidate.write_text((tmp_path / "policies/council.toml").read_text())
    for shard, days in ((0, 1), (3, 40)):
        told = (recorded(policy, f"{shard:03d}-{n}", n, NOW - timedelta(days=days, minutes=10 - n)) for n in range(6))
        write(tmp_path / "spool", *told, shard=shard)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def recorded(policy: Policy, queue_id: str, number: int, at: datetime) -> Any:
    level = policy.reading.levels[number % 3]
    address = f"r{number}@x.example"
    decision = decide(facts(level), parse_address(address), policy).decision
    return events(queue_id, facts(level), (address, decision), policy_hash=policy.hash, at=at)


@pytest.fixture
def simulate(at_home: Path, call: Call) -> Callable[..., tuple[int, Any]]:
    def run(*arguments: object) -> tuple[int, Any]:
        code, out, err = call("simulate", "--policy", at_home / "policies/new.toml", *arguments, "--json")
        assert err == ""
        return code, json.loads(out)

    return run


def counts(told: dict[str, Any]) -> dict[str, int]:
    return {key: value for key, value in told.items() if isinstance(value, int) and value}


Simulate = Callable[..., tuple[int, Any]]


def test_the_same_policy_changes_nothing(simulate: Simulate) -> None:
    code, told = simulate()
    assert code == 0
    assert counts(told) == {"messages": 6, "unchanged": 6}
    assert told["changes"] == told["by_rule"] == told["not_recorded_because"] == []


def test_less_protection_is_an_exit_code_and_stands_first(simulate: Simulate, at_home: Path) -> None:
    new = at_home / "policies/new.toml"
    change(new, ('controlled = "encrypted"', 'controlled = "none"'), (RULE, 'route = ["opportunistic"]'))
    change(new, ('name  = "Public"\nroute = ["opportunistic"]', 'name  = "Public"\nroute = ["tls"]'))
    code, told = simulate()
    assert code == 1
    assert counts(told) == {"messages": 6, "less_protected": 2, "more_protected": 2, "unchanged": 2}
    assert [each["change"] for each in told["changes"]] == ["less protected"] * 2 + ["more protected"] * 2
    first = told["changes"][0]
    assert (first["queue_id"], first["recipient"]) == ("000-1", "r1@x.example")
    assert first["was"] == {
        "rule": "Controlled",
        "action": "route",
        "route": ["tls", "encrypted"],
        "floor": "encrypted",
    }
    assert first["would"]["route"] == ["opportunistic"]
    assert {"was": "opportunistic", "would": "tls", "count": 2} in told["by_route"]
    assert {"was": "Controlled", "would": "Controlled", "count": 2} in told["by_rule"]


def test_how_far_back_and_how_many_can_be_said(simulate: Simulate, at_home: Path) -> None:
    change(at_home / "policies/new.toml", (RULE, 'route = ["secure", "encrypted"]'))
    assert simulate("--since", "60d")[1]["messages"] == 12
    day = (NOW - timedelta(days=41)).date()
    code, told = simulate("--since", day, "--limit", "3")
    assert code == 0
    assert counts(told) == {"messages": 12, "more_protected": 4, "unchanged": 8}
    assert [each["queue_id"] for each in told["changes"]] == ["000-1", "000-4", "003-1"]
    assert counts(simulate("--since", "1h")[1]) == {}


def test_people_get_lines(call: Call, at_home: Path) -> None:
    change(at_home / "policies/new.toml", (RULE, 'route = ["secure", "encrypted"]'))
    code, out, _ = call("simulate", "--policy", "policies/new.toml", "--limit", "1")
    lines = [line.strip() for line in out.splitlines()]
    assert code == 0
    assert lines[0].startswith("policies/new.toml: 6 messages, 6 recipients since ")
    assert "2  more protected" in lines
    assert "2  tls, then encrypted → secure, then encrypted" in lines
    assert "Messages that change (1 of 2)" in lines
    assert "more protected: 000-1  r1@x.example" in lines


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--since", "soon"), 2, "sealpost: --since `soon` is neither"),
        (("--policy", "none.toml"), 1, "sealpost.toml: policy: the file `none.toml` cannot be read"),
    ],
)
def test_an_error_is_one_sentence(call: Call, at_home: Path, arguments: tuple[str, ...], code: int, words: str) -> None:
    got, out, err = call("simulate", *arguments)
    assert (got, out) == (code, "")
    assert err.startswith(words)


def test_several_processes_come_to_the_same(simulate: Simulate, at_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    change(at_home / "policies/new.toml", (RULE, 'route = ["secure", "encrypted"]'))
    # A day, because 60d from now begins a second later for the second of them.
    day = (datetime.now(UTC) - timedelta(days=60)).date().isoformat()
    alone = simulate("--since", day)
    monkeypatch.setattr(simulation, "_FEW", 1)
    assert simulate("--since", day) == alone
