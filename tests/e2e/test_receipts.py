"""A receipt over sockets: asked for at an address of its own, joined to its message, and passed on to the sender."""

import asyncio
import smtplib
from collections.abc import AsyncGenerator
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from email.mime.text import MIMEText

import pytest
import pytest_asyncio

from gateway.core.record import EventKind, State
from tests.e2e.asking import ask
from tests.e2e.scenes import Sent, playing, send, somebody
from tests.e2e.stage import POLICIES, Setting, Stage, scenario_cast

pytestmark = pytest.mark.asyncio(loop_scope="module")

DOMAIN = "receipts.derbyshire.gov.uk"
SURGERY = "gp@tls.example"
RULE = """[[rules]]
name         = "Ask for a receipt"
when         = { recipient = ["tls.example"] }
receipt      = true
remind_after = "5d"

"""


def policy() -> str:
    """The council's, with a rule in front of all others."""
    before, first, behind = (POLICIES / "derbyshire.toml").read_text().partition("[[rules]]\n")
    return f'{before}{RULE}{first}{behind}\n[receipts]\ndomain = "{DOMAIN}"\n'


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def on(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    setting = Setting(cast=scenario_cast(), policy=policy(), workers=2)
    async with playing(tmp_path_factory, "receipts", setting) as built:
        yield built


def receipt(to: str, said: str) -> bytes:
    """A receipt (RFC 8098 section 3) as a mail program sends it."""
    report = MIMEMultipart("report", report_type="disposition-notification")
    report["From"], report["To"], report["Subject"] = SURGERY, to, "Read: Case file"
    report["Message-ID"] = f"<{said}@tls.example>"
    report.attach(MIMEText("Your message was displayed.\n"))
    fields = MIMENonMultipart("message", "disposition-notification")
    fields.set_payload(f"Final-Recipient: rfc822;{SURGERY}\r\nDisposition: manual-action/MDN-sent-manually; {said}\r\n")
    report.attach(fields)
    return report.as_bytes(policy=report.policy.clone(linesep="\r\n"))


def door(on: Stage, sender: str, *to: str) -> list[int]:
    """The codes that each of the recipients gets."""
    with smtplib.SMTP("127.0.0.1", on.smtp_port, timeout=60) as client:
        client.ehlo("inbound.derbyshire.gov.uk")
        assert client.docmd("MAIL", f"FROM:<{sender}>")[0] == 250
        return [client.docmd("RCPT", f"TO:<{one}>")[0] for one in to]


async def asked(on: Stage) -> tuple[Sent, str]:
    """A message to the surgery, and the address at which its receipt is to come."""
    clerk = somebody()
    sent = await send(on, clerk, clerk.letter(SURGERY))
    assert await sent.only_end() == (State.DELIVERED, "tls")
    header = sent.arrived(SURGERY).content.partition(b"\r\n\r\n")[0].decode()
    (address,) = [line.partition(": ")[2].strip("<>") for line in header.splitlines() if line.startswith("Disposition")]
    assert address.endswith(f"@{DOMAIN}")
    return sent, address


async def test_receipt_is_joined_to_its_message_and_passed_on(on: Stage) -> None:
    sent, address = await asked(on)
    content = receipt(address, "displayed")
    passed = await on.submit(content, address, sender="")
    ends = await on.ended(passed)
    assert {one: (end.state, end.route) for one, end in ends.items()} == {
        sent.writer.address: (State.DELIVERED, "internal")
    }
    (arrival,) = on.world.inbox.to(sent.writer.address)
    assert arrival.mail_from == ""
    assert arrival.content.endswith(content)

    shown = await ask(on.folder, "queue", "show", sent.queue_id)
    (line,) = [line for line in shown.out.splitlines() if "  receipt  " in line]
    assert line.endswith(f"  receipt  {SURGERY}  displayed; passed on as {passed}")
    *_, told = (await ask(on.folder, "queue", "show", sent.queue_id, "--json")).json["events"]
    assert (told["kind"], told["recipient"]) == ("receipt", SURGERY)


async def test_a_reply_from_outside_comes_in_and_nothing_else_of_that_sender_does(on: Stage) -> None:
    sent, address = await asked(on)
    other = "somebody@tls.example"
    doors = await asyncio.to_thread(door, on, SURGERY, f"0{address}", other, address, other)
    assert doors == [550, 550, 250, 452]
    reply = f"From: {SURGERY}\r\nMessage-ID: <reply@tls.example>\r\nSubject: Re\r\n\r\nThank you.\r\n".encode()
    passed = await on.submit(reply, address, sender=SURGERY)
    assert list(await on.ended(passed)) == [sent.writer.address]
    told = [event for event in on.events(None, EventKind.RECEIPT) if event.queue_id == sent.queue_id]
    assert [(event.address, event.text) for event in told] == [(SURGERY, f"answered; passed on as {passed}")]
