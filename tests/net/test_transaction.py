"""One transaction: what is said, what comes of each recipient, and what is never said."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path

import pytest

from gateway.core.check import Check
from gateway.core.dane import Tlsa
from gateway.core.envelope import BodyType, Notify, Ret
from gateway.core.outcome import Cause, Deferred, Delivered, Failed, Outcome
from gateway.core.record import BodyRef
from gateway.core.reply import Status
from gateway.core.tls import Channel, MxAuth
from gateway.flow.ports import Delivery
from gateway.net.smtp_session import Endpoint, Session
from gateway.net.terms import Terms
from gateway.net.transaction import Gone, Job, transact
from gateway.wire.errors import LocalProtocolError
from tests.fakes import certificates
from tests.fakes.mail_world import BODY, HEADER, World, a_delivery, a_route, terms_of, world
from tests.fakes.mx import OFFERS, Script

MX = "mx.example"
ANY = terms_of(Channel.PLAIN)


@asynccontextmanager
async def open_session(folder: Path, script: Script, terms: Terms = ANY) -> AsyncGenerator[tuple[Session, World]]:
    async with world(folder, {MX: script}) as at:
        host = at.hosts[MX]
        endpoint = Endpoint(realm="", host=MX, port=host.port)
        session = await at.network.dialler.open(endpoint, ip_address(host.host), terms)
        assert isinstance(session, Session)
        try:
            yield session, at
        finally:
            session.end()


def job(
    at: World, delivery: Delivery | None = None, *, recipients: tuple[str, ...] = ("bob",), terms: Terms = ANY
) -> Job:
    delivery = delivery or a_delivery(a_route(), f"{MX}.test", recipients=recipients)
    return Job(delivery=delivery, targets=delivery.targets, terms=terms, bodies=at.bodies)


async def outcomes_of(session: Session, a_job: Job) -> list[Outcome]:
    result = await transact(session, a_job)
    assert not isinstance(result, Gone)
    assert sorted(result) == [target.number for target in a_job.targets]
    return [result[number] for number in sorted(result)]


async def outcome_of(session: Session, a_job: Job) -> Outcome:
    (outcome,) = await outcomes_of(session, a_job)
    return outcome


# The gate.


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("channel", Channel)
@pytest.mark.parametrize("mx", [MxAuth.NONE, MxAuth.DNSSEC])
async def test_no_session_below_the_terms_ever_hears_mail(
    tls: bool, channel: Channel, mx: MxAuth, tmp_path: Path
) -> None:
    script = Script(tls=certificates.good(MX)) if tls else Script()
    async with open_session(tmp_path, script) as (session, at):
        terms = terms_of(channel, check=Check(sni=MX), wanted=mx)
        if mx is MxAuth.NONE and channel <= (Channel.ENCRYPTED if tls else Channel.PLAIN):
            assert isinstance(await outcome_of(session, job(at, terms=terms)), Delivered)
        else:
            with pytest.raises(LocalProtocolError):
                await transact(session, job(at, terms=terms))
            session.end()
            assert b"MAIL" not in at.hosts[MX].said()


CHECKS = {
    "nothing": Check(sni=MX),
    "its name": Check(sni=MX, names=(MX,)),
    "another name": Check(sni=MX, names=("mail.partner.example",)),
    "another authority": Check(sni=MX, names=(MX,), authorities="partner.pem"),
    "a key": Check(sni=MX, pins=frozenset({"00" * 32})),
    "records": Check(sni=MX, tlsa=(Tlsa(3, 1, 1, bytes(32)),)),
    "records as they were": Check(sni=MX, tlsa=(Tlsa(3, 1, 1, bytes(31) + b"1"),)),
}


@pytest.mark.parametrize("held", list(CHECKS))
@pytest.mark.parametrize("wanted", list(CHECKS))
@pytest.mark.parametrize("own", [Channel.ENCRYPTED, Channel.PKIX])
async def test_a_certificate_counts_only_for_what_it_was_judged_by(
    held: str, wanted: str, own: Channel, tmp_path: Path
) -> None:
    async with open_session(tmp_path, Script(tls=certificates.good(MX)), terms_of(Channel.PKIX)) as (session, at):
        session.check = CHECKS[held]
        check = CHECKS[wanted]
        terms = terms_of(Channel.ENCRYPTED, own=own, check=check)
        if wanted in ("nothing", held):
            assert isinstance(await outcome_of(session, job(at, terms=terms)), Delivered)
        else:
            with pytest.raises(LocalProtocolError):
                await transact(session, job(at, terms=terms))
            session.end()
            assert b"MAIL" not in at.hosts[MX].said()


# REQUIRETLS.

TAKES_IT = (*OFFERS, "REQUIRETLS")


@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize("offered", [True, False])
@pytest.mark.parametrize("tls", [True, False])
async def test_requiretls_is_said_where_it_is_asked_for_and_offered_inside_tls(
    tls: bool, offered: bool, asked: bool, tmp_path: Path
) -> None:
    script = Script(tls=certificates.good(MX) if tls else None, extensions=TAKES_IT if offered else OFFERS)
    async with open_session(tmp_path, script) as (session, at):
        delivery = a_delivery(a_route(), f"{MX}.test", require_tls=asked)
        assert isinstance(await outcome_of(session, job(at, delivery)), Delivered)
        said = at.hosts[MX].received[0].mail.split()
        assert ("REQUIRETLS" in said) is (tls and offered and asked)


@pytest.mark.parametrize(("tls", "offered"), [(True, False), (False, True)])
async def test_where_requiretls_is_a_must_no_other_session_ever_hears_mail(
    tls: bool, offered: bool, tmp_path: Path
) -> None:
    script = Script(tls=certificates.good(MX) if tls else None, extensions=TAKES_IT if offered else OFFERS)
    async with open_session(tmp_path, script) as (session, at):
        delivery = a_delivery(a_route(), f"{MX}.test", require_tls=True)
        with pytest.raises(LocalProtocolError):
            await transact(session, job(at, delivery, terms=terms_of(Channel.PLAIN, offers_require_tls=True)))
        session.end()
        assert b"MAIL" not in at.hosts[MX].said()


# What is said.


async def test_the_envelope_goes_out_in_one_write_where_pipelining_is_offered(tmp_path: Path) -> None:
    async with open_session(tmp_path, Script()) as (session, at):
        sent: list[bytes] = []
        send = session.connection.send
        session.connection.send = lambda data: (sent.append(data), send(data))[1]
        await outcomes_of(session, job(at, recipients=("bob", "eve")))
        assert [piece.count(b"\r\n") for piece in sent][:1] == [4]
        assert len(sent) == 2


async def test_commands_wait_for_each_other_where_it_is_not(tmp_path: Path) -> None:
    offers = tuple(offer for offer in OFFERS if offer != "PIPELINING")
    async with open_session(tmp_path, Script(extensions=offers)) as (session, at):
        sent: list[bytes] = []
        send = session.connection.send
        session.connection.send = lambda data: (sent.append(data), send(data))[1]
        outcomes = await outcomes_of(session, job(at, recipients=("bob", "eve")))
        assert [type(outcome) for outcome in outcomes] == [Delivered, Delivered]
        assert [piece[:4] for piece in sent[:4]] == [b"MAIL", b"RCPT", b"RCPT", b"DATA"]


async def test_parameters_are_said_to_a_peer_that_knows_them(tmp_path: Path) -> None:
    async with open_session(tmp_path, Script()) as (session, at):
        delivery = a_delivery(
            a_route(), f"{MX}.test", body_type=BodyType.EIGHT_BIT, smtputf8=True, ret=Ret.HDRS, envid="e1"
        )
        recipient = replace(delivery.targets[0].recipient, notify=frozenset({Notify.NEVER}), orcpt="rfc822;b@c")
        delivery = replace(delivery, targets=(replace(delivery.targets[0], recipient=recipient),))
        outcome = await outcome_of(session, job(at, delivery))
        assert isinstance(outcome, Delivered)
        assert outcome.relayed_dsn
        size = len(HEADER) + len(BODY)
        (message,) = at.hosts[MX].received
        assert message.mail == (
            f"MAIL FROM:<anna@council.example> SIZE={size} BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=e1"
        )
        assert message.rcpts == (f"RCPT TO:<bob@{MX}.test> NOTIFY=NEVER ORCPT=rfc822;b@c",)


async def test_dsn_wishes_are_not_relayed_to_a_peer_without_dsn(tmp_path: Path) -> None:
    async with open_session(tmp_path, Script(extensions=("PIPELINING",))) as (session, at):
        outcome = await outcome_of(session, job(at, a_delivery(a_route(), f"{MX}.test", ret=Ret.FULL, envid="e1")))
        assert isinstance(outcome, Delivered)
        assert not outcome.relayed_dsn
        assert at.hosts[MX].received[0].mail == "MAIL FROM:<anna@council.example>"


# Recipients.


async def test_each_recipient_gets_its_own_outcome(tmp_path: Path) -> None:
    domain = f"{MX}.test"
    replies = {
        f"RCPT no@{domain}": "550 5.1.1 who",
        f"RCPT later@{domain}": "450 4.2.1 greylisted",
        f"RCPT many@{domain}": "552 5.2.2 full",
        f"RCPT odd@{domain}": "552 too many",
        f"RCPT bare@{domain}": "550 no status",
    }
    async with open_session(tmp_path, Script(replies=replies)) as (session, at):
        names = ("yes", "no", "later", "many", "odd", "bare", "also")
        yes, no, later, many, odd, bare, also = await outcomes_of(session, job(at, recipients=names))
        assert isinstance(yes, Delivered)
        assert isinstance(also, Delivered)
        assert isinstance(no, Failed)
        assert no.status == Status(5, 1, 1)
        assert isinstance(later, Deferred)
        assert (later.cause, later.status) == (Cause.REPLY_4XX, Status(4, 2, 1))
        assert isinstance(many, Deferred)
        assert (many.cause, many.status) == (Cause.REPLY_4XX, Status(4, 2, 2))
        assert isinstance(odd, Deferred)
        assert odd.status == Status(4, 5, 3)
        assert odd.remote is not None
        assert odd.remote.reply.code == 552
        assert isinstance(bare, Failed)
        assert bare.status == Status(5, 0, 0)
        assert len(at.hosts[MX].received[0].rcpts) == 2
        assert session.reusable


async def test_when_every_recipient_is_refused_nothing_is_sent_even_if_the_server_asks_for_it(tmp_path: Path) -> None:
    async with open_session(tmp_path, Script(replies={"RCPT": "550 5.1.1 no", "DATA": "354 go"})) as (session, at):
        outcomes = await outcomes_of(session, job(at, recipients=("a", "b")))
        assert [type(outcome) for outcome in outcomes] == [Failed, Failed]
        assert not session.reusable
        session.end()
        assert b"Hello" not in at.hosts[MX].said()


async def test_421_at_a_recipient_defers_it_and_the_rest_but_not_what_was_refused(tmp_path: Path) -> None:
    domain = f"{MX}.test"
    replies = {f"RCPT no@{domain}": "550 5.1.1 who", f"RCPT busy@{domain}": "421 4.3.2 closing"}
    async with open_session(tmp_path, Script(replies=replies)) as (session, at):
        yes, no, busy, last = await outcomes_of(session, job(at, recipients=("yes", "no", "busy", "last")))
        assert isinstance(no, Failed)
        for outcome in (yes, busy, last):
            assert isinstance(outcome, Deferred)
            assert outcome.cause is Cause.REPLY_4XX
        assert not session.reusable


# Replies to MAIL, DATA and the message.


@pytest.mark.parametrize("step", ["MAIL", "DATA", "."])
@pytest.mark.parametrize(
    ("answer", "kind", "status"),
    [
        ("452 4.3.1 full", Deferred, Status(4, 3, 1)),
        ("554 5.7.1 spam", Failed, Status(5, 7, 1)),
        ("550 no", Failed, Status(5, 0, 0)),
        ("451 no", Deferred, Status(4, 0, 0)),
    ],
)
async def test_a_refusal_counts_for_all_recipients(
    step: str, answer: str, kind: type[Outcome], status: Status, tmp_path: Path
) -> None:
    async with open_session(tmp_path, Script(replies={step: answer})) as (session, at):
        outcomes = await outcomes_of(session, job(at, recipients=("a", "b")))
        for outcome in outcomes:
            assert type(outcome) is kind
            assert isinstance(outcome, Deferred | Failed)
            assert outcome.status == status
            assert outcome.evidence is not None
            assert outcome.remote is not None
            if isinstance(outcome, Deferred):
                assert outcome.cause is Cause.REPLY_4XX
        assert session.reusable is (step == ".")
        assert at.hosts[MX].received == []


@pytest.mark.parametrize(
    ("script", "cause"),
    [
        (Script(closes_at="RCPT"), Cause.UNREACHABLE),
        (Script(silent_at="RCPT"), Cause.UNREACHABLE),
        (Script(silent_at="DATA"), Cause.UNREACHABLE),
        (Script(closes_at="DATA"), Cause.UNREACHABLE),
        (Script(replies={"RCPT": "354 odd"}), Cause.UNREACHABLE),
        (Script(replies={"MAIL": "334 odd"}), Cause.UNREACHABLE),
        (Script(replies={"DATA": "250 odd"}), Cause.UNREACHABLE),
        (Script(replies={"DATA": "what?"}), Cause.UNREACHABLE),
        (Script(closes_at="."), Cause.MAYBE),
        (Script(silent_at="."), Cause.MAYBE),
        (Script(replies={".": "what?"}), Cause.MAYBE),
        (Script(replies={".": "354 more"}), Cause.MAYBE),
        (Script(replies={".": "421 4.3.2 closing"}), Cause.REPLY_4XX),
    ],
)
async def test_a_session_that_breaks_defers_and_says_maybe_only_behind_the_dot(
    script: Script, cause: Cause, tmp_path: Path
) -> None:
    async with open_session(tmp_path, script) as (session, at):
        outcome = await outcome_of(session, job(at))
        assert isinstance(outcome, Deferred)
        assert outcome.cause is cause
        assert outcome.evidence is not None
        assert not session.reusable
        assert at.hosts[MX].received == []


@pytest.mark.parametrize(
    "script", [Script(closes_at="MAIL"), Script(silent_at="MAIL"), Script(replies={"MAIL": "421 4.3.2 bye"})]
)
async def test_a_session_that_ends_before_mail_is_answered_says_nothing_about_the_message(
    script: Script, tmp_path: Path
) -> None:
    async with open_session(tmp_path, script) as (session, at):
        result = await transact(session, job(at))
        assert isinstance(result, Gone)
        assert (result.reply is not None) == ("MAIL" in script.replies)
        assert not session.reusable


@pytest.mark.parametrize(
    ("answer", "kind"), [("250 2.0.0 fine", Deferred), ("354 go", Deferred), ("554 5.7.1 not you", Failed)]
)
async def test_a_yes_before_the_message_is_no_delivery(answer: str, kind: type[Outcome], tmp_path: Path) -> None:
    async with open_session(tmp_path, Script(replies={"DATA": f"354 go\r\n{answer}"})) as (session, at):
        outcome = await outcome_of(session, job(at))
        assert type(outcome) is kind
        if isinstance(outcome, Deferred):
            assert outcome.cause is Cause.UNREACHABLE
        assert not session.reusable
        session.end()
        assert b"Hello" not in at.hosts[MX].said()


# Large messages.


def stored(at: World, message: bytes) -> BodyRef:
    at.bodies.bodies["large"] = message
    return BodyRef(size=len(message), sha256=sha256(message).hexdigest(), path="large")


LARGE = b"OLD:" + (b"." + b"x" * 75 + b"\r\n") * 20_000


@pytest.mark.parametrize("block", [65_536, 78, 1_000])
async def test_a_large_message_is_streamed_unchanged(block: int, tmp_path: Path) -> None:
    async with open_session(tmp_path, Script(tls=certificates.good(MX))) as (session, at):
        at.bodies.block = block
        large = LARGE if block > 100 else LARGE[: 4 + 78 * 100]
        outcome = await outcome_of(session, job(at, a_delivery(a_route(), f"{MX}.test", body=stored(at, large))))
        assert isinstance(outcome, Delivered)
        (message,) = at.hosts[MX].received
        assert message.data.replace(b"\r\n..", b"\r\n.") == HEADER + large[4:]
        assert session.reusable


@pytest.mark.parametrize(
    ("answer", "kind", "cause"),
    [
        ("421 4.3.2 closing", Deferred, Cause.REPLY_4XX),
        ("552 5.3.4 too big", Failed, None),
        ("250 2.0.0 fine already", Deferred, Cause.UNREACHABLE),
    ],
)
async def test_an_answer_in_mid_message_ends_it_there(
    answer: str, kind: type[Outcome], cause: Cause | None, tmp_path: Path
) -> None:
    async with open_session(tmp_path, Script(replies={"body": answer})) as (session, at):
        body = stored(at, LARGE * 4)
        outcome = await outcome_of(session, job(at, a_delivery(a_route(), f"{MX}.test", body=body)))
        assert type(outcome) is kind
        if isinstance(outcome, Deferred):
            assert outcome.cause is cause
        assert not session.reusable
        assert sum(at.bodies.given) < len(LARGE) * 4
        assert not at.hosts[MX].said().endswith(b"\r\n.\r\n")


@pytest.mark.parametrize("how", ["silent_at", "closes_at"])
async def test_a_server_that_stops_reading_is_left_in_time_and_the_message_was_not_taken(
    how: str, tmp_path: Path
) -> None:
    script = Script(silent_at="body") if how == "silent_at" else Script(closes_at="body")
    async with open_session(tmp_path, script) as (session, at):
        body = stored(at, LARGE * 10)
        outcome = await outcome_of(session, job(at, a_delivery(a_route(), f"{MX}.test", body=body)))
        assert isinstance(outcome, Deferred)
        assert outcome.cause is Cause.UNREACHABLE
        # What was read from the store waits in buffers of a fixed size, not in memory as a whole.
        assert sum(at.bodies.given) < len(LARGE) * 10


async def test_a_store_that_breaks_is_our_fault_and_the_message_is_not_ended(tmp_path: Path) -> None:
    async with open_session(tmp_path, Script()) as (session, at):
        at.bodies.fails_after = 2
        outcome = await outcome_of(session, job(at, a_delivery(a_route(), f"{MX}.test", body=stored(at, LARGE))))
        assert isinstance(outcome, Deferred)
        assert (outcome.cause, outcome.status) == (Cause.LOCAL, Status(4, 3, 0))
        assert "disk" not in outcome.detail
        assert not session.reusable
        session.end()
        assert at.hosts[MX].received == []


async def test_an_address_that_needs_smtputf8_asks_for_it(tmp_path: Path) -> None:
    async with open_session(tmp_path, Script()) as (session, at):
        outcome = await outcome_of(session, job(at, recipients=("jürgen",)))
        assert isinstance(outcome, Delivered)
        assert "SMTPUTF8" in at.hosts[MX].received[0].mail
