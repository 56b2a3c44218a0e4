"""The supervisor with real processes, stand-ins for workers: death, replacement, reload, stop."""

import asyncio
import contextlib
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.app.messages import AskReload, AskStatus, Changed, Delete, Done, NotDone, Pick, Retry
from gateway.app.reload import Reloaded
from tests.app.world import ROOT, World, running, with_hostname


async def ended(pid: int) -> None:
    """Waits for the end of a process that need not be a child."""
    with contextlib.suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        done = asyncio.Event()
        asyncio.get_running_loop().add_reader(descriptor, done.set)
        await done.wait()
        asyncio.get_running_loop().remove_reader(descriptor)
        os.close(descriptor)


async def test_each_slot_has_a_worker_and_all_are_ready(tmp_path: Path) -> None:
    async with running(tmp_path / "spool", workers=3) as world:
        workers = await world.workers()
        assert sorted(workers) == [0, 1, 2]
        assert len({os.getpid(), *workers.values()}) == 4
        assert await world.get("/readyz") == (200, "ready\n")


async def test_no_worker_hears_what_a_terminal_tells_the_supervisor(tmp_path: Path) -> None:
    async with running(tmp_path / "spool") as world:
        for pid in (await world.workers()).values():
            assert os.getpgid(pid) == pid != os.getpgrp()


async def test_a_killed_worker_is_replaced_on_its_socket_and_the_other_never_notices(tmp_path: Path) -> None:
    async with running(tmp_path / "spool") as world:
        before = await world.workers()
        world.ready.clear()
        os.kill(before[1], signal.SIGKILL)
        # Nobody is refused meanwhile: what arrives for the dead worker waits for its replacement.
        greetings = await asyncio.gather(*(world.greeting() for _ in range(40)))
        assert {slot for slot, _, _ in greetings} == {0, 1}
        await world.ready.wait()
        after = await world.workers()
        assert after[0] == before[0]
        assert after[1] != before[1]
        [died] = world.log.events("worker died")
        assert (died["slot"], died["code"]) == (1, -signal.SIGKILL)


async def test_the_metrics_of_a_replaced_worker_go_on_counting_and_its_gauges_start_anew(tmp_path: Path) -> None:
    async with running(tmp_path / "spool") as world:
        world.ready.clear()
        os.kill((await world.workers())[0], signal.SIGKILL)
        await world.ready.wait()
        _, page = await world.get("/metrics")
        assert "standin_started_total 3.0" in page
        assert "standin_alive 2.0" in page
        assert 'sealpost_worker_restarts_total{slot="0"} 1.0' in page
        assert 'sealpost_worker_restarts_total{slot="1"} 0.0' in page
        assert 'sealpost_worker_up{slot="0"} 1.0' in page


async def test_workers_end_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.app.lonely", str(tmp_path / "spool")),
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stdout is not None
    port = int(await process.stdout.readline())
    pids: dict[bytes, int] = {}
    while len(pids) < 2:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        slot, pid, _ = (await reader.read()).split(b" ", 2)
        pids[slot] = int(pid)
        writer.close()
    process.kill()
    await process.wait()
    for pid in pids.values():
        await ended(pid)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_a_stop_ends_every_worker(tmp_path: Path) -> None:
    async with running(tmp_path / "spool") as world:
        workers = await world.workers()
    for pid in workers.values():
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert world.log.events("worker died") == []
    assert world.log.events("worker killed") == []


async def test_a_worker_that_does_not_stop_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.app.slot._KILL_AFTER", 0.2)
    async with running(tmp_path / "spool", text="mute", grace=0.1) as world:
        workers = await world.workers()
    assert {line["slot"] for line in world.log.events("worker killed")} == {0, 1}
    with pytest.raises(ProcessLookupError):
        os.kill(workers[0], 0)


async def test_sigterm_stops_and_sighup_reloads(tmp_path: Path) -> None:
    async with running(tmp_path / "spool") as world:
        world.source.text = "second"
        os.kill(os.getpid(), signal.SIGHUP)
        while (await world.greeting())[2] != "second":
            pass
        os.kill(os.getpid(), signal.SIGTERM)
    assert [line["result"] for line in world.log.events("reload")] == ["applied"]


async def texts(world: World) -> set[tuple[int, str]]:
    await world.workers()
    return {(slot, text) for slot, _, text in [await world.greeting() for _ in range(30)]}


async def test_a_reload_reaches_every_worker_without_replacing_it(tmp_path: Path) -> None:
    async with running(tmp_path / "spool") as world:
        before = await world.workers()
        world.source.text = "second"
        answer = await world.supervisor.answer(AskReload())
        assert isinstance(answer, Done)
        assert await texts(world) == {(0, "second"), (1, "second")}
        assert await world.workers() == before
        _, page = await world.get("/metrics")
        assert 'sealpost_reloads_total{result="applied"} 1.0' in page
        assert 'policy="policy of second"' in page


async def test_a_bad_file_changes_nothing_and_says_so(tmp_path: Path) -> None:
    async with running(tmp_path / "spool") as world:
        world.source.text, world.source.problem = "second", "unknown value `maybe`"
        answer = await world.supervisor.answer(AskReload())
        assert answer == NotDone(text="sealpost.toml: routes.tls.tls: unknown value `maybe`")
        assert await texts(world) == {(0, "first"), (1, "first")}
        _, page = await world.get("/metrics")
        assert 'sealpost_reloads_total{result="invalid"} 1.0' in page
        assert "sealpost_reload_last_successful 0.0" in page
        assert 'policy="policy of first"' in page
        [line] = world.log.events("reload")
        assert (line["level"], line["result"]) == ("error", "invalid")
        world.source.problem = ""
        assert isinstance(await world.supervisor.answer(AskReload()), Done)
        assert "sealpost_reload_last_successful 1.0" in (await world.get("/metrics"))[1]


async def test_a_change_that_needs_a_restart_is_refused_by_name(tmp_path: Path) -> None:
    async with running(tmp_path / "spool") as world:
        world.source.text = "second"
        world.source.wiring = with_hostname(world.source.wiring, "other.example")
        answer = await world.supervisor.answer(AskReload())
        assert answer == NotDone(text="a change of hostname needs a restart; nothing was changed")
        assert await texts(world) == {(0, "first"), (1, "first")}


async def test_a_worker_that_refuses_takes_the_others_back(tmp_path: Path) -> None:
    async with running(tmp_path / "spool") as world:
        world.source.text = "refuse"
        answer = await world.supervisor.answer(AskReload())
        assert answer == NotDone(text="worker 1: the certificate cannot be read")
        assert await texts(world) == {(0, "first"), (1, "first")}
        assert world.log.events("reload")[0]["result"] == Reloaded.WORKER_REFUSED


async def test_requests_that_come_together_make_one_reload(tmp_path: Path) -> None:
    async with running(tmp_path / "spool") as world:
        await asyncio.gather(*(world.supervisor.answer(AskReload()) for _ in range(5)))
        assert world.source.reads == 1
        await world.supervisor.answer(AskReload())
        assert world.source.reads == 2


async def test_a_replacement_starts_with_the_configuration_in_force(tmp_path: Path) -> None:
    async with running(tmp_path / "spool") as world:
        world.source.text = "second"
        await world.supervisor.answer(AskReload())
        world.ready.clear()
        os.kill((await world.workers())[0], signal.SIGKILL)
        await world.ready.wait()
        assert await texts(world) == {(0, "second"), (1, "second")}


async def test_a_sick_worker_makes_the_gateway_not_ready(tmp_path: Path) -> None:
    async with running(tmp_path / "spool") as world:
        world.source.text = "sick"
        await world.supervisor.answer(AskReload())
        assert await world.get("/readyz") == (503, "worker 0 has a full disk; worker 1 has a full disk\n")
        assert await world.get("/healthz") == (200, "alive\n")


async def test_an_operation_goes_to_the_worker_that_owns_the_shard(tmp_path: Path) -> None:
    async with running(tmp_path / "spool") as world:
        operator = "root"
        # The stand-in of slot n says that it changed n + 1 recipients.
        one = await world.supervisor.answer(Retry(picks=picks("001-abc"), operator=operator))
        assert one == Changed(recipients=2)
        delete = Delete(picks=picks("000-abc"), reason="by mistake", operator=operator)
        assert await world.supervisor.answer(delete) == Changed(recipients=1)
        both = await world.supervisor.answer(Retry(picks=picks("000-abc", "001-abc", "000-def"), operator=operator))
        assert both == Changed(recipients=3)
        nobody = await world.supervisor.answer(Retry(picks=picks("000-abc", "007-abc"), operator=operator))
        assert isinstance(nobody, NotDone)
        assert "007-abc" in nobody.text
        garbage = await world.supervisor.answer(Retry(picks=picks("x"), operator=operator))
        assert isinstance(garbage, NotDone)


def picks(*ids: str) -> tuple[Pick, ...]:
    return tuple(Pick(queue_id=queue_id) for queue_id in ids)


async def test_status_names_the_configuration(tmp_path: Path) -> None:
    async with running(tmp_path / "spool") as world:
        answer = await world.supervisor.answer(AskStatus())
        assert isinstance(answer, Done)
        assert answer.text.startswith("ready; configuration ")


async def test_a_worker_that_cannot_start_says_why_and_is_tried_again(tmp_path: Path) -> None:
    async with running(tmp_path / "spool", text="broken", wait=False) as world:
        lines = await world.until("worker cannot start", 4)
        assert {line["reason"] for line in lines} == {"the certificate cannot be read"}
        await world.until("worker died", 2)
        status, reason = await world.get("/readyz")
        assert status == 503
        assert "worker 0 cannot start: the certificate cannot be read" in reason


async def test_a_worker_that_cannot_be_executed_is_no_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.app.world.STAND_IN", (str(tmp_path / "missing"),))
    async with running(tmp_path / "spool", wait=False) as world:
        lines = await world.until("worker not started", 4)
        assert {line["reason"] for line in lines} == {"No such file or directory"}
        pauses = [float(str(line["pause"])) for line in world.log.events("worker died") if line["slot"] == 0]
        assert pauses == sorted(pauses)
        assert len(set(pauses)) == len(pauses)


async def test_a_worker_that_talks_nonsense_is_killed_and_replaced(tmp_path: Path) -> None:
    async with running(tmp_path / "spool") as world:
        before = await world.workers()
        world.ready.clear()
        world.source.text = "mad"
        await world.supervisor.answer(AskReload())
        assert len(await world.until("worker killed", 2)) == 2
        await world.ready.wait()
        assert not set(before.values()) & set((await world.workers()).values())


async def test_a_worker_that_says_nothing_for_long_is_killed(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patience:
        patience.setattr("gateway.app.slot.SILENCE", timedelta(seconds=0.2))
        # Not both need be ready at once before the first is killed.
        async with running(tmp_path / "spool", wait=False) as world:
            lines = await world.until("worker killed")
            assert lines[0]["reason"] == "it stopped making sense: TimeoutError"
            patience.undo()
            await world.until("worker ready", 3)


async def test_a_reload_that_a_worker_does_not_answer_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path / "spool") as world:
        world.source.text = "dumb"
        monkeypatch.setattr("gateway.app.slot.ANSWER_WITHIN", timedelta(seconds=0.5))
        answer = await world.supervisor.answer(AskReload())
        assert answer == NotDone(text="worker 0: it did not answer in time\nworker 1: it did not answer in time")
        assert await texts(world) == {(0, "first"), (1, "first")}


async def test_a_worker_that_dies_of_a_reload_comes_back_with_the_new_configuration(tmp_path: Path) -> None:
    async with running(tmp_path / "spool") as world:
        world.ready.clear()
        world.source.text = "mortal"
        answer = await world.supervisor.answer(AskReload())
        assert isinstance(answer, Done)
        await world.ready.wait()
        assert await texts(world) == {(0, "mortal"), (1, "mortal")}


async def test_a_worker_that_missed_a_reload_while_it_started_gets_it_then(tmp_path: Path) -> None:
    async with running(tmp_path / "spool", wait=False) as world:
        world.source.text = "second"
        assert isinstance(await world.supervisor.answer(AskReload()), Done)
        while (await world.greeting())[2] != "second":
            pass
        assert await texts(world) == {(0, "second"), (1, "second")}


async def test_an_operation_that_is_not_answered_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.app.slot.OPERATE_WITHIN", timedelta(seconds=0.2))
    async with running(tmp_path / "spool", text="dumb") as world:
        answer = await world.supervisor.answer(Retry(picks=picks("000-a"), operator="root"))
        assert answer == NotDone(text="worker 0 did not answer in time")


async def test_an_operation_of_a_worker_that_is_not_there_is_told(tmp_path: Path) -> None:
    async with running(tmp_path / "spool", text="broken", wait=False) as world:
        await world.until("worker died", 2)
        answer = await world.supervisor.answer(Retry(picks=picks("000-a"), operator="root"))
        assert answer == NotDone(text="no worker serves the shard of 000-a at present; try again in a moment")
