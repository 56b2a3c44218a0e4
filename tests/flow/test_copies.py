"""Copies for the record: one more delivery, by the inside way, of which nobody is told."""

from dataclasses import replace

import pytest

from gateway.core.decision import Routed
from gateway.core.facts import Lookup
from gateway.core.policy import Send
from gateway.core.record import EventKind, State
from gateway.core.tls import Protection, Starttls
from tests.fakes.carrying import UNKNOWN_USER
from tests.fakes.clock import settle
from tests.flow.gate import HOUR, RULES
from tests.flow.wishing import WISHING, wishing


async def test_each_mailbox_gets_the_message_once_by_the_inside_way() -> None:
    gate = wishing()
    async with gate.running():
        await gate.hand_over("a@kept.example", "b@kept.example", "officer@council.example")
        await settle()
    assert gate.transports["internal"].carried == ["officer@council.example", "archive@council.example"]
    assert gate.transports["tls"].carried == ["a@kept.example", "b@kept.example"]
    assert len(await gate.ends()) == 4 and gate.reports() == []
    (decided,) = [event for event in await gate.audit(EventKind.DECIDED) if event.address == "archive@council.example"]
    assert isinstance(decided.decision, Routed) and decided.decision.rule == "copy for the record: Controlled"
    assert decided.decision.floor is Protection.ENCRYPTED and decided.decision.chain == ("internal",)
    assert b"The body." in (gate.transports["internal"].deliveries[-1][1].body.inline or b"")


async def test_what_goes_back_is_not_copied() -> None:
    gate = wishing()
    async with gate.running():
        await gate.hand_over("a@forbidden.example", "b@one.example")
        await settle()
    assert "archive@council.example" not in gate.transports["internal"].carried
    assert await gate.ends() == {"a@forbidden.example": State.REPORTED, "b@one.example": State.DELIVERED}


async def test_end_of_a_copy_is_audited_and_told_to_nobody() -> None:
    gate = wishing()
    gate.transports["internal"].script = lambda delivery, target, now: UNKNOWN_USER
    async with gate.running():
        await gate.hand_over("a@kept.example")
        await settle()
    ends = await gate.ends()
    assert ends["archive@council.example"] is State.UNREPORTABLE and ends["a@kept.example"] is State.DELIVERED
    assert gate.reports() == []


async def test_mailbox_that_the_policy_would_refuse_gets_it_by_the_way_of_notices_with_its_floor() -> None:
    inside, forbidden, *others = RULES
    gate = wishing(rules=(*WISHING, replace(forbidden, when=inside.when), *others))
    async with gate.running():
        await gate.hand_over("a@kept.example")
        await settle()
    assert gate.transports["internal"].carried == ["archive@council.example", "officer@council.example"]
    decided = [event.decision for event in await gate.audit(EventKind.DECIDED) if "council" in event.address]
    assert [decision.floor for decision in decided if decision is not None] == [Protection.ENCRYPTED] * 2


@pytest.mark.parametrize(("late", "missed"), [(True, ["copy-missed"]), (False, [])])
async def test_copy_that_is_asked_for_too_late_is_an_alert(late: bool, missed: list[str]) -> None:
    copying = replace(WISHING[5], wishes=replace(WISHING[5].wishes, copies=("archive@council.example",)))
    rules = tuple(
        replace(rule, action=Send(("tls",)), wishes=copying.wishes) if late and rule.name == "Controlled" else rule
        for rule in RULES
    )
    gate = wishing(rules=rules)
    async with gate.running():
        await gate.hand_over("a@asks.example")
        gate.lookups.table[Lookup.STARTTLS, "asks.example"] = Starttls.YES
        await gate.clock.advance(HOUR)
    assert await gate.ends() == {"a@asks.example": State.DELIVERED}
    assert [alert[0] for alert in gate.heard.alerts] == missed
