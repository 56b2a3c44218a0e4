"""`sealpost reload`: all or nothing, and a word about it."""

import signal
from pathlib import Path

from tests.app.house import house
from tests.cli.running import sealpost, started

RULE = 'name  = "Public"\nroute = ["opportunistic"]'


async def test_a_new_policy_is_in_force_in_every_worker(tmp_path: Path) -> None:
    async with house(tmp_path, workers=2) as here, started(here) as service:
        workers = service.workers()
        here.edit(here.household.policy, RULE, 'name  = "Nothing in the clear"\nroute = ["tls"]')
        ran = await sealpost(here, "reload")
        assert (ran.code, ran.err) == (0, "")
        assert "is in force" in ran.out
        for number in range(6):
            await here.send(f"r{number}@tls.example", level="public")
            [arrival] = await here.arrived(f"r{number}@tls.example")
            assert arrival.tls is not None
        rules = {line["rule"] for line in service.lines("decided")}
        assert rules == {"Nothing in the clear"}
        assert service.workers() == workers
        assert await service.metric('sealpost_reloads_total{result="applied"}') == 1


async def test_a_bad_file_changes_nothing_and_every_problem_is_told(tmp_path: Path) -> None:
    async with house(tmp_path) as here, started(here) as service:
        here.edit(here.household.policy, RULE, 'name  = "Public"\nroute = ["nowhere"]')
        ran = await sealpost(here, "reload")
        assert ran.code == 1
        assert ran.out == ""
        assert "nowhere" in ran.err
        assert "policy.toml" in ran.err
        assert await service.metric("sealpost_reload_last_successful") == 0
        assert await service.metric('sealpost_reloads_total{result="invalid"}') == 1
        await here.send("alice@plain.example", level="public")
        await here.arrived("alice@plain.example")
        service.process.send_signal(signal.SIGHUP)
        await here.until(lambda: len(service.lines("reload")) == 2)
        assert {line["result"] for line in service.lines("reload")} == {"invalid"}


async def test_what_needs_a_restart_is_refused_by_name(tmp_path: Path) -> None:
    async with house(tmp_path) as here, started(here):
        here.edit(here.household.config, "workers  = 1", "workers  = 2")
        here.edit(here.household.config, "gateway.council.example", "other.council.example")
        ran = await sealpost(here, "reload")
        assert ran.code == 1
        assert ran.err == "a change of hostname, workers needs a restart; nothing was changed\n"


async def test_a_certificate_that_cannot_be_used_is_refused_and_the_old_one_stays(tmp_path: Path) -> None:
    async with house(tmp_path, workers=2) as here, started(here) as service:
        (here.household.certificates / "gateway.pem").write_text("not a certificate")
        ran = await sealpost(here, "reload")
        assert ran.code == 1
        assert "listen.smtp[1].certificate: there is no certificate in PEM form in " in ran.err
        assert await service.metric('sealpost_reloads_total{result="invalid"}') == 1
        for number in range(4):
            await here.send(f"r{number}@tls.example")
            await here.arrived(f"r{number}@tls.example")


async def test_without_a_gateway_one_is_told_how_to_start_it(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        ran = await sealpost(here, "reload")
        assert ran.code == 2
        assert ran.err == (
            f"sealpost: no gateway is running on the spool {here.household.spool}; start it with `sealpost run`\n"
        )


async def test_without_a_spool_in_the_configuration_there_is_nobody_to_ask(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        here.edit(here.household.config, 'url = "sqlite:spool"', 'url = "postgres:x"')
        ran = await sealpost(here, "reload")
        assert ran.code == 1
        assert "spool.url" in ran.err
        assert "Traceback" not in ran.err
