"""A receipt that was asked for is joined to its message and goes on to the sender; a missing one is told of once."""

import email
import email.policy
import re
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.core.address import Address, NullPath, ReversePath, parse_address
from gateway.core.envelope import Notify
from gateway.core.policy import Policy, Wishes
from gateway.core.record import EventKind, Kind, State
from gateway.core.reply import Reply
from gateway.flow.accept import Submission
from gateway.flow.ports import SpoolError
from gateway.flow.receipts import VALID_FOR
from gateway.flow.receiving import ALONE, ENOUGH, FOREIGN, MOST_ANSWERS, UNKNOWN
from gateway.flow.reminders import LEASE, Reminders
from tests.fakes.carrying import DELIVERED, UNKNOWN_USER, deferred
from tests.fakes.clock import settle
from tests.flow.gate import HOUR, POLICY, RULES, SENDER, Gate, recipient, whole, with_fields
from tests.flow.wishing import remark

DOMAIN = "receipts.council.example"
GP, NURSE = "gp@surgery.example", "nurse@surgery.example"
VET = "vet@other.example"
DAYS = timedelta(days=5)
ROUND = timedelta(minutes=5)
ASKING = Wishes(receipt=True, remind_after=DAYS)
ASKED: Policy = replace(
    POLICY,
    rules=(
        remark("Confirm", "surgery.example", ASKING),
        remark("Confirm too", "other.example", ASKING),
        remark("No reminder", "patient.example", Wishes(receipt=True)),
        *RULES,
    ),
    receipts=DOMAIN,
)
MDN = (
    b"From: gp@surgery.example\r\n"
    b"Message-ID: <%b@surgery.example>\r\n"
    b"Content-Type: multipart/report; report-type=disposition-notification; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain\r\n\r\nYour message was displayed.\r\n"
    b"--b\r\nContent-Type: message/disposition-notification\r\n\r\n"
    b"Disposition: manual-action/MDN-sent-manually; %b\r\n"
    b"--b--\r\n"
)
REPLY = b"From: gp@surgery.example\r\nMessage-ID: <r@surgery.example>\r\nSubject: Re\r\n\r\nThank you.\r\n"
OUTSIDER = parse_address("gp@surgery.example")


def mdn(said: str = "displayed", number: int = 1) -> bytes:
    return MDN % (str(number).encode(), said.encode())


def asking(policy: Policy = ASKED) -> Gate:
    return Gate(policy=policy)


def requests(gate: Gate, route: str = "tls") -> dict[str, list[str]]:
    """By recipient, whom each copy that went out asks to send a receipt to."""
    found: dict[str, list[str]] = {}
    for _, delivery in gate.transports[route].deliveries:
        fields = re.findall(rb"^Disposition-Notification-To: <(.*)>\r\n", delivery.header, re.MULTILINE)
        for target in delivery.targets:
            found[str(target.recipient.address)] = [field.decode() for field in fields]
    return found


def address_for(gate: Gate, of: str = GP) -> str:
    (address,) = requests(gate)[of]
    assert address.endswith("@" + DOMAIN)
    return address


async def receive(gate: Gate, to: str, message: bytes = b"", sender: ReversePath = NullPath.NULL) -> Reply:
    """A receipt comes, as a listener would hand it over."""
    for refusal in (gate.accept.recipient_refused(sender, (), parse_address(to)),):
        if refusal is not None:
            return refusal
    answer = await gate.hand_over(to, message=message or mdn(), sender=sender)
    await settle()
    return answer


def came(gate: Gate) -> list[bytes]:
    """The receipts that the internal host got."""
    return [mail for _, mail in gate.reports() if b"\r\nSubject: No receipt" not in mail]


def reminders(gate: Gate) -> list[tuple[str, str]]:
    """Reader and plain text of each reminder that the internal host got."""
    found: list[tuple[str, str]] = []
    for _, mail in gate.reports():
        parsed = email.message_from_bytes(mail, policy=email.policy.default)
        if str(parsed["Subject"]).startswith("No receipt yet"):
            part = parsed.get_body(("plain",))
            assert part is not None
            found.append((parsed["To"], part.get_content()))
            assert b"planted" not in mail and b"The body" not in mail
    return found


def chore(gate: Gate) -> Reminders:
    return Reminders(gate.spool, gate.shared, lambda entries: gate.dispatch.committed(entries))


async def later(gate: Gate, by: timedelta = DAYS, of: Reminders | None = None) -> list[tuple[str, str]]:
    """Lets time pass, and then one round of the chore."""
    await gate.clock.advance(by)
    await (of or chore(gate)).send()
    await settle()
    return reminders(gate)


async def noted(gate: Gate) -> list[tuple[str, str]]:
    """What the audit says of receipts: of whom, and its first words."""
    return [(event.address, event.text.split(";")[0]) for event in await gate.audit(EventKind.RECEIPT)]


async def test_missing_receipt_is_told_of_once_five_days_after_the_delivery() -> None:
    gate = asking()
    async with gate.running():
        gate.transports["tls"].script = lambda delivery, target, now: (
            DELIVERED if now > gate.clock._start + HOUR else deferred(cause)
        )
        from gateway.core.outcome import Cause

        cause = Cause.REPLY_4XX
        await gate.hand_over(GP)
        await gate.clock.advance(3 * HOUR)
        (at, _) = gate.transports["tls"].deliveries[-1]
        one = chore(gate)
        await gate.clock.advance_to(at + DAYS - timedelta(seconds=1))
        assert await later(gate, timedelta(0), one) == []
        ((to, text),) = await later(gate, timedelta(seconds=1), one)
        assert to == str(SENDER) and GP in text and text.startswith("What to do: ask")
        (queue_id,) = [m.queue_id for m, _ in gate.heard.accepted_rows if m.kind is Kind.RELAY]
        assert queue_id in text
        assert await noted(gate) == [("", "none yet from 1 recipient")]
        assert len(await later(gate, 2 * DAYS, one)) == 1
        assert await gate.state.items("receipt/due/", 10) == {}


async def test_receipt_reaches_the_sender_unchanged_and_is_in_the_audit_of_the_message() -> None:
    gate = asking()
    async with gate.running():
        await gate.hand_over(GP)
        await settle()
        answer = await receive(gate, address_for(gate).upper().replace(DOMAIN.upper(), DOMAIN))
        assert answer.is_positive
        (received,) = came(gate)
        assert received.endswith(mdn()) and received.count(b"From:") == 1
        assert gate.transports["internal"].carried == [str(SENDER)]
        assert await later(gate, 2 * DAYS) == []
    original, receipt = (message for message, _ in gate.heard.accepted_rows)
    assert (receipt.kind, receipt.facts, receipt.envelope.reverse_path) == (Kind.RELAY, None, NullPath.NULL)
    (event,) = await gate.audit(EventKind.RECEIPT)
    assert (event.queue_id, event.recipient, event.address) == (original.queue_id, 0, GP)
    assert event.text == f"displayed; passed on as {receipt.queue_id}"
    assert await gate.ends() == {GP: State.DELIVERED, str(SENDER): State.DELIVERED}


async def test_reminder_names_those_alone_who_have_not_answered() -> None:
    gate = asking()
    async with gate.running():
        await gate.hand_over(GP, NURSE, VET, "a@patient.example", "b@tls.example")
        await settle()
        assert len({address_for(gate, one) for one in (GP, NURSE, VET, "a@patient.example")}) == 4
        assert requests(gate)["b@tls.example"] == []
        assert (await receive(gate, address_for(gate, NURSE))).is_positive
        ((_, text),) = await later(gate)
        assert GP in text and VET in text and NURSE not in text
        assert "patient.example" not in text and "b@tls" not in text
        assert (await receive(gate, address_for(gate, VET), mdn(number=2))).is_positive
        assert len(await later(gate, VALID_FOR)) == 1
    assert [one for one in await noted(gate) if one[0]] == [(NURSE, "displayed"), (VET, "displayed")]


async def test_recipient_reached_later_is_in_the_one_reminder() -> None:
    gate = asking()
    async with gate.running():
        gate.transports["tls"].gate = asyncio_gate = __import__("asyncio").Event()
        asyncio_gate.set()
        start = gate.clock.now()
        from gateway.core.outcome import Cause

        def script(delivery: object, target: object, now: object) -> object:
            late = delivery.destination == "other.example" and now < start + 24 * HOUR  # type: ignore[attr-defined]
            return deferred(Cause.REPLY_4XX) if late else DELIVERED

        gate.transports["tls"].script = script  # type: ignore[assignment]
        await gate.hand_over(GP, VET)
        ((_, text),) = await later(gate)
        assert GP in text and VET in text
        assert len(await later(gate, timedelta(days=2))) == 1
