"""The register of partners: who may get what under which agreement, and how well protected (mission R2, M6)."""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from gateway.core.tls import Protection


class Agreement(StrEnum):
    """The kinds of agreement."""

    ISA = "ISA"
    NDA = "NDA"
    CONTRACT = "contract"


class Standing(StrEnum):
    """How an organisation stands to us for one level on one day; one that is no partner has no agreement."""

    VALID = "valid"
    EXPIRED = "expired"
    NONE = "none"
    NOT_COVERING = "not covering"


@dataclass(frozen=True, slots=True, kw_only=True)
class Partner:
    """One organisation. ``levels`` are those that the agreement covers; it holds up to and including ``expires``.

    ``tls`` is the least protection of mail to it, NONE for no demand. ``cjsm_address`` is where criminal-justice mail
    to it goes. ``most_wait`` is set for partners where a delay endangers people ("clinical safety"): no route but the
    last keeps mail to them longer.
    """

    name: str
    agreement: Agreement | None = None
    reference: str = ""
    levels: frozenset[str] = frozenset()
    expires: date | None = None
    last_review: date | None = None
    next_review: date | None = None
    owner: str = ""
    contact: str = ""
    tls: Protection = Protection.NONE
    cjsm_address: str = ""
    most_wait: timedelta | None = None

    def valid(self, day: date) -> bool:
        """Whether there is an agreement on that day; one without an end date holds."""
        return self.agreement is not None and (self.expires is None or day <= self.expires)

    def covers(self, level: str, day: date) -> bool:
        """Whether it holds on that day for that level."""
        return self.valid(day) and level in self.levels

    def standing(self, level: str, day: date) -> Standing:
        """Exactly one of the four holds; only VALID is `covers`."""
        if self.agreement is None:
            return Standing.NONE
        if not self.valid(day):
            return Standing.EXPIRED
        return Standing.VALID if level in self.levels else Standing.NOT_COVERING
