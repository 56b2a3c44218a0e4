"""A policy file's bytes → `Policy`. What the rules amount to is checked in `gateway.config.checks.floors`."""

from collections.abc import Mapping
from dataclasses import replace

from gateway.config.beside import NOTHING_BESIDE, Beside, pack_policy, policy_hash
from gateway.config.names import Names
from gateway.config.page import Page, dotted
from gateway.config.policy_tables import ClassificationTable, OrganisationTable, PolicyTable
from gateway.config.reading import read_reading
from gateway.config.receipts import read_receipts
from gateway.config.registers.book import Shelf, named_registers, read_groups, read_registers, read_transfer_lines
from gateway.config.registers.entries import Scope
from gateway.config.roles import read_roles
from gateway.config.rollouts import read_modes
from gateway.config.rules import read_rules
from gateway.core.address import Address, BadAddress, parse_address, parse_domain
from gateway.core.domains import Group, parse_domains
from gateway.core.policy import Choice, Organisation, Policy
from gateway.core.route import Route
from gateway.core.tls import Protection


def read_policy(
    page: Page,
    data: bytes,
    routes: Mapping[str, Route],
    beside: Beside = NOTHING_BESIDE,
    known: frozenset[str] | None = None,
) -> Policy | None:
    """The policy; None, and all its problems on the page, if it cannot be used.

    ``beside`` are the files that it names. ``known`` are the routes that its registers may name; None for a policy that
    was kept, whose routes may have gone since.
    """
    raw = page.toml(data)
    table = None if raw is None else page.validate(PolicyTable, raw)
    if table is None:
        return None
    organisation = _organisation(page, table.organisation)
    levels = _levels(page, table.classification)
    shelf = Shelf(page, beside)
    groups = read_groups(shelf, table.groups)
    inside = Group("the organisation", domains=parse_domains(organisation.domains))
    names = Names(levels, groups, inside)
    registers = read_registers(shelf, table.registers, Scope(names, known))
    names = replace(names, registers=registers, named=named_registers(table.registers))
    reading = read_reading(page, table, names)
    roles = read_roles(page, table.roles, organisation.domains)
    transfers = read_transfer_lines(shelf, table.registers, Scope(names, known))
    rules = read_rules(page, table.rules, names, roles, transfers)
    rollouts = read_modes(page, table.modes, {rule.name for rule in rules}, names)
    receipts = read_receipts(page, table.receipts, organisation.domains, table.rules)
    if page.problems or reading is None:
        return None
    return Policy(
        organisation=organisation,
        reading=reading,
        floors={level: Protection[table.classification.floor[level].upper()] for level in levels},
        groups=groups,
        rules=rules,
        routes=routes,
        hash=policy_hash(pack_policy(data, beside.files)),
        registers=registers,
        choose=Choice(table.choose),
        rollouts=rollouts,
        roles=roles.mailboxes,
        receipts=receipts,
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
