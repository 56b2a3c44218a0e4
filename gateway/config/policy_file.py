"""A policy file's bytes → `Policy`. What the rules amount to is checked in `gateway.config.policy_checks`."""

import hashlib
from collections.abc import Mapping, Sequence

from gateway.config.conditions import INTENTS, Names, read_when
from gateway.config.labels import read_labels
from gateway.config.page import Page, dotted
from gateway.config.policy_tables import ClassificationTable, GroupTable, OrganisationTable, PolicyTable, RuleTable
from gateway.core.address import Address, BadAddress, parse_address, parse_domain
from gateway.core.domains import Group, parse_domains
from gateway.core.policy import Action, Hold, Organisation, Policy, Reject, Rule, Send
from gateway.core.reading import Reading
from gateway.core.route import Route
from gateway.core.template import Template
from gateway.core.tls import Protection


def read_policy(page: Page, data: bytes, routes: Mapping[str, Route]) -> Policy | None:
    """The policy; None, and all its problems on the page, if it cannot be used."""
    raw = page.toml(data)
    table = None if raw is None else page.validate(PolicyTable, raw)
    if table is None:
        return None
    organisation = _organisation(page, table.organisation)
    levels = _levels(page, table.classification)
    groups = {name: _group(page, name, group) for name, group in table.groups.items()}
    inside = Group("the organisation", domains=parse_domains(organisation.domains))
    names = Names(levels, groups, inside)
    reading = _reading(page, table, levels)
    rules = _rules(page, table.rules, names, organisation.contact)
    if page.problems or reading is None:
        return None
    return Policy(
        organisation=organisation,
        reading=reading,
        floors={level: Protection[table.classification.floor[level].upper()] for level in levels},
        groups=groups,
        rules=rules,
        routes=routes,
        hash=hashlib.sha256(data).hexdigest(),
    )


def _organisation(page: Page, table: OrganisationTable) -> Organisation:
    key = "organisation"
    domains = frozenset(_inside(page, dotted(key, "domains", at), name) for at, name in enumerate(table.domains))
    return Organisation(
        name=table.name,
        domains=domains,
        contact=table.contact,
        postmaster=_address(page, dotted(key, "postmaster"), table.postmaster),
    )


def _inside(page: Page, key: str, name: str) -> str:
    if "*" in name:
        page.problem(key, "what is inside is an exact list: name each domain, without *")
        return "invalid"
    try:
        return parse_domain(name)
    except BadAddress as exc:
        page.problem(key, f"`{name}`: {exc}")
        return "invalid"


def _address(page: Page, key: str, text: str) -> Address:
    try:
        return parse_address(text)
    except BadAddress as exc:
        page.problem(key, f"`{text}` is not an address: {exc}")
        return Address("invalid", "invalid")


def _levels(page: Page, table: ClassificationTable) -> tuple[str, ...]:
    levels = tuple(table.levels)
    if len(set(levels)) < len(levels):
        page.problem("classification.levels", "a level stands there twice")
    if table.default not in levels:
        page.unknown("classification.default", "level", table.default, levels)
    for level in levels:
        if level not in table.floor:
            page.problem(f"classification.floor.{level}", "each level has a floor")
    for level in table.floor:
        if level not in levels:
            page.unknown("classification.floor", "level", level, levels)
    return levels


def _group(page: Page, name: str, table: GroupTable) -> Group:
    key = dotted("groups", name)
    addresses = [_address(page, dotted(key, "addresses", at), text) for at, text in enumerate(table.addresses)]
    label = f"group:{name}"
    if not table.addresses and not table.domains:
        page.warning(key, "nobody is in this group")
    try:
        return Group(label, frozenset(address.key for address in addresses), parse_domains(table.domains))
    except BadAddress as exc:
        page.problem(f"{key}.domains", str(exc))
        return Group(label)


def _reading(page: Page, table: PolicyTable, levels: tuple[str, ...]) -> Reading | None:
    read = [read_labels(page, dotted("labels", at), raw, levels) for at, raw in enumerate(table.labels)]
    if table.classification.default not in levels:
        return None
    try:
        return Reading(
            levels=levels,
            default=table.classification.default,
            sources=tuple(source for source in read if source is not None),
            intent_header=table.intent.header,
            intent_marks={mark: INTENTS[intent] for mark, intent in table.intent.marks.items()},
        )
    except ValueError as exc:
        page.problem("intent.marks", str(exc))
        return None


def _rules(page: Page, tables: Sequence[RuleTable], names: Names, contact: str) -> tuple[Rule, ...]:
    for number, table in enumerate(tables):
        _check_rule(page, dotted("rules", number), table, tables[:number], is_last=number == len(tables) - 1)
    return tuple(_rule(page, dotted("rules", at), table, names, contact) for at, table in enumerate(tables))


def _rule(page: Page, key: str, table: RuleTable, names: Names, contact: str) -> Rule:
    return Rule(
        name=table.name,
        when=None if table.when is None else read_when(page, dotted(key, "when"), table.when, names),
        action=_action(table),
        advice=Template(table.advice or f"Ask {contact} how to send this."),
        below_floor=table.below_floor,
        ignores_buttons=table.ignores_buttons,
    )


def _action(table: RuleTable) -> Action:
    if table.route is not None:
        return Send(tuple(table.route))
    return Hold() if table.hold else Reject()


def _check_rule(page: Page, key: str, table: RuleTable, before: Sequence[RuleTable], *, is_last: bool) -> None:
    if any(other.name == table.name for other in before):
        page.problem(f"{key}.name", f"another rule is called `{table.name}`")
    if [table.route is None, table.reject is None, table.hold is None].count(False) != 1:
        page.problem(key, f"`{table.name}` needs exactly one of route, reject = true and hold = true")
    if table.route is not None and len(set(table.route)) < len(table.route):
        page.problem(f"{key}.route", "a chain never goes back: each route stands there once")
    if table.reject and table.advice is None:
        page.problem(f"{key}.advice", "who refuses says what to do instead")
    if table.below_floor is not None and table.route is None:
        page.problem(f"{key}.below_floor", "only a rule with a route can go below the floor")
    _check_last(page, key, table, is_last=is_last)


def _check_last(page: Page, key: str, table: RuleTable, *, is_last: bool) -> None:
    if is_last and table.when is not None:
        page.problem(f"{key}.when", "the last rule has no condition, so that every message has an end")
    if is_last and table.hold:
        page.problem(f"{key}.hold", "a held message goes on by a later rule once it is released: there is none")
    if not is_last and table.when is None:
        page.problem(key, f"`{table.name}` has no condition, so no rule behind it is ever reached")
