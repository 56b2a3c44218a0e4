"""Memory stays flat when a large message is sealed, read back, or wrapped: each in a process of its own, by its peak.

2 GiB take minutes, and `python -m bench.sealed_memory` measures them in the same way.
"""

import asyncio

import pytest

from bench.sealed_memory import WAYS, grown

MESSAGE = 96
MOST = 60
"""MiB: some 15 is usual for blocks and buffers, and OpenPGP's own process takes 30."""


@pytest.mark.peer("postfix")
@pytest.mark.timeout(120)
@pytest.mark.parametrize("way", WAYS)
async def test_memory_does_not_grow_with_the_message(way: str) -> None:
    found = await asyncio.to_thread(grown, way, MESSAGE)
    assert found["grown"] < MOST, found
