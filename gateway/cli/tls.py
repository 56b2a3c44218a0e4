"""`sealpost tls`: what mail to a domain, or to all partners, would travel over today, and what is wrong with it.

It needs no running gateway, says no MAIL, and changes nothing: what the gateway remembers of hosts and policies is
read, so that the answer is the one that a message would get.
"""

import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gateway.app.surveying import survey_alone
from gateway.app.system import SystemClock
from gateway.cli import tls_policy_server
from gateway.cli.check import ConfigOption
from gateway.cli.errors import Usage
from gateway.cli.queue import JsonOption
from gateway.cli.tls_state import ReadOnlyState
from gateway.cli.tls_view import HEAD, Found, as_array, as_document, summary, told
from gateway.config.bundle import find_config, read_bundle
from gateway.config.describe.document import as_html
from gateway.config.load import Loaded, load
from gateway.core.address import BadAddress, parse_address, parse_domain
from gateway.core.grade import Grade
from gateway.core.survey import DEMANDED, DomainReport, Surveyed, surveyed
from gateway.core.survey_findings import drift, problems
from gateway.flow.ports import SpoolError
from gateway.flow.surveys import MOST, PREFIX, read_reports
from gateway.spool.state_reader import read_state

_WIDE: Final = 200
AT_ONCE: Final = 4
"""Domains that are looked at together."""

tls = typer.Typer(
    help="Look at the mail hosts of domains; tell Postfix of them.",
    no_args_is_help=True,
)


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    tls_policy_server.register(tls)
    app.add_typer(tls, name="tls")


@tls.command()
def check(
    domains: Annotated[
        list[str],
        typer.Argument(metavar="DOMAIN", hidden=True, help="Described above, because its own list would show a type."),
    ],
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show what a message to a domain would travel over.

    A DOMAIN is the part of an address behind the @; several may be given. Its mail hosts, their TLS, certificates,
    DANE and MTA-STS, the grade that a message would get, and what is wrong. Exits with 1 if a host gives less than the
    register of partners or a pin demands; for a domain in neither, less than a checked certificate.
    """
    loaded = load(read_bundle(find_config(config)))
    wanted = [_wanted(text, loaded) for text in dict.fromkeys(domains)]
    found = _look(loaded, wanted, {})
    if as_json:
        typer.echo(as_array(found))
    else:
        typer.echo("\n\n".join("\n".join(told(each)) for each in found))
    _end(found)


@tls.command()
def partners(
    as_json: JsonOption = False,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write a web page for the data-protection officer too."),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Show the same for every partner and pin.

    With what changed since the gateway's last nightly survey. Members written as *.domain name no domain that could be
    asked, so they are left out. Exits with 1 if a partner gets less than is demanded.
    """
    loaded = load(read_bundle(find_config(config)))
    wanted = surveyed(loaded.policy.registers.partners, loaded.settings.pins)
    if not wanted:
        raise Usage("neither the register of partners nor a pin names a domain")
    found = _look(loaded, wanted, _before(loaded.settings.spool_dir))
    if as_json:
        typer.echo(as_array(found))
    else:
        _print_all(found)
    if html is not None:
        _write(html, as_html(as_document(found, loaded.policy.organisation.name, datetime.now(UTC))))
    _end(found)


def _wanted(text: str, loaded: Loaded) -> Surveyed:
    try:
        domain = parse_domain(text)
        partner = loaded.policy.registers.partners.of(parse_address(f"postmaster@{domain}"))
    except BadAddress as error:
        raise Usage(f"`{text}` is not a domain: {error}") from error
    if partner is not None:
        return Surveyed(partner=partner.name, domain=domain, demanded=DEMANDED[partner.tls])
    # A pin's own demand is part of every grade.
    demanded = Grade.VERIFIED if loaded.settings.pins.of(domain) is None else Grade.PLAIN
    return Surveyed(partner="", domain=domain, demanded=demanded)


def _before(spool: Path) -> dict[str, DomainReport]:
    try:
        return read_reports(read_state(spool, PREFIX, MOST, datetime.now(UTC)))
    except SpoolError as error:
        raise Usage(str(error)) from error


def _look(loaded: Loaded, wanted: Sequence[Surveyed], before: dict[str, DomainReport]) -> tuple[Found, ...]:
    try:
        reports = asyncio.run(_survey_all(loaded, [each.domain for each in wanted]))
    except ValueError as error:  # certificates that cannot be loaded
        raise Usage(str(error)) from error
    return tuple(_found(each, report, before.get(each.domain)) for each, report in zip(wanted, reports, strict=True))


async def _survey_all(loaded: Loaded, domains: Sequence[str]) -> list[DomainReport]:
    settings, slots, done = loaded.settings, asyncio.Semaphore(AT_ONCE), count(1)
    async with survey_alone(settings, ReadOnlyState(settings.spool_dir), SystemClock()) as survey:

        async def one(domain: str) -> DomainReport:
            async with slots:
                report = await survey.domain(domain)
            if len(domains) > 1:
                typer.echo(f"{next(done)} of {len(domains)}: {domain}", err=True)
            return report

        return await asyncio.gather(*map(one, domains))


def _found(each: Surveyed, report: DomainReport, before: DomainReport | None) -> Found:
    return Found(
        domain=each.domain,
        partner=each.partner,
        demanded=each.demanded,
        grade=report.grade,
        report=report,
        problems=problems(report, each.demanded),
        changes=() if before is None else drift(before, report),
        before=None if before is None else before.at,
    )


def _print_all(found: Sequence[Found]) -> None:
    table = Table(box=None)
    for name in HEAD:
        table.add_column(name, overflow="fold", no_wrap=name == "Domain")
    for row in summary(found):
        table.add_row(*map(escape, row))
    # What reads a pipe wants whole lines.
    Console(width=None if sys.stdout.isatty() else _WIDE).print(table)
    for each in found:
        for line in (*(f"wrong: {text}" for text in each.problems), *(change.text for change in each.changes)):
            typer.echo(f"{each.partner} ({each.domain}): {line}")


def _write(path: Path, page: str) -> None:
    try:
        path.write_text(page)
    except OSError as error:
        raise Usage(f"{path} cannot be written: {error.strerror}") from error


def _end(found: Sequence[Found]) -> None:
    if any(each.problems for each in found):
        raise typer.Exit(1)
