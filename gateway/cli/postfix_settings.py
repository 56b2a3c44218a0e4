"""What a Postfix in front of the gateway needs, and what its own postconf(1) says that it has. It changes nothing."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.cli.errors import Usage
from gateway.config.page import Page
from gateway.config.postfix import compare, parameters, tls_lines
from gateway.config.postfix_milters import milter_lines
from gateway.config.problems import Problem
from gateway.config.settings import Settings
from gateway.flow.custody import Custody

_USUAL: Final = Path("/etc/postfix")

_WITHIN: Final = 10.0
"""Seconds; postconf reads two files."""


@dataclass(frozen=True, slots=True)
class PostfixReport:
    """The lines of main.cf, and what is wrong with the values that there are; both are empty where nobody asks."""

    lines: tuple[str, ...] = ()
    warnings: tuple[Problem, ...] = ()


NO_POSTFIX: Final = PostfixReport()


def examine_postfix(settings: Settings, folder: Path | None) -> PostfixReport:
    """For the milter listeners, or because a Postfix's ``folder`` is named. Raises Usage."""
    milters = [str(options.where) for options in settings.milter]
    if not milters and folder is None:
        return NO_POSTFIX
    takes = any(options.custody is Custody.TAKEOVER for options in settings.milter)
    lines = (*milter_lines(milters, takes=takes), *tls_lines(settings.tls_ca, dane=settings.dns.trust_ad))
    page = Page(str((folder or _USUAL) / "main.cf"))
    compare(page, lines, settings_of(folder, parameters(lines)) or {})
    wanted = tuple(str(line) for line in lines if line.value)
    return PostfixReport(lines=wanted, warnings=tuple(page.warnings))


def settings_of(folder: Path | None, names: Sequence[str]) -> Mapping[str, str] | None:
    """The values of those that it knows, with what they refer to filled in; None if there is no Postfix.

    ``folder`` is its configuration, None for the usual one, which need not be there. Raises Usage.
    """
    postconf = shutil.which("postconf")
    if postconf is None:
        if folder is not None:
            raise Usage("--postfix: there is no postconf on this machine")
        return None
    place = ["-c", str(folder)] if folder is not None else []
    try:
        done = subprocess.run(  # noqa: S603  the program that the machine's PATH names
            [postconf, *place, "-x", *names], capture_output=True, text=True, errors="replace", timeout=_WITHIN
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Usage(f"postconf cannot be asked: {error}") from error
    if done.returncode != 0 and folder is not None:
        said = done.stderr.strip().splitlines() or ["postconf says nothing of it"]
        raise Usage(f"--postfix: {said[-1]}")
    return _read(done.stdout) if done.returncode == 0 else None


def _read(output: str) -> Mapping[str, str]:
    pairs = (line.partition(" =") for line in output.splitlines() if " =" in line)
    return {name: value.strip() for name, _, value in pairs}
