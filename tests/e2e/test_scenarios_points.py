"""The council's S8 to S10, and the rows of its paper that no scenario tells: M15, R2, R7, R10, R14."""

from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from gateway.core.decision import Held, Refused, Routed
from gateway.core.record import EventKind, State
from gateway.core.tls import Protection
from tests.e2e.asking import ask
from tests.e2e.scenes import MIB, File, invitation, known, locked_zip, pdf, playing, send, somebody
from tests.e2e.stage import Setting, Stage, scenario_cast

pytestmark = pytest.mark.asyncio(loop_scope="module")

PARISH, SURGERY = "parish@plain.example", "gp@tls.example"
NHS_NUMBER = "943 476 5919"
PASSWORD = "Tr0ub4dor&3"
OWN_TENANT = "https://derbyshirecc.sharepoint.com/abc"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def on(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    async with playing(tmp_path_factory, "points", Setting(cast=scenario_cast())) as built:
        yield built


async def test_s8_a_scan_over_the_limit_is_reported_to_the_printers_owner(on: Stage) -> None:
    scanner, owner = known("scanner@derbyshire.gov.uk"), "print.services@derbyshire.gov.uk"
    sent = await send(on, scanner, scanner.letter(PARISH, subject="Scan", files=(pdf(18 * MIB),)))
    assert await sent.only_end() == (State.REPORTED, "secure")
    assert sent.facts.classification.level == "restricted"
    assert "multifunction printers" in sent.facts.classification.source
    assert await sent.heard() == []
    (report,) = await sent.heard(owner)
    assert report.says("Ask the Service Desk for a Cryptshare transfer, or take the files by encrypted media")
    assert report.says(scanner.address, "registered as its owner", "mx.plain.example", "does not offer STARTTLS")
    assert report.says("It cannot go by encrypted: the attached files come to 18.0 MiB, the limit is 13 MiB.")
    assert "not by encrypted: The attached files come to 18.0 MiB, the limit is 13 MiB" in sent.decided(Routed).reason
    assert sent.arrivals() == []
    assert not sent.in_the_clear()


async def test_s8_an_out_of_office_answer_ends_without_a_word(on: Stage) -> None:
    officer = somebody()
    message = officer.letter(PARISH, subject="Out of office", fields={"Auto-Submitted": "auto-replied"})
    sent = await send(on, officer, message, path="")
    assert await sent.only_end() == (State.UNREPORTABLE, "secure")
    assert sent.decided(Routed).chain == ("secure",)
    assert await sent.heard() == []
    assert sent.arrivals() == []
    assert not sent.in_the_clear()


async def test_s8_a_newsletter_reaches_five_hundred_readers_as_public_mail(on: Stage) -> None:
    newsletter = known("newsletter@derbyshire.gov.uk")
    readers = [f"r{number}@{domain}" for number in range(250) for domain in ("freemail.example", "plain.example")]
    sent = await send(on, newsletter, newsletter.letter("readers@derbyshire.gov.uk"), *readers)
    assert set((await sent.ended()).values()) == {(State.DELIVERED, "opportunistic")}
    tls = {arrival.mx: arrival.tls is not None for arrival in sent.arrivals()}
    assert tls == {"mx.good.example": True, "mx.plain.example": False}
    assert sorted(one for arrival in sent.arrivals() for one in arrival.rcpt_to) == sorted(readers)
    assert await sent.heard() == []


async def test_s8_a_meeting_request_is_a_persons_message_and_stays_intact(on: Stage) -> None:
    officer = somebody()
    message = officer.letter(SURGERY, subject="Review meeting", html="<p>Shall we meet?</p>")
    invitation(message)
    sent = await send(on, officer, message)
    assert await sent.only_end() == (State.DELIVERED, "tls")
    arrival = sent.arrived(SURGERY)
    assert b"METHOD:REQUEST\r\n" in arrival.content
    assert not sent.facts.automatic


async def test_s9_a_message_with_everything_wrong_goes_back_once_with_four_points(on: Stage) -> None:
    clerk = somebody()
    to = [f"r{number}@{domain}" for number in range(20) for domain in ("freemail.example", "agency.example")]
    message = clerk.letter(
        *to,
        level="public",
        subject=f"NHS number {NHS_NUMBER}",
        text=f"See https://share.example/abc too.\nThe password is {PASSWORD}.",
        files=(locked_zip(),),
    )
    sent = await send(on, clerk, message)
    assert set((await sent.ended()).values()) == {(State.REPORTED, "")}
    decision = sent.decided(Refused, to[0])
    assert (decision.rule, decision.floor) == ("The password with the file", Protection.ENCRYPTED)
    assert sent.facts.classification.level == "public"
    (report,) = await sent.heard()
    assert report.text.startswith("What to do: Send the file without the password.")
    points = (
        "Put nothing about a person in the subject next time",
        "Put the outside recipients in Bcc next time",
        "Share files by an agreed method next time",
    )
    assert report.says(*points)
    for secret in (NHS_NUMBER, NHS_NUMBER.replace(" ", ""), PASSWORD, "share.example", "list.zip", "list.csv"):
        assert secret not in report.whole
    assert sent.arrivals() == []
    assert not sent.in_the_clear()


async def test_s9_the_own_tenant_and_an_order_number_are_no_points(on: Stage) -> None:
    clerk = somebody()
    message = clerk.letter(SURGERY, level="public", subject="Order 9434765919", text=f"See {OWN_TENANT} too.")
    sent = await send(on, clerk, message)
    assert await sent.only_end() == (State.DELIVERED, "opportunistic")
    assert await sent.heard() == []
    other = await send(on, clerk, clerk.letter(SURGERY, text="See https://share.example/abc too."))
    assert await other.only_end() == (State.DELIVERED, "tls")
    (notice,) = await other.heard()
    assert notice.subject.startswith("Please note")
    assert notice.says("What to do: Share files by an agreed method next time", "Rule: A link to a file-sharing site")
    assert "share.example" not in notice.whole


async def test_r12_a_locked_file_alone_and_a_password_alone_go(on: Stage) -> None:
    clerk = somebody()
    for message in (
        clerk.letter(SURGERY, text="I shall ring you about it.", files=(locked_zip(),)),
        clerk.letter(SURGERY, text=f"The password is {PASSWORD}."),
    ):
        assert await (await send(on, clerk, message)).only_end() == (State.DELIVERED, "tls")


async def test_s10_restricted_to_a_look_alike_is_held_until_somebody_else_than_the_sender_releases_it(
    on: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, wrong = somebody(), "j.smith@agancy.example"
    sent = await send(on, worker, worker.letter(wrong, level="restricted", button="encrypted"))
    assert sent.held == (wrong,)
    decision = sent.decided(Held)
    assert (decision.rule, decision.role) == ("Restricted to an address that looks wrong", "information-governance")
    assert (decision.chain, decision.floor) == (("encrypted",), Protection.SEALED)
    (notice,) = await sent.heard()
    assert notice.subject.startswith("Held for a check")
    assert notice.says("Check the address", "Who releases it: information-governance", "If nobody releases it")
    (letter,) = await sent.heard("information.governance@derbyshire.gov.uk")
    assert letter.says(worker.address, wrong)
    assert sent.arrivals() == []

    release = ("queue", "release", sent.queue_id, "--reason", "asked by telephone")
    monkeypatch.setenv("SUDO_USER", worker.address)
    assert (await ask(on.folder, *release)).code == 1
    assert sent.held == (wrong,)
    monkeypatch.setenv("SUDO_USER", "ig.officer@derbyshire.gov.uk")
    assert (await ask(on.folder, *release)).code == 0
    assert await sent.only_end() == (State.DELIVERED, "encrypted")
    assert sent.arrived(wrong).mx == "connector.encrypted.example"
    (released,) = on.events(sent.queue_id, EventKind.OPERATOR)
    assert released.text == "released by ig.officer@derbyshire.gov.uk: asked by telephone"


async def test_r15_controlled_to_a_look_alike_is_delivered_with_a_word(on: Stage) -> None:
    worker, wrong = somebody(), "j.smith@agancy.example"
    sent = await send(on, worker, worker.letter(wrong))
    assert await sent.only_end() == (State.DELIVERED, "tls")
    (notice,) = await sent.heard()
    assert notice.says(f"What to do: Check the address of {wrong}: it looks like agency.example")


async def test_m15_certain_files_to_certain_bodies(on: Stage) -> None:
    officer, police = somebody(), "dc@essex.police.uk"
    census = File("Spring Census 2026.xml", b"<census/>", "text/xml")
    back = await send(on, officer, officer.letter("data@education.gov.uk", files=(census,)))
    assert await back.only_end() == (State.REPORTED, "")
    (report,) = await back.heard()
    assert report.says("Upload it to COLLECT", "census files for the department")

    bundle = File("Disclosure 12.pdf", pdf().content)
    sent = await send(on, officer, officer.letter(police, files=(bundle,)))
    assert await sent.only_end() == (State.DELIVERED, "encrypted")
    assert sent.arrived(police).mx == "connector.encrypted.example"


async def test_r2_restricted_without_an_agreement_is_held_and_controlled_goes_and_is_reported(on: Stage) -> None:
    officer, stranger = somebody(), "someone@school.example"
    sent = await send(on, officer, officer.letter(stranger, level="restricted"))
    assert sent.held == (stranger,)
    (notice,) = await sent.heard()
    assert notice.says("Ask Information Governance for an information-sharing agreement with school.example.")

    sent = await send(on, officer, officer.letter(stranger))
    assert await sent.only_end() == (State.DELIVERED, "tls")
    told = {one.rule: one.mailbox for one in sent.decided(Routed).effects.notifications}
    assert told == {"Controlled without an agreement": "information.governance@derbyshire.gov.uk"}
    assert await sent.heard() == []


async def test_r7_the_reference_of_a_disclosure_is_recorded_and_leaves_the_subject(on: Stage) -> None:
    officer = somebody()
    sent = await send(on, officer, officer.letter(SURGERY, subject="Your request [ref: SAR/2026-042]"))
    assert await sent.only_end() == (State.DELIVERED, "tls")
    assert sent.facts.reference == "SAR/2026-042"
    header = sent.arrived(SURGERY).header
    assert b"Subject: Your request\r\n" in header
    assert b"SAR/2026-042" not in header


async def test_r10_mail_to_an_own_private_address_is_delivered_with_a_word(on: Stage) -> None:
    officer, private = known("jo.bloggs@derbyshire.gov.uk"), "jobloggs@freemail.example"
    sent = await send(on, officer, officer.letter(private))
    assert await sent.only_end() == (State.DELIVERED, "tls")
    (notice,) = await sent.heard()
    assert notice.says("What to do: Keep council information on council accounts")


@pytest.mark.parametrize("button", ["", "secure", "encrypted"])
async def test_r14_internal_only_never_leaves(on: Stage, button: str) -> None:
    officer, boss = somebody(), "boss@derbyshire.gov.uk"
    message = officer.letter(SURGERY, boss, button=button, fields={"X-Handling": "Internal Only"})
    sent = await send(on, officer, message)
    assert await sent.ended() == {SURGERY: (State.REPORTED, ""), boss: (State.DELIVERED, "internal")}
    (report,) = await sent.heard()
    assert report.says("Take the outside recipients out", "never leaves the council")
