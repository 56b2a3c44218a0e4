"""Which keys of a rule go together; what each of them says is read elsewhere."""

from collections.abc import Iterator, Sequence
from typing import Final

from gateway.config.page import Page, Table, as_list, as_table
from gateway.config.policy_tables import RuleTable

_WISHES: Final = (
    "warn",
    "notify",
    "copy_to",
    "raise",
    "add_header",
    "remove_header",
    "tag_subject",
    "receipt",
    "remind_after",
)
# What `raise` may look at: the message and its sender, so that a message has one level for all its recipients, and
# nothing that has to be looked up outside, so that the level is known at once.
_OF_THE_MESSAGE: Final = frozenset(
    {
        "classification",
        "intent",
        "automatic",
        "listener",
        "sender",
        "attachments",
        "attachment_bytes",
        "message_bytes",
        "links",
        "subject",
        "text",
        "header",
        "visible",
        "time",
    }
)


def check_rule(page: Page, key: str, table: RuleTable, before: Sequence[RuleTable], *, is_last: bool) -> None:
    """Problems of one rule; ``before`` are the rules in front of it."""
    if any(other.name == table.name for other in before):
        page.problem(f"{key}.name", f"another rule is called `{table.name}`")
    missing = [table.route, table.reject, table.hold, table.table].count(None)
    if missing < 3:
        page.problem(key, f"`{table.name}` needs exactly one of route, reject = true and hold = true")
    elif missing == 4 and not is_last:
        _check_remark(page, key, table)
    _check_route(page, key, table)
    _check_stops(page, key, table)
    _check_wishes(page, key, table)
    _check_last(page, key, table, is_last=is_last)


def is_remark(table: RuleTable) -> bool:
    """Whether the search goes on behind it."""
    return table.route is None and table.reject is None and table.hold is None and table.table is None


def _check_remark(page: Page, key: str, table: RuleTable) -> None:
    if not table.model_dump(by_alias=True, exclude_none=True).keys() & set(_WISHES):
        page.problem(
            key, f"`{table.name}` needs route, reject = true or hold = true, or at least one of {', '.join(_WISHES)}"
        )
    if table.advice is not None:
        page.problem(f"{key}.advice", "only a rule that decides has advice; say `warn` to tell the sender something")


def _check_route(page: Page, key: str, table: RuleTable) -> None:
    if table.route is not None and len(set(table.route)) < len(table.route):
        page.problem(f"{key}.route", "a chain never goes back: each route stands there once")
    if table.below_floor is not None and table.route is None:
        page.problem(f"{key}.below_floor", "only a rule with a route can go below the floor")


def _check_stops(page: Page, key: str, table: RuleTable) -> None:
    if table.reject and table.advice is None:
        page.problem(f"{key}.advice", "who refuses says what to do instead")
    if table.release_by is not None and table.hold is None:
        page.problem(f"{key}.release_by", "only what is held can be released: this goes with hold = true")
    if table.override and table.reject is None and table.hold is None:
        page.problem(f"{key}.override", "only what is refused or held can be sent all the same")


def _check_wishes(page: Page, key: str, table: RuleTable) -> None:
    if table.remind_after is not None and not table.receipt:
        page.problem(f"{key}.remind_after", "a reminder waits for a receipt: this goes with receipt = true")
    if table.raises is None:
        return
    if not is_remark(table):
        page.problem(f"{key}.raise", "this raises the level for the rules behind, so it goes without a decision")
    for name in dict.fromkeys(_read(table.when or {})):
        if name not in _OF_THE_MESSAGE:
            page.problem(f"{key}.raise", f"a level is raised by the message alone, not by `{name}`")


def _read(when: Table) -> Iterator[str]:
    """The names of all conditions in the table, however deep."""
    for name, value in when.items():
        match name:
            case "all" | "any":
                for part in as_list(value):
                    yield from _read(as_table(part))
            case "not":
                yield from _read(as_table(value))
            case _:
                yield name


def _check_last(page: Page, key: str, table: RuleTable, *, is_last: bool) -> None:
    if is_last and table.when is not None:
        page.problem(f"{key}.when", "the last rule has no condition, so that every message has an end")
    if is_last and table.hold:
        page.problem(f"{key}.hold", "a held message goes on by a later rule once it is released: there is none")
    if is_last and table.override:
        page.problem(f"{key}.override", "what a token lets pass goes on by a later rule: there is none")
    if is_last and (is_remark(table) or table.table):
        page.problem(key, f"`{table.name}` is the last rule, which decides: it needs route or reject = true")
    if not is_last and table.when is None and not is_remark(table) and not table.table:
        page.problem(key, f"`{table.name}` has no condition, so no rule behind it is ever reached")
