"""The milter door when things go wrong: nothing is lost, nothing leaves unprotected, nothing is taken twice."""

import asyncio
import contextlib
import smtplib
import ssl
import tempfile
from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.core.record import EventKind, State
from tests.e2e.milter_stage import MODES, Doors, Front, doors, front, send
from tests.e2e.processes import gone, kill, sealpost, worker
from tests.e2e.shared_stage import Token, never_in_clear
from tests.e2e.stage import OFFICER, letter, wire
from tests.e2e.test_faults import MIB, fill, small_disk
from tests.fakes.milter_mta import milter_mta

pytestmark = [pytest.mark.peer("postfix"), pytest.mark.peer("root"), pytest.mark.timeout(150)]


@dataclass
class Clients:
    """Clients of the MTA that send one restricted message after another, and know which were acknowledged."""

    mta: Front
    acknowledged: list[Token] = field(default_factory=list[Token])
    put_off: int = 0
    _stopped: bool = False

    @contextlib.asynccontextmanager
    async def running(self, count: int = 3) -> AsyncGenerator["Clients"]:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(count):
                tasks.create_task(self._client())
            try:
                yield self
            finally:
                self._stopped = True

    async def _client(self) -> None:
        while not self._stopped:
            token = Token()
            content = token.letter("tls.example", classification="restricted", attach=(100_000,))
            try:
                told = await self.mta.submit(content, token.at("tls.example"), sender=token.sender)
            except (OSError, smtplib.SMTPException):
                told = {"": (421, "")}
            if told:
                assert all(400 <= code < 500 for code, _ in told.values()), told
                self.put_off += 1
            else:
                self.acknowledged.append(token)
            await asyncio.sleep(0.02)

    async def more(self, its: Doors, count: int = 10) -> None:
        """Waits until so many more were acknowledged."""
        wanted = len(self.acknowledged) + count
        await its.stage.until(lambda: len(self.acknowledged) >= wanted)


async def all_arrive(its: Doors, clients: Clients, *, once: bool) -> None:
    on = its.stage
    await on.until(lambda: all(on.world.inbox.to(token.at("tls.example")) for token in clients.acknowledged), 60)
    copies = [len(on.world.inbox.to(token.at("tls.example"))) for token in clients.acknowledged]
    assert not once or set(copies) == {1}
    for token in clients.acknowledged:
        never_in_clear(on, token)
    assert clients.mta.postfix.mail() == []
    assert on.metric("sealpost_unprotected_total") == 0


async def test_a_killed_worker_defers_and_loses_nothing(tmp_path: Path) -> None:
    async with doors(tmp_path, workers=2) as its, front(its.ports["takeover"]) as mta:
        clients = Clients(mta)
        async with clients.running():
            await clients.more(its)
            for shard in (0, 1):
                pid = worker(its.stage, shard)
                kill(pid)
                await gone(pid)
                await clients.more(its)
        await all_arrive(its, clients, once=False)


async def test_a_restart_and_a_reload_under_load_lose_nothing(tmp_path: Path) -> None:
    async with doors(tmp_path) as its, front(its.ports["takeover"]) as mta:
        clients = Clients(mta)
        async with clients.running():
            await clients.more(its)
            text = its.stage.config.read_text()
            its.stage.config.write_text(text.replace('mode = "takeover"', 'mode = "takeover"\nmax_recipients = 999'))
            assert (await sealpost("reload", "--config", str(its.stage.config))).code == 0
            await clients.more(its)
            await its.stage.process.stop()
            before = clients.put_off
            await its.stage.until(lambda: clients.put_off > before + 3)
            await its.stage.start()
            await clients.more(its)
        await all_arrive(its, clients, once=True)


@pytest.mark.parametrize("mode", MODES)
async def test_without_room_in_the_spool_nothing_is_let_pass(tmp_path: Path, mode: str) -> None:
    with small_disk(tmp_path / "spool", 160 * MIB) as disk:
        async with doors(tmp_path) as its, front(its.ports[mode]) as mta:
            ballast = fill(disk, leave=0)
            for classification in ("public", "restricted"):
                told = await mta.submit(letter(classification=classification), "someone@plain.example")
                assert told["DATA"][0] == 452
            assert mta.postfix.mail() == []
            ballast.unlink()
            assert await mta.submit(letter(classification="public"), "someone@plain.example") == {}


async def test_a_message_that_comes_again_is_taken_once_by_whichever_worker(tmp_path: Path) -> None:
    content, path, to = wire(letter(classification="restricted")), OFFICER.encode(), [b"<someone@tls.example>"]
    async with doors(tmp_path, workers=2) as its:

        async def hand_over() -> bytes:
            mta = await milter_mta("127.0.0.1", its.ports["takeover"])
            async with mta:
                await mta.client()
                await mta.helo()
                return (await mta.message(path, to, content)).verdict

        for _ in range(8):
            assert await hand_over() == b"d"
        await its.stage.process.stop()
        await its.stage.start()
        for _ in range(4):
            assert await hand_over() == b"d"
        await its.stage.until(lambda: bool(its.stage.events(None, EventKind.ENDED)))
        (accepted,) = its.stage.events(None, EventKind.ACCEPTED)
        repeated = its.stage.events(None, EventKind.REPEATED)
        assert [event.queue_id for event in repeated] == [accepted.queue_id] * 11
        assert len(its.stage.world.inbox.to("someone@tls.example")) == 1
        shown = await sealpost("queue", "show", accepted.queue_id, "--config", str(its.stage.config))
        assert "not taken twice" in shown.out


async def test_a_client_inside_tls_says_hello_twice(tmp_path: Path) -> None:
    async with doors(tmp_path) as its:
        certificate = f"{its.stage.folder}/gateway.pem"
        tls = [f"smtpd_tls_{name}_file = {certificate}" for name in ("cert", "key")]
        async with front(its.ports["takeover"], *tls, "smtpd_tls_security_level = may") as mta:

            def client() -> object:
                context = ssl.create_default_context(cafile=str(its.stage.folder / "ca.pem"))
                context.check_hostname = False
                with smtplib.SMTP("127.0.0.1", mta.port, timeout=30) as connection:
                    connection.ehlo("before.example")
                    connection.starttls(context=context)
                    connection.ehlo("inside.example")
                    return send(connection, wire(letter(classification="restricted")), ["someone@tls.example"])

            assert await asyncio.to_thread(client) == {}
        await its.stage.until(lambda: bool(its.stage.world.inbox.to("someone@tls.example")))
        (arrived,) = its.stage.world.inbox.to("someone@tls.example")
        assert b"from inside.example ([127.0.0.1])\r\n\t(using TLSv1.3" in arrived.content


@contextlib.contextmanager
def common_folder() -> Generator[Path]:
    """A folder that Postfix's own user may walk into."""
    with tempfile.TemporaryDirectory(prefix="sealpost-milter-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


async def test_a_local_socket_is_shared_by_all_workers_and_gone_at_the_end(tmp_path: Path) -> None:
    with common_folder() as folder:
        path = folder / "milter"
        further = f'\n[[listen.milter]]\naddress = "unix:{path}"\npermissions = "0666"\n'
        async with doors(tmp_path, workers=2) as its:
            its.stage.config.write_text(its.stage.config.read_text() + further)
            await its.stage.process.stop()
            await its.stage.start()
            assert path.stat().st_mode & 0o777 == 0o666
            async with front(f"unix:{path}") as mta:
                assert await mta.submit(letter(classification="restricted"), "someone@tls.example") == {}
                assert await mta.submit(letter(classification="public"), "someone@plain.example") == {}
                await mta.said("status=sent")
            await its.stage.until(lambda: len(its.stage.events(None, EventKind.ENDED)) == 2)
            ends = {event.address: event.state for event in its.stage.events(None, EventKind.ENDED)}
            assert ends == {"someone@tls.example": State.DELIVERED, "someone@plain.example": State.LEFT}
            await its.stage.process.stop()
            assert not path.exists()
