"""What a worker's chores do with the parts of a configuration, and what a generation leaves behind at its end."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from pydantic import TypeAdapter

from gateway.app.chores import LOOK_EVERY, POLICIES_EVERY, chores_of
from gateway.app.compose import Parts, Tools, make_line, make_parts
from gateway.app.generation import Generation, Ties
from gateway.app.system import RandomIds, RandomJitter
from gateway.app.vault import Vault
from gateway.config.bundle import read_bundle
from gateway.config.load import Examined, examine
from gateway.core.sts import StsMode, StsPolicy
from gateway.core.survey import DomainReport
from gateway.core.tls import Starttls
from gateway.core.tlsrpt import Applied, PolicyType, Result, SessionSeen
from gateway.flow import surveys
from gateway.flow.health import PREFIX as HEALTH
from gateway.flow.health import read_health
from gateway.flow.janitor import Chore
from gateway.flow.leased import LEASE
from gateway.flow.surveys import DONE, PREFIX, read_reports
from gateway.flow.tls_counts import CLOSES, TlsCounts, ends, key_of
from gateway.net.memory import TlsMemory
from gateway.net.sts_memory import Kept
from gateway.net.sts_store import StsStore
from gateway.spool.memory import MemorySpool
from gateway.telemetry.events import Telemetry
from gateway.telemetry.log import Level, Log
from gateway.telemetry.metrics import Metrics
from tests.app.world import Lines
from tests.config.test_tlsrpt import KEY, ROUTE, TABLE, examined
from tests.core.survey_samples import a_host, a_report
from tests.fakes import certificates
from tests.fakes.clock import START, SteppedClock, settle
from tests.fakes.dns import SERVFAIL, FakeDns
from tests.fakes.state import MemoryState
from tests.fixtures.council import change
from tests.fixtures.tls_report import read_report, sessions_of
from tests.net.test_report_post import Taker, listening

PINNED = """
[[tls.pins]]
name = "Health Trust"
domains = ["trust.test"]
grade = "verified"
"""
SOA = ["a.test. b.test. 1 2 3 4 5"]
HOST = "reports.example"
DAY = timedelta(days=1)
REPORT = TypeAdapter(DomainReport)
SEEN = SessionSeen(
    domain="a.example", applied=Applied(PolicyType.NONE, "a.example"), host="mx.a.example", failure=Result.EXPIRED
)


class Worker:
    """One process: its parts, its chores by name, and what it shows and says."""

    def __init__(self, found: Examined, clock: SteppedClock, state: MemoryState) -> None:
        self.log, self.registry, self.adopted = Lines(), CollectorRegistry(), 0
        metrics, ids = Metrics(self.registry), RandomIds()
        tools = Tools(
            clock=clock,
            ids=ids,
            jitter=RandomJitter(),
            events=Telemetry(Log(self.log, Level.INFO), metrics, clock),
            metrics=metrics,
            state=state,
            memory=TlsMemory(clock, state),
            counts=TlsCounts(state, clock, ids),
            vault=Vault(clock),
            slots=1,
        )
        self.spool = MemorySpool(clock=clock)
        self.parts: Parts = make_parts(found.loaded(), found.bundle, tools, self.spool)
        shared = make_line(self.parts, self.spool).shared
        chores = chores_of(self.parts, self.spool, shared, lambda entries: None, self.adopt)
        self.chores: Mapping[str, Chore] = {chore.name: chore for chore in chores}

    async def adopt(self) -> None:
        self.adopted += 1

    async def do(self, name: str) -> None:
        await self.chores[name].do()

    def shows(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)

    def alerts(self) -> list[object]:
        return [line["name"] for line in self.log.events("alert")]


class Machine:
    """A configuration and what its workers share; ``dns`` is all that they know of the outside."""

    def __init__(self, folder: Path, dns: FakeDns, text: str, *edits: tuple[str, str]) -> None:
        self.clock = SteppedClock()
        self.state = MemoryState(self.clock)
        self.examined = examined(
            folder,
            text,
            ('nameservers = ["127.0.0.1:53"]', f'nameservers = ["{dns.nameserver}"]'),
            ('ca = "system"', f'ca = "{certificates.write_authority(folder)}"'),
            ("allow_networks = []", 'allow_networks = ["127.0.0.0/8"]'),
            *edits,
        )

    def worker(self) -> Worker:
        return Worker(self.examined, self.clock, self.state)

    def name_partner(self) -> None:
        """Gives the policy a register with one partner."""
        policy = self.examined.bundle.policy
        change(policy, ("[groups]\n", '[registers]\npartners = "partners.csv"\n\n[groups]\n'))
        (policy.parent / "partners.csv").write_text("name,members\nArchive,partner.test\n")
        self.examined = examine(read_bundle(self.examined.bundle.config))

    async def counted(self) -> Sequence[str]:
        return sorted(await self.state.items(key_of(START.date()), 100))


TRUSTED = ("trust_ad    = false", "trust_ad    = true")
REPORTING = TABLE + KEY


async def test_each_chore_has_its_pace_and_reports_are_one_only_where_they_are_wanted(tmp_path: Path) -> None:
    (tmp_path / "with").mkdir()
    (tmp_path / "without").mkdir()
    async with FakeDns({}) as dns:
        reporting = Machine(tmp_path / "with", dns, REPORTING, ROUTE).worker()
        silent = Machine(tmp_path / "without", dns, KEY).worker()
    paces = {name: chore.every // timedelta(seconds=1) for name, chore in silent.chores.items()}
    usual = {"adopt": 5, "digest": 300, "remind": 300, "tls counts": 60, "sts": 600, "survey": 300, "resolver": 300}
    assert paces == usual | {"health": 300}
    assert reporting.chores.keys() - silent.chores.keys() == {"tls reports"}
    await silent.do("adopt")
    assert (silent.adopted, reporting.adopted) == (1, 0)


async def test_the_hosts_of_routes_are_looked_at_and_only_theirs(tmp_path: Path) -> None:
    async with FakeDns({}) as dns:
        here = Machine(tmp_path, dns, KEY)
        worker = here.worker()
        await worker.do("health")
    known = read_health(await here.state.items(HEALTH, 100))
    hosts = {name for name, route in here.examined.routes.routes.items() if route.transport == "smarthost"}
    assert hosts and known.keys() == hosts
    assert {worker.shows("sealpost_route_up", route=name) for name in hosts} == {0}
    assert worker.alerts().count("route-down") == len(hosts)
    assert worker.shows("sealpost_route_up", route="tls") is None


@pytest.mark.parametrize(("text", "counts"), [(REPORTING, True), (KEY, False)], ids=["reporting", "silent"])
async def test_sessions_of_the_network_are_counted_where_somebody_reports(
    tmp_path: Path, text: str, counts: bool
) -> None:
    async with FakeDns({}) as dns:
        here = Machine(tmp_path, dns, text, ROUTE)
    one, other = here.worker(), here.worker()
    for worker in (one, other):
        worker.parts.network.sessions.note(SEEN)
        assert len(await here.counted()) == counts * (worker is other)
        await worker.do("tls counts")
    assert len(await here.counted()) == 2 * counts


async def test_kept_policies_are_refreshed_by_who_holds_the_lease(tmp_path: Path) -> None:
    record = "_mta-sts.a.example"
    async with FakeDns({record: {"TXT": ['"v=STSv1; id=1;"']}}, ttl=1) as dns:
        here = Machine(tmp_path, dns, KEY)
        policy = StsPolicy(mode=StsMode.ENFORCE, max_age=timedelta(days=30), mx=("mx.a.example",))
        await StsStore(here.state, here.clock).keep("a.example", Kept(id="1", policy=policy, fetched=START))
        one, other = here.worker(), here.worker()
        await one.do("sts")
        assert dns.asked(record, "TXT") == 1
        await here.clock.advance(POLICIES_EVERY)
        await other.do("sts")
        assert dns.asked(record, "TXT") == 1, "it is the first one's work"
        await here.clock.advance(LEASE)
        await other.do("sts")
        assert dns.asked(record, "TXT") == 2, "the first one is gone"


def grade(worker: Worker, partner: str, domain: str) -> float | None:
    return worker.shows("sealpost_partner_tls_grade", partner=partner, domain=domain)


async def test_survey_is_shown_by_all_and_done_at_night_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surveys, "PAUSE", timedelta(0))
    async with FakeDns({"trust.test": {"MX": ["10 mx.trust.test."]}, "partner.test": {"MX": ["0 ."]}}) as dns:
        here = Machine(tmp_path, dns, KEY + PINNED)
        here.name_partner()
        one, other = here.worker(), here.worker()
        last = START - timedelta(hours=5)
        await here.state.put(DONE, last.isoformat().encode(), START + DAY)
        await here.state.put(PREFIX + "trust.test", REPORT.dump_json(a_report(a_host(), at=last)), START + DAY)
        await one.do("survey")
        assert (grade(one, "Health Trust", "trust.test"), grade(one, "Archive", "partner.test")) == (2, None)
        assert one.shows("sealpost_partner_survey_timestamp_seconds") == last.timestamp()
        assert dns.questions == [], "the day is no time to ask"
        await here.clock.advance(timedelta(hours=18))
        await one.do("survey")
        asked = len(dns.questions)
        found = read_reports(await here.state.items(PREFIX, 10))
        assert found["trust.test"].at == here.clock.now() and dns.asked("mx.trust.test", "A") == 1
        assert found["partner.test"].trouble == "The domain partner.test declares that it takes no mail."
        await other.do("survey")
        assert len(dns.questions) == asked > 0
    for worker in (one, other):
        assert worker.shows("sealpost_partner_survey_timestamp_seconds") == here.clock.now().timestamp()
        assert grade(worker, "Archive", "partner.test") is not None


def dnssec(worker: Worker) -> tuple[float | None, float | None]:
    return worker.shows("sealpost_dane_enabled"), worker.shows("sealpost_resolver_validates")


async def test_a_trusted_resolver_that_does_not_validate_is_told_of_each_time_that_it_falls(tmp_path: Path) -> None:
    async with FakeDns({".": {"SOA": SOA}}, authentic=True) as dns:
        here = Machine(tmp_path, dns, KEY, TRUSTED)
        worker = here.worker()

        async def look(*, authentic: bool, answers: bool = True) -> tuple[float | None, float | None, int]:
            dns.authentic, dns.table = authentic, {".": {"SOA": SOA if answers else SERVFAIL}}
            await here.clock.advance(LOOK_EVERY)
            await worker.do("resolver")
            assert set(worker.alerts()) <= {"dane-off"}
            return *dnssec(worker), len(worker.alerts())

        assert await look(authentic=True) == (1, 1, 0)
        assert await look(authentic=False) == (1, 0, 1)
        assert await look(authentic=False) == (1, 0, 1), "it was told"
        assert await look(authentic=False, answers=False) == (1, 0, 1)
        assert await look(authentic=False) == (1, 0, 1), "a silence is no recovery"
        assert await look(authentic=True) == (1, 1, 1)
        assert await look(authentic=True, answers=False) == (1, 1, 1), "nor is it a fall"
        assert await look(authentic=False) == (1, 0, 2)


async def test_a_resolver_is_told_of_if_it_never_validated_and_not_if_nobody_trusts_it(tmp_path: Path) -> None:
    (tmp_path / "off").mkdir()
    (tmp_path / "on").mkdir()
    async with FakeDns({".": {"SOA": SOA}}) as dns:
        on, off = Machine(tmp_path / "on", dns, KEY, TRUSTED).worker(), Machine(tmp_path / "off", dns, KEY).worker()
        for worker in (on, off):
            await worker.do("resolver")
    assert (dnssec(on), on.alerts()) == ((1, 0), ["dane-off"])
    assert (dnssec(off), off.alerts()) == ((0, 0), [])


WRONG = {
    "untrusted": certificates.untrusted(HOST),
    "self-signed": certificates.self_signed(HOST),
    "expired": certificates.expired(HOST),
    "another name": certificates.good("other.example"),
}


@pytest.mark.parametrize("context", WRONG.values(), ids=WRONG)
async def test_a_report_is_posted_only_to_a_host_that_proves_its_name(tmp_path: Path, context: ssl.SSLContext) -> None:
    impostor, taker = Taker(), Taker()
    async with (
        FakeDns({HOST: {"A": ["127.0.0.1"]}}) as dns,
        listening(impostor, context) as wrong,
        listening(taker, certificates.good(HOST)) as right,
    ):
        places = ",".join(f"https://{HOST}:{port}/tls" for port in (wrong, right))
        dns.table = {**dns.table, "_smtp._tls.a.example": {"TXT": [f'"v=TLSRPTv1; rua={places}"']}}
        here = Machine(tmp_path, dns, REPORTING, ROUTE)
        worker = here.worker()
        worker.parts.network.sessions.note(SEEN)
        await worker.do("tls counts")
        await here.clock.advance_to(ends(START.date()) + CLOSES + timedelta(hours=3))
        await worker.do("tls reports")
        assert impostor.got == []
        [(method, url, _, report)] = taker.got
        assert (method, url, sessions_of(read_report(report))) == ("POST", "/tls", (0, 1))
        assert len(await here.counted()) == 1, "one has not got its report yet"


@asynccontextmanager
async def working(worker: Worker) -> AsyncGenerator[Generation]:
    """A generation of the worker's parts; it is retired at the end of the block and then ends."""

    async def nothing() -> None:
        """There is nothing to adopt."""

    generation = Generation(worker.parts, [worker.spool], Ties(tend=nothing, committed=lambda entries: None))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(generation.run())
        await settle()
        yield generation
        generation.retire()


async def test_what_was_seen_until_the_end_of_a_generation_is_written_and_nothing_stays_open(tmp_path: Path) -> None:
    async with FakeDns({}) as dns:
        here = Machine(tmp_path, dns, REPORTING, ROUTE, ("[tls]\n", '[tls]\nremember = "3h"\n'))
        worker = here.worker()
        network = worker.parts.network
        async with working(worker):
            here.state.failing = True
            network.dialler.memory.note("mx.a.example", Starttls.YES)
            await settle()  # It is tried at once, and again only in a minute.
            here.state.failing = False
            network.sessions.note(SEEN)
            await network.fetch("a.example")
            assert await here.state.items("tls", 10) == {}
        assert await here.worker().parts.network.dialler.memory.shown("mx.a.example") is Starttls.YES
        assert len(await here.counted()) == 1
        with pytest.raises(RuntimeError, match="closed"):
            await network.fetch("a.example")
        # What is configured, and the day until it would be written again.
        await here.clock.advance(timedelta(hours=28))
        assert await here.worker().parts.network.dialler.memory.shown("mx.a.example") is Starttls.NO


async def test_a_generation_ends_in_order_while_nothing_can_be_written(tmp_path: Path) -> None:
    async with FakeDns({}) as dns:
        here = Machine(tmp_path, dns, REPORTING, ROUTE)
        worker = here.worker()
        async with working(worker):
            worker.parts.network.sessions.note(SEEN)
            await worker.parts.network.fetch("a.example")
            here.state.failing = True
        with pytest.raises(RuntimeError, match="closed"):
            await worker.parts.network.fetch("a.example")
        here.state.failing = False
        await worker.parts.tools.counts.write()
        assert len(await here.counted()) == 1, "the next generation of the process has them"
