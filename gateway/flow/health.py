"""Whether the hosts of our routes can be used now: one process of the machine looks every few minutes, without mail.

What it found is kept in the memory that the workers share, where `sealpost routes` reads it; every worker shows it as a
metric. Nothing is decided by it: mail finds out by itself, and waits. Left out on purpose: routes without a host.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeAlias

from pydantic import AwareDatetime, TypeAdapter, ValidationError

from gateway.core.grade import Grade, grade_of_evidence
from gateway.core.outcome import Declined, Deferred
from gateway.core.tls import Evidence
from gateway.flow.leased import Leased
from gateway.flow.ports import Clock, Events, Ids, StateStore

PREFIX: Final = "health/"
KEPT: Final = timedelta(hours=1)
"""Older news than this say nothing of now."""
LONGEST: Final = timedelta(minutes=1)
"""For one look, so that all of them end long before the lease does."""
MOST: Final = 1000
"""Routes whose state is read."""
ALERT: Final = "route-down"

_NAME: Final = "health"
_LONGEST_WHY: Final = 500

Look: TypeAlias = Callable[[], Awaitable[Evidence | Deferred | Declined]]
"""Opens a session as a delivery would, ends it, and says what it was, or why there was none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What a look at a route's host found. ``grade`` is None and ``why`` a sentence if it cannot be used.

    ``since`` is when it was found so first, ``seconds`` how long the look took.
    """

    at: AwareDatetime
    since: AwareDatetime
    seconds: float
    grade: Grade | None
    why: str = ""

    @property
    def good(self) -> bool:
        """Whether mail could be handed over."""
        return self.grade is not None


_HEALTH: Final = TypeAdapter(Health)


def read_health(values: Mapping[str, bytes]) -> dict[str, Health]:
    """What is kept under `PREFIX`, by route; what cannot be read is left out."""
    found: dict[str, Health] = {}
    for key, value in values.items():
        try:
            found[key.removeprefix(PREFIX)] = _HEALTH.validate_json(value)
        except ValidationError:
            continue
    return found


class RouteHealth:
    """A chore of every worker. ``looks`` are those of the routes in force that have a host, by route."""

    def __init__(
        self,
        state: StateStore,
        clock: Clock,
        ids: Ids,
        events: Events,
        looks: Mapping[str, Look],
        show: Callable[[Mapping[str, bool]], None],
    ) -> None:
        self._state = state
        self._clock = clock
        self._events = events
        self._looks = looks
        self._show = show
        self._lease = Leased(_NAME, state, clock, ids)

    async def look(self) -> None:
        """Looks, if that is this process's to do, and shows what is known. Raises SpoolError."""
        known = await self._known()
        if self._looks and await self._lease.mine():
            async with asyncio.TaskGroup() as tasks:
                looking = {name: tasks.create_task(self._one(name, known.get(name))) for name in self._looks}
            known |= {name: task.result() for name, task in looking.items()}
            values = {PREFIX + name: _HEALTH.dump_json(known[name]) for name in looking}
            await self._state.put_many(values, self._clock.now() + KEPT)
        self._show({name: health.good for name, health in known.items()})

    async def _known(self) -> dict[str, Health]:
        found = read_health(await self._state.items(PREFIX, MOST))
        return {name: health for name, health in found.items() if name in self._looks}

    async def _one(self, name: str, before: Health | None) -> Health:
        begun = self._clock.monotonic()
        grade, why = await self._seen(name)
        now, same = self._clock.now(), before is not None and before.good is (grade is not None)
        if grade is None and not same:
            self._events.alert(ALERT, "", f"the route {name} cannot be used now: {why}")
        return Health(
            at=now,
            since=before.since if before is not None and same else now,
            seconds=round(self._clock.monotonic() - begun, 3),
            grade=grade,
            why=why,
        )

    async def _seen(self, name: str) -> tuple[Grade | None, str]:
        try:
            async with asyncio.timeout(LONGEST.total_seconds()):
                seen = await self._looks[name]()
        except TimeoutError:
            return None, f"It did not answer within {LONGEST.total_seconds():g} s."
        except Exception as error:  # A fault of ours; the other routes are looked at all the same.
            self._events.broken("health", "", error)
            return None, "It could not be looked at."
        if isinstance(seen, Evidence):
            return grade_of_evidence(seen), ""
        return None, seen.detail[:_LONGEST_WHY]
