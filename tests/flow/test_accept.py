"""From the first byte to the commit: what is answered, what is kept, and what is audited."""

from dataclasses import replace

import pytest

from gateway.core.address import NullPath, parse_address
from gateway.core.decision import Open, Refused, Routed
from gateway.core.edits import Add, Remove
from gateway.core.envelope import Notify, Ret
from gateway.core.facts import Lookup
from gateway.core.hop import FIELD, Hop, hop_edit, read_hop
from gateway.core.record import EventKind, Kind, QueueId, State
from gateway.core.scan import TooComplex
from gateway.core.tls import Starttls
from gateway.flow.accept import LOOP, NO_ROOM, NOT_OURS, NOT_PROVEN, HeaderProof, Profile
from gateway.flow.options import Refusals
from gateway.flow.ports import QueueFilter, SpoolError, SpoolFull
from tests.fakes.clock import settle
from tests.flow.gate import ADVICE, KEY, MESSAGE, POLICY, Gate, recipient, with_fields

SESSION = Profile("smtp", Refusals.SESSION)
REPORT = Profile("smtp", Refusals.REPORT)
PROVEN = Profile(
    "smtp",
    Refusals.REPORT,
    (
        (HeaderProof("X-Tenant", (b"council",)), HeaderProof("X-Secret", (b"old", b"new"))),
        (HeaderProof("X-Other", (b"one",)),),
    ),
)
ALL = QueueFilter(states=frozenset(State))


async def test_accepted_message_is_kept_with_its_decisions_and_acknowledged_with_its_queue_id() -> None:
    gate = Gate()
    reply = await gate.hand_over("gp@tls.example", "clerk@council.example")
    first, second = await gate.spool.query(ALL, None, 10)
    assert str(reply) == f"250 2.0.0 queued as {first.message.queue_id}"
    assert (first.row.state, second.row.state) == (State.QUEUED, State.QUEUED)
    assert (first.row.next_hop, second.row.next_hop) == ("tls:tls.example", "internal:internal.host")
    assert isinstance(second.row.decision, Routed) and second.row.decision.rule == "Inside"
    assert first.message.message_id == "<original@council.example>"
    assert gate.heard.accepted_rows[0][0].queue_id == first.message.queue_id


async def test_audit_of_an_acceptance_has_facts_and_a_decision_for_each_recipient() -> None:
    gate = Gate()
    await gate.hand_over("gp@tls.example", "clerk@council.example")
    accepted, *decided = await gate.audit()
    assert accepted.kind is EventKind.ACCEPTED
    assert accepted.facts is not None and accepted.facts.classification.source == "default"
    assert accepted.policy_hash == "policy-1"
    assert [(event.kind, event.address) for event in decided] == [
        (EventKind.DECIDED, "gp@tls.example"),
        (EventKind.DECIDED, "clerk@council.example"),
    ]


async def test_nothing_is_acknowledged_that_could_not_be_committed() -> None:
    gate = Gate()
    gate.spool.refuse = SpoolError("the disk broke")
    with pytest.raises(SpoolError):
        await gate.hand_over("gp@tls.example")
    gate.spool.refuse = SpoolFull("no room")
    assert await gate.hand_over("gp@tls.example") == NO_ROOM
    assert gate.heard.accepted_rows == []
    gate.spool.refuse = None
    assert (await gate.hand_over("gp@tls.example")).is_positive


async def test_full_disk_is_said_before_the_message_is_taken() -> None:
    gate = Gate()
    gate.spool.bodies.refuse = SpoolFull("no room")
    with pytest.raises(SpoolFull):
        gate.begin("gp@tls.example")


async def test_message_past_a_limit_of_the_scan_is_told_to_the_listener() -> None:
    gate = Gate()
    submission = gate.begin("gp@tls.example")
    with pytest.raises(TooComplex):
        for _ in range(40):
            submission.write(b"X: " + b"a" * 20_000 + b"\r\n")
        await submission.finish()


async def test_message_that_names_too_many_addresses_is_told_to_the_listener_and_not_kept() -> None:
    gate = Gate()
    message = with_fields(b"To: " + b",".join(b"%d@b.c" % number for number in range(5001)))
    with pytest.raises(TooComplex, match="more than 5000 different addresses"):
        await gate.hand_over("gp@tls.example", message=message)
    assert gate.heard.accepted_rows == []
    assert (await gate.hand_over("gp@tls.example")).is_positive


async def test_edits_remove_control_and_blind_fields_and_add_the_trace() -> None:
    gate = Gate()
    message = with_fields(b"X-Sealpost-Foo: 1", b"Bcc: hidden@x.example", b"X-Secret: new", b"X-Tenant: council")
    await gate.hand_over("gp@tls.example", message=message, profile=PROVEN)
    (item,) = await gate.spool.query(ALL, None, 10)
    *removals, trace = item.message.edits
    assert set(removals) == {Remove("X-Sealpost-Foo"), Remove("Bcc"), Remove("X-Secret"), Remove("X-Tenant")}
    assert isinstance(trace, Add) and trace.name == "Received"
    assert f"id {item.message.queue_id}" in trace.value


async def test_secret_of_another_way_in_leaves_neither_with_the_message_nor_is_it_asked_for() -> None:
    gate = Gate()
    # The tenant's rule has set the field; the message came on by a relay of our own, which has to prove nothing.
    profile = Profile("smtp", Refusals.REPORT, secrets=("X-Council-Relay",))
    async with gate.running():
        reply = await gate.hand_over("gp@tls.example", message=with_fields(b"x-council-relay: s3cret"), profile=profile)
        await settle()
    assert reply.is_positive
    ((_, delivery),) = gate.transports["tls"].deliveries
    assert b"To: " in delivery.header and b"s3cret" not in delivery.header
    assert (await gate.hand_over("gp@tls.example", profile=profile)).is_positive


@pytest.mark.parametrize(
    ("fields", "proven"),
    [
        ((b"X-Tenant: council", b"X-Secret: old"), True),
        ((b"x-tenant: council", b"X-SECRET: new"), True),
        ((b"X-Other: one",), True),
        ((b"X-Tenant: council",), False),
        ((b"X-Secret: new",), False),
        ((b"X-Tenant: council", b"X-Secret: newer"), False),
        ((b"X-Tenant: council", b"X-Secret: new", b"X-Secret: new"), False),
        ((b"X-Tenant: foreign", b"X-Tenant: council", b"X-Secret: new"), False),
        ((b"X-Other: ",), False),
        ((), False),
    ],
)
async def test_message_must_show_the_proofs_of_its_listener(fields: tuple[bytes, ...], proven: bool) -> None:
    gate = Gate()
    reply = await gate.hand_over("gp@tls.example", message=with_fields(*fields), profile=PROVEN)
    assert reply.is_positive is proven
    if not proven:
        assert reply == NOT_PROVEN
        assert gate.heard.refusals == [("smtp", "10.0.0.1", NOT_PROVEN.lines[0], 550)]
        assert await gate.audit() == []


async def test_sender_is_one_of_ours_or_null() -> None:
    gate = Gate()
    assert gate.accept.sender_allowed(parse_address("a@council.example"))
    assert gate.accept.sender_allowed(NullPath.NULL)
    assert not gate.accept.sender_allowed(parse_address("a@sub.council.example"))


@pytest.mark.parametrize(
    ("sender_field", "ours"),
    [
        (b"From: System <noreply@council.example>", True),
        (b"From: noreply@COUNCIL.example", True),
        (b"From: stranger@elsewhere.example", False),
        (b"From: a@council.example, b@elsewhere.example", False),
        (b"From: nobody", False),
        (b"X: y", False),
    ],
)
async def test_null_path_leaves_only_with_a_from_of_ours(sender_field: bytes, ours: bool) -> None:
    gate = Gate()
    reply = await gate.hand_over("gp@tls.example", message=sender_field + b"\r\n\r\nx\r\n", sender=NullPath.NULL)
    assert reply.is_positive if ours else reply == NOT_OURS


async def test_null_path_with_one_refused_recipient_is_refused_as_a_whole() -> None:
    gate = Gate()
    reply = await gate.hand_over("gp@tls.example", "x@forbidden.example", sender=NullPath.NULL)
    assert (reply.code, str(reply.status)) == (550, "5.7.1")
    assert "x@forbidden.example" in str(reply) and "gp@tls.example" not in str(reply)
    assert await gate.ends() == {"gp@tls.example": State.REFUSED, "x@forbidden.example": State.REFUSED}
    assert await gate.spool.query(ALL, None, 10) == ()


async def test_session_refuses_only_if_every_recipient_is_refused() -> None:
    gate = Gate()
    reply = await gate.hand_over("a@forbidden.example", "b@forbidden.example", profile=SESSION)
    assert reply.code == 550
    assert reply.lines[0] == ADVICE
    assert "Service Desk, 01629 000000" in reply.lines[-1] and "rule: Forbidden" in reply.lines[1]
    assert set((await gate.ends()).values()) == {State.REFUSED}
    assert [state.state for _, state in gate.heard.ends] == [State.REFUSED, State.REFUSED]
    assert gate.heard.refusals[0][3] == 550

    mixed = await gate.hand_over("c@forbidden.example", "gp@tls.example", profile=SESSION)
    assert mixed.is_positive
    ends = await gate.ends()
    assert ends["c@forbidden.example"] is State.REPORTED and "gp@tls.example" not in ends


async def test_refusal_in_the_session_keeps_no_byte_of_the_message() -> None:
    gate = Gate()
    gate.spool.bodies.inline = 10
    await gate.hand_over("a@forbidden.example", profile=SESSION)
    assert gate.spool.bodies.files == {}


async def test_report_listener_always_takes_the_message_and_names_the_refused_in_one_report() -> None:
    gate = Gate()
    async with gate.running():
        reply = await gate.hand_over("a@forbidden.example", "b@forbidden.example", "gp@tls.example", profile=REPORT)
        assert reply.is_positive
        await settle()
    ((_, report),) = gate.reports()
    assert report.count(b"Final-Recipient: rfc822;") == 2
    assert b"What to do: Ask the Service Desk for a Cryptshare transfer." in report
    assert b"gp@tls.example\r\nAction" not in report
    assert gate.transports["tls"].carried == ["gp@tls.example"]
    assert await gate.ends() == {
        "a@forbidden.example": State.REPORTED,
        "b@forbidden.example": State.REPORTED,
        "gp@tls.example": State.DELIVERED,
    }


async def test_refused_recipients_that_want_no_report_or_are_automatic_are_audited_as_unreportable() -> None:
    gate = Gate()
    await gate.hand_over(recipient("a@forbidden.example", Notify.NEVER), "b@forbidden.example")
    automatic = with_fields(b"Auto-Submitted: auto-generated")
    await gate.hand_over("c@forbidden.example", message=automatic)
    assert await gate.ends() == {
        "a@forbidden.example": State.UNREPORTABLE,
        "b@forbidden.example": State.REPORTED,
        "c@forbidden.example": State.UNREPORTABLE,
    }
    assert [m.kind for m, _ in gate.heard.accepted_rows].count(Kind.REPORT) == 1


async def test_report_is_committed_with_the_message_or_neither_is() -> None:
    gate = Gate()
    gate.spool.refuse = SpoolFull("no room")
    assert await gate.hand_over("a@forbidden.example") == NO_ROOM
    assert await gate.audit() == []


async def test_report_never_holds_the_proofs_or_the_blind_copies() -> None:
    gate = Gate()
    message = with_fields(b"X-Other: one", b"Bcc: hidden@x.example", b"X-Sealpost-Intent: secure")
    async with gate.running():
        await gate.hand_over("a@forbidden.example", message=message, profile=PROVEN)
        await settle()
    ((_, report),) = gate.reports()
    assert b"X-Other" not in report and b"hidden@x.example" not in report and b"X-Sealpost-Intent" not in report
    assert b"planted" not in report


async def test_public_message_comes_back_whole_if_its_sender_asked_for_that() -> None:
    gate = Gate()
    async with gate.running():
        public = with_fields(b"X-Classification: public", b"X-Sealpost-Foo: 1")
        await gate.hand_over("a@forbidden.example", message=public, ret=Ret.FULL)
        await settle()
    ((_, report),) = gate.reports()
    assert b"Content-Type: message/rfc822\r\n\r\nX-Classification: public\r\nFrom:" in report
    assert b"The body." in report


async def test_held_recipient_is_kept_and_open_one_takes_its_policy_along() -> None:
    gate = Gate()
    await gate.hand_over("a@held.example", "b@asks.example")
    held, undecided, _ = await gate.spool.query(ALL, None, 10)
    assert (held.row.state, undecided.row.state) == (State.HELD, State.OPEN)
    assert isinstance(undecided.row.decision, Open)
    assert await gate.spool.policy("policy-1") == b"policy-1"


async def test_door_looks_up_only_what_a_rule_reads_and_decides_with_it() -> None:
    gate = Gate()
    gate.lookups.table[Lookup.STARTTLS, "asks.example"] = Starttls.NO
    await gate.hand_over("a@asks.example", "b@asks.example", "gp@tls.example")
    assert gate.lookups.asked == [(frozenset({(Lookup.STARTTLS, "asks.example")}), gate.queue.door_wait)]
    decisions = [event.decision for event in await gate.audit(EventKind.DECIDED)]
    assert [type(decision) for decision in decisions[:3]] == [Refused, Refused, Routed]
    accepted = (await gate.audit(EventKind.ACCEPTED))[0]
    assert accepted.facts is not None
    assert accepted.facts.outside == {(Lookup.STARTTLS, "asks.example"): Starttls.NO}
    await gate.hand_over("gp@tls.example")
    assert len(gate.lookups.asked) == 1


def hop(*routes: str, message_id: str = "<original@council.example>") -> bytes:
    """A hop field of ours."""
    edit = hop_edit(Hop(QueueId("000-old"), routes), message_id, KEY)
    return f"{edit.name}: {edit.value}".encode()


@pytest.mark.parametrize(
    ("field", "loop"),
    [
        (hop("tls"), True),
        (hop("encrypted"), False),
        (hop("encrypted", "internal", "other"), True),
        (hop("tls", message_id="<another@x>"), False),
        (b"X-Sealpost-Hop: v1; 000-x; tls; " + b"0" * 64, False),
    ],
)
async def test_message_that_took_the_chosen_route_before_is_a_loop(field: bytes, loop: bool) -> None:
    gate = Gate()
    reply = await gate.hand_over("gp@tls.example", message=with_fields(field))
    assert reply == LOOP if loop else reply.is_positive


@pytest.mark.parametrize(("count", "loop"), [(50, False), (51, True)])
async def test_too_many_received_fields_are_a_loop(count: int, loop: bool) -> None:
    gate = Gate()
    reply = await gate.hand_over("gp@tls.example", message=with_fields(*[b"Received: from a by b; now"] * count))
    assert reply == LOOP if loop else reply.is_positive


async def test_routes_of_earlier_passes_travel_on_and_foreign_hop_fields_do_not() -> None:
    gate = Gate()
    async with gate.running():
        await gate.hand_over("gp@tls.example", message=with_fields(hop("encrypted"), hop("tls", message_id="<x>")))
        await settle()
    ((_, delivery),) = gate.transports["tls"].deliveries
    assert delivery.header.count(FIELD.encode()) == 1
    value = delivery.header.split(b"\r\n")[0].removeprefix(b"X-Sealpost-Hop: ")
    found = read_hop((value,), "<original@council.example>", KEY)
    assert found is not None and found.routes == ("encrypted", "tls")
    again = await gate.hand_over("gp@tls.example", message=delivery.header + b"x\r\n")
    assert again == LOOP


async def test_message_keeps_the_policy_that_it_began_with() -> None:
    gate = Gate()
    submission = gate.begin("gp@tls.example")
    stricter = replace(POLICY, hash="policy-2", rules=(replace(POLICY.rules[1], when=None),))
    gate.reload(policy=stricter)
    submission.write(MESSAGE)
    assert (await submission.finish()).is_positive
    assert (await gate.audit(EventKind.ACCEPTED))[0].policy_hash == "policy-1"
    assert (await gate.hand_over("gp@tls.example", profile=SESSION)).code == 550


async def test_discarded_message_leaves_nothing() -> None:
    gate = Gate()
    submission = gate.begin("gp@tls.example")
    submission.write(MESSAGE)
    submission.discard()
    assert await gate.audit() == []
    assert gate.heard.refusals == []


async def test_audit_holds_no_word_of_subject_or_body() -> None:
    gate = Gate()
    async with gate.running():
        await gate.hand_over("gp@tls.example", "a@forbidden.example")
        await settle()
    assert "planted" not in repr(await gate.audit()) and "The body" not in repr(await gate.audit())
