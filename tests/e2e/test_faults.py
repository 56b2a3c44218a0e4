"""Acknowledged is kept: through kill -9 of any process, a full disk, reloads and stops (promises 2 and 3)."""

import asyncio
import contextlib
import errno
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Generator
from pathlib import Path

import pytest

from gateway.core.decision import Routed
from gateway.core.record import EventKind, QueueId, State
from gateway.flow.ports import QueueFilter
from gateway.sandbox.behaviour import Behaviour, Fault
from gateway.sandbox.behaviour import Stage as At
from gateway.sandbox.zone import Trouble
from gateway.spool.reader import ShardReader
from tests.e2e.processes import Flow, gone, kill, sealpost, supervisor, worker, workers
from tests.e2e.shared_stage import Token, never_in_clear, trouble
from tests.e2e.stage import EVERYBODY, POLICIES, Setting, Stage, scenario_cast, stage
from tests.fakes.ports import free_ports

MIB = 1024 * 1024
AWAY = Behaviour(faults=(Fault(stage=At.GREETING, answer="421 4.3.2 come back later"),))
SHIPPED = (POLICIES / "derbyshire.toml").read_text()


def setting(*, workers: int = 1, policy: str = "", queue: str = "") -> Setting:
    return Setting(cast=scenario_cast(), workers=workers, policy=policy, queue=queue, partners=EVERYBODY)


def ended(on: Stage) -> Counter[QueueId]:
    return Counter(event.queue_id for event in on.events(None, EventKind.ENDED))


async def all_end(on: Stage, acknowledged: dict[QueueId, str], settled: set[QueueId]) -> None:
    """Each has one end and one copy at least; those that had ended before the kill have no second copy."""
    # Reading every event is dear, and the gateway needs the processor: first wait for the last ones alone.
    for queue_id in reversed(acknowledged):
        await on.until(lambda queue_id=queue_id: bool(on.events(queue_id, EventKind.ENDED)))
    counts = ended(on)
    assert [queue_id for queue_id in acknowledged if counts[queue_id] != 1] == []
    ends = {event.queue_id: event.state for event in on.events(None, EventKind.ENDED)}
    assert {ends[queue_id] for queue_id in acknowledged} == {State.DELIVERED}
    copies = {queue_id: len(on.world.inbox.to(address)) for queue_id, address in acknowledged.items()}
    assert [queue_id for queue_id, count in copies.items() if count < 1] == []
    assert [queue_id for queue_id in settled.intersection(copies) if copies[queue_id] != 1] == []


async def deferred(on: Stage, count: int, *, attach: tuple[int, ...] = ()) -> dict[QueueId, str]:
    """So many restricted messages that wait, because their host is away; by id their recipient."""
    on.world.hosts["mx.tls.example"].behave(AWAY)
    sent: dict[QueueId, str] = {}
    for _ in range(count):
        token = Token()
        content = token.letter("tls.example", classification="restricted", attach=attach)
        address = token.at("tls.example")
        sent[await on.submit(content, address, sender=token.sender)] = address
    return sent


async def test_a_killed_worker_is_replaced_while_mail_flows(tmp_path: Path) -> None:
    async with stage(tmp_path, setting(workers=2)) as on:
        async with Flow(on).running() as flow:
            await flow.more()
            settled = set(ended(on))
            for shard in (0, 1):
                pid = worker(on, shard)
                kill(pid)
                await gone(pid)
                await flow.more()
            await on.until(lambda: on.metric("sealpost_worker_restarts_total") == 2)
            await flow.more()
        await all_end(on, flow.acknowledged, settled)
        assert on.metric("sealpost_unprotected_total") == 0
        assert on.metric("sealpost_worker_up") == 2


async def test_a_killed_worker_refuses_no_connection_for_long(tmp_path: Path) -> None:
    async with stage(tmp_path, setting(workers=1)) as on:
        kill(worker(on))
        # The supervisor holds the socket: the connection waits in it for the replacement.
        queue_id = await on.submit(Token().letter("tls.example"), "x@tls.example")
        await on.ended(queue_id)


async def test_a_killed_supervisor_takes_its_workers_along_and_the_next_one_goes_on(tmp_path: Path) -> None:
    async with stage(tmp_path, setting(workers=2)) as on:
        async with Flow(on).running() as flow:
            await flow.more()
            settled, orphans = set(ended(on)), workers(on)
            assert len(orphans) == 2
            kill(supervisor(on))
            await on.process.stop()
            await gone(*orphans)
            await on.start()
            await flow.more()
        await all_end(on, flow.acknowledged, settled)


async def test_the_next_supervisor_need_not_wait_for_orphans_that_still_deliver(tmp_path: Path) -> None:
    async with stage(tmp_path, setting()) as on:
        on.world.hosts["mx.tls.example"].behave(AWAY)
        waiting = await deferred(on, 3)
        orphans = workers(on)
        kill(supervisor(on))
        await on.start()
        on.world.hosts["mx.tls.example"].behave(Behaviour())
        await all_end(on, waiting, set())
        await gone(*orphans)


async def test_all_killed_at_once_and_started_again(tmp_path: Path) -> None:
    async with stage(tmp_path, setting(workers=2)) as on:
        async with Flow(on).running() as flow:
            await flow.more()
            settled = set(ended(on))
            pids = [supervisor(on), *workers(on)]
            kill(*pids)
            await gone(*pids)
            await on.start()
            await flow.more()
        await all_end(on, flow.acknowledged, settled)
        assert list((on.spool / "shard-000" / "bodies").iterdir()) == []


async def test_four_workers_killed_with_a_queue_and_one_ends_it(tmp_path: Path) -> None:
    async with stage(tmp_path, setting(workers=4)) as on:
        waiting = await deferred(on, 8, attach=(200_000,))
        # The kernel spreads connections by chance; every shard has to hold some.
        while len({queue_id[:3] for queue_id in waiting}) < 4:
            waiting |= await deferred(on, 4)
        pids = [supervisor(on), *workers(on)]
        assert len(pids) == 5
        kill(*pids)
        await gone(*pids)
        on.config.write_text(re.sub(r"(?m)^workers .*$", "workers = 1", on.config.read_text()))
        on.world.hosts["mx.tls.example"].behave(Behaviour())
        await on.start()
        assert len(workers(on)) == 1
        await all_end(on, waiting, set())
        assert [len(on.world.inbox.to(address)) for address in waiting.values()] == [1] * len(waiting)
        assert list(on.spool.glob("shard-*/bodies/*")) == []


# A full disk.


@contextlib.contextmanager
def small_disk(folder: Path, size: int) -> Generator[Path]:
    """A file system of its own of so many bytes; skips where even root may not mount one."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "sealpost-test", str(folder)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a tmpfs: {mounted.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path, leave: int) -> Path:
    """Takes all space but so many bytes; the gateway may take some between the look and the deed."""
    path = folder / "ballast"
    with path.open("wb") as file:
        for _ in range(100):
            try:
                os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(folder).free - leave)
                return path
            except OSError as error:
                assert error.errno == errno.ENOSPC
                file.truncate(0)
    raise AssertionError("the disk never stands still")


async def refused(on: Stage, *, attach: tuple[int, ...] = ()) -> str:
    """The reply to a message that must not be taken."""
    with pytest.raises(AssertionError) as error:
        await on.submit(Token().letter("tls.example", attach=attach), "x@tls.example")
    return str(error.value)


@pytest.mark.peer("root")
@pytest.mark.parametrize("attach", [(), (3 * MIB,)], ids=["in its row", "in a file"])
async def test_a_full_disk_refuses_new_mail_and_keeps_the_old(tmp_path: Path, attach: tuple[int, ...]) -> None:
    with small_disk(tmp_path / "spool", 160 * MIB) as disk:
        async with stage(tmp_path, setting()) as on:
            waiting = await deferred(on, 4, attach=attach)
            ballast = fill(disk, leave=100 * MIB)
            assert "452, b'4.3.1 " in await refused(on, attach=attach)
            # Below the reserve nothing new comes in, but what is there goes out.
            on.world.hosts["mx.tls.example"].behave(Behaviour())
            await all_end(on, waiting, set())

            on.world.hosts["mx.tls.example"].behave(AWAY)
            ballast.unlink()
            more = await deferred(on, 2, attach=attach)
            fill(disk, leave=0)
            assert "452, b'4.3.1 " in await refused(on, attach=attach)
            # Not one page is left: no outcome can be recorded now, and nothing may be sent again for that.
            on.world.hosts["mx.tls.example"].behave(Behaviour())
            await on.until(
                lambda: on.metric("sealpost_broken_total") > 0 or len(on.world.inbox.newest()) > len(waiting)
            )
            ballast.unlink()
            await all_end(on, more, {*waiting, *more})
            token = Token()
            queue_id = await on.submit(token.letter("tls.example"), token.at("tls.example"), sender=token.sender)
            await all_end(on, {queue_id: token.at("tls.example")}, set())
            never_in_clear(on, token)


@pytest.mark.peer("root")
async def test_a_disk_that_was_full_at_the_kill_is_whole_at_the_start(tmp_path: Path) -> None:
    with small_disk(tmp_path / "spool", 160 * MIB) as disk:
        async with stage(tmp_path, setting()) as on:
            waiting = await deferred(on, 3, attach=(3 * MIB,))
            ballast = fill(disk, leave=0)
            assert "452, b'4.3.1 " in await refused(on)
            pids = [supervisor(on), *workers(on)]
            kill(*pids)
            await gone(*pids)
            ballast.unlink()
            on.world.hosts["mx.tls.example"].behave(Behaviour())
            await on.start()
            await all_end(on, waiting, set())


# Reload.

FALLBACK = 'route  = ["secure", "encrypted"]'
DIRECT = 'route  = ["encrypted"]'
KNOWN = """
[[rules]]
name   = "Known to speak TLS"
when   = { tls = "yes" }
route  = ["secure"]
advice = "Wait."

# S, Secure email"""


async def decided(on: Stage, queue_id: QueueId) -> tuple[str, tuple[str, ...]]:
    """The rule and chain of a message's newest decision."""
    *_, event = on.events(queue_id, EventKind.DECIDED)
    assert isinstance(event.decision, Routed), event
    return event.decision.rule, event.decision.chain


async def one(on: Stage, domain: str = "tls.example") -> QueueId:
    token = Token()
    content = token.letter(domain, classification="restricted")
    return await on.submit(content, token.at(domain), sender=token.sender)


async def test_a_bad_policy_changes_nothing_and_a_good_one_the_next_message(tmp_path: Path) -> None:
    async with stage(tmp_path, setting()) as on:
        assert SHIPPED.count(FALLBACK) == 1
        policy = on.folder / "policy.toml"
        on.world.hosts["mx.tls.example"].behave(AWAY)
        before = await one(on)

        policy.write_text(SHIPPED.replace(FALLBACK, 'route = ["nowhere"]'))
        ran = await sealpost("reload", "--config", str(on.config))
        assert ran.code == 1
        assert "nowhere" in ran.err
        assert "policy.toml" in ran.err
        assert "Traceback" not in ran.err
        assert on.metric("sealpost_reload_last_successful") == 0
        assert (await decided(on, await one(on)))[1] == ("secure", "encrypted")

        policy.write_text(SHIPPED.replace(FALLBACK, DIRECT))
        ran = await sealpost("reload", "--config", str(on.config))
        assert (ran.code, ran.err) == (0, "")
        assert on.metric("sealpost_reload_last_successful") == 1
        after = await one(on)
        assert (await decided(on, after))[1] == ("encrypted",)
        (end,) = (await on.ended(after)).values()
        assert end.route == "encrypted"

        # What was queued keeps the chain that it was accepted with.
        on.world.hosts["mx.tls.example"].behave(Behaviour())
        (end,) = (await on.ended(before)).values()
        assert (end.state, end.route) == (State.DELIVERED, "secure")


async def test_an_open_recipient_is_decided_by_the_policy_that_accepted_it(tmp_path: Path) -> None:
    comment = "# S, Secure email"
    assert SHIPPED.count(f"\n{comment}:") == 1
    first = SHIPPED.replace(f"\n{comment}", KNOWN, 1)
    async with stage(tmp_path, setting(policy=first, queue='door_wait = "1s"')) as on:
        trouble(on, "tls.example", Trouble.SERVFAIL)
        open_ = await one(on)
        assert [item.row.state for item in ShardReader(on.spool).items(QueueFilter(queue_id=open_))] == [State.OPEN]

        (on.folder / "policy.toml").write_text(SHIPPED.replace(FALLBACK, DIRECT))
        assert (await sealpost("reload", "--config", str(on.config))).code == 0
        assert (await decided(on, await one(on)))[1] == ("encrypted",)
        # Not even a new process forgets it.
        kill(worker(on))
        await on.until(lambda: on.metric("sealpost_worker_restarts_total") == 1)
        trouble(on, "tls.example", None)
        (end,) = (await on.ended(open_)).values()
        assert (end.state, end.route) == (State.DELIVERED, "secure")
        assert await decided(on, open_) == ("Known to speak TLS", ("secure",))


# Starts and stops.


async def test_a_second_gateway_on_the_same_spool_says_so_in_one_sentence(tmp_path: Path) -> None:
    async with stage(tmp_path, setting()) as on:
        other = on.folder / "other.toml"
        smtp, admin = free_ports(2)
        text = on.config.read_text().replace(f":{on.smtp_port}", f":{smtp}").replace(f":{on.admin_port}", f":{admin}")
        other.write_text(text)
        ran = await sealpost("run", "--config", str(other))
        assert ran.code == 2
        assert len(ran.err.strip().splitlines()) == 1
        assert f"in use by process {supervisor(on)}" in ran.err
        # The first one is none the worse for it.
        await on.ended(await one(on))


async def test_sigterm_in_mid_data_lets_the_message_end_and_turns_the_idle_away(tmp_path: Path) -> None:
    token = Token()
    content = token.letter("tls.example", classification="restricted")
    async with stage(tmp_path, setting()) as on:
        busy, idle = [await asyncio.open_connection("127.0.0.1", on.smtp_port) for _ in range(2)]
        for reader, writer in (busy, idle):
            await reader.readline()
            writer.write(b"HELO desk\r\n")
            assert (await reader.readline()).startswith(b"250")
        reader, writer = busy
        writer.write(f"MAIL FROM:<{token.sender}>\r\nRCPT TO:<{token.at('tls.example')}>\r\nDATA\r\n".encode())
        replies = [await reader.readline() for _ in range(3)]
        assert replies[2].startswith(b"354")
        writer.write(content[:300])
        await writer.drain()

        stopping = asyncio.create_task(on.process.stop())
        async with asyncio.timeout(30):
            assert (await idle[0].readline()).startswith(b"421 4.3.2")
            assert await idle[0].read() == b""
            writer.write(content[300:] + b"\r\n.\r\n")
            queue_id = QueueId((await reader.readline()).decode().split()[-1])
            assert (await reader.readline()).startswith(b"421 4.3.2")
        for _, each in (busy, idle):
            each.close()
        await stopping
        assert '"event":"stopped"' in on.log()

        await on.start()
        await all_end(on, {queue_id: token.at("tls.example")}, set())
        assert len(on.world.inbox.to(token.at("tls.example"))) == 1
