"""``[listen.desk]``: who may decide about held mail, where, and how the page knows them."""

from collections.abc import Iterable
from typing import Final

from gateway.config.page import Page, dotted
from gateway.config.tables import DeskTable
from gateway.config.units import parse_endpoint
from gateway.config.web_url import read_url
from gateway.core.address import BadAddress, parse_address
from gateway.core.policy import Hold, Policy
from gateway.desk.options import DeskOptions

_KEY: Final = "listen.desk"


def read_desk(page: Page, table: DeskTable | None) -> DeskOptions | None:
    """The page's options; None if there is none."""
    if table is None:
        return None
    host, port = parse_endpoint(table.address)
    if any(network.prefixlen == 0 for network in table.proxies):
        page.problem(f"{_KEY}.proxies", "everybody would be believed: name the addresses of the proxy alone")
    return DeskOptions(
        host=host,
        port=port,
        url=read_url(page, f"{_KEY}.url", table.url, "https://desk.council.example"),
        proxies=tuple(table.proxies),
        user_header=table.user_header,
        releasers={
            role: _people(page, dotted(_KEY, "releasers", role), people) for role, people in table.releasers.items()
        },
        readers=_people(page, f"{_KEY}.readers", table.readers),
    )


def check_desk(page: Page, desk: DeskOptions | None, policy: Policy) -> None:
    """Problems: roles that the policy does not know. Warnings: roles that nobody can decide for."""
    holding = {rule.action.role for rule in policy.rules if isinstance(rule.action, Hold) and rule.action.role}
    if desk is None:
        return
    for role in desk.releasers:
        if role not in policy.roles:
            page.unknown(f"{_KEY}.releasers", "role", role, policy.roles)
    for role in sorted(holding):
        if not desk.releasers.get(role):
            page.warning(f"{_KEY}.releasers", f"nobody may release what is held for `{role}`, but an operator")
    for reader in sorted(desk.readers - frozenset[str]().union(*desk.releasers.values())):
        page.warning(f"{_KEY}.readers", f"`{reader}` decides for no role, and so sees no content")


def _people(page: Page, key: str, people: Iterable[str]) -> frozenset[str]:
    found: set[str] = set()
    for person in people:
        try:
            found.add(parse_address(person).key)
        except BadAddress as exc:
            page.problem(key, f"`{person}` is not an address: {exc}")
    return frozenset(found)
