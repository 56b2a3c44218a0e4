"""`sealpost check`: everything that is wrong with a configuration, before it is used."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gateway.cli.postfix_settings import NO_POSTFIX, PostfixReport, examine_postfix
from gateway.config.bundle import find_config, read_bundle
from gateway.config.checks.at_rest import at_rest_warnings
from gateway.config.checks.lines import Places
from gateway.config.checks.trust import DANE_OFF, trust_warnings
from gateway.config.checks.warnings import label_warnings, policy_warnings, route_warnings
from gateway.config.files import check_files
from gateway.config.load import Examined, Loaded, examine
from gateway.config.page import Page
from gateway.config.problems import ConfigError, Problem
from gateway.config.trial.policy_tests import TestRun, run_policy_tests
from gateway.core.policy import GoOn, Hold, Reject
from gateway.flow.labels_seen import SeenLabel
from gateway.flow.ports import SpoolError
from gateway.spool.state_reader import labels_seen

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="The configuration; default ./sealpost.toml, then /etc/sealpost/sealpost.toml."),
]


_POSTFIX: Final = "Postfix needs these lines in its main.cf, and `sealpost tls policy-server` beside it:"

_DOES: Final[Mapping[type, str]] = {Reject: "reject", Hold: "hold", GoOn: "remark"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Report:
    """What was found; ``loaded`` is None if the configuration cannot be used."""

    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...] = ()
    loaded: Loaded | None = None
    tests: TestRun | None = None
    postfix: PostfixReport = NO_POSTFIX


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(check)


def check(
    config: ConfigOption = None,
    postfix: Annotated[
        Path | None,
        typer.Option("--postfix", metavar="CONFDIR", help="The folder of a Postfix, to look at its main.cf too."),
    ] = None,
) -> None:
    """Check sealpost.toml, the policy, and the files they name.

    Runs the policy's own tests too, and looks at what the spool remembers of labels, if there is one. Prints every
    problem and warning with its file, line and key. With --postfix, /etc/postfix for instance, also the lines that
    its main.cf needs, and a warning where postconf shows others. Exits with 1 if there is a problem.
    """
    report = _examine(config, postfix)
    places = Places()
    for kind, findings in (("problem", report.problems), ("warning", report.warnings)):
        for finding in findings:
            typer.echo(f"{kind}: {places.told(finding)}")
    if report.loaded is not None and sys.stdout.isatty():
        Console().print(_summary(report.loaded))
    if report.tests is not None and not report.tests.cases:
        typer.echo(f"The policy has no tests of its own: there are none in {report.tests.folder}/*.toml.")
    if report.loaded is not None and not report.loaded.settings.dns.trust_ad:
        typer.echo(DANE_OFF)
    if report.postfix.lines:
        typer.echo("\n  ".join((_POSTFIX, *report.postfix.lines)))
    typer.echo(_last_line(report))
    if report.problems:
        raise typer.Exit(1)


def _examine(config: Path | None, folder: Path | None) -> _Report:
    try:
        bundle = read_bundle(find_config(config))
    except ConfigError as error:
        return _Report(problems=error.problems)
    examined = examine(bundle)
    files = check_files(examined)
    warnings = (*examined.warnings, *files.warnings, *_warnings(examined))
    try:
        loaded = examined.loaded()
    except ConfigError as error:
        return _Report(problems=(*error.problems, *files.problems), warnings=warnings)
    tests = run_policy_tests(bundle.policy, loaded.policy)
    postfix = examine_postfix(loaded.settings, folder)
    return _Report(
        problems=(*files.problems, *tests.problems),
        warnings=(*warnings, *postfix.warnings),
        loaded=loaded,
        tests=tests,
        postfix=postfix,
    )


def _warnings(examined: Examined) -> tuple[Problem, ...]:
    """What can be used, and somebody should look at."""
    config, policy = Page(str(examined.bundle.config)), Page(str(examined.bundle.policy))
    now = datetime.now(UTC)
    if examined.policy is not None:
        policy_warnings(policy, examined.policy, now.date(), examined.bundle)
    route_warnings(config, examined)
    if examined.settings is not None:
        trust_warnings(config, examined.settings)
        if examined.policy is not None:
            at_rest_warnings(config, examined.settings, examined.policy)
        label_warnings(policy, _labels_seen(config, examined.settings.spool_dir, now))
    return (*policy.warnings, *config.warnings)


def _labels_seen(page: Page, spool: Path, now: datetime) -> tuple[SeenLabel, ...]:
    try:
        return labels_seen(spool, now)
    except SpoolError as error:
        page.warning("spool.url", str(error))
        return ()


def _last_line(report: _Report) -> str:
    problems, warnings = len(report.problems), len(report.warnings)
    found = f"{_count(problems, 'problem')}, {_count(warnings, 'warning')}"
    if report.loaded is None or report.tests is None:
        return f"{found}: the configuration cannot be used."
    return (
        f"{found}. {_count(len(report.loaded.policy.rules), 'rule')}, {_count(report.tests.cases, 'policy test')} run."
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _summary(loaded: Loaded) -> Table:
    """The rules in order, with what each does: what an administrator compares with the paper."""
    table = Table("Rule", "Does", "Never below", title=escape(loaded.policy.organisation.name))
    for rule in loaded.policy.rules:
        chain = getattr(rule.action, "chain", None)
        does = ", then ".join(chain) if chain else _DOES[type(rule.action)]
        below = f"lowered: {rule.below_floor}" if rule.below_floor else "its floor"
        table.add_row(escape(rule.name), escape(does), escape(below))
    return table
