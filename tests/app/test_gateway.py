"""One worker's gateway in the test's own process: real listener, real spool, real transports."""

import asyncio
import contextlib
import smtplib
import ssl
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from gateway.app.compose import Tools
from gateway.app.gateway import Gateway
from gateway.app.messages import Delete, Operation, Pick, Retry
from gateway.app.sockets import open_sockets
from gateway.app.system import RandomIds, RandomJitter, SystemClock
from gateway.app.vault import Vault
from gateway.app.wiring import Address
from gateway.config.bundle import Bundle, read_bundle
from gateway.config.problems import ConfigError
from gateway.core.record import EventKind, State
from gateway.flow.tls_counts import TlsCounts
from gateway.net.memory import TlsMemory
from gateway.sandbox.behaviour import Behaviour, Fault, Stage
from gateway.spool.body_keys import BodyKeys
from gateway.spool.options import SpoolOptions
from gateway.spool.shards import Shards
from gateway.spool.sqlite import SpoolParts, SqliteSpool
from gateway.telemetry.events import Telemetry
from gateway.telemetry.log import Level, Log
from gateway.telemetry.metrics import Metrics
from tests.app.house import House, house, letter
from tests.app.world import Lines
from tests.fakes.state import MemoryState
from tests.spool.samples import commit

TEMPORARY = Behaviour(faults=(Fault(stage=Stage.RCPT, answer="451 4.3.0 not now"),))

OPEN_RULE = 'name  = "Public"\nroute = ["opportunistic"]'
CLOSED_RULE = 'name  = "Public"\nreject = true\nadvice = "Telephone."'


class Running:
    """The gateway, its log, and its counters."""

    def __init__(self, gateway: Gateway, log: Lines, registry: CollectorRegistry) -> None:
        self.gateway = gateway
        self.log = log
        self.registry = registry

    def count(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)


def bundle(here: House) -> Bundle:
    return read_bundle(here.household.config)


@contextlib.asynccontextmanager
async def running(here: House, *, shard: int = 0, slots: int = 1) -> AsyncGenerator[Running]:
    clock, log, registry = SystemClock(), Lines(), CollectorRegistry()
    metrics = Metrics(registry)
    state, ids = MemoryState(clock), RandomIds()
    tools = Tools(
        clock=clock,
        ids=ids,
        jitter=RandomJitter(),
        events=Telemetry(Log(log, Level.INFO), metrics, clock),
        metrics=metrics,
        state=state,
        memory=TlsMemory(clock, state),
        counts=TlsCounts(state, clock, ids),
        vault=Vault(clock),
        slots=slots,
    )
    shards = await Shards.open(here.household.spool, shard, SpoolParts(clock=clock))
    [sock] = open_sockets(Address(name="smtp", host="127.0.0.1", port=here.smtp), 1)
    try:
        async with Gateway(shards, tools, [sock]) as gateway:
            await gateway.reload(bundle(here))
            yield Running(gateway, log, registry)
            await gateway.stop(timedelta(seconds=10))
    finally:
        sock.close()
        await shards.aclose()


async def test_a_message_travels_from_the_client_to_its_host_and_is_counted(tmp_path: Path) -> None:
    async with house(tmp_path) as here, running(here) as it:
        queue_id = await here.send("alice@tls.example")
        [arrival] = await here.arrived("alice@tls.example")
        assert arrival.tls is not None
        assert arrival.queue_id == queue_id
        assert (await here.ended(queue_id)).state is State.DELIVERED
        assert it.count("sealpost_received_total", listener="sandbox") == 1
        assert it.count("sealpost_outcomes_total", route="secure", result="delivered", cause="") == 1
        assert it.count("sealpost_outcomes_total", route="tls", result="delivered", cause="") == 0
        events = [line for name in ("accepted", "decided", "attempt", "ended") for line in it.log.events(name)]
        assert [line["event"] for line in events] == ["accepted", "decided", "attempt", "ended"]
        assert {line["queue_id"] for line in events} == {queue_id}
        assert it.gateway.problem is None


async def test_mail_in_a_shard_that_nobody_can_open_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.app.chores.ADOPT_EVERY", timedelta(milliseconds=20))
    async with house(tmp_path) as here:
        sealing = SpoolParts(clock=SystemClock(), options=SpoolOptions(keys=BodyKeys([b"k" * 32])))
        dead = await SqliteSpool.open(here.household.spool, 3, sealing)
        await commit(dead)
        await dead.aclose()
        async with running(here) as it:
            await here.until(lambda: bool(it.log.events("alert")))
            await here.ended(await here.send("alice@tls.example"))
            [told] = it.log.events("alert")
    assert told["name"] == "shard-unusable"
    assert "shard-003" in str(told["detail"]) and "secrets.spool" in str(told["detail"])


async def test_a_reload_decides_new_mail_by_the_new_policy(tmp_path: Path) -> None:
    async with house(tmp_path) as here, running(here) as it:
        await here.send("alice@plain.example", level="public")
        [clear] = await here.arrived("alice@plain.example")
        assert clear.tls is None
        here.edit(here.household.policy, OPEN_RULE, CLOSED_RULE)
        await it.gateway.reload(bundle(here))
        refused = await here.send("bob@plain.example", "c@council.example", level="public")
        await here.arrived("c@council.example")
        states = {event.address: event.state for event in here.events(refused, EventKind.ENDED)}
        assert states["bob@plain.example"] is State.REPORTED
        # The label set of the new rule was there before it decided anything.
        assert it.count("sealpost_decisions_total", rule="Public", action="reject", route="", level="restricted") == 0
        assert len(here.world.inbox.to("bob@plain.example")) == 0


async def say(client: smtplib.SMTP, *commands: str) -> list[int]:
    return [(await asyncio.to_thread(client.docmd, command))[0] for command in commands]


BEGIN = ("EHLO desk.council.example", "MAIL FROM:<officer@council.example>", "RCPT TO:<alice@plain.example>")


async def test_a_conversation_goes_on_over_a_reload_and_a_message_keeps_the_policy_it_began_with(
    tmp_path: Path,
) -> None:
    async with house(tmp_path) as here, running(here) as it:
        client = smtplib.SMTP(timeout=20)
        await asyncio.to_thread(client.connect, "127.0.0.1", here.smtp)
        assert await say(client, *BEGIN, "DATA") == [250, 250, 250, 354]
        here.edit(here.household.policy, OPEN_RULE, CLOSED_RULE)
        await it.gateway.reload(bundle(here))
        await asyncio.to_thread(client.send, letter("public") + b".\r\n")
        assert (await asyncio.to_thread(client.getreply))[0] == 250
        # Taken under the policy before, delivered by the dispatcher of now.
        await here.arrived("alice@plain.example")
        # The next one on the same connection is refused, here in the session because nobody else gets it.
        assert await say(client, *BEGIN[1:], "DATA") == [250, 250, 354]
        await asyncio.to_thread(client.send, letter("public") + b".\r\n")
        assert (await asyncio.to_thread(client.getreply))[0] == 550
        client.close()


async def test_a_listener_whose_certificate_was_renewed_is_replaced(tmp_path: Path) -> None:
    async with house(tmp_path) as here, running(here) as it:
        idle, busy = smtplib.SMTP(timeout=20), smtplib.SMTP(timeout=20)
        for client in (idle, busy):
            await asyncio.to_thread(client.connect, "127.0.0.1", here.smtp)
        assert await say(idle, BEGIN[0]) == [250]
        assert await say(busy, *BEGIN, "DATA") == [250, 250, 250, 354]
        before = await asyncio.to_thread(certificate_of, here)
        here.world.credentials.issue("gateway.pem", ("gateway.council.example", "renewed.example"))
        await it.gateway.reload(bundle(here))
        assert (await asyncio.to_thread(idle.getreply))[0] == 421
        await asyncio.to_thread(busy.send, letter("public") + b".\r\n")
        assert (await asyncio.to_thread(busy.getreply))[0] == 250
        await here.arrived("alice@plain.example")
        assert await asyncio.to_thread(certificate_of, here) != before
        idle.close()
        busy.close()


def certificate_of(here: House) -> bytes | None:
    context = ssl.create_default_context(cafile=str(here.household.certificates / "ca.pem"))
    with smtplib.SMTP("127.0.0.1", here.smtp, timeout=20) as client:
        client._host = "gateway.council.example"  # pyright: ignore[reportAttributeAccessIssue]  the name to check
        client.starttls(context=context)
        assert isinstance(client.sock, ssl.SSLSocket)
        return client.sock.getpeercert(binary_form=True)


async def test_a_bad_configuration_leaves_the_one_before_in_force(tmp_path: Path) -> None:
    async with house(tmp_path) as here, running(here) as it:
        here.edit(here.household.policy, 'route = ["opportunistic"]', 'route = ["nowhere"]')
        with pytest.raises(ConfigError, match="nowhere"):
            await it.gateway.reload(bundle(here))
        here.edit(here.household.policy, 'route = ["nowhere"]', 'route = ["opportunistic"]')
        (here.household.certificates / "gateway.pem").write_text("no certificate")
        with pytest.raises((OSError, ValueError)):
            await it.gateway.reload(bundle(here))
        await here.send("alice@tls.example")
        await here.arrived("alice@tls.example")


async def test_what_a_retired_generation_defers_is_retried_by_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.app.gateway._LOOK", 0.05)
    async with house(tmp_path) as here:
        here.edit(here.household.config, 'retry_min    = "30s"', 'retry_min    = "1s"')
        host = here.world.hosts["mx.tls.example"]
        host.behave(TEMPORARY)
        async with running(here) as it:
            queue_id = await here.send("alice@tls.example")
            await it.gateway.reload(bundle(here))
            await here.until(lambda: bool(here.events(queue_id, EventKind.ATTEMPT)))
            host.behave(Behaviour())
            await here.arrived("alice@tls.example")


async def test_an_orphaned_shard_is_drained_and_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.app.chores.ADOPT_EVERY", timedelta(milliseconds=100))
    async with house(tmp_path) as here:
        host = here.world.hosts["mx.tls.example"]
        host.behave(TEMPORARY)
        async with running(here, shard=7) as it:
            # Too large to lie in its row: the body must be read from the adopted shard's own folder.
            queue_id = await here.send("alice@tls.example", size=300_000)
            await here.until(lambda: bool(here.events(queue_id, EventKind.ATTEMPT)))
            assert it.gateway.shards == (7,)
        host.behave(Behaviour())
        async with running(here, shard=0) as it:
            await here.until(lambda: it.gateway.shards == (0, 7))
            await operated(it, retry(queue_id), 1)
            [arrival] = await here.arrived("alice@tls.example")
            assert arrival.content.partition(b"\r\n\r\n")[2] == letter("", 300_000).partition(b"\r\n\r\n")[2]
            assert (await here.ended(queue_id)).state is State.DELIVERED
            await here.until(lambda: it.gateway.shards == (0,))


async def test_an_operator_retries_and_deletes_what_waits(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        host = here.world.hosts["mx.tls.example"]
        host.behave(TEMPORARY)
        async with running(here) as it:
            both = await here.send("alice@tls.example", "bob@tls.example")
            await here.until(lambda: len(here.events(both, EventKind.ATTEMPT)) == 2)
            assert await it.gateway.operate(deletion(both, 2)) == 0
            await operated(it, deletion(both, 0), 1)
            [ended] = here.events(both, EventKind.ENDED)
            assert (ended.address, ended.state) == ("alice@tls.example", State.DELETED)
            assert ended.text == "deleted by kim: wrong person"
            host.behave(Behaviour())
            await operated(it, retry(both), 1)
            await here.arrived("bob@tls.example")
            assert here.world.inbox.to("alice@tls.example") == ()
            assert await it.gateway.operate(retry("000-unknown")) == 0


async def operated(it: Running, operation: Operation, rows: int) -> None:
    """The rows of an attempt that was recorded a moment ago may still be in hand for another one."""
    async with asyncio.timeout(30):
        while await it.gateway.operate(operation) != rows:  # noqa: ASYNC110  no event tells of a lease's end
            await asyncio.sleep(0.02)


def retry(queue_id: str) -> Operation:
    return Retry(picks=(Pick(queue_id=queue_id),), operator="kim")


def deletion(queue_id: str, number: int | None) -> Operation:
    numbers = None if number is None else (number,)
    return Delete(picks=(Pick(queue_id=queue_id, numbers=numbers),), reason="wrong person", operator="kim")


async def test_the_queue_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.flow.janitor.MEASURE_EVERY", timedelta(milliseconds=50))
    async with house(tmp_path) as here:
        here.world.hosts["mx.tls.example"].behave(TEMPORARY)
        async with running(here) as it:
            queue_id = await here.send("alice@tls.example", "bob@tls.example")
            await here.until(lambda: len(here.events(queue_id, EventKind.ATTEMPT)) == 2)
            await here.until(lambda: it.count("sealpost_queue_recipients", state="queued") == 2)
            # The gauges are set one after the other; the age of what came a moment ago may be next to nothing.
            await here.until(lambda: (it.count("sealpost_queue_oldest_age_seconds") or 0) > 0)
            assert it.count("sealpost_shards") == 1
            await operated(it, deletion(queue_id, None), 2)
            await here.until(lambda: it.count("sealpost_queue_recipients", state="queued") == 0)
            await here.until(lambda: it.count("sealpost_queue_oldest_age_seconds") == 0)


async def test_probes_are_counted_by_what_they_found(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        rule = 'name  = "Public"\nroute'
        here.edit(
            here.household.policy,
            f"[[rules]]\n{rule}",
            '[[rules]]\nname = "Known TLS"\nwhen = { tls = "yes" }\nroute = ["tls"]\n\n[[rules]]\n' + rule,
        )
        async with running(here) as it:
            await here.send("alice@tls.example", "bob@plain.example", "c@down.example", level="public")
            await here.arrived("bob@plain.example")
            found = {result: it.count("sealpost_probes_total", result=result) for result in ("yes", "no", "unknown")}
            assert found == {"yes": 1, "no": 1, "unknown": 1}


async def test_a_stop_lets_a_delivery_in_hand_end(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        async with running(here):
            queue_id = await here.send("alice@tls.example", size=2_000_000)
        # Stopped at once: the message is either delivered or waits, and nothing of it is lost.
        async with running(here):
            assert (await here.ended(queue_id)).state is State.DELIVERED
        assert len(here.world.inbox.to("alice@tls.example")) == 1
