"""The nightly survey of partners, by the clock of the test."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from gateway.core.grade import Grade
from gateway.core.survey import DomainReport, Surveyed
from gateway.flow import surveys
from gateway.flow.ports import SpoolError
from gateway.flow.surveys import DONE, PREFIX, Shown, Surveys, read_reports
from tests.core.survey_samples import a_certificate, a_host, a_report, down
from tests.fakes.clock import SteppedClock
from tests.fakes.events import Heard
from tests.fakes.state import MemoryState

EVENING = datetime(2026, 11, 21, 22, 0, tzinfo=UTC)
NIGHT = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
DAY = timedelta(days=1)


class Ids:
    numbers = count()

    def new(self) -> str:
        return f"worker {next(self.numbers)}"


class Household:
    """The machine: what domains answer, and what came of asking them. ``takes`` is how long one domain takes."""

    def __init__(self, *domains: Surveyed) -> None:
        self.clock = SteppedClock(EVENING)
        self.state = MemoryState(self.clock)
        self.events = Heard()
        self.domains: Sequence[Surveyed] = domains
        self.answers: dict[str, DomainReport | Exception] = {each.domain: a_report(a_host()) for each in domains}
        self.asked: list[str] = []
        self.shown: list[tuple[list[Shown], datetime]] = []
        self.takes = timedelta(seconds=5)

    def worker(self) -> Surveys:
        return Surveys(
            self.state,
            self.clock,
            Ids(),
            self.events,
            self.survey,
            lambda: self.domains,
            lambda found, at: self.shown.append((list(found), at)),
        )

    async def survey(self, domain: str) -> DomainReport:
        self.asked.append(domain)
        await self.clock.sleep_until(self.clock.now() + self.takes)
        answer = self.answers[domain]
        if isinstance(answer, Exception):
            raise answer
        return replace(answer, domain=domain, at=self.clock.now())

    async def at(self, when: datetime, *workers: Surveys, within: timedelta = timedelta(hours=12)) -> None:
        """Everybody looks at that time, and is done in that much more."""
        await self.clock.advance_to(when)
        looking = [asyncio.create_task(worker.look()) for worker in workers]
        await self.clock.advance(within)
        await asyncio.gather(*looking)

    async def kept(self) -> dict[str, DomainReport]:
        return read_reports(await self.state.items(PREFIX, 1000))

    def alerted(self) -> list[str]:
        assert {(name, queue_id) for name, queue_id, _ in self.events.alerts} <= {("tls-partner", "")}
        told = [detail for *_, detail in self.events.alerts]
        self.events.alerts.clear()
        return told


A = Surveyed(partner="Archive", domain="a.test")
B = Surveyed(partner="Health Trust", domain="b.test", demanded=Grade.VERIFIED)


async def test_one_worker_looks_once_a_night_and_all_show_it() -> None:
    here = Household(A, B)
    one, other = here.worker(), here.worker()
    await here.at(NIGHT - timedelta(seconds=1), one, other, within=timedelta(milliseconds=1))
    assert (here.asked, here.shown) == ([], [])
    await here.at(NIGHT, one, other)
    assert here.asked == ["a.test", "b.test"]
    assert {domain: report.grade for domain, report in (await here.kept()).items()} == {
        "a.test": Grade.VERIFIED,
        "b.test": Grade.VERIFIED,
    }
    await here.at(NIGHT + timedelta(hours=13), one, other)
    assert here.asked == ["a.test", "b.test"]
    [(found, at), (same, later)] = here.shown
    assert [(each.partner, report.domain) for each, report in found] == [
        ("Archive", "a.test"),
        ("Health Trust", "b.test"),
    ]
    assert (same, later) == (found, at)
    # Two domains of five seconds, and a pause behind each.
    assert at == NIGHT + timedelta(seconds=14)
    await here.at(NIGHT + DAY + timedelta(hours=2), other, one)
    assert here.asked == ["a.test", "b.test"] * 2
    assert here.alerted() == []


async def test_a_worker_that_starts_shows_what_is_known_and_asks_nobody() -> None:
    here = Household(A)
    await here.at(NIGHT, here.worker())
    late = here.worker()
    await here.at(NIGHT + timedelta(hours=14), late, within=timedelta(seconds=1))
    await here.at(NIGHT + timedelta(hours=15), late, within=timedelta(seconds=1))
    assert here.asked == ["a.test"]
    assert [at for _, at in here.shown] == [NIGHT + timedelta(seconds=7)] * 2


async def test_a_machine_that_was_down_at_night_looks_when_it_is_up() -> None:
    here = Household(A)
    await here.at(NIGHT, here.worker())
    await here.at(NIGHT + DAY + timedelta(hours=6), here.worker())
    assert here.asked == ["a.test"] * 2
    # One that never looked has no yesterday to make up for.
    fresh = Household(A)
    await fresh.clock.advance_to(NIGHT + timedelta(hours=6))
    await fresh.at(NIGHT + timedelta(hours=7), fresh.worker())
    assert fresh.asked == []


async def test_somebody_hears_what_is_wrong_and_what_got_worse() -> None:
    here = Household(A, B)
    one = here.worker()
    here.answers["b.test"] = a_report(a_host(grade=Grade.ENCRYPTED, why="It is signed by itself only."))
    await here.at(NIGHT, one)
    [told] = here.alerted()
    assert told.startswith("Health Trust (b.test): mx.test gives “encrypted”, and “verified” is demanded: ")
    here.answers["a.test"] = a_report(a_host(grade=Grade.PLAIN))
    here.answers["b.test"] = a_report(a_host(grade=Grade.DANE, certificate=a_certificate(10)), a_host("new.test"))
    await here.at(NIGHT + DAY, one)
    worse, ending = here.alerted()
    assert worse == "Archive (a.test): mx.test went down from “verified” to “plain”."
    assert "The certificate of mx.test ends on" in ending
    assert "went up" not in ending
    assert "new.test" not in ending


async def test_a_host_that_was_down_a_night_is_still_compared_with_the_night_before() -> None:
    here = Household(A)
    one = here.worker()
    await here.at(NIGHT, one)
    here.answers["a.test"] = a_report(down())
    await here.at(NIGHT + DAY, one)
    [told] = here.alerted()
    assert "was not reached" in told
    here.answers["a.test"] = a_report(a_host(grade=Grade.PLAIN))
    await here.at(NIGHT + 2 * DAY, one)
    assert here.alerted() == ["Archive (a.test): mx.test went down from “verified” to “plain”."]


async def test_a_survey_that_breaks_leaves_the_others_their_turn() -> None:
    here = Household(A, B)
    here.answers["a.test"] = error = ValueError("ours")
    await here.at(NIGHT, here.worker())
    assert here.events.faults == [("survey", "", error)]
    assert list(await here.kept()) == ["b.test"]


async def test_a_report_too_large_to_keep_is_told_and_ends_no_round() -> None:
    here = Household(A, B)
    here.answers["a.test"] = a_report(a_host(grade=Grade.ENCRYPTED, why="w" * 100_000))
    here.domains = (replace(A, demanded=Grade.VERIFIED), B)
    for night in range(2):
        await here.at(NIGHT + night * DAY, here.worker())
        assert await here.state.get(DONE) is not None
        [(where, _, error)] = here.events.faults
        assert (where, type(error)) == ("survey", ValueError)
        here.events.faults.clear()
        [told] = here.alerted()
        assert told.startswith("Archive (a.test): mx.test gives “encrypted”")
        assert len(told) == surveys.LONGEST_ALERT and told.endswith("w…")
    assert here.asked == ["a.test", "b.test"] * 2
    assert list(await here.kept()) == ["b.test"]


async def test_a_memory_that_goes_in_the_middle_ends_the_round() -> None:
    here = Household(A, B)
    worker = here.worker()
    await here.clock.advance_to(NIGHT)
    looking = asyncio.create_task(worker.look())
    await here.clock.advance(timedelta(seconds=1))
    here.state.failing = True
    await here.clock.advance(timedelta(minutes=1))
    with pytest.raises(SpoolError):
        await looking
    assert (here.asked, here.events.faults) == (["a.test"], [])


async def test_a_round_that_was_cut_short_goes_on_where_it_ended() -> None:
    here = Household(A, B)
    await here.clock.advance_to(EVENING)
    worker = here.worker()
    await here.clock.advance_to(NIGHT)
    looking = asyncio.create_task(worker.look())
    await here.clock.advance(timedelta(seconds=8))
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)
    assert here.asked == ["a.test", "b.test"]
    assert list(await here.kept()) == ["a.test"]
    assert await here.state.get(DONE) is None
    # The next generation of the same worker began in the afternoon before, too.
    await here.at(NIGHT + timedelta(hours=1), worker)
    assert here.asked == ["a.test", "b.test", "b.test"]
    assert here.alerted() == []


async def test_a_round_ends_in_time_and_the_next_begins_with_who_had_no_turn() -> None:
    here = Household(A, B)
    here.takes = surveys.LONGEST + timedelta(seconds=1)
    one = here.worker()
    await here.at(NIGHT, one)
    assert here.asked == ["a.test"]
    assert here.alerted() == ["1 of 2 partner domains were not surveyed this night."]
    here.takes = timedelta(seconds=5)
    await here.at(NIGHT + DAY, one)
    assert here.asked == ["a.test", "b.test", "a.test"]


async def test_more_domains_than_a_round_takes_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surveys, "MOST", 1)
    here = Household(A, B)
    await here.at(NIGHT, here.worker())
    assert here.asked == ["a.test"]
    assert here.alerted() == ["1 of 2 partner domains were not surveyed this night."]


async def test_a_lease_that_went_to_another_ends_the_round() -> None:
    here = Household(A, B)
    one = here.worker()
    here.takes = timedelta(hours=1)
    await here.clock.advance_to(NIGHT)
    looking = asyncio.create_task(one.look())
    await here.clock.advance(timedelta(minutes=30))
    await here.state.try_lease("surveys", "another", here.clock.now() + timedelta(hours=9))
    await here.clock.advance(timedelta(hours=2))
    await looking
    assert here.asked == ["a.test"]
    # It is the other's to say that the night is done.
    assert (await here.state.get(DONE), here.alerted()) == (None, [])


async def test_damaged_reports_are_as_none() -> None:
    here = Household(A)
    one = here.worker()
    await here.at(NIGHT, one)
    here.state.damage(lambda value: value[:-2] + b"\xff")
    await here.at(NIGHT + DAY, one)
    assert here.asked == ["a.test"] * 2
    assert here.alerted() == []
    assert list(await here.kept()) == ["a.test"]


async def test_a_memory_that_is_gone_is_heard_of() -> None:
    here = Household(A)
    here.state.failing = True
    with pytest.raises(SpoolError):
        await here.worker().look()


async def test_the_largest_report_fits() -> None:
    here = Household(A)
    seen = replace(a_certificate(), subject="x" * 256, issuer="x" * 256, names=("n" * 256,) * 5)
    hosts = (
        a_host(f"{number}{'h' * 250}", certificate=seen, why="w" * 1000, addresses=("2001:db8::1",) * 32)
        for number in range(8)
    )
    here.answers["a.test"] = a_report(*hosts)
    await here.at(NIGHT, here.worker())
    assert len((await here.kept())["a.test"].hosts) == 8
