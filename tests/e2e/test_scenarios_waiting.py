"""S3 of both papers, S1 and S5 with a relay in trouble: what cannot be told waits, and nothing waits in the clear."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.core.outcome import Deferred
from gateway.core.record import EventKind, State
from gateway.sandbox.behaviour import Act, Behaviour, Fault, Shown, Starttls
from gateway.sandbox.behaviour import Stage as At
from gateway.sandbox.zone import Trouble
from tests.e2e.scenes import MIB, TRUST, Sent, known, pdf, playing, send, somebody
from tests.e2e.shared_stage import attempted, trouble
from tests.e2e.stage import ARCHIVE, EGRESS, POLICIES, PUBLIC_SECTOR, Setting, Stage, scenario_cast, stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONNECTOR = "connector.encrypted.example"
NOBODY = "127.0.25.99:9"
GIVE_UP_AFTER = timedelta(seconds=7)
"""Longer than the five seconds for which a failure of DNS is remembered."""
SHIPPED = (POLICIES / "derbyshire.toml").read_text()
SECURE = '[[rules]]\nname   = "Restricted, or the Secure email button"\n'
ONE_WAY = """[[rules]]
name   = "One way only"
when   = { sender = "one.way@derbyshire.gov.uk" }
route  = ["secure"]
advice = "Ask the Service Desk for a Cryptshare transfer."

"""
CLOSING = Behaviour(faults=(Fault(stage=At.RCPT, answer="421 4.3.2 closing now"),))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def on(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    assert SECURE in SHIPPED
    setting = Setting(
        cast=scenario_cast(),
        policy=SHIPPED.replace(SECURE, ONE_WAY + SECURE),
        give_up_after=f"{GIVE_UP_AFTER.seconds}s",
        queue='notice_after = "1s"',
        cjsm=NOBODY,
    )
    async with playing(tmp_path_factory, "waiting", setting) as built:
        yield built


def causes(sent: Sent) -> list[str]:
    """Why each attempt so far was deferred."""
    outcomes = [attempt.outcome for attempt in sent.attempts()]
    return [outcome.cause.value for outcome in outcomes if isinstance(outcome, Deferred)]


async def test_s3_a_broken_domain_is_deferred_and_moves_on_when_protection_was_the_cause(on: Stage) -> None:
    clerk, single = somebody(), known("one.way@derbyshire.gov.uk")
    resident, partner, ward = "resident@freemail.example", "partner@agency.example", "ward@hospital.example"
    host = on.world.hosts[PUBLIC_SECTOR.name]
    host.behave(CLOSING)
    before = await send(on, clerk, clerk.letter(resident))
    await attempted(on, before.queue_id)

    # The partner's DNS fails; then its host, which showed TLS a moment ago, offers none any more.
    trouble(on, "agency.example", Trouble.SERVFAIL)
    message = clerk.letter(partner, level="restricted", button="secure", files=(pdf(MIB),))
    sent = await send(on, clerk, message)
    await attempted(on, sent.queue_id)
    host.behave(Behaviour(starttls=Starttls.NONE))
    trouble(on, "agency.example", None)
    chain_of_one = await send(on, single, single.letter(ward, level="restricted"))

    assert await sent.only_end() == (State.DELIVERED, "encrypted")
    assert sent.arrived(partner).mx == CONNECTOR
    assert (causes(sent)[0], causes(sent)[-1]) == ("dns", "protection")
    (moved,) = on.events(sent.queue_id, EventKind.MOVED)
    assert moved.at - sent.facts.at >= GIVE_UP_AFTER
    assert [heard.subject.split(":")[0] for heard in await sent.heard()] == ["Not yet delivered", "Sent another way"]
    assert await before.only_end() == (State.DELIVERED, "encrypted")

    assert await chain_of_one.only_end() == (State.REPORTED, "secure")
    assert chain_of_one.arrivals() == []
    _, report = await chain_of_one.heard()
    assert report.subject.startswith("Not delivered")
    assert report.says("Ask the Service Desk for a Cryptshare transfer.", ward, "before the time was over")
    assert not any(one.in_the_clear() for one in (before, sent, chain_of_one))


async def test_s3_repaired_in_time_it_is_delivered_and_nothing_comes_back(on: Stage) -> None:
    clerk, surgery = somebody(), "gp@tls.example"
    host = on.world.hosts["mx.tls.example"]
    host.behave(Behaviour(starttls=Starttls.REFUSED))
    sent = await send(on, clerk, clerk.letter(surgery, level="restricted", button="secure"))
    await attempted(on, sent.queue_id)
    host.behave(Behaviour())
    assert await sent.only_end() == (State.DELIVERED, "secure")
    assert sent.arrived(surgery).tls is not None
    assert all(heard.subject.startswith("Not yet delivered") for heard in await sent.heard())


async def test_s5_with_the_relay_down_it_waits_and_takes_no_other_route(on: Stage) -> None:
    officer, cjsm = known("youth.justice@derbyshire.gov.uk"), "dc@police.cjsm.net"
    sent = await send(on, officer, officer.letter(cjsm, level="restricted", button="encrypted"))
    await attempted(on, sent.queue_id, 2)
    assert set(causes(sent)) == {"unreachable"}
    assert on.events(sent.queue_id, EventKind.MOVED, EventKind.ENDED) == []
    assert sent.arrivals() == []


@pytest.mark.asyncio(loop_scope="function")
async def test_s1_of_the_trust_egress_silent_waits_and_egress_refusing_is_followed_by_the_archive(
    tmp_path: Path,
) -> None:
    silent = Behaviour(faults=(Fault(stage=At.GREETING, answer=Act.CLOSE),))
    async with stage(tmp_path, Setting(cast=scenario_cast(), shipped="kcsp")) as on:
        on.world.hosts[EGRESS.name].behave(silent)
        head, surgery = somebody(TRUST), "gp@tls.example"
        message = head.letter(surgery, fields={"Sensitivity": "Company-Confidential"}, files=(pdf(400 * 1024),))
        sent = await send(on, head, message, copy="sent.archive@kcsp.org.uk")
        await on.until(lambda: len(causes(sent)) >= 2)
        assert on.events(sent.queue_id, EventKind.MOVED) == []

        # No STARTTLS would be a host that lost it, which is waited for; this proves that it is another.
        on.world.hosts[EGRESS.name].behave(Behaviour(shown=Shown.WRONG_HOST))
        ends = await sent.ended()
        assert ends[surgery] == (State.DELIVERED, "archive")
        assert sent.arrived(surgery).mx == ARCHIVE.name
        (notice,) = await sent.heard()
        assert notice.subject.startswith("Sent another way")
        assert not sent.in_the_clear()
        assert on.metric("sealpost_unprotected_total") == 0


@pytest.mark.asyncio(loop_scope="function")
async def test_s3_of_the_trust_moves_on_to_egress(tmp_path: Path) -> None:
    setting = Setting(cast=scenario_cast(), shipped="kcsp", give_up_after="3s", queue='notice_after = "1s"')
    async with stage(tmp_path, setting) as on:
        on.world.hosts["mx.tls.example"].behave(Behaviour(starttls=Starttls.REFUSED))
        head, surgery = somebody(TRUST), "gp@tls.example"
        sent = await send(on, head, head.letter(surgery, button="secure"))
        assert await sent.only_end() == (State.DELIVERED, "egress")
        assert sent.arrived(surgery).mx == EGRESS.name
        assert not sent.in_the_clear()


@pytest.mark.asyncio(loop_scope="function")
@pytest.mark.parametrize("refusals", ["session", "report"])
async def test_every_recipient_has_exactly_one_end(tmp_path: Path, refusals: str) -> None:
    domains = ("tls", "plain", "selfsigned", "expired", "wronghost", "tls10", "flaky", "refuses", "nullmx")
    recipients = [f"r{number}@{domain}.example" for number, domain in enumerate(domains)]
    async with stage(tmp_path, Setting(cast=scenario_cast(), refusals=refusals)) as on:
        clerk = somebody()
        sent = await send(on, clerk, clerk.letter(*recipients, button="secure"))
        assert set(await sent.ended()) == set(recipients)
        assert not sent.in_the_clear()
        assert on.metric("sealpost_unprotected_total") == 0
