"""`sealpost simulate`: what another policy would make of the mail of the last weeks, from the audit alone."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from gateway.app.editions import Editions
from gateway.cli.check import ConfigOption
from gateway.cli.errors import Usage
from gateway.cli.explain import bundle_of
from gateway.cli.forecast_view import forecast_json, forecast_lines
from gateway.cli.reload import spool_of
from gateway.cli.simulate_view import Simulated, as_json, as_lines
from gateway.config.bundle import Bundle, find_config, read_bundle
from gateway.config.load import load
from gateway.config.trial.compare import Change
from gateway.config.trial.forecast import forecast
from gateway.config.trial.message_trace import NoTrace, read_trace
from gateway.config.trial.simulation import Trial, simulate
from gateway.config.units import parse_duration
from gateway.flow.ports import SpoolError
from gateway.spool.past import stretches

_SHOWN: Final = 50


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(name="simulate")(simulate_policy)


def simulate_policy(
    policy: Annotated[
        Path | None, typer.Option("--policy", help="The policy to try; default the configured one.")
    ] = None,
    since: Annotated[
        str, typer.Option("--since", metavar="TIME", help="How far back: 30d, 12h, or a date such as 2026-10-01.")
    ] = "30d",
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=0, help="Show at most so many messages.")] = _SHOWN,
    trace: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="CSV", help="A message trace of Exchange or Microsoft 365, instead of the audit."
        ),
    ] = None,
    as_data: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
    config: ConfigOption = None,
) -> None:
    """Try another policy on the mail of the last weeks.

    The audit's mail is decided again by it, and what would change is shown.

    Nothing is sent and nobody is asked: the audit keeps what was known of each message, not its words. What it did not
    keep counts as "not recorded", never as unchanged. Exits with 1 if a message would be less protected.

    With --from, before any mail flows: how many messages of a trace would go by which route, which domains must offer
    TLS for it, and what a trace does not know. Exits with 1 if nothing of a trace could be decided.
    """
    if trace is not None:
        _forecast(trace, bundle_of(config, policy), limit, as_data=as_data)
        return
    begin = _since(since)
    path = find_config(config)
    spool = spool_of(config)
    known = {edition.hash: edition.policy_text for edition in Editions(spool).all()}
    trial = Trial(read_bundle(path, policy), (read_bundle(path).policy_text, *known.values()))
    try:
        tally = simulate(stretches(spool, begin), trial, limit)
    except SpoolError as error:
        raise Usage(str(error)) from error
    told = Simulated(policy=str(trial.bundle.policy), since=begin, tally=tally)
    typer.echo(json.dumps(as_json(told), indent=2) if as_data else "\n".join(as_lines(told)))
    if tally.kinds[Change.LESS]:
        raise typer.Exit(1)


def _forecast(trace: Path, bundle: Bundle, limit: int, *, as_data: bool) -> None:
    policy = load(bundle).policy
    try:
        found = forecast(read_trace(trace), policy, datetime.now(UTC))
    except NoTrace as error:
        raise Usage(f"{trace}: {error}") from error
    except OSError as error:
        raise Usage(f"{trace} cannot be read: {error.strerror or error}") from error
    name = str(bundle.policy)
    lines = forecast_lines(name, found, limit)
    typer.echo(json.dumps(forecast_json(name, found, limit), indent=2) if as_data else "\n".join(lines))
    if not found.routes:
        typer.echo(f"sealpost: {trace}: no recipient of a sender of ours could be read", err=True)
        raise typer.Exit(1)


def _since(text: str) -> datetime:
    try:
        return datetime.now(UTC) - parse_duration(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Usage(f"--since `{text}` is neither a time such as 30d nor a date such as 2026-10-01") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
