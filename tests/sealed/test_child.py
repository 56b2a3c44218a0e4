"""A process of our own: what goes in and comes out of it, and that it never outlives what it is for."""

import asyncio
import os
import tracemalloc
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import uvloop

from gateway.sealed.child import ChildFailed, Children

_HERE = "tests.sealed.child_modules"


@pytest.fixture(autouse=True)
def _findable(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    """The package of the tests is not installed."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))


async def blocks(count: int, block: bytes = bytes(64 * 1024)) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield block


class Taken:
    def __init__(self) -> None:
        self.size = 0

    async def __call__(self, data: bytes) -> None:
        self.size += len(data)


def running(notes: Path) -> bool:
    """Whether the process that wrote its number there is still there."""
    try:
        os.kill(int(notes.read_text()), 0)
    except ProcessLookupError:
        return False
    return True


async def test_bytes_go_through_in_constant_memory() -> None:
    taken = Taken()
    tracemalloc.start()
    try:
        await Children(f"{_HERE}.echo").run(blocks(1024), taken)
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    finally:
        tracemalloc.stop()
    assert taken.size == 64 * 2**20


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_input_and_output_have_names_on_every_loop_and_no_secret_is_in_the_environment(
    loop: Callable[[], asyncio.AbstractEventLoop], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEALPOST_SEALING_KEYS", "a key")
    told: list[bytes] = []

    async def take(data: bytes) -> None:
        told.append(data)

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(Children(f"{_HERE}.names").run(blocks(2, b"abc"), take))
    copied, _, names = b"".join(told).partition(b"|")
    assert copied == b"abcabc"
    assert b"PATH" in names and b"SEALPOST" not in names


async def test_one_that_fails_is_told_even_if_it_gave_something_and_read_nothing() -> None:
    taken = Taken()
    with pytest.raises(ChildFailed):
        await Children(f"{_HERE}.fails").run(blocks(1024), taken)
    assert taken.size == 4


async def test_a_module_that_is_not_there_fails() -> None:
    with pytest.raises(ChildFailed):
        await Children(f"{_HERE}.absent").run(blocks(1), Taken())


async def test_content_that_breaks_off_ends_it_with_its_own_error(tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x"
        raise KeyError("the disk is gone")

    notes = tmp_path / "pid"
    with pytest.raises(KeyError, match="the disk is gone"):
        await Children(f"{_HERE}.echo", str(notes)).run(broken(), Taken())


async def test_what_takes_may_refuse_and_nothing_is_left(tmp_path: Path) -> None:
    async def full(_: bytes) -> None:
        raise OSError("no space")

    notes = tmp_path / "pid"
    with pytest.raises(OSError, match="no space"):
        await Children(f"{_HERE}.echo", str(notes)).run(blocks(1024), full)
    assert not running(notes)


async def test_giving_up_ends_it(tmp_path: Path) -> None:
    arrived, notes = asyncio.Event(), tmp_path / "pid"

    async def first(_: bytes) -> None:
        arrived.set()

    async def endless() -> AsyncIterator[bytes]:
        yield b"x" * 100
        await asyncio.Event().wait()

    task = asyncio.create_task(Children(f"{_HERE}.echo", str(notes)).run(endless(), first))
    await asyncio.wait_for(arrived.wait(), 10)
    assert running(notes)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not running(notes)
