"""The listeners, and the rules that keep them from being open relays.

A network that many organisations share proves nothing: a client in it must show its certificate and a header that only
our own tenant sets.
"""

from collections.abc import Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Final, Literal

from gateway.config.page import Page, dotted
from gateway.config.secrets import Secrets
from gateway.config.tables import AllowTable, SmtpTable
from gateway.config.units import parse_endpoint
from gateway.flow.options import Refusals
from gateway.listeners.options import Allow, Network, SmtpOptions

# Exchange Online's published addresses, through which all tenants send (Microsoft 365 endpoint set 10).
_MICROSOFT_365: Final = tuple(
    ip_network(text)
    for text in (
        "40.92.0.0/15",
        "40.107.0.0/16",
        "52.100.0.0/14",
        "104.47.0.0/17",
        "2a01:111:f400::/48",
        "2a01:111:f403::/48",
    )
)
# No single organisation has more: the largest assignments are an IPv4 /8 and an IPv6 /32.
_WIDEST: Final = {4: 8, 6: 32}
_SHARED_NAME: Final = "protection.outlook.com"


def read_listeners(page: Page, tables: Sequence[SmtpTable], base: Path, secrets: Secrets) -> tuple[SmtpOptions, ...]:
    """``[[listen.smtp]]`` in order; whatever would admit strangers is a problem."""
    options = tuple(_listener(page, table, base, secrets, number) for number, table in enumerate(tables))
    names = [option.name for option in options]
    for number, name in enumerate(names):
        if name in names[:number]:
            page.problem(dotted("listen", "smtp", number), f"another listener is called {name}")
    return options


def _listener(page: Page, table: SmtpTable, base: Path, secrets: Secrets, number: int) -> SmtpOptions:
    key = dotted("listen", "smtp", number)
    host, port = parse_endpoint(table.address)
    if (table.private_key or table.client_ca) and not table.certificate:
        page.problem(f"{key}.certificate", "private_key and client_ca need a certificate")
    if not table.allow:
        page.warning(key, "without [[listen.smtp.allow]] nobody may send here")
    given = {"timeout": table.timeout} if table.timeout else {}
    return SmtpOptions(
        name=table.name or table.address,
        host=host,
        port=port,
        certificate=_path(base, table.certificate),
        private_key=_path(base, table.private_key),
        client_ca=None if table.client_ca is None else authorities(base, table.client_ca),
        refusals=Refusals(table.refusals),
        allow=_allows(page, table, key, secrets),
        max_message=table.max_message,
        max_recipients=table.max_recipients,
        max_connections=table.max_connections,
        max_per_address=table.max_per_address,
        **given,
    )


def _allows(page: Page, listener: SmtpTable, key: str, secrets: Secrets) -> tuple[Allow, ...]:
    """Every ``allow`` that asks for something; one that does not is a problem and cannot be made."""
    found = [_allow(page, listener, at, f"{key}.{dotted('allow', at)}", secrets) for at in range(len(listener.allow))]
    return tuple(allow for allow in found if allow is not None)


def _allow(page: Page, listener: SmtpTable, number: int, key: str, secrets: Secrets) -> Allow | None:
    table = listener.allow[number]
    found = (*_open_relay(table), *_unproven(listener, table))
    for text in found:
        page.problem(key, text)
    headers = {
        name: tuple(secrets.text(value, f"{key}.require_header.{name}") for value in values)
        for name, values in table.require_header.items()
    }
    if found:
        return None
    return Allow(networks=tuple(table.networks), client_name=table.client_name, require_header=headers)


def _open_relay(table: AllowTable) -> tuple[str, ...]:
    if not table.networks and table.client_name is None:
        return ("this would admit everybody: give networks or client_name",)
    if table.client_name is not None and table.require_header:
        return ()
    shared = next((network for network in table.networks if is_shared(network)), None)
    if shared is not None:
        return (f"{shared} is shared by many organisations: add client_name and require_header",)
    if table.client_name is not None and table.client_name.endswith(_SHARED_NAME):
        return (f"{table.client_name} is shared by all tenants: add require_header",)
    return ()


def _unproven(listener: SmtpTable, table: AllowTable) -> tuple[str, ...]:
    """What could never admit anybody, because the proof is not asked for or has no value."""
    texts: list[str] = []
    if table.client_name is not None and listener.client_ca is None:
        texts.append("client_name needs the listener's certificate and client_ca")
    texts += [f"the header {name} has no valid value" for name, values in table.require_header.items() if not values]
    return tuple(texts)


def is_shared(network: Network) -> bool:
    """Whether many organisations send from there, so that an address in it proves nothing."""
    if network.is_private:
        return False
    if network.prefixlen < _WIDEST[network.version]:
        return True
    return any(known.version == network.version and network.overlaps(known) for known in _MICROSOFT_365)


def _path(base: Path, name: str | None) -> Path | None:
    return None if name is None else base / name


def authorities(base: Path, name: str) -> Path | Literal["system"]:
    """A file of authorities, or the system's."""
    return "system" if name == "system" else base / name
