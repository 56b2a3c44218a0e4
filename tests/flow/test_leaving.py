"""A message that an MTA brought: what it may carry itself, what we take, and what is turned away."""

from dataclasses import replace

import pytest

from gateway.core.address import NullPath, parse_address
from gateway.core.edits import Remove
from gateway.core.modes import Mode, Rollout
from gateway.core.policy import Policy, Rule, Send
from gateway.core.record import BodyRef, EventKind, State
from gateway.core.result import FIELD, read_result
from gateway.core.template import Template
from gateway.flow.accept import FOREIGN, LOOP, NOT_OURS, Profile
from gateway.flow.custody import Custody, Fate, Left, Quarantined, Taken, TurnedAway
from gateway.flow.options import Refusals
from gateway.flow.ports import QueueFilter, SpoolError
from gateway.spool.memory import MemoryBodyWriter
from tests.flow.gate import HOUR, KEY, MESSAGE, POLICY, RULES, Gate, to, with_fields, with_rules

TAKEOVER = Profile("mta", Refusals.REPORT, custody=Custody.TAKEOVER, known_as="4F1")
SESSION = replace(TAKEOVER, refusals=Refusals.SESSION)
GATE = replace(TAKEOVER, custody=Custody.GATE)
TAG = replace(TAKEOVER, custody=Custody.TAG)
PUBLIC = with_fields(b"X-Classification: public")


async def brought(
    gate: Gate, *recipients: str, profile: Profile = TAKEOVER, message: bytes = MESSAGE, sender: str = ""
) -> Fate:
    path = parse_address(sender) if sender else parse_address("officer@council.example")
    submission = gate.begin(*recipients, sender=path, profile=profile)
    submission.write(message)
    return await submission.decide()


async def waiting(gate: Gate) -> list[str]:
    return [str(item.row.address) for item in await gate.spool.query(QueueFilter(), None, 100)]


async def test_what_needs_nothing_of_us_stays_with_the_mta_and_is_audited_so() -> None:
    gate = Gate()
    assert await brought(gate, "clerk@council.example", "gp@tls.example", message=PUBLIC) == Left()
    assert await waiting(gate) == []
    assert await gate.ends() == {"clerk@council.example": State.LEFT, "gp@tls.example": State.LEFT}
    accepted, *_ = await gate.audit(EventKind.ACCEPTED)
    assert accepted.text == "judged in mode takeover for an MTA that calls it 4F1"
    assert [row.state for _, row in gate.heard.ends] == [State.LEFT, State.LEFT]
    assert gate.heard.observed_short == []


@pytest.mark.parametrize("recipients", [("gp@tls.example",), ("clerk@council.example", "gp@tls.example")])
async def test_one_recipient_that_needs_us_brings_all_of_them(recipients: tuple[str, ...]) -> None:
    gate = Gate()
    fate = await brought(gate, *recipients)
    assert isinstance(fate, Taken)
    assert await waiting(gate) == list(recipients)


@pytest.mark.parametrize(
    "message",
    [
        with_fields(b"X-Classification: public", b"X-Sealpost-Foo: 1"),
        with_fields(b"X-Classification: public", b"Bcc: hidden@x.example"),
        PUBLIC.replace(b"the planted", b"[SECURE] the planted"),
    ],
)
async def test_a_header_that_has_to_be_changed_needs_us(message: bytes) -> None:
    assert isinstance(await brought(Gate(), "gp@tls.example", message=message), Taken)


async def test_mail_that_is_taken_over_is_refused_as_in_the_relay() -> None:
    gate = Gate()
    assert isinstance(await brought(gate, "x@forbidden.example", "gp@tls.example"), Taken)
    assert await waiting(gate) == ["gp@tls.example", "officer@council.example"]
    assert (await gate.ends())["x@forbidden.example"] is State.REPORTED
    fate = await brought(gate, "x@forbidden.example", profile=SESSION)
    assert isinstance(fate, TurnedAway) and fate.reply.code == 550


@pytest.mark.parametrize("profile", [TAKEOVER, GATE])
async def test_what_the_door_refuses_is_refused(profile: Profile) -> None:
    gate = Gate()
    assert await brought(gate, "gp@tls.example", profile=profile, sender="x@other.example") == TurnedAway(FOREIGN)
    submission = gate.begin("gp@tls.example", sender=NullPath.NULL, profile=profile)
    submission.write(MESSAGE.replace(b"council.example", b"other.example"))
    assert await submission.decide() == TurnedAway(NOT_OURS)


async def test_who_only_tags_refuses_nothing() -> None:
    gate = Gate()
    assert await brought(gate, "gp@tls.example", profile=TAG, sender="x@other.example") == Left()
    for recipient in ("x@forbidden.example", "x@held.example", "gp@tls.example", "clerk@council.example"):
        fate = await brought(gate, recipient, profile=TAG)
        assert isinstance(fate, Left) and len(fate.fields) == 1
    assert set((await gate.ends()).values()) == {State.LEFT}
    # Nothing was demanded of the last one; what was demanded of the others nobody has seen to.
    assert [str(row.address) for _, row in gate.heard.observed_short] == [
        "x@forbidden.example",
        "x@held.example",
        "gp@tls.example",
    ]
    assert gate.heard.refusals == []


async def test_a_gate_leaves_what_the_mta_can_carry_with_a_field_that_our_relay_knows() -> None:
    gate = Gate()
    fate = await brought(gate, "gp@tls.example", "clerk@council.example", profile=GATE)
    assert isinstance(fate, Left)
    (field,) = fate.fields
    assert field.name == FIELD and "; gate; encrypted; controlled; " in field.value
    found = read_result([field.value.encode()], "<original@council.example>", KEY)
    accepted, *_ = await gate.audit(EventKind.ACCEPTED)
    assert found is not None and (found.queue_id, found.mode) == (accepted.queue_id, "gate")
    assert gate.heard.observed_short == []


async def test_a_gate_turns_the_whole_away_for_one_that_is_refused_and_names_it() -> None:
    gate = Gate()
    fate = await brought(gate, "gp@tls.example", "x@forbidden.example", profile=GATE)
    assert isinstance(fate, TurnedAway) and fate.reply.code == 550
    assert any(line.startswith("x@forbidden.example: ") for line in fate.reply.lines)
    assert set((await gate.ends()).values()) == {State.REFUSED}
    assert [code for *_, code in gate.heard.refusals] == [550]


async def test_a_gate_turns_away_what_the_mta_cannot_carry() -> None:
    sealed = Rule(name="Sealed", when=to("sealed.example"), action=Send(("encrypted",)), advice=Template("Ask us."))
    gate = Gate(policy=with_rules(sealed, *RULES))
    fate = await brought(gate, "gp@tls.example", "x@sealed.example", profile=GATE)
    assert isinstance(fate, TurnedAway) and fate.reply.code == 550
    assert "cannot send it by the route encrypted" in " ".join(fate.reply.lines)
    assert isinstance(await brought(gate, "x@sealed.example"), Taken)


async def test_a_gate_puts_off_what_cannot_be_told_and_quarantines_what_waits_for_a_person() -> None:
    gate = Gate()
    fate = await brought(gate, "x@asks.example", profile=GATE)
    assert isinstance(fate, TurnedAway) and fate.reply.code == 450
    fate = await brought(gate, "x@held.example", profile=GATE)
    assert isinstance(fate, Quarantined) and fate.reason == "Checked"
    assert (await gate.ends())["x@held.example"] is State.LEFT
    fate = await brought(gate, "y@held.example", "gp@tls.example", profile=GATE)
    assert isinstance(fate, TurnedAway) and fate.reply.code == 550
    assert "y@held.example" in " ".join(fate.reply.lines)


@pytest.mark.parametrize("profile", [TAKEOVER, GATE, TAG])
async def test_without_its_audit_nothing_is_left_with_the_mta(profile: Profile) -> None:
    gate = Gate()
    gate.spool.refuse = SpoolError("the disk broke")
    with pytest.raises(SpoolError):
        await brought(gate, "gp@tls.example", profile=profile, message=PUBLIC)


async def test_a_loop_ends_at_mail_that_is_taken_over() -> None:
    gate = Gate()
    message = with_fields(*[b"Received: from a by b"] * 51)
    assert await brought(gate, "gp@tls.example", message=message) == TurnedAway(LOOP)
    # What the MTA carries goes by its way, and it counts for itself.
    assert isinstance(await brought(gate, "gp@tls.example", message=message, profile=GATE), Left)


async def test_the_relay_knows_what_a_milter_of_ours_has_judged_and_removes_what_is_forged() -> None:
    gate = Gate()
    fate = await brought(gate, "gp@tls.example", profile=GATE)
    assert isinstance(fate, Left)
    mark = f"{fate.fields[0].name}: {fate.fields[0].value}".encode()
    for field, text in (
        (mark, "judged before as 000-1 by a milter in mode gate"),
        (mark.replace(b"gate", b"tag"), ""),
    ):
        await gate.hand_over("gp@tls.example", message=with_fields(field))
        *_, accepted = await gate.audit(EventKind.ACCEPTED)
        first, *_ = await gate.audit(EventKind.ACCEPTED)
        assert accepted.text == text.replace("000-1", first.queue_id)
        *_, item = await gate.spool.query(QueueFilter(), None, 10)
        assert Remove("X-Sealpost-Result") in item.message.edits


async def test_a_gate_refuses_nothing_that_is_only_observed_and_counts_it() -> None:
    until = Gate().clock.now() + HOUR
    for baseline in ("opportunistic", "encrypted"):
        rollout = Rollout(mode=Mode.OBSERVE, until=until, baseline=baseline)
        gate = Gate(policy=replace(POLICY, rollouts=(rollout,)))
        fate = await brought(gate, "x@forbidden.example", profile=GATE)
        assert isinstance(fate, Left)
        assert [str(row.address) for _, row in gate.heard.observed_short] == ["x@forbidden.example"]
        # Its baseline is a way of ours, which the MTA would not take.
        assert isinstance(await brought(gate, "x@forbidden.example"), Taken)


def with_a_trusted_partner(gate_policy: Policy = POLICY) -> Policy:
    """A rule of its own sends a partner's mail by the internal route: a host of ours that has the way there."""
    partner = Rule(name="Line", when=to("partner.example"), action=Send(("internal",)), advice=Template(""))
    return replace(gate_policy, rules=(partner, *gate_policy.rules))


async def test_what_goes_by_an_internal_route_to_others_is_never_the_mtas() -> None:
    """The MTA would look for their MX."""
    gate = Gate(policy=with_a_trusted_partner())
    assert isinstance(await brought(gate, "x@partner.example"), Taken)
    assert isinstance(await brought(gate, "x@partner.example", "clerk@council.example", message=PUBLIC), Taken)
    fate = await brought(gate, "y@partner.example", profile=GATE)
    assert isinstance(fate, TurnedAway) and "cannot send it by the route internal" in " ".join(fate.reply.lines)
    assert isinstance(await brought(gate, "z@partner.example", profile=TAG), Left)
    assert [str(row.address) for _, row in gate.heard.observed_short] == ["z@partner.example"]


@pytest.mark.parametrize(("require_tls", "stays"), [(False, True), (True, False)])
async def test_requiretls_needs_us(*, require_tls: bool, stays: bool) -> None:
    submission = Gate().begin("gp@tls.example", profile=TAKEOVER, require_tls=require_tls)
    submission.write(PUBLIC)
    assert isinstance(await submission.decide(), Left if stays else Taken)


async def test_the_bytes_of_mail_that_is_not_kept_are_thrown_away(monkeypatch: pytest.MonkeyPatch) -> None:
    gate, kept = Gate(), list[bool]()

    class Watched(MemoryBodyWriter):
        async def finish(self) -> BodyRef:
            kept.append(True)
            return await super().finish()

        def discard(self) -> None:
            kept.append(False)
            super().discard()

    bodies = gate.spool.bodies
    monkeypatch.setattr(bodies, "writer", lambda: Watched(bodies))
    assert isinstance(await brought(gate, "gp@tls.example", message=PUBLIC), Left)
    assert kept == [False]
    for profile, again in ((GATE, False), (TAG, False), (TAKEOVER, True), (TAKEOVER, False)):
        await brought(gate, "gp@tls.example", profile=profile)
        assert kept.pop() is again
    await brought(gate, "x@forbidden.example", profile=GATE)
    assert kept == [False, False]
