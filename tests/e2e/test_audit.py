"""The audit of a real gateway: what it acknowledged is in chains that verify, whatever process is killed meanwhile."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.audit.files import files_in, shard_folder, shards_in
from gateway.audit.keys import Signer, Trusted, new_key
from gateway.audit.verify import verify
from gateway.core.audit_chain import Verdict
from gateway.core.audit_line import read_line
from gateway.sandbox.authority import write_secret
from gateway.spool.outgoing import last_seq, shards_of
from tests.e2e.processes import Flow, gone, kill, owner, supervisor, workers
from tests.e2e.shared_stage import Token
from tests.e2e.stage import EVERYBODY, Setting, Stage, scenario_cast, stage

AUDIT = """
[audit]
folder = "audit"
key    = "file:audit.key"
"""


@pytest_asyncio.fixture
async def on(tmp_path: Path) -> AsyncGenerator[Stage]:
    setting = Setting(cast=scenario_cast(), workers=2, partners=EVERYBODY, further=AUDIT)
    async with stage(tmp_path, setting, start=False) as built:
        write_secret(tmp_path / "audit.key", new_key())
        await built.start()
        yield built


def chains(on: Stage) -> Path:
    return on.folder / "audit"


def lines(on: Stage) -> list[str]:
    """The events of all chains, as far as they are whole."""
    return [
        read_line(line[:-1]).event.decode()
        for shard in shards_in(chains(on))
        for file in files_in(shard_folder(chains(on), shard))
        for line in file.path.read_bytes().splitlines(keepends=True)
        if line.endswith(b"\n")
    ]


def verdicts(on: Stage) -> tuple[Verdict, ...]:
    trusted = Trusted((Signer((on.folder / "audit.key").read_bytes()).public,))
    return verify(chains(on), trusted, datetime.now(UTC))


def told(on: Stage, kind: str) -> list[str]:
    """The queue ids of all events of that kind."""
    return [line.split('"queue_id":"')[1].split('"')[0] for line in lines(on) if f'"kind":"{kind}"' in line]


def exporter(on: Stage) -> int:
    return owner(chains(on) / "lock")


def assert_whole(on: Stage) -> None:
    """Nothing twice, nothing missing, nothing unsigned: what each shard wrote is in its chain."""
    found = {one.shard: (one.events, one.last, one.missing, one.unsigned, one.flaws) for one in verdicts(on)}
    assert found == {shard: (last_seq(path), last_seq(path), 0, 0, ()) for shard, path in shards_of(on.spool)}


@pytest.mark.timeout(120)
async def test_what_is_acknowledged_is_told_in_a_chain_that_verifies(on: Stage) -> None:
    token = Token()
    queue_id = await on.submit(
        token.letter("tls.example", classification="restricted"), token.at("tls.example"), sender=token.sender
    )
    await on.until(lambda: queue_id in told(on, "ended"))
    assert on.metric("sealpost_audit_exported_total") >= 4
    assert on.metric("sealpost_audit_broken") == 0
    complete = on.metric("sealpost_audit_complete_timestamp_seconds")
    await on.until(lambda: on.metric("sealpost_audit_complete_timestamp_seconds") > complete)
    await on.process.stop()
    assert_whole(on)
    assert token.word not in "".join(lines(on))  # Persons stand apart, and no word of the message anywhere.
    assert chains(on).stat().st_mode & 0o077 == 0


@pytest.mark.timeout(300)
async def test_kill_9_of_any_process_loses_no_event_that_was_acknowledged(on: Stage) -> None:
    flow = Flow(on)
    async with flow.running():
        await flow.more()
        for round in range(3):
            victim = exporter(on)
            kill(victim)
            await gone(victim)
            await flow.more()
            (first, *_) = [pid for pid in workers(on) if pid != victim]
            kill(first, *([exporter(on)] if round else []))
            await flow.more()
        before = supervisor(on)
        children = workers(on)
        kill(before, *children)
        await gone(before, *children)
        acknowledged = dict(flow.acknowledged)
        # Before anybody mends anything: what stands there is whole, but for what nobody has signed yet.
        assert [one.flaws for one in verdicts(on) if one.flaws] == []
        await on.process.stop()
        await on.start()
        await flow.more()
    acknowledged |= flow.acknowledged
    await on.until(lambda: acknowledged.keys() <= set(told(on, "accepted")), 60)
    await on.process.stop()
    assert_whole(on)
    accepted = told(on, "accepted")
    assert len(accepted) == len(set(accepted)) and acknowledged.keys() <= set(accepted)


@pytest.mark.timeout(120)
async def test_a_chain_that_was_changed_is_told_at_the_next_start(on: Stage) -> None:
    await on.process.stop()
    token = Token()
    await on.start()
    queue_id = await on.submit(token.letter("tls.example"), token.at("tls.example"), sender=token.sender)
    await on.until(lambda: queue_id in told(on, "ended"))
    await on.process.stop()
    shard = int(queue_id[:3])
    [file, *_] = files_in(shard_folder(chains(on), shard))
    file.path.write_bytes(file.path.read_bytes().replace(token.sender.encode(), b"other" + token.sender.encode()[5:]))
    await on.start()
    await on.until(lambda: on.metric("sealpost_audit_broken") == 1)
    assert '"event":"audit broken"' in on.log()
