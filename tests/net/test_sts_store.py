"""Kept policies, page by page: each once and in order, whatever the names are."""

import asyncio
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.sts import StsMode, StsPolicy
from gateway.net.sts_memory import Kept
from gateway.net.sts_store import PAGE, NotKept, StsStore
from tests.fakes.clock import START, SteppedClock
from tests.fakes.state import MemoryState

POLICY = StsPolicy(mode=StsMode.ENFORCE, max_age=timedelta(days=1), mx=("mx.test",))


async def paged(store: StsStore) -> list[list[str]]:
    """The names of all pages."""
    pages = [list(await store.page(""))]
    while len(pages[-1]) == PAGE:
        pages.append(list(await store.page(pages[-1][-1])))
    return pages


@given(st.sets(st.from_regex(r"[ab.-]{1,6}", fullmatch=True), max_size=4 * PAGE))
def test_pages_are_all_names_once_in_order(names: set[str]) -> None:
    async def run() -> None:
        clock = SteppedClock()
        store = StsStore(state := MemoryState(clock), clock)
        for name in names:
            await store.keep(name, Kept(id="a", policy=POLICY, fetched=START))
        await state.put("stt/other", b"", START + timedelta(days=1))
        pages = await paged(store)
        assert [name for page in pages for name in page] == sorted(names)
        assert all(len(page) <= PAGE for page in pages)

    asyncio.run(run())


async def test_names_that_no_domain_has_end_no_reading() -> None:
    clock = SteppedClock()
    store = StsStore(state := MemoryState(clock), clock)
    names = [f"a\u00fc{number:03}" for number in range(PAGE)]
    await state.put_many({f"sts/{name}": b"?" for name in [*names, "b"]}, START + timedelta(days=1))
    assert [len(page) for page in await paged(store)] == [PAGE, 1]
    assert list(await store.page(names[-1])) == ["b"]
    assert await store.page("b") == {}
    assert (await store.page("az"))["b"] is NotKept.UNREADABLE
