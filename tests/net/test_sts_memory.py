"""Policies in a worker's memory: how many bytes, and how long."""

from datetime import timedelta

from gateway.core.sts import StsMode, StsPolicy
from gateway.net.sts_memory import SHORTEST, Kept, StsMemory
from tests.fakes.clock import START, SteppedClock

LARGE = 64 * 1024


def kept(id: str, patterns: int, age: timedelta = timedelta(days=1)) -> Kept:
    policy = StsPolicy(mode=StsMode.ENFORCE, max_age=age, mx=("x" * 253,) * patterns)
    return Kept(id=id, policy=policy, fetched=START)


async def test_memory_is_limited_by_bytes_and_the_one_read_longest_ago_makes_room() -> None:
    memory = StsMemory(SteppedClock(), limit=2 * LARGE + LARGE // 2)
    first, *others = [kept(f"{number}", 199) for number in range(3)]
    memory.put("first", first)
    memory.put("a", others[0])
    assert memory.get("first") is first
    memory.put("b", others[1])
    assert (memory.get("first"), memory.get("a"), memory.get("b")) == (first, None, others[1])
    # What is replaced or forgotten no longer counts.
    for _ in range(9):
        memory.put("b", others[0])
    memory.put("small", small := kept("s", 1))
    assert (memory.get("first"), memory.get("b"), memory.get("small")) == (first, others[0], small)


async def test_what_is_over_is_gone_and_makes_room() -> None:
    clock = SteppedClock()
    memory = StsMemory(clock, limit=2 * LARGE)
    memory.put("short", kept("a", 199, timedelta(0)))
    memory.put("long", long := kept("b", 199))
    await clock.advance(SHORTEST - timedelta(seconds=1))
    assert memory.get("short") is not None
    await clock.advance(timedelta(seconds=1))
    assert memory.get("short") is None
    memory.put("next", following := kept("c", 199))
    assert (memory.get("long"), memory.get("next")) == (long, following)


async def test_a_policy_larger_than_all_room_is_not_kept() -> None:
    memory = StsMemory(SteppedClock(), limit=LARGE)
    memory.put("a", kept("a", 250))
    assert memory.get("a") is None
    memory.put("b", fits := kept("b", 199))
    assert memory.get("b") is fits
