"""Copies for the record: one more delivery, by the inside way, of which nobody is told."""

from dataclasses import replace

import pytest

from gateway.core.decision import Routed
from gateway.core.facts import Lookup
from gateway.core.policy import Rule, Send, Wishes
from gateway.core.record import EventKind, State
from gateway.core.template import Template
from gateway.core.tls import Protection, Starttls
from tests.fakes.carrying import UNKNOWN_USER
from tests.fakes.clock import settle
from tests.flow.gate import HOUR, RULES, to
from tests.flow.wishing import WISHING, remark, wishing


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


async def test_mailbox_with_a_way_of_its_own_gets_it_by_that_way_and_by_what_lowered_it() -> None:
    archive = Rule(
        name="Archive",
        when=to("archive.example"),
        action=Send(("opportunistic", "tls")),
        advice=Template(""),
        below_floor="the archive seals what it takes",
    )
    record = remark("Record", "one.example", Wishes(copies=("box@archive.example",)))
    gate = wishing(rules=(record, archive, *RULES))
    async with gate.running():
        await gate.hand_over("a@one.example")
        await settle()
    assert gate.transports["opportunistic"].carried == ["box@archive.example"]
    assert gate.transports["internal"].carried == []
    (made,) = [one.decision for one in await gate.audit(EventKind.DECIDED) if one.address == "box@archive.example"]
    assert isinstance(made, Routed) and made.rule == "copy for the record: Controlled"
    assert made.chain == ("opportunistic", "tls") and made.lowered_because == "the archive seals what it takes"
    assert (made.original_floor, made.floor) == (Protection.ENCRYPTED, Protection.NONE)


@pytest.mark.parametrize(("asked", "alerts"), [(20, 0), (21, 1), (25, 1)])
async def test_beyond_twenty_mailboxes_a_copy_is_missed_and_somebody_hears_of_it(asked: int, alerts: int) -> None:
    mailboxes = tuple(f"box{number:02}@council.example" for number in range(asked))
    halves = (mailboxes[:11], mailboxes[9:])
    domains = ("one.example", "two.example")
    records = (remark("Record", domain, Wishes(copies=half)) for domain, half in zip(domains, halves, strict=True))
    gate = wishing(rules=(*records, *RULES))
    async with gate.running():
        await gate.hand_over("a@one.example", "b@two.example")
        await settle()
    assert gate.transports["internal"].carried == list(mailboxes[:20])
    (message,) = {message.queue_id for message, _ in gate.heard.accepted_rows}
    why = f"more than 20 copies for the record are asked for: {asked - 20} are not made"
    assert gate.heard.alerts == [("copy-missed", message, why)] * alerts


async def test_mailbox_that_gets_the_message_anyway_takes_no_place_of_a_copy() -> None:
    mailboxes = tuple(f"box{number:02}@council.example" for number in range(21))
    gate = wishing(rules=(remark("Record", "one.example", Wishes(copies=mailboxes)), *RULES))
    async with gate.running():
        await gate.hand_over("a@one.example", "BOX20@council.example")
        await settle()
    assert len(gate.transports["internal"].carried) == 21 and gate.heard.alerts == []
