"""What is sealed outlives the death of any process, and a store that is gone makes mail wait, never leave in the clear.

Left out on purpose: processes that die without anything sealed (`test_faults`).
"""

import asyncio
import re
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from gateway.core.outcome import Cause, Deferred
from gateway.core.record import EventKind, State
from gateway.sandbox.behaviour import Behaviour, Fault, Stage, Starttls
from tests.e2e.portal_world import PortalWorld, Sent, browsing, plain_text, portal_world
from tests.e2e.processes import gone, kill, owner

AWAY = Behaviour(starttls=Starttls.NONE, faults=(Fault(stage=Stage.GREETING, answer="421 4.3.2 come back later"),))
BACK = Behaviour(starttls=Starttls.NONE)
HOST = "mx.plain.example"


def worker(world: PortalWorld) -> int:
    return owner(world.here.household.spool / "shard-000" / "lock")


def portal_process(world: PortalWorld) -> int:
    """The supervisor's child that serves the pages; 0 while there is none."""
    supervisor = owner(world.here.household.spool / "lock")
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
    found = [pid for pid in children if b"gateway.app.portal" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    return int(found[0]) if found else 0


def links(world: PortalWorld, address: str) -> set[str]:
    return {found for mail in world.mails(address) for found in re.findall(r"http://\S+/m/[\w-]+", plain_text(mail))}


def fetch(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


async def one_usable_link(world: PortalWorld, sent: Sent) -> None:
    """For each recipient, in one package."""
    for address in sent.recipients:
        await world.link(address)
        [link] = links(world, address)
        assert await asyncio.to_thread(fetch, link) == 200
    assert len([package for queue_id, package in world.packages() if queue_id == sent.queue_id]) == 1


async def test_killed_between_sealing_and_the_notification(tmp_path: Path) -> None:
    async with portal_world(tmp_path) as world:
        world.here.world.hosts[HOST].behave(AWAY)
        sent = await world.send("carol", "dave")
        await world.here.until(lambda: len(world.packages()) == 1)
        for _ in range(2):
            pid = worker(world)
            kill(pid)
            await gone(pid)
            await world.here.until(lambda pid=pid: worker(world) != pid)
        assert links(world, sent.recipients[0]) == set()
        world.here.world.hosts[HOST].behave(BACK)
        await one_usable_link(world, sent)
        await world.here.until(lambda: len(world.here.events(sent.queue_id, EventKind.ENDED)) == 2)
        ends = world.here.events(sent.queue_id, EventKind.ENDED)
        assert {event.state for event in ends} == {State.SEALED}


async def test_killed_at_any_moment_of_sealing(tmp_path: Path) -> None:
    async with portal_world(tmp_path) as world:
        sent: list[Sent] = []
        for _ in range(4):
            before = len(world.packages())
            sent += [await world.send("carol", "dave") for _ in range(3)]
            # The first is in the store, and its notification has not been committed or has: nobody knows.
            await world.here.until(lambda before=before: len(world.packages()) > before)
            pid = worker(world)
            kill(pid)
            await gone(pid)
        for one in sent:
            await one_usable_link(world, one)
        assert len(world.packages()) == len(sent)


@pytest.mark.peer("chromium")
async def test_the_process_of_the_pages_killed(tmp_path: Path) -> None:
    async with portal_world(tmp_path) as world, browsing(world):
        sent = await world.send()
        async with world.visitor() as visitor:
            await visitor.read(sent.recipients[0])
            pid, mail = portal_process(world), worker(world)
            kill(pid)
            await gone(pid)
            during = await world.send("dave")
            await world.here.until(lambda: portal_process(world) not in (0, pid))
            await visitor.tab.reload()
            assert await visitor.heading() == sent.subject
            await one_usable_link(world, during)
            assert worker(world) == mail


async def test_without_its_store_sealed_mail_waits_and_other_mail_goes_on(tmp_path: Path) -> None:
    async with portal_world(tmp_path) as world:
        before = await world.send()
        link = await world.link(before.recipients[0])
        # A process that opened the store only now would make a new one.
        assert await asyncio.to_thread(fetch, link) == 200
        away = world.store.with_name("away")
        world.store.rename(away)
        sent = await world.send()
        await world.here.until(lambda: bool(world.here.events(sent.queue_id, EventKind.ATTEMPT)))
        outcome = world.here.events(sent.queue_id, EventKind.ATTEMPT)[0].outcome
        assert isinstance(outcome, Deferred) and outcome.cause is Cause.LOCAL
        await world.here.ended(await world.here.send("alice@tls.example"))
        assert world.mails(sent.recipients[0]) == []
        assert fetch(f"{link}x") in (404, 503)
        away.rename(world.store)
        await one_usable_link(world, sent)
        clear = b"".join(visit.tape.clear for host in world.here.world.hosts.values() for visit in host.visits)
        assert b"Plain words" not in clear and sent.subject.encode() not in clear
