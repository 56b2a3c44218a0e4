"""The council's scenarios S1, S2, S4 and S5, with real messages over sockets and the shipped derbyshire.toml."""

from collections.abc import AsyncGenerator
from email.message import EmailMessage

import pytest
import pytest_asyncio

from gateway.core.decision import Refused, Routed
from gateway.core.outcome import Delivered
from gateway.core.record import State
from gateway.core.tls import Protection
from tests.e2e.scenes import MIB, Sent, known, pdf, playing, send, somebody
from tests.e2e.stage import Setting, Stage, scenario_cast

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIMIT = 13 * MIB
CONNECTOR = "connector.encrypted.example"
CJSM = "dc@police.cjsm.net"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def on(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    async with playing(tmp_path_factory, "council", Setting(cast=scenario_cast())) as built:
        yield built


def evidence(sent: Sent) -> list[str]:
    """What was proven of each delivery."""
    outcomes = [attempt.outcome for attempt in sent.attempts()]
    return [outcome.evidence.how for outcome in outcomes if isinstance(outcome, Delivered)]


async def test_s1_unlabelled_mail_goes_by_enforced_tls_and_the_sender_hears_nothing(on: Stage) -> None:
    clerk, surgery, resident = somebody(), "gp@tls.example", "resident@freemail.example"
    sent = await send(on, clerk, clerk.letter(surgery, resident, files=(pdf(400 * 1024),)))
    assert await sent.ended() == {surgery: (State.DELIVERED, "tls"), resident: (State.DELIVERED, "tls")}

    assert (sent.arrived(surgery).mx, sent.arrived(resident).mx) == ("mx.tls.example", "mx.good.example")
    assert None not in (sent.arrived(surgery).tls, sent.arrived(resident).tls)
    assert (sent.facts.classification.level, sent.facts.classification.source) == ("controlled", "default")
    for address in (surgery, resident):
        decision = sent.decided(Routed, address)
        assert (decision.rule, decision.floor) == ("Controlled", Protection.ENCRYPTED)
        assert decision.effects.notifications == ()
    assert evidence(sent) == ["certificate not checked"] * 2
    assert await sent.heard() == []
    assert not sent.in_the_clear()


async def test_s2_public_goes_in_the_clear_to_a_domain_without_tls(on: Stage) -> None:
    clerk, parish = somebody(), "parish@plain.example"
    sent = await send(on, clerk, clerk.letter(parish, level="public", files=(pdf(3 * MIB),)))
    assert await sent.only_end() == (State.DELIVERED, "opportunistic")
    assert sent.arrived(parish).tls is None
    assert sent.in_the_clear()
    decision = sent.decided(Routed)
    assert (decision.rule, decision.floor, sent.facts.classification.level) == ("Public", Protection.NONE, "public")
    assert await sent.heard() == []
    assert on.metric("sealpost_unprotected_total") == 0


@pytest.mark.parametrize(("level", "button"), [("", ""), ("public", "secure")])
async def test_s2_the_rest_is_never_clear_and_takes_the_next_route(on: Stage, level: str, button: str) -> None:
    clerk, parish = somebody(), "parish@plain.example"
    sent = await send(on, clerk, clerk.letter(parish, level=level, button=button))
    assert await sent.only_end() == (State.DELIVERED, "encrypted")
    arrival = sent.arrived(parish)
    assert (arrival.mx, arrival.tls is None) == (CONNECTOR, False)
    assert b"X-Council-Encrypt: yes" in arrival.header
    assert b"X-Sealpost-Intent" not in arrival.header
    assert not sent.in_the_clear()
    (notice,) = await sent.heard()
    assert notice.subject.startswith("Sent another way")
    assert notice.says("You need not do anything.", parish, "Sent by: encrypted")


async def test_s2_public_with_the_encrypted_button_is_never_silently_tls(on: Stage) -> None:
    clerk, surgery = somebody(), "gp@tls.example"
    sent = await send(on, clerk, clerk.letter(surgery, level="public", button="encrypted"))
    assert await sent.only_end() == (State.DELIVERED, "encrypted")
    assert sent.arrived(surgery).mx == CONNECTOR
    assert sent.decided(Routed).floor is Protection.SEALED


async def test_s4_the_limit_is_exact(on: Stage) -> None:
    clerk, lawyer = somebody(), "lawyer@plain.example"
    files = (pdf(10_000_000), pdf(LIMIT - 10_000_000))
    sent = await send(on, clerk, clerk.letter(lawyer, button="encrypted", files=files))
    assert sent.facts.attachment_bytes == LIMIT
    assert await sent.only_end() == (State.DELIVERED, "encrypted")
    assert sent.arrived(lawyer).mx == CONNECTOR

    files = (pdf(10_000_000), pdf(LIMIT - 9_999_999))
    sent = await send(on, clerk, clerk.letter(lawyer, button="encrypted", files=files))
    assert await sent.only_end() == (State.REPORTED, "")
    assert sent.arrivals() == []
    (report,) = await sent.heard()
    assert report.text.startswith("What to do: Ask the Service Desk for a Cryptshare transfer")
    assert report.says("The attached files come to", "the limit is 13 MiB", "(1 byte too much)", lawyer)


async def test_s4_an_exception_reaches_further_for_the_two_that_it_names(on: Stage) -> None:
    legal, lawyer = known("legal.services@derbyshire.gov.uk"), "lawyer@plain.example"
    sent = await send(on, legal, legal.letter(lawyer, button="encrypted", files=(pdf(20 * MIB),)))
    assert await sent.only_end() == (State.DELIVERED, "encrypted")
    assert sent.arrived(lawyer).mx == CONNECTOR
    assert "SD-0001" in sent.decided(Routed).reason

    sent = await send(on, legal, legal.letter("lawyer@tls.example", button="encrypted", files=(pdf(20 * MIB),)))
    assert await sent.only_end() == (State.REPORTED, "")


async def test_s4_without_a_button_twenty_mib_go_by_tls(on: Stage) -> None:
    clerk = somebody()
    sent = await send(on, clerk, clerk.letter("x@tls.example", files=(pdf(20 * MIB),)))
    assert await sent.only_end() == (State.DELIVERED, "tls")
    assert sent.arrived("x@tls.example").tls is not None
    assert await sent.heard() == []


async def test_s4_an_inline_logo_tips_nothing(on: Stage) -> None:
    clerk, lawyer = somebody(), "lawyer@plain.example"
    message = clerk.letter(lawyer, button="encrypted", html='<p>Dear <img src="cid:logo@here"></p>')
    page = message.get_body(("html",))
    assert isinstance(page, EmailMessage)
    page.add_related(b"x" * 4096, "image", "png", cid="<logo@here>", filename="logo.png", disposition="inline")
    message.make_mixed()
    message.add_attachment(b"y" * LIMIT, maintype="application", subtype="pdf", filename="f.pdf")
    sent = await send(on, clerk, message)
    assert await sent.only_end() == (State.DELIVERED, "encrypted")


async def test_s5_cjsm_goes_by_its_relay_alone_and_bcc_stays_unseen(on: Stage) -> None:
    officer = known("youth.justice@derbyshire.gov.uk")
    solicitor, registered, boss = "sol@tls.example", "office@sol.example", "boss@derbyshire.gov.uk"
    message = officer.letter(
        CJSM, solicitor, registered, level="restricted", button="encrypted", files=(pdf(5 * MIB),), fields={"Bcc": boss}
    )
    sent = await send(on, officer, message, CJSM, solicitor, registered, boss)
    assert await sent.ended() == {
        CJSM: (State.DELIVERED, "cjsm"),
        solicitor: (State.DELIVERED, "encrypted"),
        registered: (State.REPORTED, ""),
        boss: (State.DELIVERED, "internal"),
    }
    relay = sent.arrived(CJSM)
    assert relay.mx == "relay.cjsm.example"
    assert relay.tls is not None
    assert relay.tls.client_name == "gateway.derbyshire.gov.uk"
    assert b"X-Council-Encrypt" not in relay.header
    assert sent.arrived(solicitor).mx == CONNECTOR
    for arrival in sent.arrivals():
        assert len(arrival.rcpt_to) == 1
        assert b"bcc" not in arrival.header.lower()
        assert boss.encode() not in arrival.content
    (report,) = await sent.heard()
    assert report.says("office@sol.example.cjsm.net", "without pressing a button")
    assert not any(other in report.text for other in (CJSM, solicitor, boss))


async def test_s5_an_unregistered_sender_gets_only_that_recipient_back(on: Stage) -> None:
    clerk, surgery = somebody(), "gp@tls.example"
    sent = await send(on, clerk, clerk.letter(CJSM, surgery, level="controlled"))
    assert await sent.ended() == {CJSM: (State.REPORTED, ""), surgery: (State.DELIVERED, "tls")}
    assert sent.decided(Refused, CJSM).rule == "CJSM needs an account"
    (report,) = await sent.heard()
    assert report.says("Ask the Service Desk for a CJSM account", "for criminal justice purposes only")
    assert surgery not in report.text
