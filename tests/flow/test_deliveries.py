"""Header edits of a rule, for its recipients alone and never against the route; receipts; what is observed."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.core.modes import Mode, Rollout
from gateway.core.policy import Send
from gateway.core.record import State
from tests.fakes.carrying import DELIVERED, IN_CLEAR
from tests.fakes.clock import START, settle
from tests.flow.gate import RULES, with_fields
from tests.flow.wishing import WISHING, wishing

ENCRYPTED = tuple(replace(rule, action=Send(("encrypted",))) if rule.name == "Controlled" else rule for rule in RULES)


async def test_recipients_with_different_edits_never_share_a_delivery() -> None:
    gate = wishing(rules=(*WISHING, *ENCRYPTED))
    async with gate.running():
        await gate.hand_over("a@one.example", "b@two.example", "c@three.example", "d@two.example")
        await settle()
    plain, tagged = [delivery for _, delivery in gate.transports["encrypted"].deliveries]
    assert [str(target.recipient.address) for target in plain.targets] == ["a@one.example", "c@three.example"]
    assert [str(target.recipient.address) for target in tagged.targets] == ["b@two.example", "d@two.example"]
    assert plain.delivery_id != tagged.delivery_id and plain.delivery_id.endswith(":encrypted.host")
    assert b"X-Handling: careful\r\n" in tagged.header and b"X-Handling" not in plain.header
    assert b"Subject: [OFFICIAL] the planted subject\r\n" in tagged.header
    assert b"X-Encrypt: yes\r\n" in tagged.header, "what the route adds stands behind all edits"


async def test_delivery_id_of_edits_is_the_same_on_a_repeat() -> None:
    gate = wishing()
    outcomes = iter([None, IN_CLEAR])
    gate.transports["tls"].script = lambda delivery, target, now: next(outcomes)
    async with gate.running():
        await gate.hand_over("b@two.example")
        await gate.clock.advance(timedelta(hours=1))
    first, second = [delivery.delivery_id for _, delivery in gate.transports["tls"].deliveries]
    assert first == second and first.count("/") == 4


@pytest.mark.parametrize(
    ("field", "asked"),
    [
        (b"X-Other: 1", b"Disposition-Notification-To: <officer@council.example>\r\n"),
        (b"disposition-notification-to: me@council.example", b""),
        (b"Auto-Submitted: auto-generated", b""),
    ],
)
async def test_receipt_is_asked_for_unless_the_sender_did_or_is_a_machine(field: bytes, asked: bytes) -> None:
    gate = wishing()
    async with gate.running():
        await gate.hand_over("a@receipt.example", "b@three.example", message=with_fields(field))
        await settle()
    first, second = [delivery.header for _, delivery in gate.transports["tls"].deliveries]
    assert (b"Disposition-Notification-To: <" in first) is bool(asked) and asked in first
    assert b"Disposition-Notification-To: <" not in second


def observe(**changes: object) -> Rollout:
    made = Rollout(mode=Mode.OBSERVE, until=START + timedelta(days=1), baseline="opportunistic")
    return replace(made, **changes)  # pyright: ignore[reportArgumentType]


async def test_observed_mail_goes_by_the_baseline_and_its_shortfall_is_counted_apart() -> None:
    gate = wishing(observe())
    gate.transports["opportunistic"].script = lambda delivery, target, now: (
        IN_CLEAR if target.recipient.address.domain == "one.example" else DELIVERED
    )
    async with gate.running():
        await gate.hand_over("a@one.example", "b@three.example", "c@forbidden.example")
        await settle()
    assert set((await gate.ends()).values()) == {State.DELIVERED}
    assert sorted(gate.transports["opportunistic"].carried) == [
        "a@one.example",
        "b@three.example",
        "c@forbidden.example",
    ]
    assert gate.heard.fell_short == [] and gate.reports() == []
    assert [str(row.address) for _, row in gate.heard.observed_short] == ["a@one.example"]


async def test_public_mail_that_is_observed_falls_short_of_nothing() -> None:
    gate = wishing(observe())
    gate.transports["opportunistic"].script = lambda delivery, target, now: IN_CLEAR
    async with gate.running():
        await gate.hand_over("a@one.example", message=with_fields(b"X-Classification: public"))
        await settle()
    assert gate.heard.observed_short == [] == gate.heard.fell_short


async def test_what_is_not_observed_is_still_an_incident() -> None:
    gate = wishing(observe(rule="Another"))
    gate.transports["tls"].script = lambda delivery, target, now: IN_CLEAR
    async with gate.running():
        await gate.hand_over("a@one.example")
        await settle()
    assert len(gate.heard.fell_short) == 1 and gate.heard.observed_short == []
