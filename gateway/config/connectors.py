"""What a route to a sealing host says of it: that it hands mail back, and in which form it wants addresses."""

from collections.abc import Mapping, Set
from typing import Final

from gateway.config.page import Page, Table
from gateway.config.tables import RouteTable, SystemTable
from gateway.core.mapping import NO_SUFFIXES, Suffixes
from gateway.core.route import Route

_RETURNED: Final = "opportunistic"
"""The route of mail that came back sealed, where `[system]` names none."""


def read_suffixes(page: Page, table: RouteTable, key: str) -> Suffixes:
    """What addresses grow by on the route."""
    for name, suffix in (("sender_suffix", table.sender_suffix), ("recipient_suffix", table.recipient_suffix)):
        try:
            Suffixes(sender=suffix)
        except ValueError as error:
            page.problem(f"{key}.{name}", str(error))
            return NO_SUFFIXES
    return Suffixes(sender=table.sender_suffix, recipient=table.recipient_suffix)


def check_connector(page: Page, table: RouteTable, own: Table, key: str) -> None:
    """Only a fixed host that seals can be trusted to hand mail back, or has a form of addresses of its own."""
    if table.returns and table.protection != "sealed":
        page.problem(f"{key}.returns", 'only a host that seals hands mail back: this goes with protection = "sealed"')
    if (table.sender_suffix or table.recipient_suffix) and "host" not in own:
        page.problem(key, "only a route with a fixed host can have a form of addresses of its own")


def read_returned(page: Page, table: SystemTable, routes: Mapping[str, Route], names: Set[str]) -> str:
    """The route of mail that a sealing host has handed back; it must be there if one of them does that."""
    name = table.returned or _RETURNED
    if not any(route.returns for route in routes.values()):
        return name
    if name not in names and table.returned is None:
        text = f"this key is missing: a route returns mail, and there is no route `{name}` on which that could go on"
        page.problem("system.returned", text)
    elif name in routes and routes[name].returns:
        page.problem("system.returned", f"mail that came back would go to the host of `{name}` again, and never leave")
    return name
