"""The whole self-test over the shipped policies: green, on loopback alone; and doubtful where it proves nothing."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.core.tls import Protection
from gateway.sandbox.zone import Trouble
from gateway.selftest.engine import NotReady
from gateway.selftest.fault import REALM
from gateway.selftest.outside import Outside
from gateway.selftest.result import Became, Verdict
from gateway.selftest.run import run_selftest
from tests.selftest.conftest import Configured

pytestmark = pytest.mark.usefixtures("quick")

PIN = """\
[dns]
trust_ad = false
[[tls.pins]]
name = "Health Trust"
domains = ["*.trust.example"]
grade = "pinned"
fingerprints = ["sha256:{}"]
"""


class _Reached:
    """An audit hook cannot be taken away, so it is quiet when nobody looks."""

    def __init__(self) -> None:
        self.addresses: list[str] | None = None
        sys.addaudithook(self._heard)

    def _heard(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.addresses is not None and event in ("socket.connect", "socket.bind", "socket.sendto"):
            self.addresses.append(str(arguments[1]))


@pytest.fixture(scope="module")
def hook() -> _Reached:
    return _Reached()


@pytest.fixture
def reached(hook: _Reached) -> Iterator[list[str]]:
    hook.addresses = []
    yield hook.addresses
    hook.addresses = None


def say_nothing(_text: str) -> None:
    pass


@pytest.mark.parametrize("policy", ["starter", "derbyshire", "kcsp"])
async def test_a_shipped_policy_lets_nothing_leave_unprotected(
    policy: str, configured: Configured, reached: list[str], tmp_path: Path
) -> None:
    result = await run_selftest(*configured(policy), tmp_path, say_nothing)
    assert result.violations == ()
    assert (result.doubts, result.unprotected, result.passed) == ((), 0, True)
    verdicts = {line.key: line.verdict for line in result.lines}
    assert set(verdicts.values()) == {Verdict.SAFE, Verdict.CONTROL}
    assert [key for key, verdict in verdicts.items() if verdict is Verdict.CONTROL] == ["good", "good-sts", "good-dane"]
    assert all(line.pushed >= 4 for line in result.lines)
    became = {line.key: line.became for line in result.lines}
    assert became["spool-takes-nothing"].keys() == {Became.NOT_TAKEN}
    assert became["spool-settles-nothing"].keys() == {Became.WAITING}
    assert became["no-starttls"][Became.NEXT_ROUTE] if policy != "kcsp" else True
    assert result.summary == f"{result.pushed} messages pushed at {len(verdicts) - 3} faults: 0 left unprotected."
    assert reached
    assert [each for each in reached if not each.startswith("('127.")] == []


async def test_without_dane_its_faults_are_not_counted_as_passed_and_a_pinned_partner_is_tried(
    configured: Configured, tmp_path: Path
) -> None:
    result = await run_selftest(*configured(lines=PIN.format("ab" * 32)), tmp_path, say_nothing)
    off = [line.key for line in result.lines if line.verdict is Verdict.OFF]
    assert off == ["good-dane", "tlsa-servfail", "tlsa-other"]
    [partner] = [line for line in result.lines if line.done == "an impostor of Health Trust"]
    assert (partner.verdict, partner.pushed > 3) == (Verdict.SAFE, True)
    assert result.faults == len(result.lines) - len(off) - 2
    assert result.passed


async def test_a_policy_that_protects_nothing_proves_nothing(configured: Configured, tmp_path: Path) -> None:
    loaded, bundle = configured()
    floors = dict.fromkeys(loaded.policy.floors, Protection.NONE)
    rules = tuple(replace(rule, ignores_buttons=True) for rule in loaded.policy.rules)
    loaded = replace(loaded, policy=replace(loaded.policy, floors=floors, rules=rules))
    result = await run_selftest(loaded, bundle, tmp_path, say_nothing)
    assert "the policy demands protection for no message" in result.doubts
    assert (result.pushed, result.faults, result.violations, result.passed) == (0, 0, (), False)


async def test_where_nothing_can_arrive_nothing_is_proven(
    configured: Configured, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    done = Outside.after

    def after(self: Outside) -> None:
        done(self)
        self.world.dns.zone = replace(self.world.dns.zone, troubles={REALM: Trouble.SERVFAIL})

    monkeypatch.setattr(Outside, "after", after)
    result = await run_selftest(*configured(), tmp_path, say_nothing)
    assert (result.violations, result.passed) == ((), False)
    assert "no unprotected public message arrived even at a host in good order" in result.doubts


async def test_a_world_that_does_not_work_is_told_and_nothing_is_judged(
    configured: Configured, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(Outside, "before", lambda _self: None)
    with pytest.raises(ExceptionGroup) as caught:
        await run_selftest(*configured(), tmp_path, say_nothing)
    assert [str(each) for each in caught.value.exceptions if isinstance(each, NotReady)]
