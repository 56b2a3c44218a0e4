"""Processes killed between sealing and notification under load, and a store that fails while it is used.

Whatever dies: one usable link for each recipient, no bounce, nothing in the clear, and nothing left on the disk. Left
out on purpose: one kill in a quiet gateway (`test_portal_faults`), and the store by itself (`tests/contract`).
"""

import asyncio
import contextlib
import re
import secrets
import shutil
import sqlite3
import subprocess
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Callable, Generator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest

from gateway.app.system import SystemClock
from gateway.core.outcome import Cause, Deferred
from gateway.core.record import EventKind, QueueId, State
from gateway.flow.ports import QueueFilter
from gateway.sandbox.behaviour import Act, Behaviour, Fault, Stage, Starttls
from gateway.sealed.keys import Keyring
from gateway.sealed.store import SealedFiles
from gateway.spool.reader import ShardReader
from tests.e2e.portal_world import PortalWorld, Sent, plain_letter, portal_world
from tests.e2e.processes import gone, kill, owner
from tests.e2e.test_faults import fill, small_disk
from tests.e2e.test_portal_faults import BACK, HOST, fetch, one_usable_link, portal_process, worker

MARKER = "Plain words of the letter."
MIB = 1024 * 1024
FILES = ("sealed.db", "sealed.db-wal", "sealed.db-shm")
LARGE = 8 * MIB
"""Takes long enough to be sealed that a test can act in the middle."""
SILENT = Behaviour(starttls=Starttls.NONE, faults=(Fault(stage=Stage.DOT, answer=Act.SILENCE),))
UNSAID = Behaviour(starttls=Starttls.NONE, faults=(Fault(stage=Stage.DOT, answer=Act.ACCEPT_AND_CLOSE, times=1),))


def large_letter() -> EmailMessage:
    message = plain_letter()
    message.add_attachment(
        secrets.token_bytes(LARGE), maintype="application", subtype="octet-stream", filename="plan.bin"
    )
    return message


def files(world: PortalWorld) -> set[str]:
    return {path.name for path in (world.store / "files").iterdir()}


def large_one(world: PortalWorld, before: set[str]) -> bool:
    """Whether a large message is on its way into a new file."""
    return any((world.store / "files" / name).stat().st_size > MIB for name in files(world) - before)


def packages_of(world: PortalWorld, queue_id: QueueId) -> list[str]:
    return [package for found, package in world.packages() if found == queue_id]


def states(world: PortalWorld, queue_id: QueueId) -> set[State]:
    items = ShardReader(world.here.household.spool).items(QueueFilter(queue_id=queue_id))
    return {item.row.state for item in items}


def never_in_clear(world: PortalWorld) -> None:
    for host in world.here.world.hosts.values():
        assert len(host.visits) < 256
        for visit in host.visits:
            assert visit.tape.complete
            assert MARKER.encode() not in visit.tape.clear + visit.tape.secured


async def soon(true: Callable[[], bool], within: float = 30) -> None:
    """Looks more often than `House.until`, to act within a moment that is short."""
    async with asyncio.timeout(within):
        while not true():  # noqa: ASYNC110  another process cannot set an event
            await asyncio.sleep(0.001)


async def replaced(world: PortalWorld, pid: int) -> None:
    """Kills a worker, and waits for the next one."""
    kill(pid)
    await gone(pid)

    def there() -> bool:
        # Between taking the lock and writing its number the next one leaves the file empty.
        with contextlib.suppress(ValueError):
            return worker(world) != pid
        return False

    await world.here.until(there)


async def all_sealed(world: PortalWorld, sent: list[Sent]) -> None:
    """One usable link for everyone, one end each and a good one, one package for each, and no bounce."""
    for one in sent:
        await one_usable_link(world, one)
    for one in sent:
        await world.here.until(
            lambda one=one: len(world.here.events(one.queue_id, EventKind.ENDED)) == len(one.recipients)
        )
        assert {event.state for event in world.here.events(one.queue_id, EventKind.ENDED)} == {State.SEALED}
        await world.mail_to(one.sender, "Sealed")
        subjects = {str(mail["Subject"]) for mail in world.mails(one.sender)}
        assert all(subject.startswith("Sealed") for subject in subjects), subjects
    assert Counter(queue_id for queue_id, _ in world.packages()) == {one.queue_id: 1 for one in sent}


async def swept(world: PortalWorld) -> set[str]:
    """The files that remain when what crashes left there has become old."""
    keys = Keyring.parse((world.here.household.certificates / "sealing.keys").read_bytes())
    store = await SealedFiles.open(world.store, keys, SystemClock())
    try:
        now = datetime.now(UTC)
        await store.sweep(now + timedelta(hours=2), now)
    finally:
        await store.aclose()
    return files(world)


def named_files(world: PortalWorld) -> set[str]:
    with contextlib.closing(sqlite3.connect(f"file:{world.store / 'sealed.db'}?mode=ro", uri=True)) as db:
        return {row[0] for row in db.execute("SELECT file FROM packages WHERE erased_at IS NULL")}


@contextlib.contextmanager
def spool_held(world: PortalWorld) -> Generator[None]:
    """No outcome can be recorded meanwhile, as on a very slow disk."""
    with contextlib.closing(sqlite3.connect(world.here.household.spool / "shard-000" / "spool.db")) as db:
        db.isolation_level = None
        db.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            db.execute("ROLLBACK")


# Kills of the worker.


async def test_killed_when_it_is_sealed_and_nothing_is_recorded(tmp_path: Path) -> None:
    async with portal_world(tmp_path) as world:
        sent = await world.send("carol", "dave", message=large_letter())
        await soon(lambda: bool(files(world)))
        with spool_held(world):
            await soon(lambda: bool(world.packages()))
            [package] = packages_of(world, sent.queue_id)
            assert states(world, sent.queue_id) == {State.QUEUED}
            pid = worker(world)
            kill(pid)
            await gone(pid)
        await all_sealed(world, [sent])
        assert packages_of(world, sent.queue_id) == [package]
        assert await swept(world) == named_files(world)
        never_in_clear(world)


async def in_delivery(world: PortalWorld, visits: int) -> None:
    """A notification has been given to the host, which has not answered."""
    host = world.here.world.hosts[HOST]
    await soon(lambda: any(b"\r\nDATA\r\n" in visit.tape.clear for visit in list(host.visits)[visits:]))


@pytest.mark.parametrize("moment", ["in the sealing", "behind the sealing", "in the delivery", "behind the delivery"])
async def test_killed_again_and_again_under_load(moment: str, tmp_path: Path) -> None:
    async with portal_world(tmp_path) as world:
        host = world.here.world.hosts[HOST]
        sent: list[Sent] = []
        for _ in range(3):
            pid, visits = worker(world), len(host.visits)
            before, known = files(world), len(world.packages())
            host.behave({"in the delivery": SILENT, "behind the delivery": UNSAID}.get(moment, BACK))
            letters = [plain_letter(), plain_letter(), plain_letter(), plain_letter(), large_letter()]
            sent += [await world.send("carol", "dave", message=letter) for letter in letters]
            match moment:
                case "in the sealing":
                    await soon(lambda before=before: large_one(world, before))
                case "behind the sealing":
                    wanted = known + len(letters)
                    await soon(lambda wanted=wanted: len(world.packages()) == wanted)
                case _:
                    await in_delivery(world, visits)
            await replaced(world, pid)
            host.behave(BACK)
        await all_sealed(world, sent)
        assert await swept(world) == named_files(world)
        never_in_clear(world)


async def test_all_processes_killed_at_once_and_two_workers_go_on(tmp_path: Path) -> None:
    async with portal_world(tmp_path) as world:
        host = world.here.world.hosts[HOST]
        host.behave(SILENT)
        sent = [await world.send("carol", "dave", message=large_letter()) for _ in range(4)]
        await in_delivery(world, 0)
        pids = [owner(world.here.household.spool / "lock"), worker(world), portal_process(world)]
        kill(*pids)
        await gone(*pids)
        host.behave(BACK)
        config = world.here.household.config
        world.here.edit(config, "workers  = 1", "workers  = 2")
        await world.start()
        sent += [await world.send() for _ in range(6)]
        await all_sealed(world, sent)
        assert await swept(world) == named_files(world)
        never_in_clear(world)


# Kills of the process of the pages.


class Browsing:
    """A reader with a cookie, as far as the pages can tell."""

    def __init__(self, world: PortalWorld) -> None:
        self._world = world
        self.home = ""
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())

    async def get(self, url: str) -> str:
        return await asyncio.to_thread(self._fetch, url, None)

    async def post(self, url: str, **fields: str) -> str:
        return await asyncio.to_thread(self._fetch, url, urllib.parse.urlencode(fields).encode())

    def _fetch(self, url: str, data: bytes | None) -> str:
        with self._opener.open(url, data, timeout=20) as answer:
            return bytes(answer.read()).decode()

    async def ask(self, link: str) -> None:
        [proof] = set(re.findall(r'name="proof" value="([^"]+)"', await self.get(link)))
        await self.post(f"{link}/code", proof=proof)

    async def open(self, link: str, code: str) -> str:
        [proof] = set(re.findall(r'name="proof" value="([^"]+)"', await self.get(link)))
        page = await self.post(f"{link}/open", proof=proof, secret=code)
        if (found := re.search(r'action="(/read/\w+)/leave"', page)) is not None:
            self.home = found[1]
        return page


async def test_the_pages_die_and_their_readers_go_on(tmp_path: Path) -> None:
    async with portal_world(tmp_path) as world:
        sent, reader = await world.send(), Browsing(world)
        [carol] = sent.recipients
        link = await world.link(carol)
        await reader.ask(link)
        assert MARKER in await reader.open(link, await world.code(carol))
        mail, later = worker(world), [sent]
        for number in range(3):
            pid, other = portal_process(world), Browsing(world)
            if number == 0:
                await other.ask(link)
            kill(pid)
            await gone(pid)
            later.append(await world.send("dave"))
            # The socket is the supervisor's: who comes meanwhile waits for the next process.
            assert MARKER in await reader.get(f"{world.url}{reader.home}")
            assert portal_process(world) not in (0, pid)
            if number == 0:
                # It was asked for before the kill, and is good behind it.
                assert MARKER in await other.open(link, await world.code(carol, had=1))
        for one in later:
            await one_usable_link(world, one)
        assert worker(world) == mail
        never_in_clear(world)


async def test_a_code_that_waits_outlives_the_worker(tmp_path: Path) -> None:
    async with portal_world(tmp_path) as world:
        sent, reader = await world.send(), Browsing(world)
        [carol] = sent.recipients
        link = await world.link(carol)
        pid = worker(world)
        with spool_held(world):
            await reader.ask(link)
            kill(pid)
            await gone(pid)
        # Whose turn it was to fetch it is known for half a minute more.
        async with asyncio.timeout(50):
            while not world.matching(carol, "Your code"):
                with contextlib.suppress(TimeoutError):
                    await world.mail_to(carol, "Your code")
        assert MARKER in await reader.open(link, await world.code(carol))


# A store that fails while it is used.


async def deferred(world: PortalWorld, sent: Sent) -> Deferred:
    """Waits until the record says that it could not be sealed, and why."""
    await world.here.until(lambda: bool(world.here.events(sent.queue_id, EventKind.ATTEMPT)))
    outcome = world.here.events(sent.queue_id, EventKind.ATTEMPT)[0].outcome
    assert isinstance(outcome, Deferred) and outcome.cause is Cause.LOCAL
    assert outcome.detail.startswith("The message could not be sealed now: "), outcome.detail
    return outcome


async def waits_alone(world: PortalWorld, sent: Sent) -> str:
    """What cannot be sealed waits, other mail goes on, and nothing is left behind; why it waits."""
    why = (await deferred(world, sent)).detail
    await world.here.ended(await world.here.send("alice@tls.example"))
    assert states(world, sent.queue_id) == {State.QUEUED}
    assert world.mails(sent.recipients[0]) == []
    return why


async def test_a_store_that_is_lost_and_put_back_from_a_copy(tmp_path: Path) -> None:
    async with portal_world(tmp_path) as world:
        before = await world.send()
        await one_usable_link(world, before)
        copy = world.store.with_name("copy")
        shutil.copytree(world.store, copy)
        shutil.rmtree(world.store)
        sent = await world.send()
        assert "No such file or directory" in await waits_alone(world, sent)
        assert not world.store.exists()
        copy.rename(world.store)
        await all_sealed(world, [before, sent])
        # In what bears the name, and not in what was removed: also for processes that begin now.
        pids = [owner(world.here.household.spool / "lock"), worker(world), portal_process(world)]
        kill(*pids)
        await gone(*pids)
        await world.start()
        await all_sealed(world, [before, sent])
        never_in_clear(world)


async def test_a_store_that_is_damaged_and_mended(tmp_path: Path) -> None:
    async with portal_world(tmp_path) as world:
        database, aside = world.store / "sealed.db", tmp_path / "aside"
        link = f"{world.url}/m/{'x' * 43}"
        # A process that opened the store only now would find the damaged one.
        assert await asyncio.to_thread(fetch, link) == 404
        aside.mkdir()
        # SQLite would write a log that stays into whatever bears the name.
        for name in FILES:
            (world.store / name).rename(aside / name)
        database.write_bytes(b"no database at all\n" * 1000)
        sent = await world.send()
        assert re.search("not a database|malformed", await waits_alone(world, sent))
        assert await asyncio.to_thread(fetch, link) == 503
        assert list((world.store / "files").iterdir()) == []
        database.unlink()
        for name in reversed(FILES):
            (aside / name).rename(world.store / name)
        await all_sealed(world, [sent])
        assert await asyncio.to_thread(fetch, link) == 404
        never_in_clear(world)


@pytest.mark.peer("root")
async def test_a_store_that_cannot_be_written(tmp_path: Path) -> None:
    async with portal_world(tmp_path) as world:
        before = await world.send()
        link = await world.link(before.recipients[0])
        assert await asyncio.to_thread(fetch, link) == 200
        mount("--bind", str(world.store), str(world.store))
        try:
            mount("-o", "remount,bind,ro", str(world.store))
            sent = await world.send()
            assert "Read-only file system" in await waits_alone(world, sent)
            assert await asyncio.to_thread(fetch, link) in (200, 503)
        finally:
            unmount(world.store)
        await all_sealed(world, [before, sent])
        never_in_clear(world)


def mount(*words: str) -> None:
    """Skips where even root may not mount."""
    done = subprocess.run(["mount", *words], capture_output=True)
    if done.returncode:
        pytest.skip(f"cannot mount: {done.stderr.decode().strip()}")


def unmount(folder: Path) -> None:
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.peer("root")
async def test_a_full_disk_leaves_nothing_of_a_message_and_it_is_sealed_when_there_is_room(tmp_path: Path) -> None:
    (tmp_path / "data" / "spool").mkdir(parents=True)
    with small_disk(tmp_path / "data" / "spool" / "sealed", 8 * MIB) as disk:
        async with portal_world(tmp_path) as world:
            large = await world.send(message=large_letter())
            assert "No space left on device" in await waits_alone(world, large)
            assert await nothing_unnamed(world)
            # There is still room for others.
            small = await world.send()
            await one_usable_link(world, small)
            ballast = fill(disk, leave=0)
            none = await world.send()
            await waits_alone(world, none)
            assert await nothing_unnamed(world)
            ballast.unlink()
            await one_usable_link(world, none)
            mount("-o", f"remount,size={64 * MIB}", str(disk))
            await all_sealed(world, [large, small, none])
            assert files(world) == named_files(world)
            never_in_clear(world)


async def nothing_unnamed(world: PortalWorld) -> bool:
    """Whether there is a moment at which all files belong to packages: the next attempt comes soon."""
    await soon(lambda: files(world) == named_files(world))
    return True


# A start without it.


async def test_a_start_with_a_damaged_store_names_the_file_and_what_to_do(tmp_path: Path) -> None:
    async with portal_world(tmp_path) as world:
        before = await world.send()
        await one_usable_link(world, before)
        await world.process.stop()
        database, aside = world.store / "sealed.db", tmp_path / "aside.db"
        database.rename(aside)
        database.write_bytes(b"no database at all\n" * 1000)
        starting = asyncio.create_task(world.start())
        log = world.here.household.log
        await world.here.until(lambda: "worker cannot start" in log.read_text())
        [reason, *_] = [line for line in log.read_text().splitlines() if "worker cannot start" in line]
        assert str(database) in reason and "not a database" in reason and "backup" in reason
        assert await asyncio.to_thread(fetch, f"http://127.0.0.1:{world.here.admin}/readyz") == 503
        # Nothing has to be started by hand when it is back.
        aside.replace(database)
        await starting
        await all_sealed(world, [before, await world.send()])
