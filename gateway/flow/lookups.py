"""All outside facts that rules can read (`flow.ports.Lookups`), each from the part that knows it, within one wait."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeAlias, assert_never

from gateway.core.conditions.base import Need
from gateway.core.facts import Lookup, Missing, OutsideFact
from gateway.flow.ports import Events

One: TypeAlias = Callable[[str], Awaitable[OutsideFact]]
"""Answers for one key."""

Many: TypeAlias = Callable[[Sequence[str]], Awaitable[Mapping[str, OutsideFact]]]
"""Answers for all keys with one question."""

_FAILED: Final = Missing("the lookup failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class AllLookups:
    """One source for each `Lookup`. An error in one is reported to ``events`` and answered as missing."""

    starttls: One
    known: Many
    resent: Many
    events: Events

    async def look_up(self, wanted: frozenset[Need], wait: timedelta) -> Mapping[Need, OutsideFact]:
        """One answer for each need; what was not known in time is `Missing`."""
        answers: dict[Need, OutsideFact] = dict.fromkeys(
            wanted, Missing(f"no answer within {wait.total_seconds():g} s")
        )
        try:
            async with asyncio.timeout(wait.total_seconds()), asyncio.TaskGroup() as group:
                for question in self._questions(wanted, answers):
                    group.create_task(question)
        except TimeoutError:
            pass  # what is missing already says so
        return answers

    def _questions(
        self, wanted: frozenset[Need], answers: dict[Need, OutsideFact]
    ) -> Iterator[Coroutine[None, None, None]]:
        for lookup in Lookup:
            keys = [key for each, key in wanted if each is lookup]
            match lookup:
                case Lookup.STARTTLS:
                    yield from (self._ask_one(lookup, key, self.starttls, answers) for key in keys)
                case Lookup.KNOWN:
                    yield self._ask_many(lookup, keys, self.known, answers)
                case Lookup.RESENT:
                    yield self._ask_many(lookup, keys, self.resent, answers)
                case _:
                    assert_never(lookup)

    async def _ask_one(self, lookup: Lookup, key: str, source: One, answers: dict[Need, OutsideFact]) -> None:
        try:
            answers[lookup, key] = await source(key)
        except Exception as error:  # The port promises an answer; the error must not take the others along.
            self.events.broken("lookup", "", error)
            answers[lookup, key] = _FAILED

    async def _ask_many(
        self, lookup: Lookup, keys: Sequence[str], source: Many, answers: dict[Need, OutsideFact]
    ) -> None:
        if not keys:
            return
        try:
            found = await source(keys)
        except Exception as error:  # As above.
            self.events.broken("lookup", "", error)
            found = dict.fromkeys(keys, _FAILED)
        answers.update({(lookup, key): fact for key, fact in found.items()})
