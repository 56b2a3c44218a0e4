import os
from pathlib import Path

import pytest

from gateway.cli.replace_file import keep_old, old_of, replace_file


def test_the_content_is_new_and_the_rights_are_as_before(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    path.chmod(0o604)
    replace_file(path, b"new")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", 0o604)
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.peer("root")
def test_the_owner_is_as_before(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    os.chown(path, 12345, 54321)
    replace_file(path, b"new")
    assert (path.stat().st_uid, path.stat().st_gid) == (12345, 54321)


def test_what_it_was_is_kept_beside_it_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    path.chmod(0o644)
    keep_old(path)
    replace_file(path, b"new")
    kept = tmp_path / "a.old"
    assert (kept.read_bytes(), kept.stat().st_mode & 0o777, path.read_bytes()) == (b"old", 0o600, b"new")
    assert sorted(os.listdir(tmp_path)) == ["a", "a.old"]


@pytest.mark.peer("root")
def test_what_is_kept_has_the_owner_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    os.chown(path, 12345, 54321)
    keep_old(path)
    assert (old_of(path).stat().st_uid, old_of(path).stat().st_gid) == (12345, 54321)


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        replace_file(tmp_path / "a", b"new")
    assert os.listdir(tmp_path) == []
