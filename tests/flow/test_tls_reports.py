"""Reports on TLS, from the sessions to the mail and the file that others get."""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

from gateway.core.address import NullPath, parse_address
from gateway.core.record import EventKind, Kind
from gateway.core.route import Route
from gateway.core.tls import Channel
from gateway.core.tlsrpt import Applied, PolicyType, Result, SessionSeen
from gateway.flow import tls_reports
from gateway.flow.leased import LEASE
from gateway.flow.options import TlsrptOptions
from gateway.flow.ports import SpoolError
from gateway.flow.tls_counts import CLOSES, TlsCounts, ends, key_of
from gateway.flow.tls_reports import AT_ONCE, GIVE_UP, RETRY_AFTER, ROUND, TlsReports
from tests.fakes.clock import START, settle
from tests.fakes.state import MemoryState
from tests.fixtures.tls_report import Json, read_report, sessions_of
from tests.flow.gate import HOUR, ROUTES, Gate, whole

TODAY = START.date()
LATEST = CLOSES + timedelta(hours=3)
"""After the end of a day every gateway has begun."""
OPTIONS = TlsrptOptions(
    organisation="Council", contact="postmaster@council.example", sender=parse_address("tls-reports@council.example")
)
BY_MAIL, BY_POST = b"v=TLSRPTv1; rua=mailto:r@%s", b"v=TLSRPTv1; rua=https://r.%s/in"


@dataclass(frozen=True)
class Failing:
    """A lookup that failed."""

    reason: str = "no name server answered"


@dataclass
class Reporting:
    """A gateway with counts, the names that others publish, and the files that they got."""

    gate: Gate = field(
        default_factory=lambda: Gate(
            routes={**ROUTES, "reports": Route(name="reports", transport="mx", demands=Channel.PLAIN)}
        )
    )
    published: dict[str, tuple[bytes, ...] | Failing] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    posted: list[tuple[str, bytes]] = field(default_factory=list)
    takes: bool = True
    takes_long: timedelta = timedelta(0)
    slow: dict[str, timedelta] = field(default_factory=dict)

    def __post_init__(self) -> None:
        gate = self.gate
        routes = {**gate.shared.system.routes, Kind.TLS_REPORT: "reports"}
        gate.shared = replace(gate.shared, system=replace(gate.shared.system, routes=routes))
        gate.restart()
        self.chore = self.process()

    def process(self) -> TlsReports:
        """One more of the machine."""
        shared = self.gate.shared
        return TlsReports(self.gate.spool, shared, self.gate.dispatch.committed, OPTIONS, self._texts, self._post)

    async def _texts(self, name: str) -> tuple[bytes, ...] | Failing:
        self.asked.append(name)
        await self.gate.clock.sleep_until(self.gate.clock.now() + self.slow.get(name, timedelta(0)))
        return self.published.get(name, ())

    async def _post(self, url: str, report: bytes) -> bool:
        self.posted.append((url, report))
        await self.gate.clock.sleep_until(self.gate.clock.now() + (self.slow.get(url) or self.takes_long))
        return self.takes

    def publish(self, domain: str, record: bytes) -> None:
        self.published[f"_smtp._tls.{domain}"] = (record.replace(b"%s", domain.encode()),)

    async def count(self, *domains: str, failure: Result | None = None) -> None:
        """A worker of its own that sees a session for each of them."""
        counts = TlsCounts(self.gate.state, self.gate.clock, self.gate.shared.ids)
        for domain in domains:
            applied = Applied(PolicyType.STS, domain, ("version: STSv1", "mode: enforce"), (f"*.{domain}",))
            counts.note(SessionSeen(domain=domain, applied=applied, host=f"mx.{domain}", failure=failure))
        await counts.write()

    async def at(self, after: timedelta, day: date = TODAY, chore: TlsReports | None = None) -> None:
        """Does the chore so long after the end of the day."""
        await self.gate.clock.advance_to(ends(day) + after)
        await (chore or self.chore).send()
        await settle()

    async def over(self, after: timedelta, within: timedelta) -> None:
        """Does the chore so long after the end of the day, which takes time."""
        await self.gate.clock.advance_to(ends(TODAY) + after)
        sending = asyncio.create_task(self.chore.send())
        await self.gate.clock.advance(within)
        await sending

    def mails(self) -> list[EmailMessage]:
        """What left by the route of these reports."""
        found: list[EmailMessage] = []
        for _, delivery in self.gate.transports["reports"].deliveries:
            assert delivery.reverse_path is NullPath.NULL and len(delivery.targets) == 1
            assert delivery.tls_optional and not delivery.counted
            text = whole(delivery.header, delivery.body.inline or b"", delivery.body_offset)
            mail = message_from_bytes(text, policy=policy.SMTP)
            assert isinstance(mail, EmailMessage)
            found.append(mail)
        return found

    def reports(self) -> list[Json]:
        """The files of them."""
        return [read_report(next(reversed(list(mail.iter_parts()))).get_content()) for mail in self.mails()]

    async def waiting(self) -> int:
        return len(await self.gate.state.items(key_of(TODAY), 100))


async def test_day_of_all_workers_is_told_in_one_report_once() -> None:
    world = Reporting()
    world.publish("a.example", BY_MAIL)
    async with world.gate.running():
        await world.count("a.example", "silent.example")
        await world.count("a.example", failure=Result.EXPIRED)
        await world.at(CLOSES)
        assert world.asked == [], "not before all was written, and not at midnight sharp"
        await world.at(LATEST)
        await world.at(LATEST + HOUR)
        await world.at(LATEST + 12 * HOUR)
        (mail,) = world.mails()
        (report,) = world.reports()
    assert (mail["To"], mail["From"]) == ("r@a.example", "Mail Gateway <tls-reports@council.example>")
    assert mail["TLS-Report-Domain"] == "a.example" and mail["TLS-Required"] == "No"
    assert sessions_of(report) == (1, 1)
    assert report["date-range"] == {"start-datetime": "2026-03-02T00:00:00Z", "end-datetime": "2026-03-02T23:59:59Z"}
    assert world.asked == ["_smtp._tls.a.example", "_smtp._tls.silent.example"]
    assert await world.waiting() == 0 and world.gate.heard.faults == []
    (event,) = await world.gate.audit(EventKind.ACCEPTED)
    assert event.text.startswith("our own report on TLS of mail to a.example on 2026-03-02")
    assert [message.tls_optional for message, _ in world.gate.heard.accepted_rows] == [True]


async def test_gateways_begin_at_times_of_their_own_within_four_hours() -> None:
    begins: set[timedelta] = set()
    for name in ("gw1", "gw2", "gw3", "gw4"):
        world = Reporting()
        system = replace(world.gate.shared.system, hostname=f"{name}.council.example")
        world.gate.shared = replace(world.gate.shared, system=system)
        chore = world.process()
        await world.count("a.example")
        after = CLOSES
        while not world.asked:
            after += timedelta(minutes=5)
            await world.at(after, chore=chore)
        begins.add(after)
    assert len(begins) > 1 and max(begins) <= 4 * HOUR


async def test_one_process_reports_and_another_takes_over() -> None:
    world = Reporting()
    world.published["_smtp._tls.a.example"] = Failing()
    other = world.process()
    await world.count("a.example")
    await world.at(LATEST)
    await world.at(LATEST + LEASE - timedelta(seconds=1), chore=other)
    assert len(world.asked) == 1, "the first one has the work"
    await world.at(LATEST + LEASE, chore=other)
    assert len(world.asked) == 2


async def test_lookup_that_fails_says_nothing_and_is_repeated() -> None:
    world = Reporting()
    world.published["_smtp._tls.a.example"] = Failing()
    async with world.gate.running():
        await world.count("a.example", "b.example")
        await world.at(LATEST)
        await world.at(LATEST + RETRY_AFTER - timedelta(seconds=1))
        assert world.asked == ["_smtp._tls.a.example", "_smtp._tls.b.example"] and await world.waiting() == 1
        world.publish("a.example", BY_MAIL)
        await world.at(LATEST + RETRY_AFTER)
        assert len(world.mails()) == 1 and await world.waiting() == 0


@pytest.mark.parametrize("why", ["lookup", "post"])
async def test_what_cannot_be_told_in_a_day_is_given_up_and_somebody_hears_of_it(why: str) -> None:
    world = Reporting(takes=False)
    async with world.gate.running():
        for domain in ("a.example", "b.example"):
            world.publish(domain, BY_POST)
            if why == "lookup":
                world.published[f"_smtp._tls.{domain}"] = Failing()
        await world.count("a.example", "b.example")
        await world.at(LATEST)
        await world.at(GIVE_UP - timedelta(seconds=1))
        assert world.gate.heard.alerts == [] and await world.waiting() == 2
        await world.at(GIVE_UP + RETRY_AFTER)
        text = "2 reports on TLS could not be handed over in a day, the first for a.example"
        assert world.gate.heard.alerts == [("tls-report-unsent", "", text)]
        assert await world.waiting() == 0


async def test_report_that_gets_through_at_last_is_not_given_up() -> None:
    world = Reporting(takes=False)
    world.publish("a.example", BY_POST)
    await world.count("a.example")
    await world.at(LATEST)
    world.takes = True
    await world.at(GIVE_UP)
    assert world.gate.heard.alerts == [] and len(world.posted) == 2 and await world.waiting() == 0


async def test_each_destination_gets_its_copy_once() -> None:
    world = Reporting(takes=False)
    world.publish("a.example", b"v=TLSRPTv1; rua=https://in.example/x,mailto:r@a.example,mailto:s@a.example")
    async with world.gate.running():
        await world.count("a.example")
        await world.at(LATEST)
        assert (len(world.mails()), len(world.posted)) == (2, 1)
        world.takes = True
        await world.at(LATEST + RETRY_AFTER)
        assert (len(world.mails()), len(world.posted)) == (2, 2)
        assert world.posted[0] == world.posted[1] and world.posted[0][0] == "https://in.example/x"
        first, second = world.reports()
        assert first == second == read_report(world.posted[0][1])
        assert await world.waiting() == 0


async def test_spool_that_fails_keeps_no_other_back_and_loses_nothing() -> None:
    world = Reporting()
    world.publish("a.example", b"v=TLSRPTv1; rua=mailto:r@a.example,https://in.example/x")
    async with world.gate.running():
        await world.count("a.example")
        world.gate.spool.refuse = SpoolError("the disk broke")
        await world.at(LATEST)
        assert [where for where, _, _ in world.gate.heard.faults] == ["tls report"] and len(world.posted) == 1
        world.gate.spool.refuse = None
        await world.at(LATEST + RETRY_AFTER)
        assert len(world.mails()) == 1 and len(world.posted) == 1 and await world.waiting() == 0


@pytest.mark.parametrize("values", [[b"damaged"], [b"[]", b""]])
async def test_what_is_damaged_or_empty_makes_no_report(values: list[bytes]) -> None:
    world = Reporting()
    world.publish("a.example", BY_POST)
    for number, value in enumerate(values):
        await world.gate.state.put(f"{key_of(TODAY, 'a.example')}{number}", value, START + timedelta(days=3))
    await world.at(LATEST)
    assert world.posted == [] and await world.waiting() == 0


async def test_a_round_ends_in_time_and_the_next_goes_on() -> None:
    world = Reporting(takes_long=ROUND)
    domains = [f"d{number}.example" for number in range(2 * AT_ONCE + 1)]
    for domain in domains:
        world.publish(domain, BY_POST)
    await world.count(*domains)
    await world.over(LATEST, ROUND)
    assert sorted(url for url, _ in world.posted) == [f"https://r.{domain}/in" for domain in domains[:AT_ONCE]]
    assert ROUND < LEASE
    await world.over(LATEST + 2 * ROUND, ROUND)
    assert {url for url, _ in world.posted[AT_ONCE:]} == {
        f"https://r.{domain}/in" for domain in domains[AT_ONCE : 2 * AT_ONCE]
    }


async def test_a_slow_host_does_not_hold_up_the_others() -> None:
    world = Reporting(slow={"https://r.a.example/in": ROUND})
    domains = ["a.example", *(f"d{number}.example" for number in range(2 * AT_ONCE))]
    for domain in domains:
        world.publish(domain, BY_POST)
    await world.count(*domains)
    await world.gate.clock.advance_to(ends(TODAY) + LATEST)
    sending = asyncio.create_task(world.chore.send())
    await settle()
    assert not sending.done() and {url for url, _ in world.posted} == {f"https://r.{each}/in" for each in domains}
    assert await world.waiting() == 1
    await world.gate.clock.advance(ROUND)
    await sending
    assert await world.waiting() == 0


async def test_who_was_never_tried_comes_before_who_failed() -> None:
    world = Reporting(takes=False, takes_long=ROUND)
    domains = [f"d{number}.example" for number in range(2 * AT_ONCE)]
    for domain in domains:
        world.publish(domain, BY_POST)
    await world.count(*domains)
    await world.over(LATEST, ROUND)
    await world.over(LATEST + ROUND + RETRY_AFTER, ROUND)
    assert {url for url, _ in world.posted} == {f"https://r.{domain}/in" for domain in domains}


async def test_state_that_fails_in_the_middle_is_heard_of_and_cuts_off_no_other() -> None:
    second = timedelta(seconds=1)
    world = Reporting(slow={"_smtp._tls.a.example": 2 * second, "https://r.b.example/in": 4 * second})
    for domain in ("a.example", "b.example"):
        world.publish(domain, BY_POST)
    await world.count("a.example", "b.example")
    await world.gate.clock.advance_to(ends(TODAY) + LATEST)
    sending = asyncio.create_task(world.chore.send())
    await world.gate.clock.advance(second)
    assert isinstance(world.gate.state, MemoryState)
    world.gate.state.failing = True
    await world.gate.clock.advance(2 * second)
    world.gate.state.failing = False
    await world.gate.clock.advance(second)
    with pytest.raises(SpoolError):
        await sending
    assert [url for url, _ in world.posted] == ["https://r.b.example/in"]
    assert await world.waiting() == 1


async def test_list_that_is_cut_splits_no_domain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls_reports, "MOST_KEYS", 3)
    world = Reporting()
    for domain in ("a.example", "b.example"):
        world.publish(domain, BY_POST)
    for _ in range(2):
        await world.count("a.example", "b.example")
    await world.at(LATEST)
    await world.at(LATEST + timedelta(minutes=5))
    assert [(url, sessions_of(read_report(data))) for url, data in world.posted] == [
        ("https://r.a.example/in", (2, 0)),
        ("https://r.b.example/in", (2, 0)),
    ]


async def test_two_days_that_are_over_are_two_reports() -> None:
    world = Reporting(takes=False)
    world.publish("a.example", BY_POST)
    await world.count("a.example")
    await world.at(LATEST)
    await world.count("a.example", failure=Result.NO_STARTTLS)
    world.takes = True
    await world.at(timedelta(days=1) + CLOSES + timedelta(minutes=1))
    assert len(world.posted) == 2, "the day before is still tried while the next is not due"
    await world.at(timedelta(days=1) + LATEST)
    first, second = (read_report(data) for _, data in world.posted[1:])
    assert (sessions_of(first), sessions_of(second)) == ((1, 0), (0, 1))
    assert first["report-id"] != second["report-id"]
    assert world.gate.heard.alerts == []
