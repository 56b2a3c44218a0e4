"""Runs every target, each in a process of its own, some at a time: ``python -m tests.fuzz.every`` (`make fuzz`)."""

import argparse
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from tests.fuzz.targets import TARGETS

_LAST_LINES: Final = 30
_TRIES: Final = re.compile(r"^#(\d+)\s", re.MULTILINE)


def main() -> None:
    """Reads the command line; exits with 1 if something was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.every")
    parser.add_argument("--seconds", type=int, default=60, help="how long for each target")
    parser.add_argument("--at-once", type=int, default=2)
    parser.add_argument("--work", type=Path, default=Path("var/fuzz"), help="a folder for what is found")
    given = parser.parse_args()
    work = given.work
    with ThreadPoolExecutor(given.at_once) as threads:
        found = list(threads.map(lambda name: _is_found(name, given.seconds, work / name), sorted(TARGETS)))
    raise SystemExit(any(found))


def _is_found(name: str, seconds: int, work: Path) -> bool:
    work.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tests.fuzz", name, "--seconds", str(seconds), "--work", str(work)]
    ran = subprocess.run(
        command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    (work / "log").write_text(ran.stdout)
    tries = _TRIES.findall(ran.stdout)
    if ran.returncode == 0:
        sys.stdout.write(f"{name}: nothing found in {tries[-1] if tries else 0} tries\n")
        return False
    last = "\n".join(ran.stdout.splitlines()[-_LAST_LINES:])
    sys.stdout.write(f"{last}\n{name}: found something; the bytes and the log are in {work}\n")
    return True


if __name__ == "__main__":
    main()
