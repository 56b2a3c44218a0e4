"""A process killed while it seals or erases: no package or exactly one, the same link on a repeat, nothing readable."""

import asyncio
import os
import signal
import sys
import textwrap
from pathlib import Path

import pytest

from gateway.core.sealed import Access
from gateway.sealed.keys import Keyring, new_keyring
from gateway.sealed.store import SealedFiles
from tests.contract.test_sealed import NOW, RAW, given_out, opened, package, whole

# The child does what a worker does, and ends itself where it is told to.
CHILD = textwrap.dedent("""
    import asyncio, os, signal, sys
    from pathlib import Path
    from gateway.sealed import packages
    from gateway.sealed.database import Database
    from gateway.sealed.keys import Keyring
    from tests.contract.test_sealed import NOW, given_out, opened, package

    folder, keys, what, where = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4]

    def die(*_args, **_kwargs):
        os.kill(os.getpid(), signal.SIGKILL)

    def before(owner, name):
        setattr(owner, name, die)

    def behind(owner, name):
        real = getattr(owner, name)
        def both(*args, **kwargs):
            real(*args, **kwargs)
            die()
        setattr(owner, name, both)

    PLACES = {
        "first block": lambda: behind(packages.Sealing, "write"),
        "before fsync": lambda: before(packages.Sealing, "finish"),
        "behind fsync": lambda: behind(packages.Sealing, "finish"),
        "in the transaction": lambda: behind(packages, "keep"),
        "behind the commit": lambda: None,
        "in the erasure": lambda: behind(packages, "erase"),
        "before the file goes": lambda: before(Path, "unlink"),
        "before the log is folded": lambda: before(Database, "fold"),
    }

    async def main():
        async with opened(folder, Keyring.parse(keys.read_bytes())) as store:
            if what == "seal":
                PLACES[where]()
                await store.seal(package(), given_out())
                die()
            sealed = await store.seal(package(), given_out())
            PLACES[where]()
            await store.erase(sealed, NOW, "anna")
            die()

    asyncio.run(main())
""")


async def killed(tmp_path: Path, what: str, where: str) -> Path:
    """The folder of a store whose process was killed there."""
    (tmp_path / "keys").write_bytes(new_keyring().to_bytes())
    folder = tmp_path / "sealed"
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", CHILD, str(folder), str(tmp_path / "keys"), what, where),
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert await asyncio.wait_for(child.wait(), 60) == -signal.SIGKILL
    for path in folder.rglob("*"):
        assert not path.is_file() or b"MARKER" not in path.read_bytes(), path
    return folder


async def packages_in(store: SealedFiles) -> int:
    return len({reader.package for reader in await store.list(NOW)})


@pytest.mark.parametrize(
    "where", ["first block", "before fsync", "behind fsync", "in the transaction", "behind the commit"]
)
async def test_a_repeat_after_a_crash_gives_one_package_with_one_link(where: str, tmp_path: Path) -> None:
    folder = await killed(tmp_path, "seal", where)
    async with opened(folder, _keys(tmp_path)) as store:
        assert await packages_in(store) == (where == "behind the commit")
        before = await store.list(NOW)
        sealed = await store.seal(package(), given_out())
        assert not before or before[0].package == sealed
        assert await packages_in(store) == 1
        assert await whole(store.read(sealed)) == RAW
        token = (await store.secrets(sealed))[3].token
        found = await store.find(token, NOW)
        assert found is not None and found.access is Access.OPEN


@pytest.mark.parametrize("where", ["in the erasure", "before the file goes", "before the log is folded"])
async def test_an_erasure_is_whole_or_was_never_begun(where: str, tmp_path: Path) -> None:
    folder = await killed(tmp_path, "erase", where)
    async with opened(folder, _keys(tmp_path)) as store:
        [reader, _] = await store.list(NOW)
        if where == "in the erasure":
            assert reader.access is Access.OPEN
            assert await whole(store.read(reader.package)) == RAW
        else:
            assert reader.access is Access.ERASED
            assert await store.face(reader.package) is None and await store.secrets(reader.package) == {}


def _keys(tmp_path: Path) -> Keyring:
    return Keyring.parse((tmp_path / "keys").read_bytes())
