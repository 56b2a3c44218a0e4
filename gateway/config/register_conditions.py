"""Readers of the conditions on registers; a register that the policy does not keep cannot be asked."""

from collections.abc import Mapping
from typing import Final

from gateway.config.names import Names, Reader, read_flag, read_known
from gateway.config.page import Table, as_table, did_you_mean
from gateway.core.conditions.base import Condition
from gateway.core.conditions.registers import AgreementIs, CjsmAddressIs, MailboxIs, PartnerIs, SchoolIs
from gateway.core.registers.mailboxes import MailboxKind
from gateway.core.registers.partners import Standing
from gateway.core.registers.schools import SchoolType

_KINDS: Final = (MailboxKind.SHARED, MailboxKind.LIST)


def _mailbox(value: object, names: Names) -> Condition:
    table = _table(value, ("kind", "cleared"), '{ kind = "list", cleared = false }')
    kinds = read_known(table["kind"], _KINDS, "kind of mailbox") if "kind" in table else _KINDS
    cleared = read_flag(table["cleared"]) if "cleared" in table else None
    _kept("mailboxes", names)
    return MailboxIs(names.registers.mailboxes.addresses, frozenset(MailboxKind(kind) for kind in kinds), cleared)


def _school(value: object, names: Names) -> Condition:
    table = _table(value, ("type", "logon"), '{ type = ["maintained", "academy"], logon = true }')
    types = read_known(table["type"], SchoolType, "type of school") if "type" in table else tuple(SchoolType)
    logon = read_flag(table["logon"]) if "logon" in table else None
    _kept("schools", names)
    return SchoolIs(names.registers.schools, frozenset(SchoolType(each) for each in types), logon)


def _agreement(value: object, names: Names) -> Condition:
    words = read_known(value, Standing, "state of an agreement")
    _kept("partners", names)
    return AgreementIs(names.registers.partners, frozenset(Standing(word) for word in words))


def _partner(value: object, names: Names) -> Condition:
    if isinstance(value, bool):
        _kept("partners", names)
        return PartnerIs(names.registers.partners, value)
    table = _table(value, ("cjsm_address",), "true, false or { cjsm_address = true }")
    wanted = read_flag(table["cjsm_address"])
    _kept("partners", names)
    return CjsmAddressIs(names.registers.partners, wanted)


def _table(value: object, known: tuple[str, ...], example: str) -> Table:
    """A table with some of the known keys."""
    table = as_table(value)
    if not table:
        raise ValueError(f"this is {example}")
    for name in table:
        if name not in known:
            raise ValueError(f"unknown key `{name}`{did_you_mean(name, known)}")
    return table


def _kept(register: str, names: Names) -> None:
    if register not in names.named:
        raise ValueError(f'the policy keeps no such register: name its file, [registers] {register} = "…"')


REGISTER_READERS: Final[Mapping[str, Reader]] = {
    "mailbox": _mailbox,
    "school": _school,
    "agreement": _agreement,
    "partner": _partner,
}
