"""Outside facts from several sources, in time, and none taken along by another's fault."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta

from gateway.core.facts import Answer, Lookup, Missing, OutsideFact
from gateway.core.tls import Starttls
from gateway.flow.lookups import AllLookups
from tests.fakes.events import Heard

WAIT = timedelta(seconds=5)
TLS, OTHER = (Lookup.STARTTLS, "a.example"), (Lookup.STARTTLS, "b.example")
KNOWN, MORE = (Lookup.KNOWN, "a@a.example"), (Lookup.KNOWN, "b@b.example")
RESENT = (Lookup.RESENT, "0123")
YES = Answer(True, "so it is")


class Sources:
    """Each answers as it is told; ``stuck`` ones never do."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.stuck: set[str] = set()
        self.broken: set[str] = set()

    async def starttls(self, key: str) -> OutsideFact:
        await self._meet(key)
        return Starttls.YES

    async def many(self, keys: Sequence[str]) -> Mapping[str, OutsideFact]:
        self.asked.append(tuple(sorted(keys)))
        for key in keys:
            await self._meet(key)
        return dict.fromkeys(keys, YES)

    async def _meet(self, key: str) -> None:
        if key in self.stuck:
            await asyncio.Event().wait()
        if key in self.broken:
            raise RuntimeError(key)


def lookups(sources: Sources) -> tuple[AllLookups, Heard]:
    events = Heard()
    return AllLookups(starttls=sources.starttls, known=sources.many, resent=sources.many, events=events), events


async def test_each_need_goes_to_its_source_and_many_in_one_question() -> None:
    sources = Sources()
    ours, events = lookups(sources)
    found = await ours.look_up(frozenset({TLS, OTHER, KNOWN, MORE, RESENT}), WAIT)
    assert found == {TLS: Starttls.YES, OTHER: Starttls.YES, KNOWN: YES, MORE: YES, RESENT: YES}
    assert sorted(sources.asked) == [("0123",), ("a@a.example", "b@b.example")]
    assert events.faults == []
    assert await ours.look_up(frozenset(), WAIT) == {}
    assert len(sources.asked) == 2


async def test_what_is_late_is_missing_and_the_rest_is_there() -> None:
    sources = Sources()
    sources.stuck = {"b.example", "a@a.example"}
    ours, _ = lookups(sources)
    found = await ours.look_up(frozenset({TLS, OTHER, KNOWN, MORE, RESENT}), timedelta(seconds=0.05))
    late = Missing("no answer within 0.05 s")
    assert found == {TLS: Starttls.YES, OTHER: late, KNOWN: late, MORE: late, RESENT: YES}


async def test_a_fault_is_told_and_takes_no_other_source_along() -> None:
    sources = Sources()
    sources.broken = {"b.example", "b@b.example"}
    ours, events = lookups(sources)
    found = await ours.look_up(frozenset({TLS, OTHER, KNOWN, MORE, RESENT}), WAIT)
    failed = Missing("the lookup failed")
    assert found == {TLS: Starttls.YES, OTHER: failed, KNOWN: failed, MORE: failed, RESENT: YES}
    assert [where for where, _, _ in events.faults] == ["lookup", "lookup"]
