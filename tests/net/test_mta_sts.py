"""Which policy is in force for a domain: as DNS, the policy host and the shared state come, change and fail."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import timedelta

import pytest

from gateway.core.sts import NoSts, StsFacts, StsFound, StsMode, StsUnknown
from gateway.core.tlsrpt import Result
from gateway.net import mta_sts
from gateway.net.dns import DnsOptions, Resolver
from gateway.net.mta_sts import AT_ONCE, PER_ROUND, Sts
from gateway.net.sts_fetch import NotFetched
from gateway.net.sts_memory import SHORTEST
from gateway.net.sts_store import PAGE, NotKept
from tests.fakes.clock import SteppedClock, settle
from tests.fakes.dns import SERVFAIL, FakeDns
from tests.fakes.state import MemoryState

DOMAIN = "trust.example"
TEXT = f"_mta-sts.{DOMAIN}"
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
DOWN = NotFetched(Result.STS_FETCH, "the host is down")


def policy(host: str = "mail.trust.example", mode: str = "enforce", age: timedelta = 10 * DAY) -> bytes:
    mx = f"mx: {host}\n" if host else ""
    return f"version: STSv1\nmode: {mode}\n{mx}max_age: {age // timedelta(seconds=1)}\n".encode()


class World:
    """One DNS, one policy host and one shared state, for any number of workers; every answer of DNS lives a minute."""

    def __init__(self, dns: FakeDns) -> None:
        self.dns = dns
        self.clock = SteppedClock()
        self.state = MemoryState(self.clock)
        self.table: dict[str, dict[str, list[str] | str]] = {}
        dns.table = self.table
        self.says: bytes | NotFetched = policy()
        self.gate = asyncio.Event()
        self.gate.set()
        self.fetched: list[str] = []
        self.started = asyncio.Semaphore(0)
        self.failures: list[tuple[str, Result, str]] = []

    def announce(self, *records: str, domain: str = DOMAIN) -> None:
        self.table[f"_mta-sts.{domain}"] = {"TXT": [f'"{record}"' for record in records]}

    def worker(self) -> Sts:
        resolver = Resolver(DnsOptions(nameservers=(self.dns.nameserver,)), self.clock)
        return Sts(resolver, self.fetch, self.state, self.clock, lambda *failure: self.failures.append(failure))

    async def later(self, by: timedelta) -> None:
        await self.clock.advance(by)

    async def fetch(self, domain: str) -> bytes | NotFetched:
        self.fetched.append(domain)
        self.started.release()
        await self.gate.wait()
        return self.says


class _Flapping(Resolver):
    """Announces another id whenever a test wants it, whatever a cache would keep."""

    def __init__(self, world: World) -> None:
        super().__init__(DnsOptions(nameservers=(world.dns.nameserver,)), world.clock)
        self.id = "first"

    async def texts(self, name: str) -> tuple[bytes, ...]:
        return (record(self.id).encode(),)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with FakeDns({}, ttl=60) as dns:
        yield World(dns)


def host_of(facts: StsFacts) -> str:
    """The one host of a policy that is in force."""
    assert isinstance(facts, StsFound)
    assert facts.domain == DOMAIN
    (host,) = facts.policy.mx
    return host


def record(identity: str) -> str:
    return f"v=STSv1; id={identity};"


async def test_a_policy_that_is_announced_is_fetched_once(world: World) -> None:
    world.announce(record("a"))
    sts = world.worker()
    found = await sts.facts(DOMAIN)
    assert isinstance(found, StsFound)
    assert (found.domain, found.id, found.policy.mode) == (DOMAIN, "a", StsMode.ENFORCE)
    for _ in range(5):
        assert await sts.facts(DOMAIN) == found
        await world.later(HOUR)
    assert world.fetched == [DOMAIN]


async def test_a_warm_message_asks_neither_dns_nor_the_state(world: World) -> None:
    world.announce(record("a"))
    sts = world.worker()
    found = await sts.facts(DOMAIN)
    assert await sts.facts("other.example") is NoSts.NONE
    world.state.failing = True
    asked = len(world.dns.questions)
    assert await sts.facts(DOMAIN) == found
    assert await sts.facts("other.example") is NoSts.NONE
    assert len(world.dns.questions) == asked


async def test_what_announces_nothing_is_never_fetched(world: World) -> None:
    sts = world.worker()
    assert await sts.facts(DOMAIN) is NoSts.NONE
    world.announce("v=spf1 -all", domain="other.example")
    assert await sts.facts("other.example") is NoSts.NONE
    assert not world.fetched


@pytest.mark.parametrize("literal", ["[192.0.2.1]", "[IPv6:2001:db8::1]"])
async def test_an_address_is_never_asked(world: World, literal: str) -> None:
    assert await world.worker().facts(literal) is NoSts.NONE
    assert not world.dns.questions


async def test_all_who_ask_at_once_wait_for_one_fetch(world: World) -> None:
    world.announce(record("a"))
    world.gate.clear()
    sts = world.worker()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(sts.facts(DOMAIN)) for _ in range(9)]
        await world.started.acquire()
        await settle()
        world.gate.set()
    assert {host_of(task.result()) for task in tasks} == {"mail.trust.example"}
    assert world.fetched == [DOMAIN]


async def test_a_new_id_brings_a_new_policy(world: World) -> None:
    world.announce(record("a"))
    sts = world.worker()
    await sts.facts(DOMAIN)
    world.says = policy("new.trust.example")
    await world.later(HOUR)
    assert host_of(await sts.facts(DOMAIN)) == "mail.trust.example"
    world.announce(record("b"))
    await world.later(MINUTE)
    found = await sts.facts(DOMAIN)
    assert host_of(found) == "new.trust.example"
    assert isinstance(found, StsFound)
    assert found.id == "b"
    assert len(world.fetched) == 2


@pytest.mark.parametrize(
    ("says", "result"),
    [
        (DOWN, Result.STS_FETCH),
        (NotFetched(Result.STS_WEBPKI, "the certificate expired"), Result.STS_WEBPKI),
        (b"<html>", Result.STS_INVALID),
        (policy(host=""), Result.STS_INVALID),
    ],
)
async def test_a_new_id_whose_fetch_fails_keeps_the_old_policy_and_is_told(
    world: World, says: bytes | NotFetched, result: Result
) -> None:
    world.announce(record("a"))
    sts = world.worker()
    await sts.facts(DOMAIN)
    world.announce(record("b"))
    world.says = says
    await world.later(MINUTE)
    for _ in range(3):
        assert host_of(await sts.facts(DOMAIN)) == "mail.trust.example"
    ((domain, told, reason),) = world.failures
    assert (domain, told) == (DOMAIN, result)
    assert not reason.endswith(".")
    await world.later(10 * DAY - MINUTE)
    assert isinstance(await sts.facts(DOMAIN), StsUnknown)


async def test_a_fetch_that_failed_is_repeated_after_five_minutes_or_for_a_new_id(world: World) -> None:
    world.announce(record("a"))
    world.says = DOWN
    sts = world.worker()
    assert await sts.facts(DOMAIN) == StsUnknown(DOWN.reason)
    await world.later(5 * MINUTE - timedelta(seconds=1))
    assert await sts.facts(DOMAIN) == StsUnknown(DOWN.reason)
    assert len(world.fetched) == 1
    await world.later(timedelta(seconds=1))
    assert await sts.facts(DOMAIN) == StsUnknown(DOWN.reason)
    assert len(world.fetched) == len(world.failures) == 2
    world.announce(record("b"))
    world.says = policy()
    await world.later(MINUTE)
    assert host_of(await sts.facts(DOMAIN)) == "mail.trust.example"


@pytest.mark.parametrize("text", [[], SERVFAIL, ['"v=STSv1; id=b"', '"v=STSv1; id=c"'], ['"v=STSv1; id=?"'], None])
async def test_a_kept_policy_outlives_its_record_and_not_its_time(world: World, text: list[str] | str | None) -> None:
    world.announce(record("a"))
    await world.worker().facts(DOMAIN)
    if text is None:
        del world.table[TEXT]
    else:
        world.table[TEXT] = {"TXT": text}
    for sts in (old := world.worker(), world.worker()):
        assert host_of(await sts.facts(DOMAIN)) == "mail.trust.example"
    await world.later(10 * DAY - timedelta(seconds=1))
    for sts in (old, world.worker()):
        assert host_of(await sts.facts(DOMAIN)) == "mail.trust.example"
    await world.later(timedelta(seconds=1))
    for sts in (old, world.worker()):
        assert not isinstance(await sts.facts(DOMAIN), StsFound)
    assert len(world.fetched) == 1


@pytest.mark.parametrize("text", [SERVFAIL, ['"v=STSv1; id=b"', '"v=STSv1; id=c"'], ['"v=STSv1; id=?"']])
async def test_what_cannot_be_told_is_not_known(world: World, text: list[str] | str) -> None:
    world.table[TEXT] = {"TXT": text}
    facts = await world.worker().facts(DOMAIN)
    assert isinstance(facts, StsUnknown)
    assert DOMAIN in facts.reason
    assert not world.fetched


async def test_other_workers_and_the_next_start_know_the_policy(world: World) -> None:
    world.announce(record("a"))
    other = world.worker()
    assert host_of(await world.worker().facts(DOMAIN)) == "mail.trust.example"
    world.says = DOWN
    for sts in (other, world.worker()):
        assert host_of(await sts.facts(DOMAIN)) == "mail.trust.example"
    assert len(world.fetched) == 1


async def test_an_id_that_another_worker_has_fetched_is_not_fetched_again(world: World) -> None:
    world.announce(record("a"))
    one, two = world.worker(), world.worker()
    await one.facts(DOMAIN)
    await two.facts(DOMAIN)
    world.announce(record("b"))
    world.says = policy("new.trust.example")
    await world.later(MINUTE)
    assert host_of(await one.facts(DOMAIN)) == "new.trust.example"
    assert host_of(await two.facts(DOMAIN)) == "new.trust.example"
    assert len(world.fetched) == 2


async def test_a_policy_of_another_worker_is_learned_within_a_minute_although_its_record_is_gone(world: World) -> None:
    late = world.worker()
    assert await late.facts(DOMAIN) is NoSts.NONE
    world.announce(record("a"))
    await world.worker().facts(DOMAIN)
    del world.table[TEXT]
    await world.later(MINUTE)
    assert host_of(await late.facts(DOMAIN)) == "mail.trust.example"


async def test_the_mode_none_ends_a_policy(world: World) -> None:
    world.announce(record("a"))
    await world.worker().facts(DOMAIN)
    world.announce(record("b"))
    world.says = policy("", "none")
    await world.later(MINUTE)
    sts = world.worker()
    for _ in range(2):
        found = await sts.facts(DOMAIN)
        assert isinstance(found, StsFound)
        assert (found.policy.mode, found.policy.mx) == (StsMode.NONE, ())
        del world.table[TEXT]
        sts = world.worker()
        world.announce(record("b"))
    assert len(world.fetched) == 2


async def test_a_policy_of_no_time_is_not_fetched_for_every_message(world: World) -> None:
    world.announce(record("a"))
    world.says = policy(age=timedelta())
    sts = world.worker()
    for _ in range(3):
        assert host_of(await sts.facts(DOMAIN)) == "mail.trust.example"
    assert len(world.fetched) == 1
    await world.later(SHORTEST)
    assert host_of(await sts.facts(DOMAIN)) == "mail.trust.example"
    assert len(world.fetched) == 2


async def test_without_the_state_a_worker_keeps_what_it_knows(world: World) -> None:
    world.state.failing = True
    world.announce(record("a"))
    sts = world.worker()
    assert host_of(await sts.facts(DOMAIN)) == "mail.trust.example"
    world.announce(record("b"))
    world.says = DOWN
    await world.later(MINUTE)
    assert host_of(await sts.facts(DOMAIN)) == "mail.trust.example"
    del world.table[TEXT]
    await world.later(MINUTE)
    assert host_of(await sts.facts(DOMAIN)) == "mail.trust.example"
    assert world.fetched == [DOMAIN, DOMAIN]


async def test_what_may_be_kept_in_a_state_that_cannot_be_read_is_not_known(world: World) -> None:
    world.state.failing = True
    sts = world.worker()
    assert isinstance(await sts.facts(DOMAIN), StsUnknown)
    world.announce(record("a"), domain="other.example")
    world.says = DOWN
    assert await sts.facts("other.example") == StsUnknown(DOWN.reason)
    world.state.failing = False
    assert await sts.facts(DOMAIN) is NoSts.NONE


@pytest.mark.parametrize(
    "how",
    [
        lambda value: value[:-9],
        lambda value: b"",
        lambda value: b"\xff" + value,
        lambda value: value.replace(b'"version":1', b'"version":2'),
        lambda value: value.replace(b"enforce", b"insist"),
        lambda value: value.replace(b"2026-", b"9999-12-31T"),
    ],
)
async def test_a_damaged_entry_is_replaced_and_is_not_known_where_it_cannot_be(
    world: World, how: Callable[[bytes], bytes]
) -> None:
    world.announce(record("a"))
    await world.worker().facts(DOMAIN)
    world.state.damage(how)
    world.table[TEXT] = {"TXT": []}
    assert await world.worker().facts(DOMAIN) == StsUnknown(NotKept.UNREADABLE.value)
    world.announce(record("a"))
    assert host_of(await world.worker().facts(DOMAIN)) == "mail.trust.example"
    assert len(world.fetched) == 2
    world.says = DOWN
    assert host_of(await world.worker().facts(DOMAIN)) == "mail.trust.example"


async def test_a_kept_date_beyond_the_calendar_is_damage(world: World) -> None:
    world.announce(record("a"))
    await world.worker().facts(DOMAIN)
    world.state.damage(lambda value: value.replace(b'"2026-', b'"9999-').replace(b"-03-02T", b"-12-31T"))
    world.says = DOWN
    assert await world.worker().facts(DOMAIN) == StsUnknown(DOWN.reason)


async def test_a_round_fetches_what_is_half_over(world: World) -> None:
    world.announce(record("a"))
    sts = world.worker()
    await sts.facts(DOMAIN)
    await world.later(5 * DAY - timedelta(seconds=1))
    await sts.refresh()
    assert len(world.fetched) == 1
    await world.later(HOUR)
    await sts.refresh()
    assert len(world.fetched) == 2
    world.says = DOWN
    await world.later(9 * DAY)
    for worker in (sts, world.worker()):
        assert host_of(await worker.facts(DOMAIN)) == "mail.trust.example"


async def test_a_round_looks_at_each_policy_once_a_day_and_fetches_a_new_id(world: World) -> None:
    world.announce(record("a"))
    sts = world.worker()
    await sts.facts(DOMAIN)
    await sts.refresh()
    world.announce(record("b"))
    world.says = policy("new.trust.example")
    await world.later(DAY - timedelta(seconds=1))
    await sts.refresh()
    assert len(world.fetched) == 1
    await world.later(timedelta(seconds=1))
    await sts.refresh()
    assert len(world.fetched) == 2
    assert host_of(await world.worker().facts(DOMAIN)) == "new.trust.example"
    assert len(world.fetched) == 2


async def test_a_failed_round_keeps_the_policy_is_told_and_tries_again_in_an_hour(world: World) -> None:
    world.announce(record("a"))
    sts = world.worker()
    await sts.facts(DOMAIN)
    await world.later(5 * DAY)
    world.says = DOWN
    for _ in range(4):
        await sts.refresh()
        await world.later(HOUR / 2)
    assert world.failures == [(DOMAIN, DOWN.result, DOWN.reason)] * 2
    assert host_of(await sts.facts(DOMAIN)) == "mail.trust.example"


async def test_a_policy_is_fetched_anew_although_somebody_suppresses_its_record(world: World) -> None:
    world.announce(record("a"))
    sts = world.worker()
    await sts.facts(DOMAIN)
    world.table[TEXT] = {"TXT": SERVFAIL}
    await world.later(5 * DAY)
    await sts.refresh()
    await world.later(6 * DAY)
    assert host_of(await sts.facts(DOMAIN)) == "mail.trust.example"
    assert len(world.fetched) == 2


async def test_a_policy_that_is_withdrawn_is_left_to_expire(world: World) -> None:
    world.announce(record("a"))
    sts = world.worker()
    await sts.facts(DOMAIN)
    del world.table[TEXT]
    await world.later(6 * DAY)
    await sts.refresh()
    await world.later(4 * DAY)
    assert await sts.facts(DOMAIN) is NoSts.NONE
    assert len(world.fetched) == 1


async def test_a_round_has_limits_and_the_next_one_goes_on(world: World) -> None:
    world.announce(record("a"))
    await world.worker().facts(DOMAIN)
    (value,) = (await world.state.items("sts/", 9)).values()
    domains = [f"d{number}.test" for number in range(PER_ROUND)]
    for domain in domains:
        world.announce(record("a"), domain=domain)
    await world.state.put_many({f"sts/{domain}": value for domain in domains}, world.clock.now() + 10 * DAY)
    await world.later(6 * DAY)
    asked = len(world.dns.questions)
    world.fetched.clear()
    world.gate.clear()
    sts = world.worker()
    round_ = asyncio.ensure_future(sts.refresh())
    for _ in range(AT_ONCE + 1):
        await world.started.acquire()
    assert len(world.dns.questions) - asked == AT_ONCE
    world.gate.set()
    await round_
    assert len(set(world.fetched)) == len(world.fetched) == PER_ROUND
    await sts.refresh()
    assert set(world.fetched) == {DOMAIN, *domains}


async def test_a_round_without_the_state_does_nothing(world: World) -> None:
    world.announce(record("a"))
    sts = world.worker()
    await sts.facts(DOMAIN)
    await world.later(6 * DAY)
    world.state.failing = True
    await sts.refresh()
    assert len(world.fetched) == 1


class _Vanishing(MemoryState):
    """Forgets what it has just listed."""

    async def items(self, prefix: str, limit: int) -> Mapping[str, bytes]:
        found = await super().items(prefix, limit)
        for key in found:
            await self.delete(key)
        return found


async def test_what_vanishes_under_a_round_is_left(world: World) -> None:
    world.state = _Vanishing(world.clock)
    world.announce(record("a"))
    await world.worker().facts(DOMAIN)
    world.announce(record("b"))
    await world.later(6 * DAY)
    await world.worker().refresh()
    assert len(world.fetched) == 1


async def test_rounds_read_a_part_and_come_to_everybody(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mta_sts, "PAGES", 2)
    world.announce(record("a"))
    await world.worker().facts(DOMAIN)
    (value,) = (await world.state.items("sts/", 9)).values()
    many = {f"a-{number:04}.{kind}.test" for number in range(2 * PAGE) for kind in ("evil", "a")}
    for domain in many:
        world.announce(record("a"), domain=domain)
    await world.state.put_many({f"sts/{domain}": value for domain in many}, world.clock.now() + 10 * DAY)
    await world.later(6 * DAY)
    sts = world.worker()
    for number in range(3):
        world.fetched.clear()
        await sts.refresh()
        assert len(world.fetched) == (1 if number == 2 else 2 * PAGE)
    assert world.fetched == [DOMAIN]


async def test_a_round_passes_over_what_is_damaged(world: World) -> None:
    world.announce(record("a"), domain="a.example")
    world.announce(record("a"))
    await world.worker().facts("a.example")
    world.state.damage(lambda value: value[1:])
    await world.worker().facts(DOMAIN)
    world.fetched.clear()
    await world.later(6 * DAY)
    await world.worker().refresh()
    assert world.fetched == [DOMAIN]


@pytest.mark.parametrize("lost", ["gone", "damaged", "older"])
async def test_a_policy_outlives_what_becomes_of_its_entry(world: World, lost: str) -> None:
    world.announce(record("a"))
    world.says = policy("old.trust.example")
    await world.worker().facts(DOMAIN)
    (old,) = (await world.state.items("sts/", 9)).values()
    await world.later(HOUR)
    world.announce(record("b"))
    world.says = policy()
    sts = world.worker()
    await sts.facts(DOMAIN)
    if lost == "gone":
        await world.state.delete(f"sts/{DOMAIN}")
    else:
        world.state.damage(lambda value: old if lost == "older" else value[1:])
    world.announce(record("c"))
    world.says = DOWN
    await world.later(HOUR)
    assert host_of(await sts.facts(DOMAIN)) == "mail.trust.example"
    del world.table[TEXT]
    await world.later(MINUTE)
    for worker in (sts, world.worker()):
        assert host_of(await worker.facts(DOMAIN)) == "mail.trust.example"
    await world.later(10 * DAY - HOUR - MINUTE)
    assert await sts.facts(DOMAIN) is NoSts.NONE


@pytest.mark.parametrize("says", [policy("new.trust.example"), DOWN])
async def test_an_id_that_flaps_makes_one_fetch_a_minute(world: World, says: bytes | NotFetched) -> None:
    world.announce(record("a"))
    sts = world.worker()
    await sts.facts(DOMAIN)
    await world.later(HOUR)
    world.says = says
    asked = _Flapping(world)
    sts = Sts(asked, world.fetch, world.state, world.clock)
    for number in range(100):
        found = await sts.facts(DOMAIN)
        assert isinstance(found, StsFound)
        asked.id = f"id{number}"
    assert len(world.fetched) == 2
    await world.later(MINUTE - timedelta(seconds=1))
    await sts.facts(DOMAIN)
    assert len(world.fetched) == 2
    await world.later(timedelta(seconds=1))
    await sts.facts(DOMAIN)
    assert len(world.fetched) == 3


async def test_an_id_that_flaps_while_nothing_is_kept_is_not_known(world: World) -> None:
    asked = _Flapping(world)
    sts = Sts(asked, world.fetch, world.state, world.clock)
    await sts.facts(DOMAIN)
    await world.state.delete(f"sts/{DOMAIN}")
    await world.later(10 * DAY)
    await sts.facts(DOMAIN)
    world.says = DOWN
    other = "other.example"
    for number in range(9):
        asked.id = f"id{number}"
        assert await sts.facts(other) == StsUnknown(DOWN.reason)
    assert world.fetched == [DOMAIN, DOMAIN, other]


async def test_failures_need_nobody_who_hears_them(world: World) -> None:
    world.announce(record("a"))

    async def fetch(domain: str) -> NotFetched:
        return DOWN

    resolver = Resolver(DnsOptions(nameservers=(world.dns.nameserver,)), world.clock)
    assert await Sts(resolver, fetch, world.state, world.clock).facts(DOMAIN) == StsUnknown(DOWN.reason)
