"""`sealpost run` with real workers, and what becomes of it and of the mail when processes die."""

import asyncio
import os
import signal
from pathlib import Path

from gateway.core.record import EventKind, State
from gateway.sandbox.behaviour import Behaviour, Fault, Stage
from tests.app.house import house
from tests.cli.running import gone, sealpost, started

TEMPORARY = Behaviour(faults=(Fault(stage=Stage.RCPT, answer="451 4.3.0 not now"),))


async def test_a_message_goes_through_and_a_stop_is_clean(tmp_path: Path) -> None:
    async with house(tmp_path, workers=2) as here, started(here) as service:
        queue_ids = [await here.send(f"r{number}@tls.example") for number in range(8)]
        for queue_id in queue_ids:
            assert (await here.ended(queue_id)).state is State.DELIVERED
        assert await service.metric('sealpost_received_total{listener="sandbox"}') == 8
        assert await service.metric('sealpost_ended_total{state="delivered"}') == 8
        assert await service.metric("sealpost_unprotected_total") == 0
        workers = service.workers()
        assert len(workers) == 2
        service.process.send_signal(signal.SIGTERM)
        assert await service.process.wait() == 0
        for pid in workers:
            await gone(pid)
        assert {line["level"] for event in ("stopping", "stopped") for line in service.lines(event)} == {"info"}
        assert service.lines("broken") == []


async def test_a_second_gateway_on_the_same_spool_is_refused_in_one_sentence(tmp_path: Path) -> None:
    async with house(tmp_path) as here, started(here) as service:
        second = await sealpost(here, "run")
        assert second.code == 2
        assert second.err.count("\n") == 1
        assert (
            f"another gateway is running: {here.household.spool} is in use by process {service.process.pid}"
            in second.err
        )
        await here.send("alice@tls.example")
        await here.arrived("alice@tls.example")


async def test_a_port_that_is_taken_is_told_in_one_sentence(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", here.smtp)
        async with server:
            ran = await sealpost(here, "run")
        assert ran.code == 2
        assert ran.err == f"sealpost: cannot listen on 127.0.0.1:{here.smtp} (sandbox): Address already in use\n"


async def test_a_bad_configuration_is_told_with_every_problem(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        here.edit(here.household.config, 'tls       = "may"', 'tls       = "maybe"')
        here.edit(here.household.policy, 'default = "controlled"', 'default = "secret"')
        ran = await sealpost(here, "run")
        assert ran.code == 1
        assert "routes.opportunistic.tls" in ran.err
        assert "classification.default" in ran.err
        assert "Traceback" not in ran.err


async def test_a_certificate_that_cannot_be_used_is_told_before_any_worker_starts(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        certificate = here.household.certificates / "gateway.pem"
        certificate.write_text("not a certificate")
        ran = await sealpost(here, "run")
        assert (ran.code, ran.out) == (1, "")
        # The sandbox's gateway shows it to its clients and to the host of one route.
        assert ran.err.splitlines() == [
            f"{here.household.config}: {key}: there is no certificate in PEM form in {certificate}"
            for key in ("listen.smtp[1].certificate", "routes.cjsm.client_certificate")
        ]


async def test_a_certificate_that_is_spoilt_later_is_told_where_readiness_is_asked(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        async with started(here) as service:
            (here.household.certificates / "gateway.pem").write_text("not a certificate")
            os.kill(service.workers()[0], signal.SIGKILL)
            await here.until(lambda: bool(service.lines("worker cannot start")))
            reason = str(service.lines("worker cannot start")[0]["reason"])
            assert "gateway.pem" in reason
            await service.until("/readyz", lambda page: f"worker 0 cannot start: {reason}" in page)
            assert await service.get("/healthz") == "alive\n"


async def test_a_killed_worker_is_replaced_and_every_acknowledged_message_ends(tmp_path: Path) -> None:
    async with house(tmp_path, workers=2) as here:
        here.edit(here.household.config, 'retry_min    = "30s"', 'retry_min    = "1s"')
        async with started(here) as service:
            sending = asyncio.gather(
                *(here.send(f"r{number}@tls.example") for number in range(20)), return_exceptions=True
            )
            victim = service.workers()[0]
            os.kill(victim, signal.SIGKILL)
            # A client whose worker died before the 250 was told nothing, and its message is not ours.
            acknowledged = [queue_id for queue_id in await sending if isinstance(queue_id, str)]
            await gone(victim)
            later = await here.send("later@tls.example")
            for queue_id in (*acknowledged, later):
                assert (await here.ended(queue_id)).state is State.DELIVERED
            await service.ready()
            assert sum(line["event"] == "worker died" for line in service.lines("worker died")) == 1
            assert len(service.workers()) == 2


async def test_four_killed_workers_leave_nothing_behind_that_one_does_not_finish(tmp_path: Path) -> None:
    async with house(tmp_path, workers=4) as here:
        here.edit(here.household.config, 'retry_min    = "30s"', 'retry_min    = "2s"')
        host = here.world.hosts["mx.tls.example"]
        host.behave(TEMPORARY)
        async with started(here) as service:
            queue_ids = [await here.send(f"r{number}@tls.example") for number in range(24)]
            await here.until(lambda: len(here.events(None, EventKind.ATTEMPT)) >= len(queue_ids))
            assert len({queue_id[:3] for queue_id in queue_ids}) > 1
            await service.kill()
        host.behave(Behaviour())
        here.edit(here.household.config, "workers  = 4", "workers  = 1")
        async with started(here):
            for queue_id in queue_ids:
                assert (await here.ended(queue_id)).state is State.DELIVERED
        for number in range(24):
            assert len(here.world.inbox.to(f"r{number}@tls.example")) == 1


async def test_a_restart_after_a_kill_of_the_supervisor_works(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        async with started(here) as service:
            await service.kill()
        async with started(here):
            await here.send("alice@tls.example")
            await here.arrived("alice@tls.example")
