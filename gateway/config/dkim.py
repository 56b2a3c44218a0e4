"""``[[dkim]]``: the keys that sign outgoing mail."""

from collections.abc import Sequence

from gateway.config.page import Page, dotted
from gateway.config.secrets import Secrets
from gateway.config.tables import DkimTable
from gateway.signing.keys import DkimKey


def read_dkim(page: Page, tables: Sequence[DkimTable], secrets: Secrets) -> tuple[DkimKey, ...]:
    """All of them; two of one selector for one domain are a problem."""
    keys: list[DkimKey] = []
    seen: set[tuple[str, str]] = set()
    for number, table in enumerate(tables):
        key = dotted("dkim", number)
        domains = frozenset(domain.lower() for domain in table.domains)
        if any((table.selector, domain) in seen for domain in domains):
            page.problem(f"{key}.selector", f"the selector {table.selector} has another key for one of these domains")
        seen |= {(table.selector, domain) for domain in domains}
        text = secrets.text(table.key, f"{key}.key")
        keys.append(DkimKey(domains=domains, selector=table.selector, private_key=text))
    return tuple(keys)
