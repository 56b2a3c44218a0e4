"""What the rules amount to, together with the routes: nothing may be able to fall below its floor."""

from datetime import UTC, datetime, timedelta
from typing import Final

from gateway.config.page import Page, Table, as_list, as_table, dotted
from gateway.core.floors import Shortfall, shortfalls, unreachable
from gateway.core.policy import Policy

LONGEST_MODE: Final = timedelta(days=366)
"""How far ahead the end of a roll-out mode may be."""


def check_chains(page: Page, table: Table, routes: frozenset[str]) -> None:
    """Problems: routes that do not exist, in a policy's table that need not be sound otherwise."""
    for number, rule in enumerate(as_list(table.get("rules"))):
        for name in as_list(as_table(rule).get("route")):
            if isinstance(name, str) and name not in routes:
                page.unknown(dotted("rules", number, "route"), "route", name, routes)
    for number, mode in enumerate(as_list(table.get("modes"))):
        name = as_table(mode).get("baseline")
        if isinstance(name, str) and name not in routes:
            page.unknown(dotted("modes", number, "baseline"), "route", name, routes)


def check_policy(page: Page, policy: Policy, now: datetime | None = None) -> None:
    """Problems: chains below the floor, endless modes. Warnings: ended modes, and what nothing reaches."""
    keys = {rule.name: rule.key or dotted("rules", number) for number, rule in enumerate(policy.rules)}
    _check_modes(page, policy, now or datetime.now(UTC))
    for short in shortfalls(policy):
        page.problem(f"{keys[short.rule]}.route", _shortfall_text(short))
    for rule in unreachable(policy):
        page.warning(keys[rule.name], f"`{rule.name}` can never be reached: earlier rules take all its mail")
    _check_levels(page, policy)


def _check_modes(page: Page, policy: Policy, now: datetime) -> None:
    """A mode is a passage: whoever needs it for longer says so again."""
    for number, rollout in enumerate(policy.rollouts):
        if rollout.until > now + LONGEST_MODE:
            page.problem(dotted("modes", number, "until"), "a mode ends within a year from now")
        elif rollout.until <= now:
            text = f"this mode ended on {rollout.until:%Y-%m-%d %H:%M} UTC and does nothing: take it out"
            page.warning(dotted("modes", number, "until"), text)


def _shortfall_text(short: Shortfall) -> str:
    return (
        f"`{short.rule}` can send {short.mail}, which needs {short.floor.label}, "
        f"by the route `{short.route}`, which gives {short.gives.label}; "
        'choose another route, catch that mail in an earlier rule, or say below_floor = "<reason>"'
    )


def _check_levels(page: Page, policy: Policy) -> None:
    """R1: every level has a working source, and a higher level never has a lower floor."""
    reading = policy.reading
    found = {reading.default, *(default.level for default in reading.defaults)}
    found.update(*(source.levels for source in reading.sources))
    found.update(rule.wishes.raises for rule in policy.rules if rule.wishes.raises is not None)
    for level in reading.levels:
        if level not in found:
            page.warning("labels", f"no label gives the level `{level}`")
    for lower, higher in zip(reading.levels, reading.levels[1:], strict=False):
        if policy.floors[higher] < policy.floors[lower]:
            page.problem(f"classification.floor.{higher}", f"the floor is below that of the lower level `{lower}`")
