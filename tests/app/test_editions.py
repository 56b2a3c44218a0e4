"""Policies that were in force, kept with who and why."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.app.editions import KEPT, Edition, Editions, NewPolicy, difference
from gateway.app.keeper import Keeper
from gateway.app.reload import Asked, together
from gateway.app.source import Configuration
from gateway.app.wiring import Wiring
from gateway.config.beside import pack_policy, policy_hash
from gateway.telemetry.log import Level, Log
from tests.app.world import Lines

AT = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


def new(text: bytes, minutes: int = 0, operator: str = "ann", reference: str = "CHG-1") -> NewPolicy:
    return NewPolicy(
        at=AT + timedelta(minutes=minutes),
        operator=operator,
        reference=reference,
        configuration="c1",
        policy="/etc/policy.toml",
        text=text,
    )


def add(editions: Editions, text: bytes, minutes: int = 0) -> Edition:
    edition = editions.add(new(text, minutes))
    assert edition is not None
    return edition


def test_what_came_into_force_is_kept_with_who_when_why_and_the_difference(tmp_path: Path) -> None:
    editions = Editions(tmp_path)
    first = add(editions, pack_policy(b"a = 1\nb = 2\n", {"r.csv": b"x\n"}))
    second = add(editions, pack_policy(b"a = 1\nb = 3\n", {"r.csv": b"x\ny"}), 5)
    assert list(editions.all()) == [second, first]
    assert (first.before, first.difference) == ("", "")
    assert second.before == first.hash == policy_hash(first.policy_text)
    assert (second.operator, second.reference, second.at) == ("ann", "CHG-1", AT + timedelta(minutes=5))
    assert second.difference == (
        "--- policy.toml (before)\n+++ policy.toml\n@@ -1,2 +1,2 @@\n a = 1\n-b = 2\n+b = 3\n"
        "--- r.csv (before)\n+++ r.csv\n@@ -1 +1,2 @@\n x\n+y\n"
    )
    [folder] = tmp_path.iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    names = sorted(path.name for path in folder.iterdir())
    assert names == [
        f"20261122T090{minute}00000000-{hash_[:12]}.json" for minute, hash_ in ((0, first.hash), (5, second.hash))
    ]
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_the_same_policy_again_is_no_change_but_a_return_to_it_is(tmp_path: Path) -> None:
    editions = Editions(tmp_path)
    add(editions, b"one")
    assert editions.add(new(b"one", 1)) is None
    add(editions, b"two", 2)
    add(editions, b"one", 3)
    assert [edition.policy_text for edition in editions.all()] == [b"one", b"two", b"one"]
    assert len(editions.find(policy_hash(b"one")[:6])) == 1


def test_only_the_last_fifty_are_kept(tmp_path: Path) -> None:
    editions = Editions(tmp_path)
    for number in range(KEPT + 3):
        add(editions, str(number).encode(), number)
    kept = [edition.policy_text for edition in editions.all()]
    assert len(kept) == KEPT == 50
    assert (kept[0], kept[-1]) == (b"52", b"3")


def test_what_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    editions = Editions(tmp_path)
    add(editions, b"one")
    (tmp_path / "policies/29991231T000000000000-damaged.json").write_text("{")
    assert [edition.policy_text for edition in editions.all()] == [b"one"]
    assert add(editions, b"two", 1).before == policy_hash(b"one")


def test_a_hash_is_found_by_its_beginning_and_nothing_by_none(tmp_path: Path) -> None:
    editions = Editions(tmp_path)
    one = add(editions, b"one")
    assert editions.find(one.hash[:8]) == (one,)
    assert editions.find("") == editions.find("x") == ()
    assert list(Editions(tmp_path / "nowhere").all()) == []


def test_a_register_that_comes_or_goes_is_part_of_the_difference() -> None:
    with_file = pack_policy(b"a\n", {"r.csv": b"x\n"})
    assert "+x\n" in difference(b"a\n", with_file, "p")
    assert "-x\n" in difference(with_file, b"a\n", "p")


def test_a_huge_difference_is_cut() -> None:
    huge = "".join(f"{number}\n" for number in range(100_000)).encode()
    text = difference(b"x\n", huge, "p")
    assert len(text) == 256 * 1024
    assert text.endswith("and more\n")


def test_all_who_asked_for_one_reload_are_named_once() -> None:
    asked = [Asked("ann", "CHG-1"), Asked("signal"), Asked("ann", "CHG-2")]
    assert together(asked) == Asked("ann, signal", "CHG-1, CHG-2")
    assert together([]) == Asked()


@pytest.fixture
def lines() -> Lines:
    return Lines()


def configuration(tmp_path: Path, text: bytes) -> Configuration:
    wiring = Wiring(hostname="h", workers=1, spool=tmp_path, smtp=(), admin=None, log_level="info")
    return Configuration(bundle=b"", hash="c2", policy_hash="p", policy="p.toml", policy_text=text, wiring=wiring)


def keeper(folder: Path, lines: Lines) -> Keeper:
    log: Log = Log(lines, Level.INFO)
    return Keeper(Editions(folder), log)


def test_the_log_tells_each_change_and_no_change_nothing(tmp_path: Path, lines: Lines) -> None:
    keep = keeper(tmp_path, lines).keep
    assert keep(configuration(tmp_path, b"one\n"), Asked(reference="start")) == ""
    assert keep(configuration(tmp_path, b"two\n"), Asked("ann", "CHG-7")) == ""
    assert keep(configuration(tmp_path, b"two\n"), Asked("bob")) == ""
    first, second = lines.events("policy")
    assert (first["reference"], first.get("before")) == ("start", None)
    assert (second["operator"], second["reference"]) == ("ann", "CHG-7")
    assert second["before"] == policy_hash(b"one\n")
    assert "-one\n+two\n" in str(second["difference"])


def test_a_change_that_cannot_be_kept_is_told(tmp_path: Path, lines: Lines) -> None:
    (tmp_path / "policies").write_text("in the way")
    text = keeper(tmp_path, lines).keep(configuration(tmp_path, b"one"), Asked())
    assert text.startswith("the change could not be recorded: ")
    assert len(lines.events("policy not kept")) == 1
