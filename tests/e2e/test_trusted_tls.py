"""DANE against real hosts, a real name server and a real resolver: the gateway, Postfix and OpenSSL are of one opinion.

Each program is asked about each case by itself, so that a difference says whose opinion it is.
"""

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.core.grade import Grade
from gateway.core.outcome import Deferred
from gateway.core.tlsrpt import PolicyType, Result
from tests.e2e.trusted_cases import CASES
from tests.e2e.trusted_certificates import Shown
from tests.e2e.trusted_client import client
from tests.e2e.trusted_hosts import EXPIRED, PLAIN, Case, MailHosts, mail_hosts
from tests.peers.finger import Verdict, posttls_finger, s_client
from tests.peers.signed_dns import name_server
from tests.peers.unbound import Unbound, unbound

pytestmark = [pytest.mark.peer(name) for name in ("postfix", "nsd", "unbound", "root")]

VERDICTS = {
    Grade.DANE: Verdict.VERIFIED,
    Grade.VERIFIED: Verdict.TRUSTED,
    Grade.ENCRYPTED: Verdict.ENCRYPTED,
    Grade.PLAIN: Verdict.PLAIN,
    None: Verdict.NOTHING,
}


@dataclass(frozen=True, slots=True)
class Lab:
    """All that runs for this file."""

    hosts: MailHosts
    resolver: Unbound


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Generator[Lab]:
    folder: Path = tmp_path_factory.mktemp("trusted")
    with (
        mail_hosts(folder, CASES) as hosts,
        name_server(hosts.zones(CASES)) as server,
        unbound(server) as resolver,
    ):
        yield Lab(hosts, resolver)


def named(case: Case) -> str:
    return case.name


def judged_by_openssl(case: Case) -> bool:
    """It judges certificates by records that are believed; where there are none to believe it has no opinion."""
    believed = bool(case.tlsa) and not case.forged and EXPIRED not in (case.domain_in, case.host_in)
    return believed and case.shown is not Shown.NO_TLS and case.grade in (None, Grade.DANE, Grade.VERIFIED)


@pytest.mark.peer("posttls-finger")
@pytest.mark.parametrize("case", CASES, ids=named)
def test_postfix_is_of_this_opinion(lab: Lab, case: Case) -> None:
    said = posttls_finger(case.domain, lab.hosts.port, lab.resolver)
    assert said.verdict is VERDICTS[case.grade], said.output


@pytest.mark.peer("openssl")
@pytest.mark.parametrize("case", list(filter(judged_by_openssl, CASES)), ids=named)
def test_openssl_is_of_this_opinion(lab: Lab, case: Case) -> None:
    records = [lab.hosts.certificates.record(text, case.shown) for text in case.tlsa]
    # RFC 7672 section 3.2.2: the name of the domain counts where its MX record is signed.
    names = [case.base] if case.domain_in == PLAIN else [case.base, case.domain]
    said = s_client(lab.hosts.address(case.shown), lab.hosts.port, names, records)
    assert said.verdict is (Verdict.NOTHING if case.grade is None else Verdict.VERIFIED), said.output


@pytest.mark.parametrize("case", CASES, ids=named)
async def test_the_gateway_is_of_this_opinion(lab: Lab, case: Case) -> None:
    before = len(await lab.hosts.sessions(case.shown))
    async with client(lab.hosts, lab.resolver) as gateway:
        sent = await gateway.send(case.domain)
    said = " ".join((await lab.hosts.sessions(case.shown))[before:])
    if case.grade is None:
        assert isinstance(sent.outcome, Deferred), sent.outcome
        assert "mail=" not in said
    else:
        assert sent.grade == case.grade, sent.outcome
        assert "mail=1 rcpt=1" in said
        await lab.hosts.arrived(sent.token)


@pytest.mark.parametrize(
    ("name", "failure"),
    [
        ("ta-key", None),
        ("ee-other-key", Result.TLSA_INVALID),
        ("ta-wrong-name", Result.HOST_MISMATCH),
        ("ta-expired", Result.EXPIRED),
        ("ta-other", Result.NOT_TRUSTED),
        ("without-tls", Result.NO_STARTTLS),
        ("forged-records", Result.DNSSEC_INVALID),
    ],
)
async def test_each_attempt_is_counted_once_under_the_name_that_reports_give_it(
    lab: Lab, name: str, failure: Result | None
) -> None:
    async with client(lab.hosts, lab.resolver) as gateway:
        await gateway.send(f"{name}.signed.example")
    (seen,) = gateway.seen.sessions
    assert (seen.domain, seen.applied.type) == (f"{name}.signed.example", PolicyType.TLSA)
    assert seen.failure is failure


@pytest.mark.parametrize("name", ["forged-records", "bogus-host", "bogus-domain"])
async def test_a_host_that_dns_cannot_prove_is_not_even_connected_to(lab: Lab, name: str) -> None:
    (case,) = [case for case in CASES if case.name == name]
    before = await lab.hosts.sessions(case.shown)
    async with client(lab.hosts, lab.resolver) as gateway:
        assert isinstance((await gateway.send(case.domain)).outcome, Deferred)
        assert await lab.hosts.sessions(case.shown) == before
        # What is next to it is reached.
        assert (await gateway.send("ee-certificate.signed.example")).grade is Grade.DANE
    assert len(await lab.hosts.sessions(case.shown)) > len(before)
