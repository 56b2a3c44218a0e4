"""``[audit]``: what it is read to, and what is refused with file and key."""

from datetime import timedelta
from pathlib import Path

import pytest

from gateway.app.source import wiring_of
from gateway.app.wiring import changed
from gateway.audit.keys import new_key
from gateway.config.bundle import read_bundle
from gateway.config.load import Examined, examine
from tests.config.certified import certified
from tests.signing.keys import rsa_pem


def examined(folder: Path, more: str = "", key: bytes | None = None) -> Examined:
    config = certified(folder)
    (folder / "certs/audit.key").write_bytes(new_key() if key is None else key)
    with config.open("a") as file:
        file.write(f'\n[audit]\nfolder = "trail"\nkey = "file:certs/audit.key"\n{more}')
    return examine(read_bundle(config))


def test_the_defaults(tmp_path: Path) -> None:
    found = examined(tmp_path)
    assert found.problems == () and found.settings is not None
    audit = found.settings.audit
    assert audit is not None
    assert (audit.folder, audit.anchor_every, audit.keep) == (
        tmp_path / "trail",
        timedelta(minutes=10),
        timedelta(days=730),
    )
    assert "PRIVATE" not in repr(found.settings)


def test_without_the_table_nothing_is_exported(tmp_path: Path) -> None:
    found = examine(read_bundle(certified(tmp_path)))
    assert found.settings is not None and found.settings.audit is None


def test_all_that_can_be_set(tmp_path: Path) -> None:
    found = examined(tmp_path, 'anchor = "1h"\nfile_size = "1MiB"\nkeep = "90d"\nlegal_hold = true\n')
    assert found.problems == () and found.settings is not None and found.settings.audit is not None
    audit = found.settings.audit
    assert (audit.anchor_every, audit.file_size, audit.keep, audit.legal_hold) == (
        timedelta(hours=1),
        1024 * 1024,
        timedelta(days=90),
        True,
    )
    assert [warning.key for warning in found.warnings if "audit" in warning.key] == ["audit.legal_hold"]


@pytest.mark.parametrize(
    ("more", "key", "words"),
    [
        ('anchor = "1d"', "audit.anchor", "1h is long"),
        ('file_size = "1KiB"', "audit.file_size", "at least 1MiB"),
        ('kep = "1d"', "audit.kep", "did you mean `keep`"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, more: str, key: str, words: str) -> None:
    [problem] = examined(tmp_path, more).problems
    assert problem.key == key and words in problem.text


@pytest.mark.parametrize(("key", "words"), [(b"nonsense", "PEM"), (rsa_pem(2048), "Ed25519"), (b"", "empty")])
def test_a_key_that_cannot_sign_is_refused(tmp_path: Path, key: bytes, words: str) -> None:
    [problem] = examined(tmp_path, key=key).problems
    assert problem.key == "audit.key" and words in problem.text


def test_a_change_needs_a_restart(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    before, after = examined(tmp_path / "a"), examined(tmp_path / "b", 'keep = "1d"')
    assert before.settings is not None and after.settings is not None
    assert "audit" in changed(wiring_of(before.settings), wiring_of(after.settings))
