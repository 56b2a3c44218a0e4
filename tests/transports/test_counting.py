"""What TLSRPT hears: each new session by MX, once, with why it failed; nothing of messages."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.core.dane import TlsaFacts, TlsaUnknown
from gateway.core.outcome import Delivered
from gateway.core.sts import NoSts, StsFacts, StsMode
from gateway.core.tls import Channel, Protection
from gateway.core.tlsrpt import Applied, PolicyType, Result
from gateway.net.probe import StarttlsProbe
from gateway.transports.counting import fetches_of
from gateway.transports.smarthost import Smarthost
from tests.fakes import certificates
from tests.fakes.mail_world import HeardSessions, a_delivery, a_route, world
from tests.fakes.mx import OLD_TLS, Script
from tests.transports.trusting import DOMAIN, MX, alone, deliver, heard_no_mail, policy, published

OURS, OTHER = alone(MX), alone(MX)
DANE, STS, NO_POLICY = PolicyType.TLSA, PolicyType.STS, PolicyType.NONE
FOUND = published(OURS)
TESTED = policy(mode=StsMode.TESTING)

# What is published, what the host shows, the policy that it is counted under, and the failure.
CASES: dict[str, tuple[TlsaFacts | None, StsFacts, Callable[[], Script], PolicyType, Result | None]] = {
    "no policy": (None, NoSts.NONE, lambda: Script(tls=OURS.context()), NO_POLICY, None),
    "no TLS": (None, NoSts.NONE, Script, NO_POLICY, Result.NO_STARTTLS),
    "records": (FOUND, NoSts.NONE, lambda: Script(tls=OURS.context()), DANE, None),
    "other records": (FOUND, NoSts.NONE, lambda: Script(tls=OTHER.context()), DANE, Result.TLSA_INVALID),
    "records, no TLS": (FOUND, NoSts.NONE, Script, DANE, Result.NO_STARTTLS),
    "records unknown": (TlsaUnknown("no answer"), NoSts.NONE, Script, DANE, Result.DNSSEC_INVALID),
    "policy": (None, policy(), lambda: Script(tls=certificates.good(MX)), STS, None),
    "policy, expired": (None, policy(), lambda: Script(tls=certificates.expired(MX)), STS, Result.EXPIRED),
    "policy, nobody": (None, policy(), lambda: Script(tls=certificates.untrusted(MX)), STS, Result.NOT_TRUSTED),
    "policy, names": (None, policy(), lambda: Script(tls=certificates.good("x.example")), STS, Result.HOST_MISMATCH),
    "policy, old": (None, policy(), lambda: Script(tls=OURS.context(), answers_hello=OLD_TLS), STS, Result.VALIDATION),
    "policy, no TLS": (None, policy(), Script, STS, Result.NO_STARTTLS),
    "policy, other host": (None, policy("x.example"), Script, STS, Result.VALIDATION),
    "tested": (None, TESTED, lambda: Script(tls=certificates.good(MX)), STS, None),
    "tested, expired": (None, TESTED, lambda: Script(tls=certificates.expired(MX)), STS, Result.EXPIRED),
    "tested, no TLS": (None, TESTED, Script, STS, Result.NO_STARTTLS),
    "tested, other host": (
        None,
        policy("x.example", mode=StsMode.TESTING),
        lambda: Script(tls=certificates.good(MX)),
        STS,
        Result.VALIDATION,
    ),
}


@pytest.mark.parametrize("name", list(CASES))
async def test_an_attempt_is_counted_once_under_the_policy_that_applied(name: str, tmp_path: Path) -> None:
    tlsa, sts, script, kind, failure = CASES[name]
    async with world(tmp_path, {MX: script()}) as at:
        if tlsa is not None:
            at.tlsa.hosts[MX] = tlsa
        at.sts.domains[DOMAIN] = sts
        outcome = await deliver(at)
        (seen,) = at.counted.seen
        assert (seen.domain, seen.host, seen.applied.type, seen.failure) == (DOMAIN, MX, kind, failure)
        assert bool(seen.detail) is (failure is not None)
        if at.hosts[MX].conversations:
            assert seen.address == at.hosts[MX].host
            assert seen.ours.startswith("127.")
        assert "bob" not in repr(seen)
        assert "anna" not in repr(seen)
        if kind is not NO_POLICY and failure is not None and "tested" not in name:
            assert heard_no_mail(at.hosts[MX])
        else:
            # A policy that is tested delays nothing.
            assert isinstance(outcome, Delivered)


async def test_a_host_that_a_tested_policy_leaves_out_is_a_failure_for_protected_mail_too(tmp_path: Path) -> None:
    async with world(tmp_path, {MX: Script(tls=certificates.good(MX))}) as at:
        at.sts.domains[DOMAIN] = policy("x.example", mode=StsMode.TESTING)
        outcome = await deliver(at, floor=Protection.VERIFIED)
        assert isinstance(outcome, Delivered)
        (seen,) = at.counted.seen
        assert (seen.applied.type, seen.failure) == (STS, Result.VALIDATION)
        assert "does not name" in seen.detail


async def test_a_tested_policy_never_changes_what_becomes_of_the_message(tmp_path: Path) -> None:
    async with world(tmp_path, {MX: Script(tls=certificates.expired(MX))}) as at:
        at.sts.domains[DOMAIN] = TESTED
        outcome = await deliver(at, floor=Protection.ENCRYPTED)
        assert isinstance(outcome, Delivered)
        assert outcome.evidence.channel is Channel.ENCRYPTED
        assert len(at.hosts[MX].conversations) == 2
        at.hosts[MX].script = Script(tls=certificates.good(MX))
        await at.network.pool.aclose()
        better = await deliver(at, floor=Protection.ENCRYPTED)
        assert isinstance(better, Delivered)
        assert better.evidence.channel is Channel.PKIX
        assert len(at.hosts[MX].conversations) == 3


@pytest.mark.parametrize("why", ["nobody counts", "report"])
async def test_where_nobody_counts_nothing_is_rehearsed(why: str, tmp_path: Path) -> None:
    async with world(tmp_path, {MX: Script(tls=certificates.expired(MX))}) as at:
        at.sts.domains[DOMAIN] = TESTED
        if why == "nobody counts":
            at.network = at.uncounted()
        assert isinstance(await deliver(at, counted=why == "nobody counts"), Delivered)
        assert len(at.hosts[MX].conversations) == 1
        assert at.counted.seen == []


async def test_kept_sessions_probes_and_hosts_of_our_own_are_not_counted(tmp_path: Path) -> None:
    async with world(tmp_path, {MX: Script(tls=certificates.good(MX))}) as at:
        network, port = at.network, at.network.options.mx.port
        assert isinstance(await deliver(at), Delivered)
        assert isinstance(await deliver(at), Delivered)
        assert len(at.counted.seen) == 1
        await StarttlsProbe(destinations=network.destinations, dialler=network.dialler, port=port).look_up(DOMAIN)
        route = a_route(name="relay")
        await Smarthost(route, Smarthost.Options(host=f"{MX}:{port}"), network).deliver(a_delivery(route, "x.test"))
        await deliver(at, f"[{at.hosts[MX].host}]")
        assert len(at.counted.seen) == 1
        assert len(at.hosts[MX].conversations) > 2


async def test_a_host_that_cannot_be_reached_had_no_session(tmp_path: Path) -> None:
    async with world(tmp_path, {MX: Script(replies={"connect": "554 no"})}) as at:
        await deliver(at)
        assert at.counted.seen == []


def test_a_policy_that_could_not_be_fetched_is_a_failure_without_a_session() -> None:
    heard = HeardSessions()
    fetches_of(heard)("x.example", Result.STS_WEBPKI, "the certificate of mta-sts.x.example is not valid")
    (seen,) = heard.seen
    assert (seen.domain, seen.host, seen.failure) == ("x.example", "", Result.STS_WEBPKI)
    assert seen.applied == Applied(STS, "x.example")
    assert seen.detail == "the certificate of mta-sts.x.example is not valid."
