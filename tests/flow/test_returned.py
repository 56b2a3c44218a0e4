"""Mail that a sealing host hands back: taken for it once, by our own marker, and never because a sender says so."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.core.decision import Held, Routed
from gateway.core.marker import FIELD, VALID_FOR
from gateway.core.policy import Rule, Send
from gateway.core.record import EventKind, Kind, Message, Origin, RecipientRow, State
from gateway.core.template import Template
from gateway.core.tls import Protection
from gateway.flow.accept import LOOP, NOT_PROVEN, HeaderProof, Profile
from gateway.flow.options import Refusals
from gateway.flow.ports import SpoolError
from gateway.flow.release import release
from gateway.flow.returned import ALERT
from tests.fakes.clock import settle
from tests.flow.gate import MESSAGE, ROUTES, Gate, to, with_rules

GP, NURSE = "gp@tls.example", "nurse@tls.example"
POLICY = with_rules(
    Rule(name="Open", when=to("open.example"), action=Send(("opportunistic",)), advice=Template("")),
    Rule(name="Sealed", when=None, action=Send(("encrypted",)), advice=Template("")),
)
CMS = b"Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\n"
SEALED = b"MIAGCSqGSIb3DQEHA6CAMIACAQA=\r\n"
RPMSG = (
    b"Content-Type: multipart/mixed; boundary=x\r\n",
    b'--x\r\nContent-Type: application/octet-stream; name="message.rpmsg"\r\n\r\nsealed\r\n--x--\r\n',
)
TENANT = Profile("smtp", Refusals.REPORT, ((HeaderProof("X-Tenant", (b"council",)),),))


def gate() -> Gate:
    routes = {**ROUTES, "encrypted": replace(ROUTES["encrypted"], returns=True)}
    return Gate(policy=POLICY, routes=routes)


async def left(here: Gate, *recipients: str, message: bytes = MESSAGE) -> bytes:
    """The header block of the message as the sealing host got it."""
    here.restart()
    async with here.running():
        assert (await here.hand_over(*(recipients or (GP,)), message=message)).is_positive
        await settle()
    return here.transports["encrypted"].deliveries[-1][1].header


def back(header: bytes, kind: bytes = CMS, body: bytes = SEALED) -> bytes:
    """What the host makes of it: the same fields, another content."""
    return header[:-2] + kind + b"\r\n" + body


def newest(here: Gate) -> tuple[Message, RecipientRow]:
    """The message that was taken last, with its only recipient as it was then."""
    message, (row,) = [each for each in here.heard.accepted_rows if each[0].kind is Kind.RELAY][-1]
    return message, row


async def rules(here: Gate) -> list[str]:
    """By which rule each recipient so far was decided, in order."""
    decided = await here.audit(EventKind.DECIDED)
    return [event.decision.rule for event in decided if event.decision is not None]


@pytest.mark.parametrize(("kind", "body"), [(CMS, SEALED), RPMSG])
async def test_what_comes_back_sealed_goes_on_without_being_decided_again(kind: bytes, body: bytes) -> None:
    here = gate()
    header = await left(here)
    first = newest(here)[0].queue_id
    here.restart()
    async with here.running():
        assert (await here.hand_over(GP, message=back(header, kind, body))).is_positive
        await settle()
    message, row = newest(here)
    decision = row.decision
    assert isinstance(decision, Routed)
    assert (decision.rule, decision.chain, decision.floor) == (
        "sealed by encrypted",
        ("opportunistic",),
        Protection.NONE,
    )
    assert message.origin == Origin(first, -1, Kind.RELAY)
    ((_, delivery),) = here.transports["opportunistic"].deliveries
    assert FIELD.encode() not in delivery.header
    assert b"X-Sealpost-Hop: v1; %b; encrypted,opportunistic;" % message.queue_id.encode() in delivery.header
    assert len(await here.audit(EventKind.ENDED)) == 2


async def test_both_messages_say_in_the_audit_that_they_are_one() -> None:
    here = gate()
    header = await left(here)
    first = newest(here)[0].queue_id
    await here.hand_over(GP, message=back(header))
    second = newest(here)[0].queue_id
    (told,) = await here.audit(EventKind.RETURNED)
    assert told.queue_id == first and told.text.endswith(f"it is {second} now")
    accepted = [event for event in await here.audit(EventKind.ACCEPTED) if event.queue_id == second]
    assert [first in event.text for event in accepted] == [True]
    # No rule has read these facts, so no other policy is tried on them later.
    assert accepted[0].facts is None


async def test_the_host_may_hand_it_back_recipient_by_recipient() -> None:
    here = gate()
    header = await left(here, GP, NURSE)
    assert header.count(FIELD.encode()) == 2
    for recipient in (GP, NURSE):
        await here.hand_over(recipient, message=back(header))
    assert (await rules(here))[2:] == ["sealed by encrypted"] * 2


async def test_a_repeat_whose_reply_was_lost_is_no_forgery() -> None:
    here = gate()
    header = await left(here)
    here.spool.refuse = SpoolError("the disk broke")
    with pytest.raises(SpoolError):
        await here.hand_over(GP, message=back(header))
    here.spool.refuse = None
    again = b"Received: from the.same.host by it.again; now\r\n" + back(header)
    assert (await here.hand_over(GP, message=again)).is_positive
    assert (await rules(here))[-1] == "sealed by encrypted"


def other_text(header: bytes) -> tuple[bytes, str]:
    return back(header, body=b"MIAGCSqGSIb3DQEHA6CAMIACAQB=\r\n"), GP


def other_message(header: bytes) -> tuple[bytes, str]:
    return back(header).replace(b"<original@", b"<another@"), GP


def other_recipient(header: bytes) -> tuple[bytes, str]:
    return back(header), "friend@tls.example"


@pytest.mark.parametrize("forged", [other_text, other_message, other_recipient])
async def test_a_marker_that_somebody_copied_is_worth_nothing(forged: Callable[[bytes], tuple[bytes, str]]) -> None:
    """Its recipient has seen the whole header, and the sealed message has gone on already."""
    here = gate()
    header = await left(here)
    await here.hand_over(GP, message=back(header))
    message, recipient = forged(header)
    # Without the field of our own passes it is a new message, and the policy decides.
    message = re.sub(rb"X-Sealpost-Hop:[^\n]*\n", b"", message)
    assert (await here.hand_over(recipient, message=message)).is_positive
    assert (await rules(here))[-1] == "Sealed"
    assert len(await here.audit(EventKind.RETURNED)) == 1


async def test_a_used_marker_leaves_the_message_to_the_rules_against_loops() -> None:
    here = gate()
    header = await left(here)
    await here.hand_over(GP, message=back(header))
    assert await here.hand_over(GP, message=back(header, body=b"another\r\n")) == LOOP


async def test_a_marker_is_good_for_an_hour() -> None:
    here = gate()
    header = await left(here)
    await here.clock.advance(VALID_FOR + timedelta(seconds=1))
    assert await here.hand_over(GP, message=back(header)) == LOOP
    assert await here.audit(EventKind.RETURNED) == []


async def test_the_fields_of_another_key_are_stripped_like_any_foreign_ones() -> None:
    here = gate()
    header = await left(here)
    elsewhere = Gate(policy=POLICY, routes={**ROUTES, "encrypted": replace(ROUTES["encrypted"], returns=True)})
    elsewhere.shared = replace(elsewhere.shared, system=replace(elsewhere.shared.system, hop_key=b"x" * 32))
    elsewhere.restart()
    forged = await left(elsewhere, message=back(header))
    assert forged.count(FIELD.encode()) == 1 and (await rules(elsewhere)) == ["Sealed"]


async def test_who_does_not_show_the_tenants_proof_hands_nothing_back() -> None:
    here = gate()
    header = await left(here)
    assert await here.hand_over(GP, message=back(header), profile=TENANT) == NOT_PROVEN
    proven = b"X-Tenant: council\r\n" + back(header)
    assert (await here.hand_over(GP, message=proven, profile=TENANT)).is_positive
    assert (await rules(here))[-1] == "sealed by encrypted"


async def test_what_comes_back_open_is_held_and_somebody_hears_of_it() -> None:
    here = gate()
    header = await left(here)
    first = newest(here)[0].queue_id
    assert (await here.hand_over(GP, message=back(header, b"", b"The body.\r\n"))).is_positive
    _, row = newest(here)
    assert isinstance(row.decision, Held) and row.state is State.HELD
    assert (row.decision.chain, row.decision.floor) == (("encrypted",), Protection.SEALED)
    assert [(name, queue_id) for name, queue_id, _ in here.heard.alerts] == [(ALERT, first)]


async def test_what_an_operator_releases_is_sent_to_the_host_once_more_and_comes_back() -> None:
    here = gate()
    header = await left(here)
    await here.hand_over(GP, message=back(header, b"", b"The body.\r\n"))
    message, row = newest(here)
    change = release("operator", here.shared.planner, here.clock.now(), reason="the rule is mended")
    await here.spool.operate(message.queue_id, frozenset({row.number}), change)
    here.restart()
    async with here.running():
        await settle()
    again = here.transports["encrypted"].deliveries[-1][1].header
    assert again != header and (await here.hand_over(GP, message=back(again))).is_positive
    assert (await rules(here))[-1] == "sealed by encrypted"


async def test_what_looked_encrypted_when_it_left_proves_nothing_by_its_form() -> None:
    here = gate()
    kind, body = RPMSG
    header = await left(here, message=back(MESSAGE[: -len(b"The body.\r\n")], kind, body))
    # The host did nothing: a file that somebody forwards is still the only thing that is encrypted.
    assert (await here.hand_over(GP, message=header + body)).is_positive
    decision = newest(here)[1].decision
    assert isinstance(decision, Held) and "looked so when it left" in decision.reason


async def test_a_message_without_message_id_gets_one_before_it_leaves_so_that_it_is_known_again() -> None:
    here = gate()
    header = await left(here, message=MESSAGE.replace(b"Message-ID: <original@council.example>\r\n", b""))
    first = newest(here)[0].queue_id
    assert header.count(b"Message-ID: <%b@gw.council.example>\r\n" % first.encode()) == 1
    assert (await here.hand_over(GP, message=back(header))).is_positive
    assert (await rules(here))[-1] == "sealed by encrypted"


async def test_other_routes_mark_nothing_and_where_none_returns_no_marker_counts() -> None:
    here = gate()
    async with here.running():
        await here.hand_over("x@open.example")
        await settle()
    assert FIELD.encode() not in here.transports["opportunistic"].deliveries[-1][1].header
    header = await left(here)
    here.reload(routes=ROUTES)
    assert await here.hand_over(GP, message=back(header)) == LOOP


async def test_a_state_that_fails_keeps_nothing_and_burns_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    here = gate()
    header = await left(here)

    async def broken(key: str, value: bytes, until: object) -> bytes:
        raise SpoolError("no memory")

    with monkeypatch.context() as patch:
        patch.setattr(here.state, "put_if_absent", broken)
        with pytest.raises(SpoolError):
            await here.hand_over(GP, message=back(header))
    assert len(here.heard.accepted_rows) == 1
    assert (await here.hand_over(GP, message=back(header))).is_positive


async def test_a_message_of_ours_that_came_back_too_often_is_a_loop_all_the_same() -> None:
    here = gate()
    header = await left(here)
    many = b"Received: by somebody; now\r\n" * 51
    assert await here.hand_over(GP, message=many + back(header)) == LOOP
