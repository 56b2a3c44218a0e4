"""``[[modes]]`` → `Rollout`: what is only observed or softened, and until when."""

from collections.abc import Collection

from gateway.config.names import Names, read_party
from gateway.config.page import Page, dotted
from gateway.config.policy_tables import ModeTable
from gateway.core.domains import Group
from gateway.core.modes import Mode, Rollout


def read_modes(page: Page, tables: list[ModeTable], rules: Collection[str], names: Names) -> tuple[Rollout, ...]:
    """All modes that can be read. That their routes exist is checked with the rules' chains."""
    return tuple(_mode(page, dotted("modes", at), table, rules, names) for at, table in enumerate(tables))


def _mode(page: Page, key: str, table: ModeTable, rules: Collection[str], names: Names) -> Rollout:
    if table.mode == "observe" and table.baseline is None:
        page.problem(f"{key}.baseline", "what is observed leaves by a route that is named here")
    if table.mode == "soft" and table.baseline is not None:
        page.problem(f"{key}.baseline", "only what is observed leaves by another route")
    if table.rule is not None and table.rule not in rules:
        page.unknown(f"{key}.rule", "rule", table.rule, rules)
    return Rollout(
        mode=Mode(table.mode),
        until=table.until,
        rule=table.rule or "",
        senders=None if table.sender is None else _senders(page, f"{key}.sender", table.sender, names),
        baseline=table.baseline or "",
        reason=table.reason or "",
        reference=table.reference or "",
    )


def _senders(page: Page, key: str, text: str, names: Names) -> Group:
    try:
        return read_party(text, names)
    except ValueError as exc:
        page.problem(key, str(exc))
        return Group(text)
