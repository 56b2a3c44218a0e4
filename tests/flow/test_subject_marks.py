"""Marks in the subject, from the door to what the recipient gets."""

from gateway.core.edits import Retitle
from gateway.core.facts import Intent
from gateway.core.record import Kind
from tests.fakes.clock import settle
from tests.flow.gate import MESSAGE, Gate

MARKED = MESSAGE.replace(b"the planted subject", b"[Secure] the planted subject [ref: ABC/123]")


async def test_marks_do_not_reach_the_recipient() -> None:
    gate = Gate()
    async with gate.running():
        await gate.hand_over("gp@tls.example", message=MARKED.replace(b"[Secure] ", b"[override: x y] "))
        await settle()
    ((_, delivery),) = gate.transports["tls"].deliveries
    assert delivery.header.endswith(MESSAGE[: MESSAGE.index(b"\r\n\r\n") + 4])


async def test_the_facts_keep_what_the_marks_said() -> None:
    gate = Gate()
    await gate.hand_over("gp@held.example", message=MARKED)
    message = gate.heard.accepted_rows[0][0]
    facts = message.facts
    assert facts is not None
    assert (facts.intent, facts.reference) == (Intent.SECURE, "ABC/123")
    assert len(facts.fingerprint) == 32
    assert Retitle(without=("[ref: abc/123]", "[secure]")) in message.edits


async def test_a_message_without_marks_has_no_edit_of_its_subject() -> None:
    gate = Gate()
    await gate.hand_over("gp@held.example")
    assert not any(isinstance(edit, Retitle) for edit in gate.heard.accepted_rows[0][0].edits)


async def test_the_same_message_with_another_mark_has_the_same_fingerprint() -> None:
    gate = Gate()
    for message in (MARKED, MESSAGE, MESSAGE.replace(b"planted", b"other")):
        await gate.hand_over("gp@held.example", message=message)
    accepted = [message for message, _ in gate.heard.accepted_rows if message.kind is Kind.RELAY]
    first, second, third = [message.facts.fingerprint for message in accepted if message.facts]
    assert first == second
    assert third != first
