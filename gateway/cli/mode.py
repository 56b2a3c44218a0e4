"""`sealpost mode`: what is only observed or softened for a while, ordered without editing a file."""

import json
from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Final

import typer

from gateway.app.messages import SetMode
from gateway.cli.check import ConfigOption
from gateway.cli.errors import Usage
from gateway.cli.queue import JsonOption
from gateway.cli.reload import ask_gateway, spool_of, tell
from gateway.cli.who import operator
from gateway.config.units import parse_duration
from gateway.core.modes import Mode
from gateway.flow.modes import KEY, LOG, LONGEST, Order, read_log, read_orders
from gateway.flow.ports import SpoolError
from gateway.spool.state_reader import read_state

mode = typer.Typer(help="Observe or soften rules for a while, or end that.", no_args_is_help=True)

UntilOption = Annotated[
    str,
    typer.Option("--until", metavar="WHEN", help="When it ends, within a year: 48h, a date (its end, UTC), or a time."),
]
RuleOption = Annotated[str, typer.Option("--rule", metavar="NAME", help="Only what this rule decides.")]
SenderOption = Annotated[
    str, typer.Option("--sender", metavar="WHO", help="Only these senders: group:x, an address, or a domain.")
]
ReasonOption = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is kept with your name.")]
ReferenceOption = Annotated[str, typer.Option("--reference", metavar="TEXT", help="The change or ticket.")]
BaselineOption = Annotated[
    str, typer.Option("--baseline", metavar="ROUTE", help="By which route observed mail leaves, as it did before.")
]

_LOG_LINES: Final = 1000


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.add_typer(mode, name="mode")


@mode.command()
def observe(
    baseline: BaselineOption,
    until: UntilOption,
    reason: ReasonOption,
    reference: ReferenceOption,
    rule: RuleOption = "",
    sender: SenderOption = "",
    config: ConfigOption = None,
) -> None:
    """Decide and record, but send by the baseline route.

    What leaves less protected than its rule asks for is counted apart (sealpost_observed_unprotected_total).
    """
    wanted = _wanted(Mode.OBSERVE, until, rule, sender, reason, reference, baseline)
    tell(ask_gateway(spool_of(config), wanted))


@mode.command()
def soft(
    until: UntilOption,
    reason: ReasonOption,
    reference: ReferenceOption,
    rule: RuleOption = "",
    sender: SenderOption = "",
    config: ConfigOption = None,
) -> None:
    """Let refused mail wait until the mode ends.

    It is decided again then.
    """
    tell(ask_gateway(spool_of(config), _wanted(Mode.SOFT, until, rule, sender, reason, reference)))


@mode.command()
def enforce(
    reason: ReasonOption,
    reference: ReferenceOption,
    rule: RuleOption = "",
    sender: SenderOption = "",
    config: ConfigOption = None,
) -> None:
    """End a mode of the same rule and senders.

    The policy's own too, or what a wider one makes of them.

    It holds until what it ends would have ended, so nothing comes back by itself.
    """
    tell(ask_gateway(spool_of(config), _wanted(Mode.ENFORCE, None, rule, sender, reason, reference)))


@mode.command()
def show(
    log: Annotated[bool, typer.Option("--log", help="All orders of the last 400 days instead.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show the orders in force.

    The modes that the policy itself names stand in its file.

    JSON: an array of {"mode", "until", "rule", "sender", "baseline", "reason", "reference", "operator", "at"}.
    """
    now = datetime.now(UTC)
    try:
        orders = read_log(read_state(spool_of(config), LOG, _LOG_LINES, now)) if log else _in_force(config, now)
    except (SpoolError, ValueError) as error:
        raise Usage(f"the orders cannot be read: {error}") from error
    if as_json:
        typer.echo(json.dumps([_json(order) for order in orders], indent=2))
        return
    for order in orders:
        typer.echo(f"{order}: {order.reason} ({order.reference}); by {order.operator}, {order.at:%Y-%m-%d %H:%M %Z}")
    if not orders:
        typer.echo("Nothing was ordered: the policy holds as it is written.")


def _in_force(config: ConfigOption, now: datetime) -> tuple[Order, ...]:
    stored = read_state(spool_of(config), KEY, 1, now)
    return tuple(order for order in read_orders(stored.get(KEY)) if now < order.until)


def _json(order: Order) -> dict[str, str]:
    return {
        "mode": order.mode.value,
        "until": order.until.isoformat(),
        "rule": order.rule,
        "sender": order.sender,
        "baseline": order.baseline,
        "reason": order.reason,
        "reference": order.reference,
        "operator": order.operator,
        "at": order.at.isoformat(),
    }


def _wanted(
    wanted: Mode, until: str | None, rule: str, sender: str, reason: str, reference: str, baseline: str = ""
) -> SetMode:
    for name, text in (("reason", reason), ("reference", reference)):
        if not text.strip() or not text.isprintable():
            raise Usage(f"--{name} is one line of text that is not empty")
    return SetMode(
        mode=wanted,
        until=None if until is None else read_until(until, datetime.now(UTC)),
        rule=rule,
        sender=sender,
        baseline=baseline,
        reason=reason.strip(),
        reference=reference.strip(),
        operator=operator(),
    )


def read_until(text: str, now: datetime) -> datetime:
    """``48h``, ``2026-12-31`` (the end of that day in UTC), or ``2026-12-31T18:00Z``. Raises Usage for what is past."""
    until = _time(text, now)
    if not now < until <= now + LONGEST:
        raise Usage(f"`{text}` is not in the future, or more than a year away")
    return until


def _time(text: str, now: datetime) -> datetime:
    try:
        return now + parse_duration(text)
    except (ValueError, OverflowError):
        pass
    try:
        given = datetime.fromisoformat(text)
    except ValueError as error:
        raise Usage(f"`{text}` is no time: say 48h, 2026-12-31, or 2026-12-31T18:00Z") from error
    if "T" not in text.upper() and given.time() == time.min:
        return given.replace(tzinfo=UTC) + timedelta(days=1)
    return given if given.tzinfo is not None else given.replace(tzinfo=UTC)
