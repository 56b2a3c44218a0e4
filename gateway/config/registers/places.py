"""Where in the registers an entry stands: for people who are told to look at it.

A policy does not keep the lines that it was read from, so the register is read again, and only if there is something to
say of it.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final

from gateway.config.bundle import Bundle
from gateway.config.page import Strict, Table, as_table
from gateway.config.problems import Problem
from gateway.config.registers.lines import ExceptionLine, MailboxLine, PartnerLine, SystemLine
from gateway.config.registers.sheet import Sheet, read_tables
from gateway.config.registers.warnings import Finding
from gateway.config.toml import read_toml

_LINES: Final[Mapping[str, tuple[str, type[Strict]]]] = {
    "partners": ("partner", PartnerLine),
    "mailboxes": ("mailbox", MailboxLine),
    "systems": ("system", SystemLine),
    "exceptions": ("exception", ExceptionLine),
}


def placed(bundle: Bundle, findings: list[Finding]) -> Iterator[Problem]:
    """Each finding with the register's file and line; of a register that has no file, with the policy's key."""
    named = as_table(read_toml(bundle.policy_bytes).get("registers"))

    @cache
    def tables(register: str, name: str) -> list[tuple[str, Table]]:
        entry, model = _LINES[register]
        return list(read_tables(Sheet(bundle.beside.path(name)), bundle.beside.files[name], entry, model))

    for finding in findings:
        name = str(named[finding.register])
        place = _place(tables(finding.register, name), finding.entry)
        yield Problem(file=bundle.beside.path(name), key=place, text=finding.text)


def _place(tables: list[tuple[str, Table]], entry: str | int | None) -> str:
    match entry:
        case None:
            return ""
        case int():
            return tables[entry][0]
        case str():
            return next(place for place, table in tables if entry in (table.get("name"), table.get("address")))
