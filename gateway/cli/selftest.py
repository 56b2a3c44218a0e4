"""`sealpost selftest`: proves with the installed configuration that no protected message leaves unprotected."""

import asyncio
import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.errors import Usage
from gateway.config.bundle import Bundle, find_config, read_bundle
from gateway.config.load import Loaded, load
from gateway.config.problems import ConfigError
from gateway.flow.ports import SpoolError
from gateway.sandbox.sockets import PortTaken
from gateway.selftest.engine import NotReady
from gateway.selftest.result import Line, SelfTest
from gateway.selftest.run import run_selftest

_EXPECTED = (ValueError, SpoolError, OSError, PortTaken, NotReady)
_HEAD = ("What was done", "Sent", "What became of it", "Verdict")


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(selftest)


def selftest(
    config: Annotated[
        Path | None,
        typer.Option(help="The configuration; default ./sealpost.toml, then /etc/sealpost/sealpost.toml."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of the table.")] = False,
) -> None:
    """Prove that broken mail hosts get no protected mail.

    Everything happens on loopback, with made messages, in a folder that is removed; the gateway that runs here, its
    spool and its mail are not touched. It takes about half a minute. Exits with 1 if a message left unprotected or
    nothing is proven, with 2 if the configuration cannot be used.
    """
    loaded, bundle = _loaded(config)
    typer.echo("Nothing of this leaves the machine. It takes about half a minute.", err=True)
    result = _run(loaded, bundle)
    typer.echo(json.dumps(_as_json(result), indent=2, ensure_ascii=False) if as_json else "\n".join(_told(result)))
    if not result.passed:
        raise typer.Exit(1)


def _loaded(config: Path | None) -> tuple[Loaded, Bundle]:
    try:
        bundle = read_bundle(find_config(config))
        return load(bundle), bundle
    except ConfigError as error:
        for problem in error.problems:
            typer.echo(str(problem), err=True)
        raise typer.Exit(2) from error


def _run(loaded: Loaded, bundle: Bundle) -> SelfTest:
    try:
        with tempfile.TemporaryDirectory(prefix="sealpost-selftest-") as folder:
            return asyncio.run(run_selftest(loaded, bundle, Path(folder), lambda text: typer.echo(text, err=True)))
    except ExceptionGroup as group:
        _, others = group.split(_EXPECTED)
        if others is not None:
            raise
        raise Usage(f"the self-test cannot be run: {_first(group)}") from group
    except _EXPECTED as error:
        raise Usage(f"the self-test cannot be run: {error}") from error


def _first(group: ExceptionGroup[Exception]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _told(result: SelfTest) -> list[str]:
    lines = [*_table([_HEAD, *(_cells(line) for line in result.lines)]), ""]
    lines += [f"LEFT UNPROTECTED: {violation}." for violation in result.violations]
    if result.unprotected:
        lines.append(f"The gateway's own witness counted {result.unprotected} (sealpost_unprotected_total).")
    lines += [f"Inconclusive: {doubt}." for doubt in result.doubts]
    return [*lines, result.summary]


def _table(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _cells(line: Line) -> tuple[str, str, str, str]:
    became = ", ".join(f"{count} {became}" for became, count in line.became.items())
    return line.done, str(line.pushed), became, line.verdict


def _as_json(result: SelfTest) -> dict[str, object]:
    """Scripts rely on these keys."""
    return {
        "passed": result.passed,
        "pushed": result.pushed,
        "faults": result.faults,
        "left_unprotected": result.left,
        "unprotected_counted": result.unprotected,
        "doubts": list(result.doubts),
        "lines": [_line_as_json(line) for line in result.lines],
    }


def _line_as_json(line: Line) -> dict[str, object]:
    return {
        "fault": line.key,
        "done": line.done,
        "pushed": line.pushed,
        "became": {became.name.lower(): count for became, count in line.became.items()},
        "verdict": line.verdict.name.lower(),
        "violations": [
            {
                "level": each.sent.kind.level,
                "intent": each.sent.kind.intent.label,
                "automatic": each.sent.kind.automatic,
                "floor": each.sent.floor.label,
                "where": each.where,
                "how": each.how,
            }
            for each in line.violations
        ],
    }
