"""What stands in the README: the targets of make, and what a machine is told that lacks a prerequisite."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TARGETS = ("setup", "run", "test", "check", "peers", "bench")


def make(*words: str) -> str:
    """What make would do, without doing it."""
    done = subprocess.run(
        ["make", "--no-print-directory", *words], cwd=ROOT, capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_of_the_interface_exists_and_is_named_by_help(target: str) -> None:
    assert re.search(rf"^{target} +\S", make("help"), re.MULTILINE)
    make("--dry-run", target)


def test_help_needs_nothing_that_a_fresh_machine_lacks(tmp_path: Path) -> None:
    """Debian's `column`, for one, is in an optional package."""
    for name in ("awk", "sed", "sh"):
        (tmp_path / name).symlink_to(Path("/usr/bin") / name)
    done = subprocess.run(
        ["/usr/bin/make"],
        cwd=ROOT,
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("help ")


def test_targets_do_what_their_names_say() -> None:
    assert make("--dry-run", "run").rstrip().endswith("exec .venv/bin/sealpost sandbox")
    assert ".venv/bin/pytest" in make("--dry-run", "test")
    assert make("--dry-run", "peers").strip() == "deploy/peers.sh"
    assert make("--dry-run", "bench").rstrip().endswith(".venv/bin/python -m bench")
    checks = make("--dry-run", "check")
    for step in ("ruff format --check", "ruff check", "basedpyright", "lint-imports"):
        assert step in checks


def test_a_fresh_machine_makes_its_own_environment_from_hashes_first() -> None:
    steps = make("--dry-run", "--always-make", "test").splitlines()
    order = [
        next(number for number, step in enumerate(steps) if words in step)
        for words in (
            "deploy/prerequisites.sh python3",
            "python3 -m venv .venv",
            "--require-hashes -r requirements.lock",
            "--require-hashes -r requirements-dev.lock",
            "bin/pytest",
        )
    ]
    assert order == sorted(order)


VENV = '#!/bin/sh\ncase "$*" in *ensurepip*) exit 1;; esac\nexec {python} "$@"\n'
OLD = '#!/bin/sh\ncase "$*" in *version_info*) exit 1;; -V) echo Python 3.9.2;; *) exec {python} "$@";; esac\n'
FINE = '#!/bin/sh\nexec {python} "$@"\n'
APT = "Missing on this machine. Run:  sudo apt-get install"


def prerequisites(folder: Path, programs: dict[str, str]) -> tuple[int, str, str]:
    """Runs the check on a machine that has these programs and no others."""
    for name, text in programs.items():
        (folder / name).write_text(text.format(python=sys.executable))
        (folder / name).chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", ROOT / "deploy" / "prerequisites.sh", "python3"],
        env={"PATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("programs", "packages"),
    [
        ({"git": FINE, "python3": VENV}, "python3-venv"),
        ({"python3": FINE}, "git"),
        ({"python3": VENV}, "git python3-venv"),
        ({"git": FINE}, "python3 python3-venv"),
        ({}, "python3 git python3-venv"),
    ],
    ids=["no venv", "no git", "neither", "no python", "nothing"],
)
def test_what_is_missing_is_one_apt_line(tmp_path: Path, programs: dict[str, str], packages: str) -> None:
    assert prerequisites(tmp_path, programs) == (2, "", f"{APT} {packages}\n")


def test_a_python_that_is_too_old_is_named_with_its_version(tmp_path: Path) -> None:
    code, out, err = prerequisites(tmp_path, {"git": FINE, "python3": OLD})
    assert (code, out) == (2, "")
    assert err == "Sealpost needs Python 3.11 or newer; python3 is Python 3.9.2.\n"


def test_a_machine_with_everything_is_told_nothing(tmp_path: Path) -> None:
    assert prerequisites(tmp_path, {"git": FINE, "python3": FINE}) == (0, "", "")


def test_make_stops_with_the_apt_line_and_exit_code_2(tmp_path: Path) -> None:
    """In a copy of what make reads, on a machine without git: nothing is installed and nothing is left behind."""
    for name in ("Makefile", "requirements.lock", "pyproject.toml", "deploy/prerequisites.sh"):
        target = tmp_path / "source" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / name).read_bytes())
        target.chmod(0o755)
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "python3").write_text(FINE.format(python=sys.executable))
    (programs / "python3").chmod(0o755)
    done = subprocess.run(
        ["/usr/bin/make", "run"],
        cwd=tmp_path / "source",
        env={"PATH": str(programs)},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 2
    assert f"{APT} git\n" in done.stderr
    assert not (tmp_path / "source" / ".venv").exists()


def test_the_readme_names_what_scripts_rely_on() -> None:
    readme = (ROOT / "README.md").read_text()
    for name in (
        *(f"`make {target}`" for target in TARGETS),
        *("/metrics", "/healthz", "/readyz", "/messages.json", "/messages/<id>.eml"),
        *("127.0.0.1:2525", "127.0.0.1:9125", "127.0.0.1:8025", "sealpost explain", "sealpost queue list"),
        *("python3 python3-venv make git", "exit codes 0 fine, 1 a finding, 2 usage"),
    ):
        assert name in readme, name
    line = ".venv/bin/sealpost sandbox send --classification restricted --to alice@tls.example --to bob@plain.example"
    assert f"{line} --attach 2MiB" in readme
