"""One folder for each broken configuration, with exactly the findings expected; `none` is the sound one they vary."""

import shutil
from pathlib import Path

import pytest

from gateway.config.bundle import read_bundle
from gateway.config.files import check_files
from gateway.config.load import examine
from gateway.config.problems import ConfigError, Problem

ROOT = Path(__file__).parents[1] / "badconfig"


def found(config: Path) -> tuple[Problem, ...]:
    try:
        examined = examine(read_bundle(config))
    except ConfigError as error:
        return error.problems
    return (*examined.problems, *check_files(examined).problems)


@pytest.mark.parametrize("folder", sorted(path.name for path in ROOT.iterdir() if path.is_dir()))
def test_a_broken_configuration_is_refused_for_the_right_reason(folder: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "none", tmp_path, dirs_exist_ok=True)
    shutil.copytree(ROOT / folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / "hop.key").write_bytes(bytes(32))
    lines = [str(problem).replace(f"{tmp_path}/", "") for problem in found(tmp_path / "sealpost.toml")]
    assert sorted(lines) == sorted((ROOT / folder / "expected").read_text().splitlines())
