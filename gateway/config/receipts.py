"""``[receipts]`` → the domain that receipts come to, and what the rules that ask for them need of it."""

from collections.abc import Iterable, Sequence
from typing import Final

from gateway.config.page import Page, dotted
from gateway.config.policy_tables import ReceiptsTable, RuleTable
from gateway.core.address import BadAddress, parse_domain
from gateway.flow.receipts import VALID_FOR

_KEY: Final = "receipts.domain"


def read_receipts(page: Page, table: ReceiptsTable | None, inside: Iterable[str], rules: Sequence[RuleTable]) -> str:
    """The domain, empty if there is none; a warning where a reminder is wanted without one."""
    for number, rule in enumerate(rules):
        if rule.remind_after is not None:
            _check_reminder(page, dotted("rules", number, "remind_after"), rule, table)
    if table is None:
        return ""
    domain = _domain(page, table.domain)
    if domain in inside:
        page.problem(
            _KEY, f"people have mail at `{domain}`: receipts need a domain of their own, such as receipts.{domain}"
        )
    return domain


def _check_reminder(page: Page, key: str, rule: RuleTable, table: ReceiptsTable | None) -> None:
    if rule.remind_after is not None and rule.remind_after > VALID_FOR:
        page.problem(key, f"a receipt is waited for at most {VALID_FOR.days}d")
    if table is None:
        page.warning(key, "nobody is reminded without [receipts]: receipts go past the gateway, straight to the sender")


def _domain(page: Page, text: str) -> str:
    try:
        if text.startswith("["):
            raise BadAddress("it is an address literal")
        return parse_domain(text)
    except BadAddress as exc:
        page.problem(_KEY, f"`{text}` is not a domain: {exc}")
        return ""
