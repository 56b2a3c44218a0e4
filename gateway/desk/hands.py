"""How the page acts: through the running gateway, which audits each act in the transaction that does it."""

from collections.abc import Set
from dataclasses import dataclass
from typing import Protocol

from gateway.core.record import QueueId


@dataclass(frozen=True, slots=True, kw_only=True)
class By:
    """Who acts, for which role, on which message."""

    queue_id: QueueId
    role: str
    user: str


class Hands(Protocol):
    """Each returns None when it was done, else a sentence that says why nothing was."""

    async def release(self, by: By, numbers: Set[int]) -> str | None:
        """Lets those recipients go."""
        ...

    async def give_back(self, by: By, numbers: Set[int], note: str) -> str | None:
        """Sends those recipients' mail back with the note."""
        ...

    async def shown(self, by: By, number: int) -> str | None:
        """Records that the content is about to be shown; ``number`` is a recipient that is held."""
        ...
