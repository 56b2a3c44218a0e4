"""Runs one target under atheris, which looks for bytes that reach new code: ``python -m tests.fuzz TARGET``.

The corpus in git is only read. What is found goes to ``--work``: new inputs into its ``corpus``, and one that fails
into a file whose name is printed; the exit code is not 0 then. Needs atheris, which `make fuzz` installs.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import atheris
from atheris.import_hook import instrument_imports

with instrument_imports(include=["gateway"]):
    from tests.fuzz.targets import TARGETS

if TYPE_CHECKING:
    from tests.fuzz.target import Target

# A single input that takes so many seconds, or a process of so many MiB, is a finding too.
_SLOW = 10
_LARGE = 2048


def main() -> None:
    """Reads the command line and fuzzes until the time is over."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("--seconds", type=int, default=60, help="how long; 0 is for ever")
    parser.add_argument("--work", type=Path, help="a folder for what is found; else a new temporary one")
    given = parser.parse_args()
    work = given.work or Path(tempfile.mkdtemp(prefix=f"fuzz-{given.target}-"))
    _fuzz(TARGETS[given.target], given.seconds, work)


def _fuzz(target: "Target", seconds: int, work: Path) -> None:
    found = work / "corpus"
    found.mkdir(parents=True, exist_ok=True)
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={target.longest}",
        f"-dict={target.dictionary}",
        f"-artifact_prefix={work}{os.sep}",
        f"-timeout={_SLOW}",
        f"-rss_limit_mb={_LARGE}",
    ]
    atheris.Setup([sys.argv[0], *options, str(found), str(target.corpus)], target.one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
