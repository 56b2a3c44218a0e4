"""Opening a session: the cases that no delivery shows."""

from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest

from gateway.core.check import Check
from gateway.core.outcome import Alarm, Cause, Declined, Deferred
from gateway.core.reply import MAX_SHOWN, Status
from gateway.core.tls import PLAIN_AFTER, Channel, MxAuth, Starttls
from gateway.net.dial import Opened
from gateway.net.smtp_session import Endpoint, Login, Session
from gateway.net.terms import Terms, looking
from gateway.net.timeouts import Timeouts
from gateway.net.tls import HandshakeFailure
from gateway.wire.errors import LocalProtocolError, RemoteProtocolError
from tests.fakes import certificates
from tests.fakes.mail_world import World, terms_of, world
from tests.fakes.mx import OLD_TLS, Script

MX = "mx.example"
MAY = terms_of(Channel.PLAIN, waited=PLAIN_AFTER)
VERIFY = terms_of(Channel.PKIX, waited=PLAIN_AFTER)
BROKEN = Script(offers=("STARTTLS",), replies={"STARTTLS": "454 not now"})


async def dial(at: World, terms: Terms, *, login: Login | None = None) -> Opened:
    host = at.hosts[MX]
    endpoint = Endpoint(realm="", host=MX, port=host.port, login=login)
    return await at.network.dialler.open(endpoint, ip_address(host.host), terms)


async def test_a_connection_that_is_not_made_in_time_is_no_session(tmp_path: Path) -> None:
    async with world(tmp_path, {MX: Script()}) as at:
        dialler = replace(at.network.dialler, timeouts=Timeouts(connect=timedelta(0)))
        endpoint = Endpoint(realm="", host=MX, port=at.hosts[MX].port)
        outcome = await dialler.open(endpoint, ip_address(at.hosts[MX].host), MAY)
        assert isinstance(outcome, Deferred)
        assert outcome.cause is Cause.UNREACHABLE
        assert "no answer within 0 s" in outcome.detail
        assert at.network.dialler.memory.last(MX) is Starttls.UNKNOWN


@pytest.mark.parametrize(
    ("second", "cause"),
    [
        (Script(replies={"connect": "421 busy"}), Cause.REPLY_4XX),
        (Script(replies={"EHLO": "554 no", "HELO": "554 no"}), Cause.UNREACHABLE),
        (Script(closes_at="EHLO"), Cause.UNREACHABLE),
    ],
)
async def test_clear_text_after_a_broken_handshake_can_fail_as_any_other(
    second: Script, cause: Cause, tmp_path: Path
) -> None:
    async with world(tmp_path, {MX: second}) as at:
        at.hosts[MX].first = [BROKEN]
        outcome = await dial(at, MAY)
        assert isinstance(outcome, Deferred)
        assert outcome.cause is cause
        assert len(at.hosts[MX].conversations) == 2


@pytest.mark.parametrize(
    ("step", "early", "cause"),
    [
        ("connect", "220 mx.test\r\n250 mx.test", Cause.UNREACHABLE),
        ("EHLO in TLS", "554 no\r\n250 mx.test", Cause.PROTECTION),
    ],
)
async def test_a_host_that_answers_before_it_is_asked_is_no_session(
    step: str, early: str, cause: Cause, tmp_path: Path
) -> None:
    async with world(tmp_path, {MX: Script(tls=certificates.good(MX), replies={step: early})}) as at:
        outcome = await dial(at, VERIFY)
        assert isinstance(outcome, Deferred)
        assert outcome.cause is cause
        assert "before it was asked" in outcome.detail


async def test_clear_text_after_a_broken_handshake_does_not_ask_for_tls_again(tmp_path: Path) -> None:
    async with world(tmp_path, {MX: BROKEN}) as at:
        session = await dial(at, MAY)
        assert isinstance(session, Session)
        assert session.channel is Channel.PLAIN
        assert not session.reusable
        assert at.hosts[MX].said().count(b"STARTTLS") == 1
        session.end()


async def test_a_host_that_is_gone_when_its_certificate_is_looked_at_is_declined_all_the_same(tmp_path: Path) -> None:
    async with world(tmp_path, {MX: Script(replies={"connect": "421 busy"})}) as at:
        at.hosts[MX].first = [Script(tls=certificates.expired(MX))]
        outcome = await dial(at, VERIFY)
        assert isinstance(outcome, Declined)
        assert outcome.detail == f"The certificate of {MX} expired."
        assert outcome.evidence is not None
        assert outcome.evidence.tls_version is None


async def test_what_was_offered_before_tls_is_forgotten(tmp_path: Path) -> None:
    script = Script(tls=certificates.good(MX), replies={"EHLO in TLS": "250-mx\r\n250 SIZE 5"})
    async with world(tmp_path, {MX: script}) as at:
        session = await dial(at, VERIFY)
        assert isinstance(session, Session)
        assert session.capabilities.size_limit == 5
        assert not session.capabilities.pipelining
        session.end()


async def test_a_password_is_never_said_in_clear(tmp_path: Path) -> None:
    async with world(tmp_path, {MX: Script(extensions=("AUTH PLAIN",))}) as at:
        with pytest.raises(LocalProtocolError):
            await dial(at, MAY, login=Login("user", "secret"))
        assert b"AUTH" not in at.hosts[MX].said()
        assert "secret" not in repr(Login("user", "secret"))


@pytest.mark.parametrize(
    ("script", "known"),
    [
        (Script(), Starttls.NO),
        (Script(offers=("XXXXXXXA",)), Starttls.UNKNOWN),
        (Script(replies={"EHLO": "500 what"}), Starttls.UNKNOWN),
        (BROKEN, Starttls.UNKNOWN),
        (Script(replies={"connect": "421 busy"}), Starttls.UNKNOWN),
    ],
)
async def test_each_attempt_teaches_the_memory(script: Script, known: Starttls, tmp_path: Path) -> None:
    async with world(tmp_path, {MX: script}) as at:
        opened = await dial(at, VERIFY)
        assert not isinstance(opened, Session)
        assert at.network.dialler.memory.last(MX) is known


async def test_who_only_answers_helo_has_not_said_what_it_offers(tmp_path: Path) -> None:
    async with world(tmp_path, {MX: Script(tls=certificates.good(MX), replies={"EHLO": "500 what"})}) as at:
        waits = await dial(at, VERIFY)
        assert isinstance(waits, Deferred)
        assert (waits.cause, waits.status, waits.alarm) == (Cause.PROTECTION, Status(4, 7, 4), None)
        assert waits.detail.endswith(" refused EHLO, so that it did not say whether it offers STARTTLS.")
        # Who wants no TLS is served as ever.
        session = await dial(at, MAY)
        assert isinstance(session, Session)
        assert session.channel is Channel.PLAIN
        session.end()
        # One that is known to have TLS has lost it, whatever it answers.
        at.network.dialler.memory.note(MX, Starttls.YES)
        lost = await dial(at, VERIFY)
        assert isinstance(lost, Deferred)
        assert lost.alarm is Alarm.TLS_LOST


async def test_a_connection_that_looks_at_a_certificate_is_ended_whatever_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(tmp_path, {MX: Script(tls=certificates.expired(MX))}) as at:

        def surprise(failure: HandshakeFailure, session: Session, terms: Terms) -> Deferred:
            seen.append(session)
            raise RuntimeError("nobody thought of this one")

        seen: list[Session] = []
        monkeypatch.setattr("gateway.net.dial.bad_certificate", surprise)
        with pytest.raises(RuntimeError, match="nobody"):
            await dial(at, VERIFY)
        (looked,) = seen
        with pytest.raises(RemoteProtocolError):
            looked.connection.send(b"NOOP\r\n")
            await looked.connection.reply(timedelta(seconds=10))
        assert len(at.hosts[MX].conversations) == 2


async def test_a_refusal_is_told_in_a_few_words_however_many_it_has(tmp_path: Path) -> None:
    long = "\r\n".join(["554-" + "go away " * 60] * 49 + ["554 now"])
    async with world(tmp_path, {MX: Script(replies={"connect": long})}) as at:
        refused = await dial(at, MAY)
        assert isinstance(refused, Deferred)
        assert "554 go away go away" in refused.detail
        assert len(refused.detail) < 2 * MAX_SHOWN
        assert refused.remote is not None
        assert len(refused.remote.reply.lines) == 50


async def test_a_completed_handshake_is_remembered_even_where_the_certificate_was_refused(tmp_path: Path) -> None:
    async with world(tmp_path, {MX: Script(tls=certificates.expired(MX))}) as at:
        assert isinstance(await dial(at, VERIFY), Declined)
        assert at.network.dialler.memory.last(MX) is Starttls.YES


@pytest.mark.parametrize(("known", "kind"), [(Starttls.YES, Deferred), (Starttls.UNKNOWN, Declined)])
async def test_old_tls_proves_nothing_at_a_host_that_showed_better(
    known: Starttls, kind: type[Deferred | Declined], tmp_path: Path
) -> None:
    async with world(tmp_path, {MX: Script(tls=certificates.good(MX), answers_hello=OLD_TLS)}) as at:
        at.network.dialler.memory.note(MX, known)
        assert isinstance(await dial(at, VERIFY), kind)
        assert b"MAIL" not in at.hosts[MX].said()


NAMED = Check(sni=MX, names=(MX,))


@pytest.mark.parametrize(
    ("opened_for", "claimed", "channel"),
    [
        (Check(sni=MX), NAMED, Channel.ENCRYPTED),
        (Check(sni=MX), Check(sni=MX, names=("mail.partner.example",)), Channel.ENCRYPTED),
        (Check(sni=MX), replace(NAMED, pins=frozenset({"00" * 32})), Channel.ENCRYPTED),
        (NAMED, Check(sni="mx.other.example", names=("mx.other.example",)), Channel.ENCRYPTED),
        (NAMED, NAMED, Channel.PKIX),
        (NAMED, None, Channel.ENCRYPTED),
    ],
)
async def test_a_session_is_no_more_than_its_own_handshake_verified(
    opened_for: Check, claimed: Check | None, channel: Channel, tmp_path: Path
) -> None:
    async with world(tmp_path, {MX: Script(tls=certificates.good(MX))}) as at:
        session = await dial(at, terms_of(Channel.ENCRYPTED, check=opened_for))
        assert isinstance(session, Session)
        session.check = claimed
        assert session.channel is channel
        session.end()


async def test_who_only_looks_gets_a_session_that_nobody_checked(tmp_path: Path) -> None:
    async with world(tmp_path, {MX: Script(tls=certificates.expired(MX))}) as at:
        session = await dial(at, looking(MX, "the test"))
        assert isinstance(session, Session)
        evidence = session.evidence(looking(MX, "the test"))
        assert (evidence.channel, evidence.how) == (Channel.ENCRYPTED, "certificate not checked")
        assert evidence.not_after == certificates.EXPIRED_ON
        session.end()


async def test_the_evidence_says_how_the_name_is_known_for_each_domain(tmp_path: Path) -> None:
    async with world(tmp_path, {MX: Script(tls=certificates.good(MX))}) as at:
        session = await dial(at, VERIFY)
        assert isinstance(session, Session)
        known = [session.evidence(terms_of(Channel.PKIX, known=mx)).mx for mx in (*MxAuth, *MxAuth)]
        assert known == [*MxAuth, *MxAuth]
        session.end()
