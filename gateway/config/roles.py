"""``[roles]``: names for the mailboxes that hear of something, release held mail, or keep a copy."""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.config.page import Page, dotted
from gateway.core.address import Address, BadAddress, parse_address


@dataclass(frozen=True, slots=True)
class Roles:
    """Each role's mailbox, and the domains that are inside."""

    mailboxes: Mapping[str, Address]
    inside: frozenset[str]

    def known(self, page: Page, key: str, role: str) -> bool:
        """Whether there is such a role; a problem if not."""
        if role in self.mailboxes:
            return True
        page.unknown(key, "role", role, self.mailboxes)
        return False

    def mailbox(self, page: Page, key: str, role: str) -> str | None:
        """The role's mailbox; None, and a problem, if there is no such role."""
        return str(self.mailboxes[role]) if self.known(page, key, role) else None

    def archive(self, page: Page, key: str, text: str) -> str | None:
        """An address or a role whose mailbox is inside, where copies of messages may go; else None and a problem."""
        address = _address(page, key, text) if "@" in text else self.mailboxes.get(text)
        if address is None:
            if "@" not in text:
                self.known(page, key, text)
            return None
        if address.domain not in self.inside:
            page.problem(key, f"a copy stays inside the organisation: `{address.domain}` is outside")
            return None
        return str(address)


def read_roles(page: Page, table: Mapping[str, str], inside: frozenset[str]) -> Roles:
    """All roles that can be read."""
    read = {name: _address(page, dotted("roles", name), text) for name, text in table.items()}
    return Roles({name: address for name, address in read.items() if address is not None}, inside)


def _address(page: Page, key: str, text: str) -> Address | None:
    try:
        return parse_address(text)
    except BadAddress as exc:
        page.problem(key, f"`{text}` is not an address: {exc}")
        return None
