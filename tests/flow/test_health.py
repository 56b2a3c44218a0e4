"""Looks at the hosts of routes, by the clock of the test."""

import asyncio
from collections.abc import Mapping
from itertools import count

import pytest

from gateway.core.grade import Grade
from gateway.core.outcome import Cause, Declined, Deferred, Proof
from gateway.core.reply import Status
from gateway.core.tls import Channel, Evidence, MxAuth
from gateway.flow import health
from gateway.flow.health import ALERT, KEPT, PREFIX, RouteHealth, read_health
from gateway.flow.leased import LEASE
from tests.fakes.clock import SteppedClock
from tests.fakes.events import Heard
from tests.fakes.state import MemoryState

UP = Evidence(
    mx_host="relay.example", address="192.0.2.1", port=25, mx=MxAuth.LOCAL, channel=Channel.PKIX, how="", demanded_by=""
)
SILENT = Deferred(cause=Cause.UNREACHABLE, status=Status(4, 4, 1), detail="relay.example cannot be reached.")
WRONG = Declined(proof=Proof.CERTIFICATE, status=Status(5, 7, 5), detail="The certificate is for another name.")


class Ids:
    numbers = count()

    def new(self) -> str:
        return f"worker {next(self.numbers)}"


class Machine:
    """Its routes' hosts, and what came of looking at them."""

    def __init__(self, **hosts: Evidence | Deferred | Declined | Exception) -> None:
        self.clock = SteppedClock()
        self.state = MemoryState(self.clock)
        self.events = Heard()
        self.hosts = dict(hosts)
        self.asked: list[str] = []
        self.shown: list[Mapping[str, bool]] = []

    def worker(self) -> RouteHealth:
        looks = {name: self.look_at(name) for name in self.hosts}
        return RouteHealth(self.state, self.clock, Ids(), self.events, looks, self.shown.append)

    def look_at(self, name: str) -> health.Look:
        async def look() -> Evidence | Deferred | Declined:
            self.asked.append(name)
            found = self.hosts[name]
            if isinstance(found, Exception):
                raise found
            return found

        return look

    async def known(self) -> dict[str, health.Health]:
        return read_health(await self.state.items(PREFIX, 100))


async def test_what_each_host_is_is_kept_and_shown() -> None:
    here = Machine(cjsm=UP, encrypted=SILENT, egress=WRONG)
    await here.worker().look()
    known, now = await here.known(), here.clock.now()
    assert {name: (each.good, each.grade, each.why) for name, each in known.items()} == {
        "cjsm": (True, Grade.PINNED, ""),
        "encrypted": (False, None, "relay.example cannot be reached."),
        "egress": (False, None, "The certificate is for another name."),
    }
    assert {(each.at, each.since) for each in known.values()} == {(now, now)}
    assert here.shown == [{"cjsm": True, "encrypted": False, "egress": False}]


async def test_somebody_hears_once_of_a_host_that_can_no_longer_be_used() -> None:
    here = Machine(cjsm=UP)
    worker = here.worker()
    await worker.look()
    assert here.events.alerts == []
    here.hosts["cjsm"] = SILENT
    for _ in range(3):
        await here.clock.advance(LEASE / 3)
        await worker.look()
    ((name, _, detail),) = here.events.alerts
    assert name == ALERT and "the route cjsm cannot be used now: relay.example cannot be reached." in detail
    assert (await here.known())["cjsm"].since == here.clock.now() - 2 * LEASE / 3
    here.hosts["cjsm"] = UP
    await worker.look()
    here.hosts["cjsm"] = WRONG
    await worker.look()
    assert len(here.events.alerts) == 2


async def test_one_process_looks_and_all_show() -> None:
    here = Machine(cjsm=UP)
    first, second = here.worker(), here.worker()
    await first.look()
    await second.look()
    assert here.asked == ["cjsm"] and here.shown == [{"cjsm": True}] * 2
    await here.clock.advance(LEASE)
    await second.look()
    assert here.asked == ["cjsm", "cjsm"]


async def test_a_fault_of_ours_keeps_nobody_from_being_looked_at() -> None:
    here = Machine(broken=RuntimeError("no"), cjsm=UP)
    await here.worker().look()
    assert {name: each.good for name, each in (await here.known()).items()} == {"broken": False, "cjsm": True}
    assert [where for where, _, _ in here.events.faults] == ["health"]


async def test_a_look_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "LONGEST", health.LONGEST * 0)
    here = Machine(cjsm=UP)

    async def never() -> Evidence:
        await asyncio.Event().wait()
        return UP

    worker = RouteHealth(here.state, here.clock, Ids(), here.events, {"cjsm": never}, here.shown.append)
    await worker.look()
    assert "did not answer within" in (await here.known())["cjsm"].why


async def test_news_that_are_old_damaged_or_of_no_route_any_more_are_none() -> None:
    here = Machine(cjsm=UP)
    await here.worker().look()
    await here.state.put(f"{PREFIX}gone", b"{}", here.clock.now() + KEPT)
    other = Machine(tls=UP)
    other.state, other.clock = here.state, here.clock
    await other.worker().look()
    assert other.shown == [{}]
    await here.clock.advance(KEPT)
    assert await here.known() == {}
