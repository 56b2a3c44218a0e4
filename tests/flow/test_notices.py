"""What a sender hears when its message is accepted: one notice of all points, a hold at once, and nothing twice."""

import re
from dataclasses import replace

import pytest

from gateway.core.address import NullPath
from gateway.core.classify import gather
from gateway.core.envelope import Notify
from gateway.core.facts import Lookup
from gateway.core.policy import Hold, Send
from gateway.core.record import EventKind, State
from gateway.core.tls import Starttls
from gateway.flow import accept
from gateway.flow.accept import Profile
from gateway.flow.options import Refusals
from gateway.flow.ports import SpoolError
from tests.fakes.clock import settle
from tests.flow.gate import HOUR, MESSAGE, POLICY, ROUTES, RULES, SENDER, Gate, recipient, with_fields
from tests.flow.wishing import WISHING, joined, wishing

ADVICE = b"Put them in Bcc next time."


async def test_points_of_all_recipients_come_in_one_notice_at_once() -> None:
    gate = wishing()
    async with gate.running():
        await gate.hand_over("a@one.example", "b@two.example", "c@three.example")
        await settle()
        ((_, notice),) = gate.reports()
    text = joined(notice)
    assert b"Subject: Please note: your message of " in text and b"planted" not in text
    assert b"What to do: " + ADVICE in text and b"Rule: Many\r\n" in text
    assert b"Recipients: a@one.example, b@two.example\r\n" in text
    assert gate.transports["tls"].carried == ["a@one.example", "b@two.example", "c@three.example"]
    (event,) = [event for event in await gate.audit(EventKind.ACCEPTED) if event.facts is None]
    assert event.text.startswith("our own notice (warned) about ")


async def test_points_of_what_goes_back_stand_in_its_report_alone() -> None:
    gate = wishing()
    async with gate.running():
        await gate.hand_over("a@forbidden.example")
        await settle()
        ((_, report),) = gate.reports()
    assert b"Also: " + ADVICE in joined(report) and b"Final-Recipient: rfc822; a@forbidden.example" in report
    assert re.findall(rb"^Status: (.*)\r\n", report, re.MULTILINE) == [b"5.7.1"]


async def test_points_are_named_in_a_refusal_in_the_session() -> None:
    gate = wishing()
    answer = await gate.hand_over("a@forbidden.example", profile=Profile("smtp", Refusals.SESSION))
    assert answer.code == 550 and any(line.startswith("Also: Put them in Bcc") for line in answer.lines)
    assert gate.heard.accepted_rows == []


@pytest.mark.parametrize("how", ["automatic", "null", "never"])
async def test_nobody_hears_who_is_not_to_be_answered(how: str) -> None:
    gate = wishing()
    message = with_fields(b"Auto-Submitted: auto-replied") if how == "automatic" else MESSAGE
    to = recipient("a@one.example", Notify.NEVER) if how == "never" else "a@one.example"
    sender = NullPath.NULL if how == "null" else SENDER
    async with gate.running():
        assert (await gate.hand_over(to, message=message, sender=sender)).is_positive
        await settle()
        assert gate.reports() == []
    assert gate.transports["tls"].carried == ["a@one.example"]


async def test_hold_is_told_at_once_with_its_points() -> None:
    gate = wishing()
    async with gate.running():
        await gate.hand_over("a@held.example")
        await settle()
        ((_, notice),) = gate.reports()
    text = joined(notice)
    assert b"Subject: Held for a check: " in text and b"What to do: Wait for the officer." in text
    assert b"Who releases it: Service Desk, 01629 000000" in text and b"5 March 2026" in text
    assert b"Also: " + ADVICE in text


async def test_hold_names_the_role_that_releases_it() -> None:
    rules = tuple(replace(rule, action=Hold("dpo")) if isinstance(rule.action, Hold) else rule for rule in RULES)
    gate = wishing(rules=rules)
    async with gate.running():
        await gate.hand_over("a@held.example")
        await settle()
        assert b"Who releases it: the people of dpo (call Service Desk, 01629 000000)" in joined(gate.reports()[0][1])


async def test_point_known_only_late_is_told_late_and_one_known_before_not_again() -> None:
    late = tuple(replace(rule, wishes=WISHING[0].wishes) if rule.name == "Controlled" else rule for rule in RULES)
    gate = wishing(rules=(WISHING[4], *late))
    async with gate.running():
        await gate.hand_over("a@asks.example")
        await settle()
        ((_, early),) = gate.reports()
        assert b"Rule: Many\r\n" in joined(early) and b"Rule: Controlled" not in joined(early)
        gate.lookups.table[Lookup.STARTTLS, "asks.example"] = Starttls.YES
        await gate.clock.advance(HOUR)
        second, *others = [joined(report) for _, report in gate.reports()[1:]]
    assert others == []
    assert b"Rule: Controlled\r\n" in second and b"Rule: Many\r\n" not in second


async def test_point_known_only_late_is_not_told_to_a_machine() -> None:
    late = tuple(replace(rule, wishes=WISHING[0].wishes) if rule.name == "Controlled" else rule for rule in RULES)
    gate = wishing(rules=late)
    async with gate.running():
        await gate.hand_over("a@asks.example", message=with_fields(b"Auto-Submitted: auto-generated"))
        gate.lookups.table[Lookup.STARTTLS, "asks.example"] = Starttls.YES
        await gate.clock.advance(HOUR)
        assert gate.reports() == []
        (decided,) = [event for event in await gate.audit(EventKind.DECIDED) if event.text.startswith("decided late")]
    assert decided.decision is not None and decided.decision.effects.warnings != ()
    assert await gate.ends() == {"a@asks.example": State.DELIVERED}


async def test_nothing_is_accepted_whose_notice_cannot_be_kept() -> None:
    gate = wishing()
    gate.spool.refuse = SpoolError("the disk broke")
    with pytest.raises(SpoolError):
        await gate.hand_over("a@one.example")
    assert gate.heard.accepted_rows == [] and gate.spool.bodies.files == {}


async def test_route_that_fell_out_by_size_is_told_when_the_message_has_gone() -> None:
    small = replace(ROUTES["encrypted"], max_message=10)
    chain = tuple(
        replace(rule, action=Send(("encrypted", "tls"))) if rule.name == "Controlled" else rule for rule in RULES
    )
    policy = replace(POLICY, rules=chain, routes={**ROUTES, "encrypted": small})
    gate = Gate(policy=policy)
    async with gate.running():
        await gate.hand_over("a@one.example")
        await settle()
        ((_, notice),) = gate.reports()
    assert b"Subject: Sent another way: " in notice and b"Sent by: tls" in notice
    assert gate.transports["tls"].carried == ["a@one.example"]
    assert await gate.ends() == {"a@one.example": State.DELIVERED}


async def test_owner_hears_of_the_mail_of_a_system(monkeypatch: pytest.MonkeyPatch) -> None:
    def owned(*arguments: object) -> object:
        return replace(gather(*arguments), owner="owner@council.example")  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(accept, "gather", owned)
    gate = wishing()
    async with gate.running():
        await gate.hand_over("a@forbidden.example", "b@receipt.example")
        await settle()
        ((_, report),) = gate.reports()
        ((_, delivery),) = gate.transports["tls"].deliveries
    assert gate.transports["internal"].carried == ["owner@council.example"]
    assert b"To: <owner@council.example>" in report and b"registered as its owner" in joined(report)
    assert b"Disposition-Notification-To: <owner@council.example>" in delivery.header
