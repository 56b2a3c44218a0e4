"""The schools' trust: its column of the scenarios, with real messages over sockets and the shipped kcsp.toml."""

from collections.abc import AsyncGenerator
from email import message_from_bytes

import pytest
import pytest_asyncio

from gateway.core.address import parse_address
from gateway.core.decision import Held, Refused, Routed
from gateway.core.receipt import Ticket, read_ticket
from gateway.core.record import State
from gateway.core.tls import Protection
from tests.core.inside.samples import zipped
from tests.e2e.scenes import MIB, TRUST, File, Sent, invitation, known, locked_zip, pdf, playing, send, somebody
from tests.e2e.stage import ARCHIVE, EGRESS, Setting, Stage, scenario_cast

pytestmark = pytest.mark.asyncio(loop_scope="module")

PARISH, SURGERY, SCHOOL, PARENT = "parish@plain.example", "gp@tls.example", "head@school.example", "p@freemail.example"
COPY, DPO = "sent.archive@kcsp.org.uk", "dpo@kcsp.org.uk"
NHS_NUMBER = "943 476 5919"
PASSWORD = "Tr0ub4dor&3"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def on(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    async with playing(tmp_path_factory, "trust", Setting(cast=scenario_cast(), shipped="kcsp")) as built:
        yield built


async def other_ends(sent: Sent) -> dict[str, tuple[State | None, str]]:
    """All ends but that of the copy for the record, which was delivered inside."""
    ends = await sent.ended()
    assert ends.pop(COPY) == (State.DELIVERED, "internal")
    return ends


async def test_s1_ordinary_mail_goes_by_enforced_tls_and_the_sender_hears_nothing(on: Stage) -> None:
    head = somebody(TRUST)
    sent = await send(on, head, head.letter(SURGERY, PARENT, files=(pdf(400 * 1024),)))
    assert await sent.ended() == {SURGERY: (State.DELIVERED, "tls"), PARENT: (State.DELIVERED, "tls")}
    assert None not in (sent.arrived(SURGERY).tls, sent.arrived(PARENT).tls)
    assert (sent.facts.classification.level, sent.facts.classification.source) == ("ordinary", "default")
    assert sent.decided(Routed, PARENT).floor is Protection.ENCRYPTED
    assert await sent.heard() == []
    assert not sent.in_the_clear()


async def test_s1_confidential_mail_goes_by_egress_marked_and_with_a_copy_for_the_record(on: Stage) -> None:
    head = somebody(TRUST)
    message = head.letter(
        PARENT, subject="Your child [ref: SEN/42]", fields={"Sensitivity": "company-confidential"}, files=(pdf(),)
    )
    sent = await send(on, head, message, copy=COPY)
    assert await other_ends(sent) == {PARENT: (State.DELIVERED, "egress")}
    assert sent.facts.reference == "SEN/42"
    assert sent.decided(Routed, PARENT).floor is Protection.VERIFIED
    arrival, copy = sent.arrived(PARENT), sent.arrived(COPY)
    assert (arrival.mx, copy.mx) == (EGRESS.name, "mail.council.example")
    assert b"Subject: [CONFIDENTIAL] Your child\r\n" in arrival.header
    assert b"Sensitivity: Company-Confidential\r\n" in arrival.header
    asked = str(message_from_bytes(arrival.content)["Disposition-Notification-To"]).strip("<>")
    assert asked.endswith("@receipts.kcsp.org.uk")
    assert read_ticket(parse_address(asked), (on.folder / "hop.key").read_bytes()) == Ticket(sent.queue_id, 0)
    assert b"SEN/42" not in arrival.header
    assert await sent.heard() == []


@pytest.mark.parametrize("said", [{"Subject": "[NO PERSONAL DATA] menu"}, {"X-Handling": "no personal data"}])
async def test_s2_only_what_is_said_to_be_without_personal_data_goes_in_the_clear(
    on: Stage, said: dict[str, str]
) -> None:
    head = somebody(TRUST)
    sent = await send(on, head, head.letter(PARISH, fields=said, files=(pdf(3 * MIB),)))
    assert await sent.only_end() == (State.DELIVERED, "opportunistic")
    assert sent.arrived(PARISH).tls is None
    decision = sent.decided(Routed)
    assert (decision.floor, decision.original_floor) == (Protection.NONE, Protection.ENCRYPTED)
    assert decision.lowered_because == "the sender says that it holds no personal data"
    assert sent.in_the_clear()
    assert on.metric("sealpost_unprotected_total") == 0


async def test_s2_unlabelled_mail_to_a_domain_without_tls_comes_back(on: Stage) -> None:
    head = somebody(TRUST)
    sent = await send(on, head, head.letter(PARISH))
    assert await sent.only_end() == (State.REPORTED, "tls")
    (report,) = await sent.heard()
    assert report.text.startswith("What to do: Use Egress or a protected file.")
    assert not sent.in_the_clear()


async def test_s2_the_secure_button_is_never_clear(on: Stage) -> None:
    head = somebody(TRUST)
    message = head.letter(PARISH, button="secure", subject="[NO PERSONAL DATA] menu")
    sent = await send(on, head, message)
    assert await sent.only_end() == (State.DELIVERED, "egress")
    assert sent.arrived(PARISH).tls is not None
    assert not sent.in_the_clear()


@pytest.mark.parametrize(("size", "host"), [(14 * MIB, EGRESS.name), (16 * MIB, ARCHIVE.name)])
async def test_s4_each_route_has_its_own_limit_and_there_is_none_of_thirteen_mib(
    on: Stage, size: int, host: str
) -> None:
    head = somebody(TRUST)
    sent = await send(on, head, head.letter(PARENT, level="personal", files=(pdf(size),)), copy=COPY)
    assert (await other_ends(sent))[PARENT][0] is State.DELIVERED
    assert sent.arrived(PARENT).mx == host
    assert len(await sent.heard()) == (host == ARCHIVE.name)


async def test_s4_over_both_limits_it_comes_back_but_for_an_exception(on: Stage) -> None:
    support, head, agency = known("it.support@kcsp.org.uk"), somebody(TRUST), "duty@care.example"
    back = await send(on, head, head.letter(agency, level="personal", files=(pdf(20 * MIB),)))
    assert await back.only_end() == (State.REPORTED, "")
    (report,) = await back.heard()
    assert report.text.startswith("What to do: Use Egress")
    assert report.says("the limit is 15 MiB", "the limit is 17 MiB")

    sent = await send(on, support, support.letter(agency, level="personal", files=(pdf(20 * MIB),)), copy=COPY)
    assert await other_ends(sent) == {agency: (State.DELIVERED, "archive")}
    assert "DPO-0001" in sent.decided(Routed, agency).reason


async def test_s5_there_is_no_cjsm(on: Stage) -> None:
    head, cjsm = somebody(TRUST), "dc@police.cjsm.net"
    sent = await send(on, head, head.letter(cjsm, SURGERY, button="encrypted"))
    assert await sent.ended() == {cjsm: (State.REPORTED, ""), SURGERY: (State.DELIVERED, "egress")}
    (report,) = await sent.heard()
    assert report.text.startswith("What to do: Ask the DPO how to reach this person.")
    assert SURGERY not in report.text


CTF = "8861234_CTF_8865678_001.xml"


@pytest.mark.parametrize(
    "file",
    [
        File(CTF, b"<CTfile/>", "text/xml"),
        File("pupils.zip", zipped("readme.txt", f"out/{CTF.lower()}"), "application/zip"),
    ],
)
async def test_s6_a_common_transfer_file_goes_by_s2s(on: Stage, file: File) -> None:
    office = somebody(TRUST)
    sent = await send(on, office, office.letter(SCHOOL, files=(file,)))
    assert await sent.only_end() == (State.REPORTED, "")
    (report,) = await sent.heard()
    assert report.text.startswith("What to do: Use S2S: sign in to the Department's Secure Access")
    assert CTF not in report.whole
    assert sent.arrivals() == []


async def test_s6_a_pupils_report_goes_by_egress(on: Stage) -> None:
    office = somebody(TRUST)
    sent = await send(on, office, office.letter(SCHOOL, level="personal", files=(pdf(),)), copy=COPY)
    assert await other_ends(sent) == {SCHOOL: (State.DELIVERED, "egress")}


async def test_s7_files_to_the_office_are_delivered_with_a_word(on: Stage) -> None:
    teacher, office = somebody(TRUST), "office@kcsp.org.uk"
    sent = await send(on, teacher, teacher.letter(office, files=(pdf(),)))
    assert await sent.only_end() == (State.DELIVERED, "internal")
    (notice,) = await sent.heard()
    assert notice.says(f"What to do: Make sure that everyone who reads {office} may see the files.")
    assert notice.says("Ask head.office@kcsp.org.uk")
    plain = await send(on, teacher, teacher.letter(office))
    assert await plain.only_end() == (State.DELIVERED, "internal")
    assert await plain.heard() == []


async def test_s8_a_scan_over_the_limits_is_reported_to_the_printers_owner(on: Stage) -> None:
    scanner = known("scanner@kcsp.org.uk")
    sent = await send(on, scanner, scanner.letter(PARISH, subject="Scan", files=(pdf(18 * MIB),)))
    assert await sent.only_end() == (State.REPORTED, "")
    assert sent.facts.classification.level == "sensitive"
    assert await sent.heard() == []
    (report,) = await sent.heard("it.support@kcsp.org.uk")
    assert report.says("Use Egress", scanner.address, "registered as its owner")
    assert not sent.in_the_clear()


async def test_s8_an_out_of_office_answer_ends_without_a_word(on: Stage) -> None:
    teacher = somebody(TRUST)
    message = teacher.letter(PARISH, subject="Out of office", fields={"Auto-Submitted": "auto-replied"})
    sent = await send(on, teacher, message, path="")
    assert await sent.only_end() == (State.UNREPORTABLE, "secure")
    assert await sent.heard() == []
    assert sent.arrivals() == []


async def test_s8_a_newsletter_and_a_meeting_request(on: Stage) -> None:
    newsletter, teacher = known("newsletter@kcsp.org.uk"), somebody(TRUST)
    readers = [f"r{number}@{domain}" for number in range(60) for domain in ("freemail.example", "plain.example")]
    sent = await send(on, newsletter, newsletter.letter("readers@kcsp.org.uk"), *readers)
    assert set((await sent.ended()).values()) == {(State.DELIVERED, "opportunistic")}
    assert sorted(one for arrival in sent.arrivals() for one in arrival.rcpt_to) == sorted(readers)

    message = teacher.letter(SURGERY, subject="Review meeting", html="<p>Shall we meet?</p>")
    invitation(message)
    meeting = await send(on, teacher, message)
    assert await meeting.only_end() == (State.DELIVERED, "tls")
    assert b"METHOD:REQUEST\r\n" in meeting.arrived(SURGERY).content


async def test_s9_everything_wrong_goes_back_once_and_the_dpo_hears_without_content(on: Stage) -> None:
    clerk = somebody(TRUST)
    to = [f"r{number}@{domain}" for number in range(20) for domain in ("freemail.example", "agency.example")]
    text = f"See https://share.example/abc too.\nThe password is {PASSWORD}."
    sent = await send(
        on, clerk, clerk.letter(*to, subject=f"NHS number {NHS_NUMBER}", text=text, files=(locked_zip(),))
    )
    assert set((await sent.ended()).values()) == {(State.REPORTED, "")}
    assert sent.decided(Refused, to[0]).rule == "The password with the file"
    (report,) = await sent.heard()
    assert report.text.startswith("What to do: Send the file without the password.")
    assert report.says("Put nothing about a person in the subject", "Put the outside recipients in Bcc")
    assert "sharing" not in report.text
    assert report.text.count("Put nothing about a person in the subject") == 1
    (first,) = await sent.heard(DPO)
    assert first.says(sent.queue_id, clerk.address, "Further matches within 24 hours come together in one mail.")
    assert first.says("Personal information in the subject and The password with the file")
    for heard in (report, first):
        assert not any(word in heard.whole for word in (NHS_NUMBER, PASSWORD, "share.example", "list.zip"))
    assert sent.arrivals() == []


async def test_r16_sent_again_with_a_lower_label_it_is_held(on: Stage) -> None:
    clerk, file = somebody(TRUST), locked_zip()
    first = clerk.letter(PARENT, level="personal", text=f"The password is {PASSWORD}.", files=(file,))
    remembered = len(on.shared("refused/"))
    refused = await send(on, clerk, first)
    assert await refused.only_end() == (State.REPORTED, "")
    await on.until(lambda: len(on.shared("refused/")) > remembered)

    same = await send(on, clerk, clerk.letter(PARENT, level="ordinary", text="I shall ring you.", files=(file,)))
    assert same.held == (PARENT,)
    assert same.decided(Held).rule == "Sent again with a lower label"
    (notice,) = await same.heard()
    assert notice.says("Tell the DPO why the label was lowered.", "Who releases it: dpo")
    other = await send(on, clerk, clerk.letter(PARENT, level="ordinary", text="I shall ring you.", files=(pdf(),)))
    assert await other.only_end() == (State.DELIVERED, "tls")
