"""``[[rules]]`` → `Rule`. Which keys go together is checked in `gateway.config.checks.rules`."""

from collections.abc import Sequence

from gateway.config.checks.rules import check_rule
from gateway.config.conditions import read_when
from gateway.config.names import Names
from gateway.config.page import Page, dotted
from gateway.config.policy_tables import RuleTable
from gateway.config.registers.transfers import Transfer, transfer_rule
from gateway.config.roles import Roles
from gateway.config.wishes import read_template, read_wishes
from gateway.core.policy import Action, GoOn, Hold, Reject, Rule, Send

_ASK = "Ask {contact} how to send this."


def read_rules(
    page: Page, tables: Sequence[RuleTable], names: Names, roles: Roles, transfers: Sequence[Transfer] = ()
) -> tuple[Rule, ...]:
    """All rules in order; what cannot be read is on the page, and something harmless stands in its place."""
    for number, table in enumerate(tables):
        check_rule(page, dotted("rules", number), table, tables[:number], is_last=number == len(tables) - 1)
    _check_tables(page, tables, names)
    return tuple(
        rule
        for at, table in enumerate(tables)
        for rule in _expanded(_rule(page, dotted("rules", at), table, names, roles), table, transfers)
    )


def _check_tables(page: Page, tables: Sequence[RuleTable], names: Names) -> None:
    """A rule that names a table needs its file, and a file that no rule names would seem to work."""
    for number, table in enumerate(tables):
        if table.table is not None and table.table not in names.named:
            text = f'the policy keeps no such register: name its file, [registers] {table.table} = "…"'
            page.problem(dotted("rules", number, "table"), text)
    if "transfers" in names.named and not any(table.table for table in tables):
        page.warning("registers.transfers", 'no rule says table = "transfers", so no line of it is ever asked')


def _expanded(rule: Rule, table: RuleTable, transfers: Sequence[Transfer]) -> tuple[Rule, ...]:
    """A rule that names a table is one rule for each of its lines, and none for a table without lines."""
    return (rule,) if table.table is None else tuple(transfer_rule(rule, transfer) for transfer in transfers)


def _rule(page: Page, key: str, table: RuleTable, names: Names, roles: Roles) -> Rule:
    return Rule(
        name=table.name,
        when=None if table.when is None else read_when(page, dotted(key, "when"), table.when, names),
        action=_action(page, key, table, roles),
        advice=read_template(page, f"{key}.advice", table.advice or _ASK),
        below_floor=table.below_floor,
        ignores_buttons=table.ignores_buttons,
        overridable=bool(table.override),
        wishes=read_wishes(page, key, table, names.levels, roles),
        key=key,
    )


def _action(page: Page, key: str, table: RuleTable, roles: Roles) -> Action:
    if table.route is not None:
        return Send(tuple(table.route))
    if table.hold:
        role = table.release_by or ""
        return Hold(role if role and roles.known(page, f"{key}.release_by", role) else "")
    return Reject() if table.reject else GoOn()
