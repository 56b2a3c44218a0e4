"""Every register that a policy names, and the files of its groups: all of them read, or the policy is refused."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from gateway.config.beside import Beside
from gateway.config.page import Page, dotted
from gateway.config.policy_tables import GroupTable, RegistersTable
from gateway.config.registers.entries import Scope
from gateway.config.registers.exceptions import read_waivers
from gateway.config.registers.mailboxes import read_mailboxes
from gateway.config.registers.members import read_members
from gateway.config.registers.partners import read_partners
from gateway.config.registers.schools import read_schools, with_unknown
from gateway.config.registers.sheet import Sheet
from gateway.config.registers.systems import read_systems
from gateway.config.registers.transfers import Transfer, read_transfers
from gateway.core.address import BadAddress, parse_address
from gateway.core.domains import DomainSet, Group, parse_domains
from gateway.core.registers.book import Registers
from gateway.core.registers.directory import keyed, parse_member
from gateway.core.registers.mailboxes import Mailbox
from gateway.core.registers.partners import Partner
from gateway.core.registers.schools import School

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where registers are read from: the policy's page, and the files beside it."""

    page: Page
    beside: Beside

    def read(self, key: str, name: str | None, reader: Callable[[Sheet, bytes], _T], otherwise: _T) -> _T:
        """The register in the file that is named at ``key``; ``otherwise`` if none is, or it cannot be read."""
        data = None if name is None else self.beside.take(self.page, key, name)
        if name is None or data is None:
            return otherwise
        sheet = Sheet(self.beside.path(name))
        found = reader(sheet, data)
        self.page.problems.extend(sheet.said())
        return found


def read_registers(shelf: Shelf, table: RegistersTable, scope: Scope) -> Registers:
    """All but the transfers, whose conditions can read these (`read_transfer_lines`)."""
    schools = shelf.read("registers.schools", table.schools, read_schools, keyed(dict[str, School]()))
    partners = partial(read_partners, scope=scope)
    mailboxes = partial(read_mailboxes, scope=scope)
    return Registers(
        partners=shelf.read("registers.partners", table.partners, partners, keyed(dict[str, Partner]())),
        mailboxes=shelf.read("registers.mailboxes", table.mailboxes, mailboxes, keyed(dict[str, Mailbox]())),
        schools=with_unknown(schools, _under(shelf.page, table)) if table.schools_under else schools,
        systems=shelf.read("registers.systems", table.systems, partial(read_systems, scope=scope), ()),
        waivers=shelf.read("registers.exceptions", table.exceptions, partial(read_waivers, scope=scope), ()),
    )


def read_transfer_lines(shelf: Shelf, table: RegistersTable, scope: Scope) -> tuple[Transfer, ...]:
    """The lines of the register of transfers, which become rules."""
    return shelf.read("registers.transfers", table.transfers, partial(read_transfers, scope=scope), ())


def named_registers(table: RegistersTable) -> frozenset[str]:
    """Those that the policy keeps; schools are known by their domains too."""
    given = {name for name, value in table.model_dump().items() if value}
    return frozenset(given - {"schools_under"} | ({"schools"} if table.schools_under else set()))


def read_groups(shelf: Shelf, tables: Mapping[str, GroupTable]) -> dict[str, Group]:
    """The groups by name, each with what its table and its file say."""
    return {name: _group(shelf, name, table) for name, table in tables.items()}


def _group(shelf: Shelf, name: str, table: GroupTable) -> Group:
    key, page = dotted("groups", name), shelf.page
    filed = shelf.read(dotted(key, "file"), table.file, read_members, Group(""))
    addresses = filed.addresses.union(_addresses(page, key, table))
    domains = _domains(page, key, table)
    exact, below = domains.exact | filed.domains.exact, domains.below | filed.domains.below
    if not addresses and not exact and not below:
        page.warning(key, "nobody is in this group")
    return Group(f"group:{name}", addresses, DomainSet(exact, below), table.title)


def _addresses(page: Page, key: str, table: GroupTable) -> set[str]:
    found: set[str] = set()
    for at, text in enumerate(table.addresses):
        try:
            found.add(parse_address(text).key)
        except BadAddress as exc:
            page.problem(dotted(key, "addresses", at), f"`{text}` is not an address: {exc}")
    return found


def _domains(page: Page, key: str, table: GroupTable) -> DomainSet:
    try:
        return parse_domains(table.domains)
    except BadAddress as exc:
        page.problem(f"{key}.domains", str(exc))
        return DomainSet()


def _under(page: Page, table: RegistersTable) -> tuple[str, ...]:
    found: list[str] = []
    for at, text in enumerate(table.schools_under):
        try:
            found.append(parse_member(text))
        except BadAddress as exc:
            page.problem(dotted("registers", "schools_under", at), str(exc))
    return tuple(found)
