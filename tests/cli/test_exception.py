"""`sealpost exception`: what it writes can be used, ends, and leaves alone what stood there."""

import json
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from gateway.cli import exception as command
from gateway.cli import main
from gateway.config.bundle import read_bundle
from gateway.config.load import load
from gateway.core.registers.exceptions import Waiver
from tests.fixtures.council import change, council

TODAY = datetime.now(UTC).date()
SOON = (TODAY + timedelta(days=30)).isoformat()
HEAD = "reference,route,sender,recipient,up_to,until,reason\n"
LINE = "SD-1,encrypted,law@council.example,*.court.example,25MiB,2020-01-31,bundles\n"
TABLE = """# who may send more
[[exception]]
reference = "SD-1"
route     = "encrypted"
sender    = "law@council.example"
recipient = "*.court.example"
up_to     = "25MiB"
until     = 2020-01-31 # a note"""
WORDS = {
    "--route": "encrypted",
    "--sender": "law@council.example",
    "--recipient": "group:cjsm",
    "--up-to": "26MiB",
    "--until": SOON,
    "--reference": "SD-2",
    "--reason": 'a "large", case',
}


def house(folder: Path, file: str = "exceptions.csv", text: str = HEAD + LINE) -> Path:
    """A configuration whose policy keeps this register."""
    config = council(folder)
    change(folder / "policies/council.toml", ("[groups]", f'[registers]\nexceptions = "{file}"\n\n[groups]'))
    (folder / "policies" / file).write_bytes(text.encode())
    return config


def words(config: Path, **changes: str | None) -> list[str]:
    given = {**WORDS, **{f"--{name.replace('_', '-')}": value for name, value in changes.items()}}
    pairs = [word for name, value in given.items() if value is not None for word in (name, value)]
    return ["exception", "add", *pairs, "--config", str(config)]


def sealpost(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "gateway", *arguments], capture_output=True, text=True, check=False)


def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["sealpost", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


def waivers(config: Path) -> tuple[Waiver, ...]:
    return load(read_bundle(config)).policy.registers.waivers


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("exceptions.csv", HEAD + LINE),
        ("exceptions.csv", (HEAD + LINE).replace("\n", "\r\n")),
        ("exceptions.csv", "\ufeff" + HEAD + LINE.strip()),
        ("exceptions.toml", TABLE),
        ("exceptions.toml", TABLE.replace("\n", "\r\n") + "\r\n"),
    ],
)
def test_an_exception_is_added_behind_what_stands_there(tmp_path: Path, file: str, text: str) -> None:
    config = house(tmp_path, file, text)
    path = tmp_path / "policies" / file
    path.chmod(0o640)
    ran = sealpost(*words(config))
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout == f"Added to {path}, until {SOON}. `sealpost reload` puts it in force.\n"
    after = path.read_bytes().decode()
    assert after.startswith(text)
    assert after.replace("\r\n", "").count("\n") == (0 if "\r\n" in text else after.count("\n"))
    assert path.stat().st_mode & 0o777 == 0o640
    assert sorted(each.name for each in path.parent.iterdir()) == ["council.toml", file]
    old, new = waivers(config)
    assert (old.reference, old.until.year) == ("SD-1", 2020)
    assert (new.route, new.sender.label, new.recipient.label) == ("encrypted", "law@council.example", "group:cjsm")
    assert (new.up_to, new.until.isoformat(), new.reference) == (26 * 1024 * 1024, SOON, "SD-2")
    assert new.reason == 'a "large", case'


@pytest.mark.parametrize("file", ["exceptions.csv", "exceptions.toml"])
def test_an_empty_register_takes_its_first(
    tmp_path: Path, file: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = HEAD if file.endswith("csv") else ""
    config = house(tmp_path, file, empty)
    assert run(monkeypatch, capsys, words(config, reason=None))[0] == 0
    assert run(monkeypatch, capsys, words(config, reference="SD-3"))[0] == 0
    assert [waiver.reference for waiver in waivers(config)] == ["SD-2", "SD-3"]


def test_a_link_stays_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    config = house(tmp_path)
    path, kept = tmp_path / "policies/exceptions.csv", tmp_path / "kept.csv"
    path.rename(kept)
    path.symlink_to(kept)
    assert run(monkeypatch, capsys, words(config))[0] == 0
    assert path.is_symlink()
    assert len(waivers(config)) == 2


@pytest.mark.parametrize(
    ("changes", "code", "error"),
    [
        ({"until": None}, 2, "--until"),
        ({"reference": None}, 2, "--reference"),
        ({"until": "31.12.2026"}, 2, "--until: a date is year-month-day"),
        ({"until": (TODAY - timedelta(days=1)).isoformat()}, 2, "--until: an exception ends between today and "),
        ({"until": (TODAY + timedelta(days=367)).isoformat()}, 2, "--until: an exception ends between today and "),
        ({"up_to": "26MB"}, 2, "--up-to: sizes are in KiB, MiB or GiB: write 26MiB"),
        ({"up_to": "0MiB"}, 2, "--up-to: a limit of nothing is none"),
        ({"up_to": "13MiB"}, 2, "--up-to: the route `encrypted` takes 13 MiB from everybody"),
        ({"route": "secure"}, 2, "the route `secure` has no limit for attached files"),
        ({"route": "encripted"}, 1, "line 3.route: unknown route `encripted`, did you mean `encrypted`?"),
        ({"sender": "group:nobody"}, 1, "line 3.sender: unknown group `nobody`"),
        ({"recipient": "a b"}, 1, "line 3.recipient: `a b` is not a domain"),
        ({"reference": ""}, 1, "line 3.reference: this is missing"),
        ({"reason": "two\nlines"}, 1, "reason: this is one line of text"),
    ],
)
def test_what_cannot_be_an_exception_changes_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, str | None],
    code: int,
    error: str,
) -> None:
    config = house(tmp_path)
    ended, out, err = run(monkeypatch, capsys, words(config, **changes))
    assert (ended, out) == (code, "")
    assert error in err
    assert (tmp_path / "policies/exceptions.csv").read_text() == HEAD + LINE


@pytest.mark.parametrize("until", [TODAY, TODAY + timedelta(days=366)])
def test_the_first_and_the_last_day_are_possible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], until: date
) -> None:
    config = house(tmp_path)
    assert run(monkeypatch, capsys, words(config, until=until.isoformat()))[0] == 0
    assert waivers(config)[1].until == until


def test_a_file_without_a_place_for_it_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "reference,route,sender,recipient,up_to,until\n"
    config = house(tmp_path, text=text)
    code, _, err = run(monkeypatch, capsys, words(config))
    assert (code, "the file has no column `reason`" in err) == (2, True)
    (tmp_path / "policies/exceptions.csv").write_bytes(b"\xff\n")
    code, _, err = run(monkeypatch, capsys, words(config))
    assert (code, "its first line cannot be read" in err) == (2, True)
    (tmp_path / "policies/exceptions.csv").unlink()
    code, _, err = run(monkeypatch, capsys, words(config))
    assert (code, "cannot be read: No such file" in err) == (2, True)


def test_a_policy_without_the_register_says_how_to_have_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = council(tmp_path)
    code, _, err = run(monkeypatch, capsys, words(config))
    assert (code, 'add [registers] exceptions = "registers/exceptions.csv"' in err) == (2, True)
    (tmp_path / "policies/council.toml").write_text("[")
    code, _, err = run(monkeypatch, capsys, words(config))
    assert (code, "this is not TOML" in err) == (1, True)


def test_another_fault_of_the_configuration_is_mended_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = house(tmp_path)
    change(config, ('hostname = "gateway.council.example"', 'hostname = "gate way"'))
    code, _, err = run(monkeypatch, capsys, words(config))
    assert (code, "hostname: the domain is not a host name" in err) == (1, True)
    assert (tmp_path / "policies/exceptions.csv").read_text() == HEAD + LINE


def test_what_somebody_else_writes_meanwhile_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = house(tmp_path)
    path = tmp_path / "policies/exceptions.csv"

    def late(*given: object) -> None:
        path.write_text(HEAD)

    monkeypatch.setattr(command, "_check_worth", late)
    code, _, err = run(monkeypatch, capsys, words(config))
    assert (code, "was changed by somebody else" in err) == (2, True)
    assert path.read_text() == HEAD


def test_a_disk_that_fails_leaves_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = house(tmp_path)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    code, _, err = run(monkeypatch, capsys, words(config))
    assert (code, "cannot be written: No space left on device" in err) == (2, True)
    assert (tmp_path / "policies/exceptions.csv").read_text() == HEAD + LINE
    assert len(list((tmp_path / "policies").iterdir())) == 2


def test_exceptions_are_listed_with_those_that_have_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = house(tmp_path)
    assert run(monkeypatch, capsys, words(config))[0] == 0
    monkeypatch.setenv("COLUMNS", "200")
    code, out, _ = run(monkeypatch, capsys, ["exception", "list", "--config", str(config)])
    assert code == 0
    lines = [line.split() for line in out.splitlines()]
    assert lines[1] == [
        "encrypted",
        "law@council.example",
        "*.court.example",
        "25",
        "MiB",
        "2020-01-31",
        "(ended)",
        "SD-1",
        "bundles",
    ]
    assert lines[2][5:7] == [SOON, "SD-2"]
    ran = sealpost("exception", "list", "--json", "--config", str(config))
    first, second = json.loads(ran.stdout)
    assert first == {
        "route": "encrypted",
        "sender": "law@council.example",
        "recipient": "*.court.example",
        "up_to_bytes": 25 * 1024 * 1024,
        "until": "2020-01-31",
        "ended": True,
        "reference": "SD-1",
        "reason": "bundles",
    }
    assert (second["ended"], second["until"]) == (False, SOON)


def test_a_list_that_goes_by_a_pipe_cuts_nothing(tmp_path: Path) -> None:
    long = f"{'team-with-a-name-' * 3}@council.example"
    config = house(tmp_path, text=HEAD + LINE.replace("law@council.example", long).replace("bundles", "b " * 60))
    ran = sealpost("exception", "list", "--config", str(config))
    assert (ran.returncode, ran.stderr) == (0, "")
    _, line = ran.stdout.splitlines()
    assert line.split()[1:3] == [long, "*.court.example"]
    assert line.split()[-60:] == ["b"] * 60


def test_a_terminal_folds_what_it_has_no_room_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = house(tmp_path)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "60")
    code, out, _ = run(monkeypatch, capsys, ["exception", "list", "--config", str(config)])
    assert code == 0
    assert len(out.splitlines()) > 2
    assert "…" not in out


def test_no_exceptions_are_said_to_be_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = house(tmp_path, text=HEAD)
    assert run(monkeypatch, capsys, ["exception", "list", "--config", str(config)])[1] == "There are no exceptions.\n"
