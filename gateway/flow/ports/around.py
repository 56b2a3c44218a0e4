"""What is around the flow: time, ids, outside facts, the memory that workers share, and who hears of events."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from gateway.core.facts import Lookup, OutsideFact
from gateway.core.outcome import Outcome
from gateway.core.override import OverrideResult
from gateway.core.record import (
    Message,
    RecipientRow,
)
from gateway.core.route import Route


class Lookups(Protocol):
    """Outside facts for the rules that read them: cached, single flight, each result or why there is none."""

    async def look_up(
        self, wanted: frozenset[tuple[Lookup, str]], wait: timedelta
    ) -> Mapping[tuple[Lookup, str], OutsideFact]:
        """All at once, within ``wait`` altogether; never raises, never answers later than that."""
        ...


class StateStore(Protocol):
    """A small memory that all workers of a machine share: a value may be lost with the power, so no mail rests on it.

    Keys begin with the part of the gateway that owns them (``history/``, ``modes``, ``override/``). Values have at most
    64 KiB. Every method raises SpoolError if it cannot do it.
    """

    async def get(self, key: str) -> bytes | None:
        """The value, or None if there is none or it has expired."""
        ...

    async def get_many(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        """Those that are there, in one question."""
        ...

    async def items(self, prefix: str, limit: int) -> Mapping[str, bytes]:
        """Those whose keys begin so, by key, at most ``limit``."""
        ...

    async def put(self, key: str, value: bytes, until: datetime) -> None:
        """Keeps the value until then. Raises ValueError for one that is too large."""
        ...

    async def put_if_absent(self, key: str, value: bytes, until: datetime) -> bytes:
        """Keeps the value unless there is one that has not expired; returns the value that holds, in one step."""
        ...

    async def put_many(self, values: Mapping[str, bytes], until: datetime) -> None:
        """Keeps all of them until then, in one transaction."""
        ...

    async def delete(self, key: str) -> None:
        """Forgets the value."""
        ...

    async def try_lease(self, name: str, holder: str, until: datetime) -> bool:
        """Takes or prolongs the lease; False while another holder's has not run out."""
        ...


class Clock(Protocol):
    """Time. ``now`` is aware UTC."""

    def now(self) -> datetime: ...

    def monotonic(self) -> float: ...

    async def sleep_until(self, when: datetime) -> None: ...


class Ids(Protocol):
    """Unguessable ids (Message-IDs, boundaries)."""

    def new(self) -> str: ...


class Jitter(Protocol):
    """Spreads retries: a factor around 1."""

    def factor(self) -> float: ...


class Events(Protocol):
    """What telemetry hears; each call is one fact, logged once and counted once. It never raises and never waits."""

    def accepted(self, message: Message, rows: Sequence[RecipientRow]) -> None: ...

    def refused(self, listener: str, client: str, reason: str, code: int) -> None: ...

    def attempted(self, message: Message, row: RecipientRow, route: Route, outcome: Outcome) -> None: ...

    def moved(self, message: Message, row: RecipientRow, from_route: str, to_route: str) -> None: ...

    def ended(self, message: Message, row: RecipientRow) -> None: ...

    def unprotected(self, message: Message, row: RecipientRow) -> None: ...

    def observed_unprotected(self, message: Message, row: RecipientRow) -> None: ...

    def overridden(self, rule: str, sender: str, result: OverrideResult) -> None: ...

    def alert(self, name: str, queue_id: str, detail: str) -> None: ...

    def broken(self, where: str, queue_id: str, error: BaseException) -> None: ...
