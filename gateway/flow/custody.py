"""Who carries the mail of a listener, and what may become of a message there: closed sets, for the flow and listeners.

What leaves with an MTA in front is no more in our hands; what that takes is judged in `flow.leaving`.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from gateway.core.edits import Add
from gateway.core.reply import Reply


class Custody(StrEnum):
    """RELAY carries all of it. The others judge for an MTA, which may carry it: what they may not leave there, TAKEOVER
    carries itself and GATE turns away; TAG leaves everything and only records.
    """

    RELAY = "relay"
    TAKEOVER = "takeover"
    GATE = "gate"
    TAG = "tag"

    @property
    def takes(self) -> bool:
        """Whether mail is carried by us at all."""
        return self in (Custody.RELAY, Custody.TAKEOVER)


@dataclass(frozen=True, slots=True)
class Taken:
    """It is durable and ours."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """Nothing of it was kept; the reply is for its client."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Left:
    """The MTA carries it, with these fields on top."""

    fields: tuple[Add, ...] = ()


@dataclass(frozen=True, slots=True)
class Quarantined:
    """The MTA keeps it in its own hold, with these fields on top, until a person looks at it."""

    reason: str
    fields: tuple[Add, ...] = ()


Fate: TypeAlias = Taken | TurnedAway | Left | Quarantined
