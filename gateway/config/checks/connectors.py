"""Warnings about connectors: where one network is the only way that is allowed, nothing may stand in for it."""

from collections.abc import Iterator
from typing import Final

from gateway.config.checks.implies import implies
from gateway.config.page import Page
from gateway.core.conditions.party import PartyIs
from gateway.core.domains import Group
from gateway.core.policy import Policy, Rule, Send

_CJSM: Final = "cjsm.net"


def connector_warnings(page: Page, policy: Policy) -> None:
    """Rules that could send by another route what belongs on a network of its own (P 5, CJSM)."""
    closed = tuple(group for group in policy.groups.values() if _is_cjsm(group))
    for rule in policy.rules:
        for text in _second_ways(rule, policy, closed):
            page.warning(f"{rule.key}.route", text)


def _second_ways(rule: Rule, policy: Policy, closed: tuple[Group, ...]) -> Iterator[str]:
    if not isinstance(rule.action, Send) or len(rule.action.chain) < 2:
        return
    mapped = [name for name in rule.action.chain if name in policy.routes and policy.routes[name].suffixes]
    if mapped:
        yield f"`{mapped[0]}` has addresses of its own, which no other route of the chain can use: name it alone"
    elif rule.when is not None and any(implies(rule.when, PartyIs("recipient", (group,))) for group in closed):
        yield "these recipients are reached by CJSM or not at all: nothing stands in for it, so name one route"


def _is_cjsm(group: Group) -> bool:
    return _CJSM in group.domains or f"any.{_CJSM}" in group.domains
