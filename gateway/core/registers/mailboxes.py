"""The register of shared mailboxes and distribution lists: who owns them and what everybody there may see (M2, R9)."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class MailboxKind(StrEnum):
    """What stands behind an address; one that is not in the register is a person's."""

    PERSON = "person"
    SHARED = "shared"
    LIST = "list"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailbox:
    """``cleared`` are the levels that everybody who reads it may see; ``reviewed`` when that was last looked at."""

    address: str
    kind: MailboxKind
    owner: str
    cleared: frozenset[str] = frozenset()
    reviewed: date | None = None
