"""The metrics' folder is ours, private, empty, and the same for the same spool."""

import os
import stat
from pathlib import Path

import pytest

from gateway.app.metrics_folder import UnsafeFolder, empty_metrics_folder


def test_it_is_private_and_lies_in_the_runtime_directory(tmp_path: Path) -> None:
    folder = empty_metrics_folder(tmp_path / "spool", {"RUNTIME_DIRECTORY": str(tmp_path)})
    assert folder.parent == tmp_path
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_it_is_emptied_at_each_start_and_each_spool_has_its_own(tmp_path: Path) -> None:
    environment = {"RUNTIME_DIRECTORY": str(tmp_path)}
    folder = empty_metrics_folder(tmp_path / "spool", environment)
    (folder / "counter_0.db").write_bytes(b"left over")
    other = empty_metrics_folder(tmp_path / "other", environment)
    assert other != folder
    assert list(folder.iterdir()) != []
    assert empty_metrics_folder(tmp_path / "spool", environment) == folder
    assert list(folder.iterdir()) == []


def test_a_link_that_somebody_put_there_is_not_followed(tmp_path: Path) -> None:
    environment = {"RUNTIME_DIRECTORY": str(tmp_path)}
    folder = empty_metrics_folder(tmp_path / "spool", environment)
    folder.rmdir()
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").touch()
    folder.symlink_to(tmp_path / "precious")
    with pytest.raises(UnsafeFolder, match="belongs to somebody else"):
        empty_metrics_folder(tmp_path / "spool", environment)
    assert (tmp_path / "precious" / "file").exists()


def test_a_folder_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = os.geteuid()
    environment = {"RUNTIME_DIRECTORY": str(tmp_path)}
    monkeypatch.setattr(os, "geteuid", lambda: ours + 1)
    empty_metrics_folder(tmp_path / "spool", environment)
    with pytest.raises(UnsafeFolder):
        empty_metrics_folder(tmp_path / "spool", environment)
