"""A receipt that was asked for is joined to its message and goes on to the sender; a missing one is told of once."""

import email
import email.policy
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from gateway.core.address import NullPath, ReversePath, parse_address
from gateway.core.envelope import Notify
from gateway.core.outcome import Cause, Outcome
from gateway.core.policy import Policy, Wishes
from gateway.core.record import EventKind, Kind, State
from gateway.core.reply import Reply
from gateway.flow import reminders as reminders_module
from gateway.flow.leased import LEASE
from gateway.flow.ports import Delivery, SpoolError, Target
from gateway.flow.receipts import VALID_FOR
from gateway.flow.receiving import ALONE, ENOUGH, FOREIGN, MOST_ANSWERS, UNKNOWN
from gateway.flow.reminders import Reminders
from tests.fakes.carrying import DELIVERED, UNKNOWN_USER, deferred
from tests.fakes.clock import settle
from tests.flow.gate import HOUR, POLICY, RULES, SENDER, Gate, recipient, with_fields
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
    refusal = gate.accept.recipient_refused(sender, (), parse_address(to))
    answer = refusal or await gate.hand_over(to, message=message or mdn(), sender=sender)
    await settle()
    return answer


def slow(gate: Gate, domain: str, time: timedelta) -> None:
    """The hosts of the domain take nothing for so long."""
    until = gate.clock.now() + time

    def script(delivery: Delivery, target: Target, now: datetime) -> Outcome:
        return deferred(Cause.REPLY_4XX) if delivery.destination == domain and now < until else DELIVERED

    gate.transports["tls"].script = script


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
        slow(gate, "surgery.example", HOUR)
        await gate.hand_over(GP)
        await gate.clock.advance(3 * HOUR)
        (at, _) = gate.transports["tls"].deliveries[-1]
        assert at > gate.transports["tls"].deliveries[0][0]
        await gate.clock.advance_to(at + DAYS - timedelta(seconds=1))
        one = chore(gate)
        assert await later(gate, timedelta(0), one) == []
        ((to, text),) = await later(gate, timedelta(seconds=1), one)
        assert to == str(SENDER)
        assert text.startswith("What to do: ask")
        (queue_id,) = [m.queue_id for m, _ in gate.heard.accepted_rows if m.kind is Kind.RELAY]
        assert GP in text and queue_id in text
        assert await noted(gate) == [("", "none yet from 1 recipient")]
        assert len(await later(gate, 2 * DAYS, one)) == 1
        assert await gate.state.items("receipt/due/", 10) == {}


async def test_receipt_reaches_the_sender_unchanged_and_is_in_the_audit_of_the_message() -> None:
    gate = asking()
    async with gate.running():
        await gate.hand_over(GP)
        await settle()
        local, _, domain = address_for(gate).partition("@")
        assert (await receive(gate, f"{local.upper()}@{domain}")).is_positive
        (received,) = came(gate)
        assert received.endswith(mdn())
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


async def test_recipient_reached_a_day_later_is_in_the_one_reminder() -> None:
    gate = asking()
    async with gate.running():
        slow(gate, "other.example", 24 * HOUR)
        await gate.hand_over(GP, VET)
        ((_, text),) = await later(gate)
        assert GP in text and VET in text
        assert "2 March 2026" in text and "3 March 2026" in text
        assert len(await later(gate, timedelta(days=2))) == 1


async def test_who_answered_in_time_leaves_the_others_their_reminder() -> None:
    gate = asking()
    async with gate.running():
        slow(gate, "other.example", 24 * HOUR)
        await gate.hand_over(GP, VET)
        await settle()
        await receive(gate, address_for(gate))
        await gate.clock.advance(2 * 24 * HOUR)
        assert (await receive(gate, address_for(gate, VET), mdn("deleted", 2))).is_positive
        assert await later(gate, DAYS - 2 * 24 * HOUR) == []
        ((_, text),) = await later(gate, 48 * HOUR)
        assert VET in text and GP not in text


async def test_what_was_not_delivered_is_not_waited_for() -> None:
    gate = asking()
    gate.transports["tls"].script = lambda delivery, target, now: UNKNOWN_USER
    async with gate.running():
        await gate.hand_over(GP)
        assert await later(gate, 2 * DAYS) == []
        assert (await gate.ends())[GP] is State.REPORTED


async def test_restart_between_forgets_nothing() -> None:
    gate = asking()
    async with gate.running():
        await gate.hand_over(GP, VET)
        await settle()
    gate.restart()
    async with gate.running():
        await receive(gate, address_for(gate))
    gate.reload(replace(ASKED, hash="policy-2"))
    async with gate.running():
        ((_, text),) = await later(gate)
        assert VET in text and GP not in text
    assert (GP, "displayed") in await noted(gate)


async def test_one_process_reminds_and_another_takes_over() -> None:
    gate = asking()
    async with gate.running():
        one, other = chore(gate), chore(gate)
        await gate.hand_over(GP)
        await gate.clock.advance(DAYS - ROUND)
        await one.send()
        assert await later(gate, ROUND, other) == [], "the first one has the work"
        assert len(await later(gate, LEASE, other)) == 1


async def test_reminder_that_cannot_be_kept_comes_with_the_next_round() -> None:
    gate = asking()
    async with gate.running():
        await gate.hand_over(GP)
        await settle()
        gate.spool.refuse = SpoolError("the disk broke")
        one = chore(gate)
        assert await later(gate, DAYS, one) == []
        assert [where for where, _, _ in gate.heard.faults] == ["reminder"]
        gate.spool.refuse = None
        assert len(await later(gate, ROUND, one)) == 1


@pytest.mark.parametrize(
    ("said", "reminded"), [("processed", False), ("deleted", True), ("denied", True), ("gibberish", True)]
)
async def test_receipt_that_confirms_nothing_leaves_the_reminder(said: str, reminded: bool) -> None:
    gate = asking()
    async with gate.running():
        await gate.hand_over(GP)
        await settle()
        assert (await receive(gate, address_for(gate), mdn(said))).is_positive
        assert len(came(gate)) == 1
        assert bool(await later(gate)) is reminded


@pytest.mark.parametrize(
    ("sender", "fields", "said"),
    [
        (OUTSIDER, b"", "answered"),
        (SENDER, b"", "answered"),
        (NullPath.NULL, b"", "answered by a machine"),
        (OUTSIDER, b"Auto-Submitted: auto-replied\r\n", "answered by a machine"),
    ],
)
async def test_reply_of_a_person_is_an_answer(sender: ReversePath, fields: bytes, said: str) -> None:
    gate = asking()
    async with gate.running():
        await gate.hand_over(GP)
        await settle()
        assert (await receive(gate, address_for(gate), fields + REPLY, sender)).is_positive
        assert await noted(gate) == [(GP, said)]
        assert (await later(gate) == []) is (said == "answered")
        assert REPLY in came(gate)[0]


async def test_receipt_that_cannot_be_delivered_is_reported_to_nobody() -> None:
    gate = asking()
    gate.transports["internal"].script = lambda delivery, target, now: UNKNOWN_USER
    async with gate.running():
        await gate.hand_over(GP)
        await settle()
        assert (await receive(gate, address_for(gate), REPLY, OUTSIDER)).is_positive
        assert len(gate.heard.accepted_rows) == 2
    assert (await gate.ends())[str(SENDER)] is State.UNREPORTABLE


async def test_forged_address_is_unknown_at_every_door() -> None:
    gate = asking()
    async with gate.running():
        await gate.hand_over(GP)
        await settle()
        local = address_for(gate).partition("@")[0]
        forged = f"{local[:-1]}{'0' if local[-1] != '0' else '1'}@{DOMAIN}"
        for to in (forged, f"postmaster@{DOMAIN}"):
            assert gate.accept.recipient_refused(NullPath.NULL, (), parse_address(to)) == UNKNOWN
            assert await gate.hand_over(to, message=mdn(), sender=NullPath.NULL) == UNKNOWN
        await settle()
        assert came(gate) == []
        assert len(await later(gate)) == 1


async def test_expired_address_is_unknown() -> None:
    gate = asking()
    async with gate.running():
        await gate.hand_over(GP)
        await settle()
        await gate.clock.advance(DAYS + VALID_FOR - timedelta(seconds=1))
        assert (await receive(gate, address_for(gate))).is_positive
        await gate.clock.advance(timedelta(seconds=2))
        assert await receive(gate, address_for(gate), mdn(number=2)) == UNKNOWN
        assert len(came(gate)) == 1


def doors(gate: Gate, sender: ReversePath, *to: str) -> Sequence[Reply | None]:
    """What each of the recipients hears at RCPT."""
    addresses = [parse_address(one) for one in to]
    return [gate.accept.recipient_refused(sender, addresses[:at], one) for at, one in enumerate(addresses)]


async def test_never_an_open_relay() -> None:
    gate = asking()
    async with gate.running():
        await gate.hand_over(GP)
        await settle()
        own = address_for(gate)
        assert gate.accept.sender_allowed(OUTSIDER)
        assert doors(gate, OUTSIDER, own) == [None]
        assert doors(gate, OUTSIDER, "b@tls.example", str(SENDER)) == [FOREIGN, FOREIGN]
        assert doors(gate, OUTSIDER, f"a@sub.{DOMAIN}") == [FOREIGN]
        assert doors(gate, SENDER, "b@tls.example", own) == [None, ALONE]
        assert doors(gate, NullPath.NULL, own, own, "b@tls.example") == [None, None, ALONE]
        before = len(gate.heard.accepted_rows)
        assert await gate.hand_over("b@tls.example", message=REPLY, sender=OUTSIDER) == FOREIGN
        assert await gate.hand_over("b@tls.example", own, message=REPLY, sender=OUTSIDER) == ALONE
        assert (await gate.hand_over("b@tls.example", message=mdn(), sender=NullPath.NULL)).code == 550
        assert len(gate.heard.accepted_rows) == before


async def test_mail_that_goes_round_is_not_taken() -> None:
    gate = asking()
    async with gate.running():
        await gate.hand_over(GP)
        await settle()
        trace = b"Received: from a by b\r\n" * 51
        assert (await receive(gate, address_for(gate), trace + mdn())).code == 554
        assert came(gate) == []


async def test_without_a_domain_receipts_go_past_us_and_nobody_is_reminded() -> None:
    gate = asking(replace(ASKED, receipts=""))
    async with gate.running():
        await gate.hand_over(GP)
        await settle()
        assert requests(gate) == {GP: [str(SENDER)]}
        assert await gate.state.items("receipt/", 10) == {}
        assert await later(gate, 2 * DAYS) == []
    assert not gate.accept.sender_allowed(OUTSIDER)


async def test_domain_that_was_given_up_ends_the_waiting() -> None:
    gate = asking()
    async with gate.running():
        await gate.hand_over(GP)
        await settle()
    gate.reload(replace(ASKED, receipts="", hash="policy-2"))
    async with gate.running():
        assert await later(gate, 2 * DAYS) == []


@pytest.mark.parametrize(
    ("field", "replaced"),
    [
        (b"Disposition-Notification-To: An Officer <Officer@council.example>", True),
        (b"Disposition-Notification-To:\r\n officer@council.example", True),
        (b"disposition-notification-to: team@council.example", False),
        (b"Disposition-Notification-To: officer@council.example, team@council.example", False),
        (b"Disposition-Notification-To: (((", False),
    ],
)
async def test_own_request_of_the_sender_goes_by_way_of_us_if_it_is_to_himself(field: bytes, replaced: bool) -> None:
    gate = asking()
    async with gate.running():
        await gate.hand_over(GP, message=with_fields(field))
        await settle()
        ((_, delivery),) = gate.transports["tls"].deliveries
        assert (field in delivery.header) is not replaced
        assert delivery.header.lower().count(b"disposition-notification-to") == 1
        assert (DOMAIN.encode() in delivery.header) is replaced
        assert bool(await later(gate)) is replaced


async def test_machine_is_never_reminded_and_nobody_who_wants_to_hear_nothing() -> None:
    gate = asking()
    async with gate.running():
        await gate.hand_over(GP, message=with_fields(b"Auto-Submitted: auto-generated"))
        await gate.hand_over(recipient(VET, Notify.NEVER))
        await settle()
        assert requests(gate)[GP] == []
        assert (await receive(gate, address_for(gate, VET))).is_positive, "the receipt itself is passed on"
        assert await later(gate, 2 * DAYS) == []


async def test_state_that_fails_costs_the_reminder_and_not_the_mail() -> None:
    gate = asking()
    async with gate.running():
        gate.state.failing = True
        await gate.hand_over(GP)
        await settle()
        assert requests(gate) == {GP: [str(SENDER)]}
        assert "receipts" in [where for where, _, _ in gate.heard.faults]
        gate.state.failing = False
        assert await later(gate) == []


async def test_receipt_is_put_off_while_the_state_fails() -> None:
    gate = asking()
    async with gate.running():
        await gate.hand_over(GP)
        await settle()
        gate.state.failing = True
        with pytest.raises(SpoolError):
            await receive(gate, address_for(gate))
        gate.state.failing = False
        assert (came(gate), await noted(gate)) == ([], [])
        assert (await receive(gate, address_for(gate))).is_positive


async def test_reminder_is_about_so_many_recipients_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reminders_module, "MOST_RECIPIENTS", 2)
    gate = asking()
    async with gate.running():
        await gate.hand_over(GP, NURSE, VET)
        ((_, text),) = await later(gate)
        assert GP in text and NURSE in text and VET not in text


async def test_flood_ends() -> None:
    gate = asking()
    async with gate.running():
        await gate.hand_over(GP, VET)
        await settle()
        for number in range(MOST_ANSWERS):
            assert (await receive(gate, address_for(gate), mdn(number=number))).is_positive
        assert (await receive(gate, address_for(gate), mdn(number=3))).is_positive, "the same one again has its place"
        assert await receive(gate, address_for(gate), mdn(number=MOST_ANSWERS)) == ENOUGH
        nameless = mdn().replace(b"Message-ID: <1@surgery.example>\r\n", b"")
        assert await receive(gate, address_for(gate), nameless) == ENOUGH
        assert (await receive(gate, address_for(gate, VET), nameless)).is_positive, "others have places of their own"
        assert len(await noted(gate)) == MOST_ANSWERS + 2


async def test_what_a_newer_gateway_keeps_is_no_receipt_and_no_reminder() -> None:
    gate = asking()
    async with gate.running():
        await gate.hand_over(GP)
        await settle()
        (key,) = await gate.state.items("receipt/asked/", 10)
        await gate.state.put(key, b"{}", gate.clock.now() + VALID_FOR)
        assert await receive(gate, address_for(gate)) == UNKNOWN
        assert await later(gate) == []
