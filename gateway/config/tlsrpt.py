"""``[tlsrpt]``: who reports about TLS, from which address, and by which route."""

from collections.abc import Sequence

from gateway.config.page import Page
from gateway.config.tables import DkimTable, SystemTable, TlsrptTable
from gateway.core.address import BadAddress, parse_address
from gateway.flow.options import TlsrptOptions


def read_tlsrpt(
    page: Page, table: TlsrptTable | None, system: SystemTable, dkim: Sequence[DkimTable]
) -> TlsrptOptions | None:
    """None without the table, and for an address that is none."""
    if table is None:
        return None
    if system.tls_reports is None:
        page.problem("system.tls_reports", "[tlsrpt] needs the route that its reports leave by")
    try:
        sender = parse_address(table.sender)
        parse_address(table.contact.removeprefix("mailto:"))
    except BadAddress as error:
        page.problem("tlsrpt", f"sender and contact are mail addresses: {error}")
        return None
    if not any(sender.domain == domain.lower() for key in dkim for domain in key.domains):
        page.problem("tlsrpt.sender", f"reports have to be signed, and no [[dkim]] has a key for {sender.domain}")
    return TlsrptOptions(organisation=table.organisation, contact=table.contact, sender=sender)
