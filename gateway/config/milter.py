"""``[[listen.milter]]``: the doors for an MTA that stays in front of us, and what keeps strangers from them."""

from typing import Final

from gateway.config.admission import is_shared
from gateway.config.page import Page, dotted
from gateway.config.tables import ListenTable, MilterTable
from gateway.config.units import parse_milter
from gateway.flow.custody import Custody
from gateway.flow.options import Refusals
from gateway.listeners.options import LOOPBACK, LocalSocket, MilterOptions, TcpSocket

_WRITABLE: Final = 0o222


def read_milters(page: Page, listen: ListenTable) -> tuple[MilterOptions, ...]:
    """In order; no two doors for mail have one name."""
    names = [table.name or table.address for table in listen.smtp]
    taken = [table.address for table in listen.smtp]
    found: list[MilterOptions] = []
    for number, table in enumerate(listen.milter):
        key, options = dotted("listen", "milter", number), _milter(page, table, number)
        if options.name in names:
            page.problem(key, f"another listener is called {options.name}")
        if table.address in taken and not table.address.endswith(":0"):
            page.problem(f"{key}.address", f"another listener has {table.address}")
        names.append(options.name)
        taken.append(table.address)
        found.append(options)
    return tuple(found)


def _milter(page: Page, table: MilterTable, number: int) -> MilterOptions:
    key, custody = dotted("listen", "milter", number), Custody(table.mode)
    if table.refusals is not None and custody is not Custody.TAKEOVER:
        page.problem(f"{key}.refusals", f"in mode {table.mode} nothing is carried by us, so there are no reports")
    if custody is Custody.TAG:
        page.warning(f"{key}.mode", "tag only records: nothing of the policy is enforced there")
    where, given = parse_milter(table.address), {"timeout": table.timeout} if table.timeout else {}
    local = not isinstance(where, tuple)
    _check_allow(page, table, key, local=local)
    if not int(table.permissions, 8) & _WRITABLE:
        page.problem(f"{key}.permissions", "nobody could connect: to connect is to write")
    if table.timeout is not None and not table.timeout:
        page.problem(f"{key}.timeout", "no MTA answers in no time")
    return MilterOptions(
        name=table.name or table.address,
        where=TcpSocket(*where) if isinstance(where, tuple) else LocalSocket(where, int(table.permissions, 8)),
        custody=custody,
        refusals=Refusals(table.refusals or Refusals.REPORT),
        allow=LOOPBACK if table.allow is None else tuple(table.allow),
        max_message=table.max_message,
        max_recipients=table.max_recipients,
        max_connections=table.max_connections,
        **given,
    )


def _check_allow(page: Page, table: MilterTable, key: str, *, local: bool) -> None:
    """Whoever may ask can have mail sent, so strangers may not."""
    if local and table.allow is not None:
        page.problem(f"{key}.allow", "a local socket is guarded by `permissions`, not by networks")
    if not local and "permissions" in table.model_fields_set:
        page.problem(f"{key}.permissions", "only a local socket has them; name networks in `allow`")
    if table.allow is not None and not table.allow:
        page.warning(f"{key}.allow", "nobody may connect here")
    for network in table.allow or ():
        if is_shared(network):
            page.problem(f"{key}.allow", f"{network} is shared by many organisations; a milter's client is your MTA")
