"""What a decision causes besides its route: points for the sender, words to a role, copies, header edits.

Effects never choose a route and never lower a floor. Carrying them out is the flow's.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from gateway.core.edits import HeaderEdit


@dataclass(frozen=True, slots=True)
class Point:
    """One short thing for the sender: the rule, why it matched, and what to do. It repeats no content."""

    rule: str
    reason: str
    advice: str


@dataclass(frozen=True, slots=True)
class Notification:
    """A role's mailbox hears that the rule matched; never the content."""

    rule: str
    mailbox: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """``warnings`` go to the sender, in one notice or in the report; ``copies`` are inside mailboxes.

    ``edits`` change the header of this recipient's delivery; ``remind_after`` is None without a receipt to wait for.
    ``raised`` is the level to which rules raised the message for this recipient, empty if none did.
    """

    warnings: tuple[Point, ...] = ()
    notifications: tuple[Notification, ...] = ()
    copies: tuple[str, ...] = ()
    edits: tuple[HeaderEdit, ...] = ()
    receipt: bool = False
    remind_after: timedelta | None = None
    raised: str = ""

    def with_more(self, more: "Effects") -> "Effects":
        """Both, this one's first, each thing once."""
        if more is NOTHING or self is NOTHING:
            return self if more is NOTHING else more
        reminders = [after for after in (self.remind_after, more.remind_after) if after is not None]
        return Effects(
            warnings=tuple(dict.fromkeys((*self.warnings, *more.warnings))),
            notifications=tuple(dict.fromkeys((*self.notifications, *more.notifications))),
            copies=tuple(dict.fromkeys((*self.copies, *more.copies))),
            edits=tuple(dict.fromkeys((*self.edits, *more.edits))),
            receipt=self.receipt or more.receipt,
            remind_after=min(reminders, default=None),
            raised=self.raised or more.raised,
        )


NOTHING: Final = Effects()
