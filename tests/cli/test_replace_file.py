import os
from pathlib import Path

import pytest

from gateway.cli.replace_file import replace_file


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


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        replace_file(tmp_path / "a", b"new")
    assert os.listdir(tmp_path) == []
