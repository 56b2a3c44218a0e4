"""How work on the store of sealed messages is shared out to threads."""

import asyncio
import threading
from collections.abc import Generator
from pathlib import Path

import pytest

from gateway.sealed.database import HASHES, Database


@pytest.fixture
def database(tmp_path: Path) -> Generator[Database]:
    made = Database(tmp_path / "sealed")
    yield made
    made.close()


async def test_nothing_waits_behind_those_who_type_secrets(database: Database) -> None:
    enough = threading.Event()
    hashing = asyncio.gather(*(database.hashed(lambda: enough.wait(20)) for _ in range(20 * HASHES)))
    await asyncio.sleep(0)
    try:
        async with asyncio.timeout(10):
            assert await database.read(lambda db: db.execute("SELECT count(*) FROM packages").fetchone()[0]) == 0
            assert await database.write(lambda db: db.execute("DELETE FROM outbox").rowcount) == 0
    finally:
        enough.set()
    assert all(await hashing)


async def test_only_so_many_hash_at_once(database: Database) -> None:
    found = await asyncio.gather(*(database.hashed(threading.get_ident) for _ in range(50)))
    assert len(set(found)) <= HASHES


async def test_our_own_writes_never_wait_for_each_other_inside_sqlite(database: Database) -> None:
    """It would let them sleep, for a lock that is free long before they wake."""
    found = await asyncio.gather(*(database.write(lambda _: threading.get_ident()) for _ in range(50)))
    assert len(set(found)) == 1
