"""The register of exceptions to a route's size limit: who, to whom, until when, up to what (mission M5 "by request").

An exception never lowers protection: it only lets a larger message take a route that it was decided for anyway.
"""

from dataclasses import dataclass
from datetime import date

from gateway.core.address import Address
from gateway.core.domains import Group


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """One exception. ``up_to`` is bytes of attached files; it holds up to and including ``until``."""

    route: str
    sender: Group
    recipient: Group
    up_to: int
    until: date
    reference: str
    reason: str = ""

    def applies(self, route: str, sender: Address | None, recipient: Address, day: date) -> bool:
        """Whether it lets mail between these two be larger on that route that day."""
        return (
            route == self.route
            and day <= self.until
            and sender is not None
            and sender in self.sender
            and recipient in self.recipient
        )
