"""MTA-STS policies from a real HTTPS host, resolvers that prove nothing, and hosts that several domains share."""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import pytest

from gateway.app.system import SystemClock
from gateway.core.grade import Grade
from gateway.core.outcome import Declined, Deferred, Proof
from gateway.core.tls import Channel
from gateway.core.tlsrpt import PolicyType, Result
from tests.e2e.trusted_certificates import Shown
from tests.e2e.trusted_client import client
from tests.e2e.trusted_hosts import NEXT_HOP, PLAIN, Case, MailHosts, mail_hosts
from tests.fakes.state import MemoryState
from tests.peers.https_host import HttpsHost, https_host
from tests.peers.signed_dns import name_server
from tests.peers.unbound import Unbound, unbound

pytestmark = [pytest.mark.peer(name) for name in ("postfix", "nsd", "unbound", "root")]

GOOD = Case("good", Shown.GOOD, Grade.ENCRYPTED, domain_in=PLAIN, host_in=PLAIN)
BAD = Case("bad", Shown.SELF_SIGNED, Grade.ENCRYPTED, domain_in=PLAIN, host_in=PLAIN)
MATCH = Case("match", Shown.SELF_SIGNED, Grade.DANE, ("3 1 1 leaf",))
MISMATCH = Case("mismatch", Shown.GOOD, None, ("3 1 1 other",))
ANCHORED = Case("next-hop", Shown.ELSEWHERE, Grade.DANE, ("2 1 1 authority",))
CASES = (GOOD, BAD, MATCH, MISMATCH, ANCHORED)

DOMAIN = "policy.plain.example"
WEB = f"mta-sts.{DOMAIN}"


def policy(mode: str, *hosts: str) -> str:
    return "\n".join(("version: STSv1", f"mode: {mode}", "max_age: 86400", *(f"mx: {host}" for host in hosts), ""))


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Generator[MailHosts]:
    folder: Path = tmp_path_factory.mktemp("policies")
    with mail_hosts(folder, CASES) as running:
        yield running


@contextmanager
def names(hosts: MailHosts, *also: str, anchored: bool = True) -> Generator[Unbound]:
    """The zones of the cases with more lines, and a resolver."""
    with name_server(hosts.zones(CASES, also)) as server, unbound(server, anchored=anchored) as resolver:
        yield resolver


def published(hosts: MailHosts, number: int, mx: Case) -> tuple[str, ...]:
    """The records of a domain with a policy."""
    return (
        f"{DOMAIN}. MX 10 {mx.host}.",
        f'_mta-sts.{DOMAIN}. TXT "v=STSv1; id={number};"',
        f"{WEB}. A {hosts.network}.20",
    )


def web(hosts: MailHosts, text: str | None, *, trusted: bool = True) -> AbstractContextManager[HttpsHost]:
    """The domain's policy host; without a text it has no such file."""
    policies = {} if text is None else {WEB: text}
    return https_host(hosts.certificates.web(WEB, trusted=trusted), f"{hosts.network}.20", policies=policies)


async def test_a_policy_in_force_decides_which_host_gets_mail(hosts: MailHosts) -> None:
    with web(hosts, policy("enforce", GOOD.host)) as server:
        with names(hosts, *published(hosts, 1, GOOD)) as resolver:
            async with client(hosts, resolver) as gateway:
                assert (await gateway.send(DOMAIN)).grade is Grade.MTA_STS
                assert (await gateway.send(DOMAIN)).grade is Grade.MTA_STS
        with names(hosts, *published(hosts, 1, BAD)) as resolver:
            before = await hosts.sessions(BAD.shown)
            async with client(hosts, resolver) as gateway:
                assert isinstance((await gateway.send(DOMAIN)).outcome, Deferred)
            assert await hosts.sessions(BAD.shown) == before
    # Each of the two asked once, though it sent more than one message.
    assert server.asked == [WEB, WEB]


async def test_a_host_with_records_of_its_own_is_no_way_past_a_policy(hosts: MailHosts) -> None:
    """Whoever forges an unsigned MX has a signed zone for its host easily."""
    with web(hosts, policy("enforce", GOOD.host)), names(hosts, *published(hosts, 1, MATCH)) as resolver:
        before = await hosts.sessions(MATCH.shown)
        async with client(hosts, resolver) as gateway:
            for channel in (Channel.PLAIN, Channel.ENCRYPTED, Channel.PKIX):
                assert isinstance((await gateway.send(DOMAIN, channel)).outcome, Deferred)
            failures = [(seen.applied.type, seen.failure) for seen in gateway.seen.sessions]
            assert failures == [(PolicyType.STS, Result.VALIDATION)] * 3
            assert await hosts.sessions(MATCH.shown) == before
            # By a signed name the same host takes the mail of its own domain.
            assert (await gateway.send(MATCH.domain)).grade is Grade.DANE
    with web(hosts, policy("enforce", MATCH.host)), names(hosts, *published(hosts, 1, MATCH)) as resolver:
        async with client(hosts, resolver) as gateway:
            # The certificate is signed by itself: its records decide how it is checked, and the policy names the host.
            assert (await gateway.send(DOMAIN)).grade is Grade.MTA_STS


Broken = Callable[[MailHosts], AbstractContextManager[object]]


def gone(hosts: MailHosts) -> AbstractContextManager[object]:
    return nullcontext()


def without_file(hosts: MailHosts) -> AbstractContextManager[object]:
    return web(hosts, None)


def not_trusted(hosts: MailHosts) -> AbstractContextManager[object]:
    return web(hosts, policy("none"), trusted=False)


def not_a_policy(hosts: MailHosts) -> AbstractContextManager[object]:
    return web(hosts, "mode: none\n")


@pytest.mark.parametrize(
    ("broken", "result"),
    [
        (gone, Result.STS_FETCH),
        (without_file, Result.STS_FETCH),
        (not_trusted, Result.STS_WEBPKI),
        (not_a_policy, Result.STS_INVALID),
    ],
)
async def test_a_policy_outlives_what_is_done_to_its_host_and_a_restart(
    hosts: MailHosts, broken: Broken, result: Result
) -> None:
    state = MemoryState(SystemClock())
    with web(hosts, policy("enforce", GOOD.host)), names(hosts, *published(hosts, 1, GOOD)) as resolver:
        async with client(hosts, resolver, state=state) as gateway:
            assert (await gateway.send(DOMAIN)).grade is Grade.MTA_STS
    before = await hosts.sessions(BAD.shown)
    with broken(hosts), names(hosts, *published(hosts, 2, BAD)) as resolver:
        async with client(hosts, resolver, state=state) as gateway:
            assert isinstance((await gateway.send(DOMAIN)).outcome, Deferred)
            assert result in [seen.failure for seen in gateway.seen.sessions]
        assert await hosts.sessions(BAD.shown) == before
        # Nothing but what is kept stops it: who never saw the policy sends.
        async with client(hosts, resolver) as stranger:
            assert (await stranger.send(DOMAIN)).grade is Grade.ENCRYPTED
    with broken(hosts), names(hosts, *published(hosts, 2, GOOD)) as resolver:
        async with client(hosts, resolver, state=state) as gateway:
            assert (await gateway.send(DOMAIN)).grade is Grade.MTA_STS


async def test_a_new_policy_takes_the_place_of_the_old_one(hosts: MailHosts) -> None:
    state = MemoryState(SystemClock())
    for number, text, grade in (
        (1, policy("enforce", GOOD.host), None),
        (2, policy("none"), Grade.ENCRYPTED),
        (3, policy("enforce", BAD.host), None),
        (4, policy("testing", GOOD.host), Grade.ENCRYPTED),
    ):
        with web(hosts, text), names(hosts, *published(hosts, number, BAD)) as resolver:
            async with client(hosts, resolver, state=state) as gateway:
                sent = await gateway.send(DOMAIN)
                assert sent.grade == grade, (number, sent.outcome)
                assert grade is not None or isinstance(sent.outcome, Deferred)


@pytest.mark.parametrize(("trust_ad", "anchored"), [(False, True), (True, False), (False, False)])
async def test_without_a_resolver_that_proves_anything_mail_goes_by_its_floor(
    hosts: MailHosts, trust_ad: bool, anchored: bool
) -> None:
    with names(hosts, anchored=anchored) as resolver:
        async with client(hosts, resolver, trust_ad=trust_ad) as gateway:
            assert await gateway.network.resolver.validates() is False
            assert (await gateway.send(MATCH.domain)).grade is Grade.ENCRYPTED
            assert (await gateway.send(MISMATCH.domain)).grade is Grade.ENCRYPTED
            assert (await gateway.send(MISMATCH.domain, Channel.PKIX)).grade is Grade.VERIFIED
            refused = (await gateway.send(MATCH.domain, Channel.PKIX)).outcome
            assert isinstance(refused, Declined)
            assert refused.proof is Proof.CERTIFICATE


async def test_domains_that_share_a_host_share_no_verdict_of_its_policy(hosts: MailHosts) -> None:
    records = (*published(hosts, 1, BAD), f"free.plain.example. MX 10 {BAD.host}.")
    with web(hosts, policy("enforce", BAD.host)), names(hosts, *records) as resolver:
        async with client(hosts, resolver) as gateway:
            for _ in range(2):
                assert (await gateway.send("free.plain.example", keep=True)).grade is Grade.ENCRYPTED
                assert isinstance((await gateway.send(DOMAIN, keep=True)).outcome, Deferred)
                checked = await gateway.send("free.plain.example", Channel.PKIX, keep=True)
                assert isinstance(checked.outcome, Declined)


async def test_domains_that_share_a_host_share_no_proof_of_its_name(hosts: MailHosts) -> None:
    unsigned = "unsigned.plain.example"
    with names(hosts, f"{unsigned}. MX 10 {MATCH.host}.") as resolver:
        async with client(hosts, resolver) as gateway:
            for _ in range(2):
                assert (await gateway.send(unsigned, keep=True)).grade is Grade.VERIFIED
                assert (await gateway.send(MATCH.domain, keep=True)).grade is Grade.DANE


async def test_the_name_of_one_domain_in_a_certificate_does_not_serve_another(hosts: MailHosts) -> None:
    other = "other.signed.example"
    with names(hosts, f"{other}. MX 10 {ANCHORED.host}.") as resolver:
        async with client(hosts, resolver) as gateway:
            for _ in range(2):
                assert (await gateway.send(NEXT_HOP, keep=True)).grade is Grade.DANE
                assert isinstance((await gateway.send(other, keep=True)).outcome, Deferred)
