"""``[tlsrpt]``: who reports about TLS, from which address, and by which route (RFC 8460 sections 4.2 and 5.3)."""

from collections.abc import Sequence

from gateway.config.page import Page
from gateway.config.tables import DkimTable, SystemTable, TlsrptTable
from gateway.core.address import Address, BadAddress, parse_address
from gateway.flow.options import TlsrptOptions


def read_tlsrpt(
    page: Page, table: TlsrptTable | None, system: SystemTable, dkim: Sequence[DkimTable]
) -> TlsrptOptions | None:
    """None without the table, and for an address that is none."""
    if table is None:
        return None
    if system.tls_reports is None:
        page.problem("system.tls_reports", "[tlsrpt] needs the route that its reports leave by")
    sender = _address(page, "tlsrpt.sender", table.sender)
    contact = _address(page, "tlsrpt.contact", table.contact.removeprefix("mailto:"))
    if sender is None or contact is None:
        return None
    if not any(sender.domain == domain.lower() for key in dkim for domain in key.domains):
        page.problem("tlsrpt.sender", f"reports have to be signed, and no [[dkim]] has a key for {sender.domain}")
    return TlsrptOptions(organisation=table.organisation, contact=str(contact), sender=sender)


def _address(page: Page, key: str, text: str) -> Address | None:
    """One that every reader of a report can write to."""
    try:
        address = parse_address(text)
    except BadAddress as error:
        page.problem(key, f"this is a mail address: {error}")
        return None
    if not address.is_ascii or address.domain.startswith("["):
        page.problem(key, "reports are read everywhere, so the address is of a domain, and ASCII before the @")
        return None
    return address
