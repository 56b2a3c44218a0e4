"""The survey of a domain against mail hosts on loopback: the grade, what is shown, and that MAIL is never said."""

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from gateway.core.dane import NoTlsa, Tlsa, TlsaFacts, TlsaFound, TlsaUnknown, TlsaUnusable
from gateway.core.demand import HostFacts
from gateway.core.grade import DEMANDS, Grade
from gateway.core.pin import NO_PINS, Pin, Pins
from gateway.core.sts import NoSts, StsFacts, StsFound, StsMode, StsPolicy, StsUnknown
from gateway.core.survey import DaneSeen, DaneState, DomainReport, HostReport, StsSeen, StsState
from gateway.core.tls import MxAuth, Starttls
from gateway.net.survey import LONGEST_TEXT, WITHIN, Survey
from gateway.transports.network import NetworkOptions
from tests.fakes import certificates
from tests.fakes.certificates import Made, make, write_client
from tests.fakes.dns import SERVFAIL
from tests.fakes.mail_world import World, world
from tests.fakes.mx import OLD_TLS, Script

MX = "mx.example"
DOMAIN = f"{MX}.test"


@dataclass
class Known:
    """What DNS and the domain's policy are said to hold."""

    tlsa: TlsaFacts = NoTlsa.ABSENT
    policy: StsFacts = NoSts.NONE
    mx: MxAuth = MxAuth.NONE
    asked: list[str] = field(default_factory=list)

    async def facts(self, domain: str, host: str, mx: MxAuth) -> HostFacts:
        self.asked.append(host)
        return HostFacts(domain=domain, host=host, mx=max(mx, self.mx), tlsa=self.tlsa, sts=self.policy)

    async def sts(self, domain: str) -> StsFacts:
        return self.policy


def survey(at: World, known: Known, within: timedelta = WITHIN) -> Survey:
    network = at.network
    return Survey(
        resolver=network.resolver,
        destinations=network.destinations,
        facts=known.facts,
        sts=known.sts,
        dialler=network.dialler,
        pins=network.options.pins,
        port=network.options.mx.port,
        clock=at.clock,
        within=within,
    )


async def one(folder: Path, script: Script | None, known: Known, pins: Pins = NO_PINS) -> HostReport:
    """The report on the one host of a domain."""
    async with world(folder, {MX: script}, change=with_pins(pins)) as at:
        report = await survey(at, known).domain(DOMAIN)
        assert (report.domain, report.at, report.trouble) == (DOMAIN, at.clock.now(), "")
        for mx in at.hosts.values():
            for conversation in mx.conversations:
                said = {line.split()[0] for line in conversation.commands}
                assert said <= {"EHLO", "HELO", "STARTTLS", "QUIT"}
        [host] = report.hosts
        assert (host.host, host.preference) == (MX, 10)
        return host


def with_pins(pins: Pins) -> Callable[[NetworkOptions], NetworkOptions]:
    return lambda options: replace(options, pins=pins)


def pin(grade: str, **parts: object) -> Pins:
    return Pins((Pin(name="P", domains=(DOMAIN,), requirement=DEMANDS[grade], **parts),))  # pyright: ignore[reportArgumentType]


def record(made: Made) -> Tlsa:
    return Tlsa(3, 1, 1, sha256(made.spki).digest())


def fingerprint(made: Made) -> str:
    return sha256(made.spki).hexdigest()


def enforced(*patterns: str, mode: StsMode = StsMode.ENFORCE) -> StsFound:
    return StsFound(DOMAIN, "id7", StsPolicy(mode=mode, max_age=timedelta(days=7), mx=patterns))


SELF_MADE = make(MX, names=[MX])
BOOK = "".join(f"421-{'x' * 500}\r\n" for _ in range(40)) + "421 the end"
OTHER = make(MX, names=[MX])


async def test_a_host_that_says_a_lot_is_cut_short(tmp_path: Path) -> None:
    async with world(tmp_path, {MX: Script(replies={"connect": BOOK})}) as at:
        told = await survey(at, Known(policy=StsUnknown("s" * 300))).domain(DOMAIN)
        unknown = await survey(at, Known(tlsa=TlsaUnknown("n" * 999))).domain(DOMAIN)
    [host] = told.hosts
    assert "refused the session: 421 xxx" in host.why
    assert len(host.why) == LONGEST_TEXT and host.why.endswith("x…")
    assert told.sts.reason == "s" * 300
    assert unknown.hosts[0].dane.reason == "n" * 299 + "…"


async def test_a_good_host_is_shown_whole(tmp_path: Path) -> None:
    host = await one(tmp_path, Script(tls=certificates.good(MX)), Known())
    assert (host.grade, host.why, host.starttls, host.tls_version) == (Grade.VERIFIED, "", Starttls.YES, "TLSv1.3")
    assert host.cipher.startswith("TLS_")
    assert host.addresses == (host.address,)
    assert host.certificate is not None
    assert host.certificate.names == (MX,)
    assert len(host.certificate.fingerprint) == len("sha256:") + 64
    assert host.certificate.not_after is not None
    assert not host.signed
    assert host.in_policy is None
    assert host.dane == DaneSeen(state=DaneState.ABSENT, reason=NoTlsa.ABSENT.value)


@pytest.mark.parametrize(
    ("tls", "why"),
    [
        (lambda: certificates.expired(MX), "expired on 2024-01-02"),
        (lambda: certificates.good("other.example"), "is for other names"),
        (lambda: SELF_MADE.context(), "is signed by itself only"),
    ],
)
async def test_a_certificate_that_fails_is_looked_at_all_the_same(
    tmp_path: Path, tls: Callable[[], ssl.SSLContext], why: str
) -> None:
    host = await one(tmp_path, Script(tls=tls()), Known())
    assert (host.grade, host.starttls) == (Grade.ENCRYPTED, Starttls.YES)
    assert why in host.why
    assert host.certificate is not None
    assert host.certificate.fingerprint
    assert host.reached


@pytest.mark.parametrize(
    ("script", "tlsa", "grade", "starttls", "why"),
    [
        (Script(), NoTlsa.ABSENT, Grade.PLAIN, Starttls.NO, "does not offer STARTTLS"),
        (Script(), TlsaUnusable(MX), None, Starttls.NO, "does not offer STARTTLS"),
        (Script(offers=("XXXXXXXA",)), NoTlsa.ABSENT, None, Starttls.UNKNOWN, "stripped"),
        (Script(tls=SELF_MADE.context(), answers_hello=OLD_TLS), NoTlsa.ABSENT, Grade.PLAIN, Starttls.NO, "before 1.2"),
        (Script(tls=SELF_MADE.context()), TlsaUnusable(MX), Grade.ENCRYPTED, Starttls.YES, "by itself"),
        (Script(replies={"connect": "421 busy"}), NoTlsa.ABSENT, None, Starttls.UNKNOWN, "421 busy"),
    ],
)
async def test_what_other_mail_gets_where_there_is_no_good_tls(
    tmp_path: Path, script: Script, tlsa: TlsaFacts, grade: Grade | None, starttls: Starttls, why: str
) -> None:
    host = await one(tmp_path, script, Known(tlsa=tlsa))
    assert (host.grade, host.starttls) == (grade, starttls)
    assert why in host.why
    assert host.reached


async def test_a_host_that_is_not_there_is_not_reached(tmp_path: Path) -> None:
    host = await one(tmp_path, None, Known())
    assert (host.grade, host.reached, host.starttls) == (None, False, Starttls.UNKNOWN)
    assert "cannot be reached" in host.why
    assert host.addresses


async def test_a_silent_host_ends_in_time(tmp_path: Path) -> None:
    async with world(tmp_path, {MX: Script(replies={}), "b.example": Script(silent_at="EHLO")}) as at:
        network = replace(at.network.dialler.timeouts, hello=timedelta(minutes=5))
        at.network = replace(at.network, dialler=replace(at.network.dialler, timeouts=network))
        report = await survey(at, Known(), within=timedelta(milliseconds=300)).domain("b.example.test")
        [host] = report.hosts
        assert (host.why, host.reached) == ("It did not answer within 0.3 s.", False)


@pytest.mark.parametrize(
    ("pins", "grade"),
    [
        (pin("pinned", fingerprints=frozenset({fingerprint(SELF_MADE)})), Grade.PINNED),
        (pin("pinned", fingerprints=frozenset({fingerprint(OTHER)})), None),
        (pin("encrypted"), Grade.ENCRYPTED),
        (pin("verified"), None),
        (pin("authentic"), None),
        (pin("dane"), None),
    ],
)
async def test_a_pin_decides_what_goes(tmp_path: Path, pins: Pins, grade: Grade | None) -> None:
    host = await one(tmp_path, Script(tls=SELF_MADE.context()), Known(), pins)
    assert host.grade is grade
    assert bool(host.why) is (grade is not Grade.PINNED)
    # Shown whatever became of it, so that it can be pinned.
    assert host.certificate is not None
    assert host.certificate.fingerprint == f"sha256:{fingerprint(SELF_MADE)}"


async def test_our_certificate_is_shown_to_a_pinned_partner(tmp_path: Path) -> None:
    ours = pin("verified", certificate=str(write_client(tmp_path, "gateway.council.example")))
    script = Script(tls=certificates.asks_for_ours(MX))
    assert (await one(tmp_path, script, Known(), ours)).grade is Grade.VERIFIED


@pytest.mark.parametrize(
    ("policy", "tls", "grade", "in_policy"),
    [
        (enforced(MX), certificates.good(MX), Grade.MTA_STS, True),
        (enforced("*.example"), certificates.good(MX), Grade.MTA_STS, True),
        (enforced("mx.other"), certificates.good(MX), None, False),
        (enforced(MX), certificates.expired(MX), None, True),
        (enforced("mx.other", mode=StsMode.TESTING), certificates.good(MX), Grade.VERIFIED, False),
        (enforced(MX, mode=StsMode.TESTING), certificates.expired(MX), Grade.ENCRYPTED, True),
    ],
)
async def test_an_enforced_policy_decides_what_goes(
    tmp_path: Path, policy: StsFound, tls: ssl.SSLContext, grade: Grade | None, in_policy: bool
) -> None:
    host = await one(tmp_path, Script(tls=tls), Known(policy=policy))
    assert (host.grade, host.in_policy) == (grade, in_policy)
    assert host.certificate is not None
    assert bool(host.why) is (grade not in (Grade.MTA_STS, Grade.VERIFIED))


@pytest.mark.parametrize(
    ("made", "mx", "grade"),
    [
        (SELF_MADE, MxAuth.DNSSEC, Grade.DANE),
        (SELF_MADE, MxAuth.NONE, Grade.VERIFIED),
        (OTHER, MxAuth.DNSSEC, None),
    ],
)
async def test_tlsa_records_decide_what_goes(tmp_path: Path, made: Made, mx: MxAuth, grade: Grade | None) -> None:
    known = Known(tlsa=TlsaFound(MX, (record(made),)), mx=mx)
    host = await one(tmp_path, Script(tls=SELF_MADE.context()), known)
    assert (host.grade, host.dane.state) == (grade, DaneState.FOUND)
    assert host.dane.records == (str(record(made)),)
    assert host.certificate is not None
    assert "TLSA" in host.demanded_by


async def test_records_that_could_not_be_looked_up_stop_mail_and_are_called_unknown(tmp_path: Path) -> None:
    known = Known(tlsa=TlsaUnknown("no name server answered"))
    host = await one(tmp_path, Script(tls=certificates.good(MX)), known)
    assert (host.grade, host.dane) == (None, DaneSeen(state=DaneState.UNKNOWN, reason="no name server answered"))
    assert "no name server answered" in host.why
    assert host.starttls is Starttls.YES


@pytest.mark.parametrize(
    ("tlsa", "state", "reason"),
    [
        (NoTlsa.OFF, DaneState.OFF, "[dns] trust_ad is false"),
        (NoTlsa.INSECURE, DaneState.INSECURE, NoTlsa.INSECURE.value),
        (TlsaUnusable(MX), DaneState.UNUSABLE, "no TLSA record can be used"),
    ],
)
async def test_why_there_is_no_dane(tmp_path: Path, tlsa: TlsaFacts, state: DaneState, reason: str) -> None:
    host = await one(tmp_path, Script(tls=certificates.good(MX)), Known(tlsa=tlsa))
    assert host.dane == DaneSeen(state=state, reason=reason)


HOSTS = {"b.example": Script(tls=certificates.good("b.example")), "a.example": Script(), "gone.example": None}
ZONES: Mapping[str, Mapping[str, list[str] | str]] = {
    "several.test": {"MX": ["20 a.example.", "10 b.example.", "30 private.example.", "40 broken.example."]},
    "private.example": {"A": ["10.0.0.1"]},
    "broken.example": {"A": SERVFAIL, "AAAA": SERVFAIL},
    "two.test": {"MX": ["10 two.example."]},
    "two.example": {"A": ["@gone.example", "127.250.0.1", "127.250.0.2", "@a.example"]},
    "both.test": {"MX": ["10 both.example."]},
    "both.example": {"A": ["@a.example", "@b.example"]},
    "null.test": {"MX": ["0 ."]},
    "silent.test": {"MX": SERVFAIL},
    "b.example": {"A": ["@b.example"]},
    "many.test": {"MX": [f"{number} h{number}.example." for number in range(9)]},
}


async def surveyed(folder: Path, domain: str, known: Known | None = None) -> DomainReport:
    async with world(folder, HOSTS, ZONES) as at:
        return await survey(at, known or Known()).domain(domain)


async def test_all_hosts_are_met_in_their_order(tmp_path: Path) -> None:
    known = Known()
    report = await surveyed(tmp_path, "several.test", known)
    assert [(host.host, host.preference, host.grade) for host in report.hosts] == [
        ("b.example", 10, Grade.VERIFIED),
        ("a.example", 20, Grade.PLAIN),
        ("private.example", 30, None),
        ("broken.example", 40, None),
    ]
    assert "not public" in report.hosts[2].why
    assert "Its addresses cannot be looked up" in report.hosts[3].why
    assert known.asked == [host.host for host in report.hosts]


async def test_a_dead_address_does_not_hide_the_others(tmp_path: Path) -> None:
    [host] = (await surveyed(tmp_path, "two.test")).hosts
    assert host.grade is Grade.PLAIN
    assert len(host.addresses) == 4


async def test_one_address_of_a_host_is_enough(tmp_path: Path) -> None:
    async with world(tmp_path, HOSTS, ZONES) as at:
        [host] = (await survey(at, Known()).domain("both.test")).hosts
        assert host.reached
        met = [mx for mx in at.hosts.values() if mx.conversations]
        assert len(met) == 1


@pytest.mark.parametrize(
    ("domain", "trouble"),
    [
        ("nowhere.test", "The domain nowhere.test does not exist."),
        ("null.test", "The domain null.test declares that it takes no mail."),
        ("silent.test", "The mail hosts cannot be looked up: no name server could answer for silent.test."),
    ],
)
async def test_a_domain_without_hosts_says_why(tmp_path: Path, domain: str, trouble: str) -> None:
    report = await surveyed(tmp_path, domain)
    assert (report.hosts, report.trouble, report.grade) == ((), trouble, None)


async def test_a_domain_that_is_its_own_host_has_no_preference(tmp_path: Path) -> None:
    [host] = (await surveyed(tmp_path, "b.example")).hosts
    assert (host.host, host.preference, host.grade) == ("b.example", 0, Grade.VERIFIED)


async def test_more_hosts_than_a_delivery_asks_are_not_met_and_told(tmp_path: Path) -> None:
    report = await surveyed(tmp_path, "many.test")
    assert (len(report.hosts), report.trouble) == (8, "many.test has more mail hosts than were looked at.")


@pytest.mark.parametrize(
    ("policy", "seen"),
    [
        (NoSts.NONE, StsSeen(state=StsState.ABSENT, reason=NoSts.NONE.value)),
        (StsUnknown("no answer"), StsSeen(state=StsState.UNKNOWN, reason="no answer")),
        (enforced(MX), StsSeen(state=StsState.ENFORCE, id="id7", max_age=timedelta(days=7))),
        (enforced(mode=StsMode.NONE), StsSeen(state=StsState.STOPPED, id="id7", max_age=timedelta(days=7))),
    ],
)
async def test_the_policy_is_shown(tmp_path: Path, policy: StsFacts, seen: StsSeen) -> None:
    assert (await surveyed(tmp_path, "nowhere.test", Known(policy=policy))).sts == seen
