"""The routes: what every route has is read here, the rest by its transport's Options."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from gateway.config.connectors import check_connector, read_suffixes
from gateway.config.page import Page, Table, as_table, dotted
from gateway.config.secrets import Secrets
from gateway.config.tables import RouteTable
from gateway.config.transport_options import Source, read_options
from gateway.core.header import is_control
from gateway.core.route import Declared, Route
from gateway.core.tls import Channel
from gateway.listeners.options import Network
from gateway.transports import TRANSPORTS
from gateway.transports.smarthost import parse_host

_AUTHENTIC: Final = "authentic"
_CHANNELS: Final = {
    "may": Channel.PLAIN,
    "encrypt": Channel.ENCRYPTED,
    "verify": Channel.PKIX,
    _AUTHENTIC: Channel.PKIX,
}
_DECLARED: Final = {None: Declared.CONNECTION, "sealed": Declared.SEALED, "internal": Declared.INTERNAL}
# RFC 5322 section 3.6.8: ftext is printable ASCII without the colon.
_FIELD_NAME: Final = re.compile(r"[!-9;-~]{1,76}")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
_FIELD_VALUE: Final = re.compile(r"[ -~]{0,900}")


@dataclass(frozen=True, slots=True)
class Routes:
    """All ``names``; the routes that could be read, and each one's transport options, by name."""

    names: frozenset[str]
    routes: Mapping[str, Route]
    options: Mapping[str, object]


def read_routes(page: Page, tables: Mapping[str, object], secrets: Secrets) -> Routes:
    """``[routes.*]``; all of them are looked at, whatever is wrong with one."""
    routes: dict[str, Route] = {}
    options: dict[str, object] = {}
    for name, raw in tables.items():
        key = dotted("routes", name)
        common, own = _split(raw)
        if not _NAME.fullmatch(name):
            page.problem(key, "a route's name is made of letters, digits, - and _, because the hop field lists it")
        table = page.validate(RouteTable, common, key)
        if table is not None:
            _check_tls(page, table, key)
            _check_protection(page, table, own, key)
            check_connector(page, table, own, key)
            routes[name] = _route(page, name, table, key)
        given = _own_options(page, common.get("transport"), own, Source(page, key, secrets.bundle.base, secrets))
        if given is not None:
            options[name] = given
    return Routes(frozenset(tables), routes, options)


def _split(raw: object) -> tuple[Table, Table]:
    """The keys that every route has, and the transport's own."""
    table = as_table(raw)
    common = {key: value for key, value in table.items() if key in RouteTable.model_fields}
    return common, {key: value for key, value in table.items() if key not in common}


def _route(page: Page, name: str, table: RouteTable, key: str) -> Route:
    for field, value in table.add_header.items():
        _check_header(page, f"{key}.add_header.{field}", field, value)
    return Route(
        name=name,
        transport=table.transport,
        demands=_channel(table),
        authentic=table.tls == _AUTHENTIC,
        declared=_declared(table),
        give_up_after=table.give_up_after,
        max_attachments=table.max_attachments,
        max_message=table.max_message,
        add_header=tuple(table.add_header.items()),
        returns=table.returns,
        suffixes=read_suffixes(page, table, key),
    )


def _channel(table: RouteTable) -> Channel:
    return _CHANNELS[table.tls or "may"]


def _declared(table: RouteTable) -> Declared:
    """What seals by itself needs nobody to say so."""
    transport = TRANSPORTS.get(table.transport)
    return Declared.SEALING if transport is not None and transport.seals else _DECLARED[table.protection]


def _own_options(page: Page, name: object, own: Table, source: Source) -> object | None:
    if not isinstance(name, str):
        return None
    transport = TRANSPORTS.get(name)
    if transport is None:
        page.unknown(f"{source.key}.transport", "transport", name, TRANSPORTS)
        return None
    return read_options(source, transport.Options, own, tuple(RouteTable.model_fields))


def _check_tls(page: Page, table: RouteTable, key: str) -> None:
    """Every route that connects says what it asks of the connection, and no other."""
    transport = TRANSPORTS.get(table.transport)
    if transport is None:
        return
    if transport.connects and table.tls is None:
        page.problem(f"{key}.tls", "this key is missing: may, encrypt, verify or authentic")
    elif not transport.connects and table.tls is not None:
        page.problem(f"{key}.tls", f"a route by `{table.transport}` makes no connection: take this key out")


def _check_protection(page: Page, table: RouteTable, own: Table, key: str) -> None:
    """A route may only be declared better than its connection where the next hop is fixed and known."""
    if table.protection is None:
        return
    if "host" not in own:
        page.problem(f"{key}.protection", "only a route with a fixed host can declare its protection")
    elif table.protection == "sealed" and _channel(table) is not Channel.PKIX:
        page.problem(f"{key}.tls", 'protection = "sealed" needs tls = "verify": the sealing host must prove its name')


def check_internal(page: Page, tables: Mapping[str, object], internal: Sequence[Network]) -> None:
    """``protection = "internal"`` meets every floor, so its host must be inside for certain."""
    for name, raw in tables.items():
        common, own = _split(raw)
        if common.get("protection") != "internal" or "host" not in own:
            continue
        if not _is_host(own["host"]):
            # Which is said by the transport's own check; where it lies cannot be told.
            continue
        pinned = _CHANNELS.get(str(common.get("tls"))) is Channel.PKIX and bool(own.get("match_name"))
        if not pinned and not _is_inside(str(own["host"]), internal):
            text = 'the host must be an address in [network] internal, or have tls = "verify" and match_name'
            page.problem(dotted("routes", name, "protection"), text)


def _is_host(value: object) -> bool:
    try:
        parse_host(str(value))
    except ValueError:
        return False
    return True


def _is_inside(host: str, internal: Sequence[Network]) -> bool:
    try:
        address = ip_address(parse_host(host)[0])
    except ValueError:
        return False
    return any(address in network for network in internal)


def _check_header(page: Page, key: str, name: str, value: str) -> None:
    if not _FIELD_NAME.fullmatch(name) or not _FIELD_VALUE.fullmatch(value):
        page.problem(key, "a header field has a name without spaces or colon, and a value in printable ASCII")
    elif is_control(name):
        page.problem(key, "fields that start with X-Sealpost- are the gateway's own")
