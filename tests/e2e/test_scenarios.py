"""Scenarios S1 to S5 of the council's paper, with real messages over sockets and the shipped derbyshire.toml."""

from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest

from gateway.core.record import EventKind, State
from gateway.core.tls import Protection
from gateway.sandbox.arrival import Arrival
from gateway.sandbox.behaviour import Behaviour, Starttls
from gateway.sandbox.zone import Trouble
from tests.e2e.stage import OFFICER, Setting, Stage, letter, scenario_cast, stage, wire

MARKER = b"MARKER-OF-THE-TEXT"
LIMIT = 13 * 1024 * 1024


def body_of(message: EmailMessage) -> bytes:
    """The body as it was sent, for comparison byte by byte."""
    return wire(message).partition(b"\r\n\r\n")[2]


def only(on: Stage, address: str) -> Arrival:
    """The one message that arrived for an address."""
    (arrival,) = on.world.inbox.to(address)
    return arrival


def text_of(report: Arrival) -> str:
    """The plain text of a report."""
    message = message_from_bytes(report.content, policy=policy.default)
    part = message.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


async def test_s1_unlabelled_mail_goes_by_enforced_tls_and_the_sender_hears_nothing(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        message = letter(attach=[400 * 1024], to="gp@tls.example, resident@selfsigned.example")
        queue_id = await on.submit(message, "gp@tls.example", "resident@selfsigned.example")
        ends = await on.ended(queue_id, 2)

        assert {end.state for end in ends.values()} == {State.DELIVERED}
        for address in ("gp@tls.example", "resident@selfsigned.example"):
            arrival = only(on, address)
            assert arrival.tls is not None
            assert arrival.content.partition(b"\r\n\r\n")[2] == body_of(message)
        assert on.world.inbox.to(OFFICER) == ()
        (accepted,) = on.events(queue_id, EventKind.ACCEPTED)
        assert accepted.facts is not None
        assert (accepted.facts.classification.level, accepted.facts.classification.source) == ("controlled", "default")
        decided = on.events(queue_id, EventKind.DECIDED)
        assert [getattr(event.decision, "floor", None) for event in decided] == [Protection.ENCRYPTED] * 2
        for attempt in on.events(queue_id, EventKind.ATTEMPT):
            evidence = getattr(attempt.outcome, "evidence", None)
            assert evidence is not None
            assert "not checked" in evidence.how
        assert MARKER not in on.clear_bytes()
        assert on.metric("sealpost_unprotected_total") == 0


async def test_s2_public_goes_in_the_clear_and_the_rest_never_does(tmp_path: Path) -> None:
    parish = "parish@plain.example"
    async with stage(tmp_path) as on:
        public = letter(classification="public", attach=[3 * 1024 * 1024], to=parish)
        await on.ended(await on.submit(public, parish))
        assert only(on, parish).tls is None
        assert MARKER in on.clear_bytes()
        clear = len(on.clear_bytes().split(MARKER))

        for message in (letter(to=parish), letter(classification="public", intent="secure", to=parish)):
            queue_id = await on.submit(message, parish)
            (end,) = (await on.ended(queue_id)).values()
            assert (end.state, end.route) == (State.DELIVERED, "encrypted")
        assert [arrival.mx for arrival in on.world.inbox.to(parish)] == ["connector.encrypted.example"] * 2 + [
            "mx.plain.example"
        ]
        assert len(on.clear_bytes().split(MARKER)) == clear
        await on.until(lambda: len(on.world.inbox.to(OFFICER)) == 2)
        assert all("X-Council-Encrypt" in str(a.header) for a in on.world.inbox.to(parish)[:2])
        assert on.metric("sealpost_unprotected_total") == 0


async def test_s2_public_to_encrypted_button_is_never_silently_tls(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        message = letter(classification="public", intent="encrypted", to="bob@tls.example")
        (end,) = (await on.ended(await on.submit(message, "bob@tls.example"))).values()
        assert (end.state, end.route) == (State.DELIVERED, "encrypted")
        assert only(on, "bob@tls.example").mx == "connector.encrypted.example"


async def test_s3_a_broken_domain_is_deferred_and_moves_on_when_protection_was_the_cause(tmp_path: Path) -> None:
    partner = "partner@tls.example"
    setting = Setting(cast=scenario_cast(), give_up_after="6s", queue='notice_after = "2s"')
    async with stage(tmp_path, setting) as on:
        whole = on.world.dns.zone
        on.world.dns.zone = replace(whole, troubles={"tls.example": Trouble.SERVFAIL})
        message = letter(classification="restricted", intent="secure", attach=[1024 * 1024], to=partner)
        queue_id = await on.submit(message, partner)
        await on.until(lambda: len(on.events(queue_id, EventKind.ATTEMPT)) >= 1)
        # STARTTLS is offered and refused: nothing is proven, so it waits until the route's deadline.
        on.world.hosts["mx.tls.example"].behave(Behaviour(starttls=Starttls.REFUSED))
        on.world.dns.zone = whole
        (end,) = (await on.ended(queue_id)).values()

        assert (end.state, end.route) == (State.DELIVERED, "encrypted")
        assert only(on, partner).mx == "connector.encrypted.example"
        assert MARKER not in on.clear_bytes()
        subjects = [str(message_from_bytes(a.content)["Subject"]) for a in on.world.inbox.to(OFFICER)]
        assert any(subject.startswith("Not yet delivered") for subject in subjects), subjects


async def test_s3_with_no_further_route_the_sender_gets_the_report(tmp_path: Path) -> None:
    partner = "partner@tls.example"
    chain = 'route  = ["secure", "encrypted"]'
    shipped = (Path(__file__).parents[2] / "policies" / "derbyshire.toml").read_text()
    assert chain in shipped
    setting = Setting(cast=scenario_cast(), give_up_after="3s", policy=shipped.replace(chain, 'route  = ["secure"]'))
    async with stage(tmp_path, setting) as on:
        on.world.hosts["mx.tls.example"].behave(Behaviour(starttls=Starttls.REFUSED))
        queue_id = await on.submit(letter(classification="restricted", to=partner), partner)
        (end,) = (await on.ended(queue_id)).values()
        assert end.state is State.REPORTED
        await on.until(lambda: bool(on.world.inbox.to(OFFICER)))
        report = only(on, OFFICER)
        assert report.mail_from == ""
        assert partner in text_of(report)
        assert "Service Desk" in text_of(report)
        assert on.world.inbox.to(partner) == ()
        assert MARKER not in on.clear_bytes()


async def test_s4_the_limit_is_the_encrypted_routes_alone_and_exact(tmp_path: Path) -> None:
    lawyer = "lawyer@plain.example"
    async with stage(tmp_path) as on:
        at_limit = letter(intent="encrypted", attach=[10_000_000, LIMIT - 10_000_000], to=lawyer)
        (end,) = (await on.ended(await on.submit(at_limit, lawyer))).values()
        assert (end.state, end.route) == (State.DELIVERED, "encrypted")

        over = letter(intent="encrypted", attach=[10_000_000, LIMIT - 9_999_999], to=lawyer)
        (end,) = (await on.ended(await on.submit(over, lawyer))).values()
        assert end.state is State.REPORTED
        await on.until(lambda: bool(on.world.inbox.to(OFFICER)))
        text = text_of(only(on, OFFICER))
        assert "13 MiB" in text
        assert "Cryptshare" in text
        assert "Service Desk" in text

        big = letter(attach=[20 * 1024 * 1024], to="x@tls.example")
        (end,) = (await on.ended(await on.submit(big, "x@tls.example"))).values()
        assert end.state is State.DELIVERED
        assert only(on, "x@tls.example").tls is not None
        assert len(on.world.inbox.to(lawyer)) == 1


async def test_s4_an_inline_logo_tips_nothing(tmp_path: Path) -> None:
    lawyer = "lawyer@plain.example"
    message = letter(intent="encrypted", to=lawyer)
    message.add_alternative('<p>Dear <img src="cid:logo@here"></p>', subtype="html")
    html = message.get_body(("html",))
    assert isinstance(html, EmailMessage)
    html.add_related(b"x" * 4096, "image", "png", cid="<logo@here>", filename="logo.png", disposition="inline")
    message.make_mixed()
    message.add_attachment(b"y" * LIMIT, maintype="application", subtype="pdf", filename="f.pdf")
    async with stage(tmp_path) as on:
        (end,) = (await on.ended(await on.submit(message, lawyer))).values()
        assert (end.state, end.route) == (State.DELIVERED, "encrypted")


CJSM = "dc@police.cjsm.net"
REGISTERED = "youth.justice@derbyshire.gov.uk"


async def test_s5_cjsm_goes_by_its_relay_alone_and_bcc_stays_unseen(tmp_path: Path) -> None:
    message = letter(classification="restricted", intent="encrypted", attach=[5 * 1024 * 1024], to=CJSM)
    message["Bcc"] = "boss@derbyshire.gov.uk"
    async with stage(tmp_path) as on:
        recipients = (CJSM, "sol@tls.example", "boss@derbyshire.gov.uk")
        queue_id = await on.submit(message, *recipients, sender=REGISTERED)
        ends = await on.ended(queue_id, 3)
        assert {address: (end.state, end.route) for address, end in ends.items()} == {
            CJSM: (State.DELIVERED, "cjsm"),
            "sol@tls.example": (State.DELIVERED, "encrypted"),
            "boss@derbyshire.gov.uk": (State.DELIVERED, "internal"),
        }
        relay = only(on, CJSM)
        assert relay.mx == "relay.cjsm.example"
        assert relay.tls is not None
        assert relay.tls.client_name == "gateway.derbyshire.gov.uk"
        assert b"X-Council-Encrypt" not in relay.header
        assert only(on, "sol@tls.example").mx == "connector.encrypted.example"
        for arrival in on.world.inbox.newest():
            assert b"bcc" not in arrival.header.lower()
            others = set(recipients) - set(arrival.rcpt_to) - {CJSM}
            assert not any(other.encode() in arrival.content for other in others)


async def test_s5_with_the_relay_down_it_waits_and_takes_no_other_route(tmp_path: Path) -> None:
    async with stage(tmp_path, Setting(cast=scenario_cast(), cjsm="127.0.25.99:9")) as on:
        queue_id = await on.submit(letter(classification="restricted", to=CJSM), CJSM, sender=REGISTERED)
        await on.until(lambda: len(on.events(queue_id, EventKind.ATTEMPT)) >= 2)
        assert on.events(queue_id, EventKind.ENDED) == []
        assert on.world.inbox.newest() == ()


async def test_s5_an_unregistered_sender_gets_only_that_recipient_back(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        message = letter(classification="controlled", to=f"{CJSM}, gp@tls.example")
        ends = await on.ended(await on.submit(message, CJSM, "gp@tls.example"), 2)
        assert ends[CJSM].state is State.REPORTED
        assert ends["gp@tls.example"].state is State.DELIVERED
        await on.until(lambda: bool(on.world.inbox.to(OFFICER)))
        text = text_of(only(on, OFFICER))
        assert "CJSM account" in text
        assert "gp@tls.example" not in text


@pytest.mark.parametrize("refusals", ["session", "report"])
async def test_every_recipient_has_exactly_one_end(tmp_path: Path, refusals: str) -> None:
    domains = ("tls", "plain", "selfsigned", "expired", "wronghost", "tls10", "flaky", "refuses", "nullmx")
    recipients = [f"r{number}@{domain}.example" for number, domain in enumerate(domains)]
    async with stage(tmp_path, Setting(cast=scenario_cast(), refusals=refusals)) as on:
        queue_id = await on.submit(letter(classification="restricted"), *recipients)
        ends = await on.ended(queue_id, len(recipients))
        assert set(ends) == set(recipients)
        assert MARKER not in on.clear_bytes()
        assert on.metric("sealpost_unprotected_total") == 0
