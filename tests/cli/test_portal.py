"""`sealpost portal`: what the Service Desk sees and does on the store itself, and what it is told where it cannot."""

import asyncio
import io
import json
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from gateway.app.vault import FOLDER
from gateway.core.sealed import PackageId, Secret
from gateway.core.sealing import archive_secret_name
from gateway.sealed.keys import Keyring, new_keyring
from gateway.sealed.store import SealedFiles
from tests.cli.conftest import Call
from tests.contract.test_sealed import NOW, given_out, opened, package
from tests.fixtures.council import change, council

T = TypeVar("T")
KEYS = "certs/sealing.keys"


class Desk:
    """A configuration with a store of its own, and one sealed message in it."""

    def __init__(self, folder: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self._patch = monkeypatch
        self._call = call
        self.config = council(folder)
        (folder / KEYS).write_bytes(new_keyring().to_bytes())
        (folder / KEYS).chmod(0o600)
        change(
            self.config,
            ("[secrets]", f'[secrets]\nsealing = "file:{KEYS}"'),
            ("sqlite:///var/spool/sealpost", f"sqlite:///{folder}/spool"),
        )
        (folder / "spool").mkdir()
        self.package = self.do(lambda store: store.seal(package(), given_out()))

    def keys(self) -> Keyring:
        return Keyring.parse((self.folder / KEYS).read_bytes())

    def do(self, work: Callable[[SealedFiles], Awaitable[T]]) -> T:
        async def run() -> T:
            async with opened(self.folder / "spool" / FOLDER, self.keys()) as store:
                return await work(store)

        return asyncio.run(run())

    def run(self, *words: str, stdin: str = "") -> tuple[int, str, str]:
        self._patch.setattr("sys.stdin", io.StringIO(stdin))
        return self._call("portal", *words, "--config", self.config)

    def access(self) -> list[str]:
        code, out, _ = self.run("list", "--json")
        assert code == 0
        return [each["access"] for each in json.loads(out)]


@pytest.fixture
def desk(tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(tmp_path, call, monkeypatch)


def test_the_list_has_a_line_for_each_recipient_with_the_whole_name_of_the_package(desk: Desk) -> None:
    code, out, err = desk.run("list")
    assert (code, err) == (0, "")
    head, first, second = out.splitlines()
    assert head.split()[:3] == ["PACKAGE", "RECIPIENT", "SENDER"]
    assert first.split()[:4] == [desk.package, "bob@plain.example", "anna@council.example", "open"]
    assert second.split()[:2] == [desk.package, "carol@plain.example"]
    assert desk.run("list", "nobody")[1] == "Nothing lies sealed that has `nobody` in it.\n"
    found = json.loads(desk.run("list", "carol", "--json")[1])
    assert [each["recipient"] for each in found] == ["bob@plain.example", "carol@plain.example"]
    assert found[0]["unlock"] == "code by verified mail" and found[0]["opened_at"] is None


def test_a_name_that_a_reader_gave_cannot_pass_for_an_operator_or_a_link(desk: Desk) -> None:
    given = "root  https://evil.example/"
    desk.do(lambda store: store.open_session(desk.package, 3, given, NOW, Secret.CODE))
    desk.do(lambda store: store.download(desk.package, 3, NOW, "", "part 2"))
    desk.do(lambda store: store.disown(desk.package, 3, NOW, given))
    out = desk.run("show", desk.package)[1]
    assert '  opened  recipient 3  gave the name "root https evil example"  by a code\n' in out
    assert "  downloaded  recipient 3  part 2\n" in out
    assert '  not for me  recipient 3  gave the name "root https evil example"\n' in out
    told = json.loads(desk.run("show", desk.package, "--json")[1])
    assert told["history"][1]["who"] == given


def test_closing_and_opening_again_for_one_and_for_all(desk: Desk) -> None:
    assert desk.run("revoke", desk.package, "--recipient", "Bob@plain.example")[1] == "Closed for 1 recipient.\n"
    assert desk.access() == ["revoked", "open"]
    assert desk.run("revoke", desk.package)[1] == "Closed for 1 recipient.\n"
    closed = desk.run("revoke", desk.package)
    assert closed == (0, "Nothing changed: it is closed already, or erased.\n", "")
    assert desk.run("restore", desk.package)[1] == "Opened again for 2 recipients.\n"
    assert desk.access() == ["open", "open"]
    assert desk.run("restore", desk.package) == (0, "Nothing changed: it was not closed.\n", "")


def test_all_that_happened_is_shown_with_who_did_it(desk: Desk) -> None:
    desk.run("revoke", desk.package)
    code, out, _ = desk.run("show", desk.package)
    assert code == 0 and "  sealed\n" in out and "  revoked  by " in out
    told = json.loads(desk.run("show", desk.package, "--json")[1])
    assert [each["what"] for each in told["history"]] == ["sealed", "revoked"]
    assert len(told["readers"]) == 2


def test_more_time(desk: Desk) -> None:
    before = json.loads(desk.run("list", "--json")[1])[0]["expires_at"]
    code, out, _ = desk.run("extend", desk.package, "--by", "366d")
    assert code == 0 and out.startswith(f"{desk.package} can be opened until ")
    assert json.loads(desk.run("list", "--json")[1])[0]["expires_at"] > before
    assert desk.run("extend", desk.package, "--by", "soon")[0] == 2
    code, _, err = desk.run("extend", desk.package, "--by", "367d")
    assert code == 2 and "366d at most" in err
    code, out, _ = desk.run("extend", desk.package, "--by", "3d")
    assert code == 0 and out.startswith(f"Nothing changed: {desk.package} can be opened until ")


def test_erasing_asks_first_and_is_for_good(desk: Desk) -> None:
    assert desk.run("erase", desk.package, stdin="n\n")[0] == 1
    assert desk.access() == ["open", "open"]
    assert desk.run("erase", desk.package, stdin="y\n")[1].endswith(f"{desk.package} is erased.\n")
    assert desk.run("erase", desk.package, "--yes") == (0, f"{desk.package} was erased before.\n", "")
    assert desk.run("revoke", desk.package)[0] == 0
    for word in ("extend", "restore"):
        code, _, err = desk.run(word, desk.package)
        assert (code, err) == (1, f"sealpost: {desk.package} is erased, and nothing brings it back\n")
    assert desk.access() == ["erased", "erased"]


@pytest.mark.parametrize("words", [("show",), ("revoke",), ("restore",), ("extend",), ("erase",), ("erase", "--yes")])
def test_what_is_not_there_is_said(words: tuple[str, ...], desk: Desk) -> None:
    code, _, err = desk.run(words[0], "nonsense", *words[1:])
    assert (code, "there is no package nonsense" in err) == (1, True)


def test_a_stranger_to_the_package_and_a_configuration_without_keys_are_refused(desk: Desk) -> None:
    assert desk.run("revoke", desk.package, "--recipient", "x@y.example")[0] == 2
    assert desk.run("revoke", desk.package, "--recipient", "nobody")[0] == 2
    change(desk.config, (f'sealing = "file:{KEYS}"\n', ""))
    assert desk.run("list")[2] == "sealpost: the configuration seals nothing: it has no secrets.sealing\n"


@pytest.mark.parametrize(
    ("typed", "code"), [("our own words", 0), ("short", 2), ("----------", 2), ("1234567890123", 2)]
)
def test_an_agreed_passphrase_is_one_that_can_be_typed(typed: str, code: int, desk: Desk) -> None:
    ended, out, err = desk.run("agree", "bob@plain.example", stdin=f"{typed}\n")
    assert ended == code and typed not in out + err
    sealed = desk.do(lambda store: store.seal(package("d2"), given_out()))
    readers = desk.do(lambda store: store.readers(sealed, datetime.now(UTC)))
    assert [reader.agreed for reader in readers] == [code == 0, False]
    assert desk.run("agree", "bob@plain.example", "--forget")[1] == "Forgotten for bob@plain.example.\n"


def test_an_archives_password_is_shown_again_for_a_while(desk: Desk) -> None:
    until = datetime.now(UTC) + timedelta(days=7)
    words = desk.do(lambda store: store.password(archive_secret_name("000-1", 2), until))
    head, line = desk.run("password", "000-1")[1].splitlines()
    assert (head.split(), line.split("  ")) == (["PASSWORD", "RECIPIENTS"], [words, "recipient 2"])
    more = desk.do(lambda store: store.password(archive_secret_name("000-1", 10), until))
    desk.do(lambda store: store.password(archive_secret_name("000-12", 0), until))
    shown = [re.split("  +", each) for each in desk.run("password", "000-1")[1].splitlines()[1:]]
    assert shown == [[words, "recipient 2"], [more, "recipient 10"]]
    code, _, err = desk.run("password", "000")
    assert (code, err) == (1, "sealpost: no password is kept for 000\n")


def test_a_new_key_wraps_everything_and_the_old_one_can_go(desk: Desk) -> None:
    before = desk.keys()
    code, out, err = desk.run("rotate-key")
    assert (code, err) == (0, "") and "Wrapped with it: 2.\n" in out
    assert desk.keys().keys[1:] == before.keys and desk.keys().current != before.current
    assert (desk.folder / KEYS).stat().st_mode & 0o777 == 0o600
    old = desk.folder / f"{KEYS}.old"
    assert f"The old keys are taken out; {old} is the file as it was.\n" in desk.run("rotate-key", "--drop-old")[1]
    assert len(desk.keys().keys) == 1
    assert Keyring.parse(old.read_bytes()).keys[-1] == before.keys[-1] and old.stat().st_mode & 0o777 == 0o600
    face = desk.do(lambda store: store.face(PackageId(desk.package)))
    assert face is not None and face.subject == "MARKER subject"


def test_old_keys_that_were_kept_are_never_written_over(desk: Desk) -> None:
    old = desk.folder / f"{KEYS}.old"
    old.write_bytes(b"those of a backup")
    before = desk.keys()
    code, _, err = desk.run("rotate-key", "--drop-old")
    assert code == 2 and err.startswith(f"sealpost: {old} is there from last time; move it")
    assert (desk.keys(), old.read_bytes()) == (before, b"those of a backup")


def test_keys_of_a_variable_are_rotated_where_they_are_set(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNCIL_KEYS", desk.keys().rotated("new").to_bytes().decode())
    change(desk.config, (f'sealing = "file:{KEYS}"', 'sealing = "env:COUNCIL_KEYS"'))
    assert desk.run("rotate-key")[1].startswith("The keys are in a variable. Wrapped with the first of them: 2.")
    code, out, err = desk.run("rotate-key", "--drop-old")
    assert (code, out) == (2, "") and "taken out where it is set" in err


@pytest.mark.parametrize("words", [("list",), ("rotate-key", "--drop-old"), ("agree", "x@y.example", "--forget")])
def test_without_a_store_nothing_is_made_and_no_key_dropped(desk: Desk, words: tuple[str, ...]) -> None:
    old = desk.keys().current
    (desk.folder / "spool" / FOLDER).rename(desk.folder / "away")
    code, _, err = desk.run(*words)
    assert code == 2 and "there is no store of sealed messages in" in err
    assert not (desk.folder / "spool" / FOLDER).exists()
    assert old.encode() in (desk.folder / KEYS).read_bytes()
