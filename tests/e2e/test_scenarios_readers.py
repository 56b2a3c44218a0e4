"""The council's S6 and S7: schools, distribution lists and shared mailboxes."""

from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from gateway.core.decision import Refused, Routed
from gateway.core.facts import Intent
from gateway.core.record import State
from tests.e2e.scenes import MIB, Writer, pdf, playing, send, somebody
from tests.e2e.stage import PUBLIC_SECTOR, Setting, Stage, scenario_cast

pytestmark = pytest.mark.asyncio(loop_scope="module")

SCHOOL, ACADEMY, INDEPENDENT = "head@hill.derbyshire.sch.uk", "head@academy.example", "head@abbey.derbyshire.sch.uk"
UNKNOWN = "head@elm.derbyshire.sch.uk"
PORTAL = "Documents for a school go by the portal"
SCHOOLS_TEAM = "cs.mis@derbyshire.gov.uk"
AGREEMENT = (
    "Schools (sample),hill.derbyshire.sch.uk academy.example abbey.derbyshire.sch.uk,ISA,ISA-0100,"
    "controlled restricted,2099-03-31,2026-03-31,2099-03-31,childrens.services@derbyshire.gov.uk,,,,\n"
)
"""Restricted mail to an organisation needs an agreement; the register's samples have none with schools."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def on(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    async with playing(tmp_path_factory, "readers", Setting(cast=scenario_cast(), partners=AGREEMENT)) as built:
        yield built


async def test_s6_documents_for_schools_go_back_in_one_report_and_the_rest_by_tls(on: Stage) -> None:
    officer = somebody()
    message = officer.letter(SCHOOL, ACADEMY, INDEPENDENT, level="restricted", files=(pdf(2 * MIB),))
    sent = await send(on, officer, message)
    assert await sent.ended() == {
        SCHOOL: (State.REPORTED, ""),
        ACADEMY: (State.REPORTED, ""),
        INDEPENDENT: (State.DELIVERED, "secure"),
    }
    assert {sent.decided(Refused, address).rule for address in (SCHOOL, ACADEMY)} == {PORTAL}
    (arrival,) = sent.arrivals()
    assert (arrival.mx, arrival.rcpt_to) == (PUBLIC_SECTOR.name, (INDEPENDENT,))
    assert sent.arrived(INDEPENDENT).tls is not None

    (report,) = await sent.heard()
    assert report.text.startswith("What to do: Use the schools portal: open Perspective Lite on SchoolsNet")
    assert report.says("https://schoolsnet.derbyshire.gov.uk", "choose Broadcast+", "SharePoint", SCHOOL, ACADEMY)
    assert report.says("press Secure email and send it again", "write [SECURE] or [ENCRYPT] in the subject")
    assert INDEPENDENT not in report.text
    assert not sent.in_the_clear()


@pytest.mark.parametrize("subject", ["", "[SECURE] the plan"])
async def test_s6_pressing_secure_has_considered_the_portal(on: Stage, subject: str) -> None:
    officer, to = somebody(), (SCHOOL, ACADEMY, INDEPENDENT)
    button = "" if subject else "secure"
    message = officer.letter(*to, level="restricted", button=button, subject=subject, files=(pdf(2 * MIB),))
    sent = await send(on, officer, message)
    assert await sent.ended() == dict.fromkeys(to, (State.DELIVERED, "secure"))
    assert sent.facts.intent is Intent.SECURE
    assert sent.facts.intent_source == ("subject [secure]" if subject else "header X-Sealpost-Intent")
    assert all(arrival.tls is not None and b"[SECURE]" not in arrival.header for arrival in sent.arrivals())
    assert await sent.heard() == []


async def test_s6_without_a_document_all_go_by_tls(on: Stage) -> None:
    officer, to = somebody(), (SCHOOL, ACADEMY, INDEPENDENT)
    sent = await send(on, officer, officer.letter(*to, level="restricted"))
    assert await sent.ended() == dict.fromkeys(to, (State.DELIVERED, "secure"))
    assert None not in [arrival.tls for arrival in sent.arrivals()]


async def test_m8_a_school_that_the_register_does_not_name_is_reported_once_and_then_counted(on: Stage) -> None:
    officer = somebody()
    first = await send(on, officer, officer.letter(UNKNOWN, subject="Kumquat", files=(pdf(),)))
    assert await first.only_end() == (State.REPORTED, "")
    (told,) = await first.heard(SCHOOLS_TEAM)
    assert told.subject == "A rule has matched: A school that the register does not name"
    assert told.says(first.queue_id, officer.address, UNKNOWN)
    assert "kumquat" not in told.whole.lower()
    (report,) = await first.heard()
    assert report.says("choose Broadcast+", f"Rule: {PORTAL}")

    second = await send(on, officer, officer.letter(UNKNOWN))
    assert await second.only_end() == (State.DELIVERED, "tls")
    assert second.decided(Routed).effects.notifications != ()
    assert await second.heard(SCHOOLS_TEAM) == []
    gathered = on.shared("notify/more/").values()
    assert [second.queue_id.encode() in value and b"elm.derbyshire" in value for value in gathered].count(True) >= 1
    assert not any(officer.word.encode() in value for value in gathered)


DELEGATE, MANAGER = "delegate@derbyshire.gov.uk", "manager@derbyshire.gov.uk"
LIST, TEAM, WORKER = "all.staff@derbyshire.gov.uk", "adult.care.team@derbyshire.gov.uk", "worker@agency.example"


def delegate() -> Writer:
    """Somebody who writes for the manager."""
    return Writer(DELEGATE, somebody().word)


async def test_s7_an_uncleared_list_is_found_in_to_although_its_members_stand_in_its_place(on: Stage) -> None:
    writer = delegate()
    who = {"From": MANAGER, "Sender": DELEGATE}
    message = writer.letter(LIST, TEAM, level="restricted", files=(pdf(),), fields=who)
    sent = await send(on, writer, message, WORKER, TEAM)
    assert await sent.ended() == {WORKER: (State.REPORTED, ""), TEAM: (State.REPORTED, "")}
    assert sent.decided(Refused, WORKER).rule == "Restricted to a distribution list"
    (report,) = await sent.heard()
    assert report.says("Write to the people themselves", LIST, "ask communications@derbyshire.gov.uk")
    assert (sent.facts.header_from, sent.facts.header_sender) == ((MANAGER,), (DELEGATE,))
    assert sent.arrivals() == []


async def test_s7_a_shared_mailbox_gets_files_of_the_levels_it_is_cleared_for(on: Stage) -> None:
    writer = delegate()
    restricted = await send(on, writer, writer.letter(TEAM, level="restricted", files=(pdf(),)))
    assert await restricted.only_end() == (State.REPORTED, "")
    (report,) = await restricted.heard()
    assert report.says("Save the files to EDRM", f"Not everybody with access to {TEAM}", "ask adult.care@derbyshire")

    controlled = await send(on, writer, writer.letter(TEAM, level="controlled", files=(pdf(),)))
    assert await controlled.only_end() == (State.DELIVERED, "internal")
    assert controlled.arrived(TEAM).mx == "mail.council.example"
    assert await controlled.heard() == []


async def test_s7_controlled_passes_the_list(on: Stage) -> None:
    writer = delegate()
    sent = await send(on, writer, writer.letter(LIST, level="controlled", files=(pdf(),)), WORKER)
    assert await sent.only_end() == (State.DELIVERED, "tls")
    assert await sent.heard() == []
