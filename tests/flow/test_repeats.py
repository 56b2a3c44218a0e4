"""The same message again, because an MTA was not told in time that the first copy had been taken."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.core.record import Event, EventKind, QueueId, State
from gateway.flow.custody import Taken, TurnedAway
from gateway.flow.ports import QueueFilter, SpoolError
from gateway.flow.repeats import COMMITS_WITHIN, KNOWN_FOR, Repeats
from gateway.flow.taking_over import UNDECIDED
from tests.fakes.clock import settle
from tests.flow.gate import MESSAGE, Gate, with_fields
from tests.flow.test_leaving import brought


def a_gate() -> Gate:
    """Its audit is its spool's."""
    gate = Gate()

    async def audit(queue_id: QueueId) -> list[Event]:
        return [event for _, event in await gate.spool.events(queue_id, 0, 100)]

    gate.shared = replace(gate.shared, audit=audit)
    gate.restart()
    return gate


async def messages(gate: Gate) -> int:
    return len({item.message.queue_id for item in await gate.spool.query(QueueFilter(), None, 100)})


async def test_the_same_message_again_is_taken_once_and_audited() -> None:
    gate = a_gate()
    first = await brought(gate, "gp@tls.example", "x@tls.example")
    gate.restart()
    again = await brought(gate, "x@tls.example", "gp@tls.example", message=with_fields(b"Received: by another"))
    assert isinstance(first, Taken) and again == first
    assert await messages(gate) == 1
    (event,) = await gate.audit(EventKind.REPEATED)
    assert first.reply.lines == (f"queued as {event.queue_id}",)
    assert event.text == "came again from 10.0.0.1 by smtp; not taken twice"


@pytest.mark.parametrize(
    ("recipients", "message"),
    [
        (("gp@tls.example",), MESSAGE.replace(b"The body", b"Another")),
        (("gp@tls.example",), MESSAGE.replace(b"<original@", b"<other@")),
        (("gp@tls.example", "x@tls.example"), MESSAGE),
    ],
)
async def test_another_message_is_taken(recipients: tuple[str, ...], message: bytes) -> None:
    gate = a_gate()
    await brought(gate, "gp@tls.example")
    await brought(gate, *recipients, message=message)
    assert await messages(gate) == 2


async def test_without_a_message_id_or_after_an_hour_it_is_another_message() -> None:
    gate = a_gate()
    nameless = MESSAGE.replace(b"Message-ID: <original@council.example>\r\n", b"")
    for _ in range(2):
        await brought(gate, "gp@tls.example", message=nameless)
    await brought(gate, "gp@tls.example")
    await gate.clock.advance(KNOWN_FOR)
    await brought(gate, "gp@tls.example")
    assert await messages(gate) == 4


async def test_it_is_known_while_somebody_got_it_and_no_longer_once_it_came_back() -> None:
    gate = a_gate()
    async with gate.running():
        await brought(gate, "gp@tls.example")
        await settle()
        assert (await gate.ends()) == {"gp@tls.example": State.DELIVERED}
        await brought(gate, "gp@tls.example")
    assert len(gate.transports["tls"].deliveries) == 1
    gate = a_gate()
    for _ in range(2):
        await brought(gate, "x@forbidden.example", message=MESSAGE)
    assert len(await gate.audit(EventKind.REPEATED)) == 0
    assert len(await gate.audit(EventKind.ACCEPTED)) == 4  # Each with its report.


async def test_one_that_could_not_be_kept_is_taken_when_it_comes_again() -> None:
    gate = a_gate()
    gate.spool.refuse = SpoolError("the disk broke")
    with pytest.raises(SpoolError):
        await brought(gate, "gp@tls.example")
    gate.spool.refuse = None
    assert isinstance(await brought(gate, "gp@tls.example"), Taken)
    assert await messages(gate) == 1


async def test_a_copy_that_may_still_be_on_its_way_in_is_waited_for_but_not_for_ever() -> None:
    gate = a_gate()
    await brought(gate, "gp@tls.example")

    async def nothing(_: QueueId) -> tuple[Event, ...]:
        return ()

    gate.shared = replace(gate.shared, audit=nothing)
    gate.restart()
    assert await brought(gate, "gp@tls.example") == TurnedAway(UNDECIDED)
    await gate.clock.advance(COMMITS_WITHIN + timedelta(seconds=1))
    assert isinstance(await brought(gate, "gp@tls.example"), Taken)
    assert await messages(gate) == 2


async def test_rather_twice_than_lost_where_the_memory_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = a_gate()

    async def broken(*_: object) -> bytes:
        raise SpoolError("the state broke")

    monkeypatch.setattr(gate.state, "put_if_absent", broken)
    for _ in range(2):
        assert isinstance(await brought(gate, "gp@tls.example"), Taken)
    assert await messages(gate) == 2
    assert [where for where, _, _ in gate.heard.faults] == ["repeat", "repeat"]


async def test_what_stands_in_the_memory_and_is_no_claim_stops_nothing() -> None:
    gate = a_gate()
    (item,) = [await brought(gate, "gp@tls.example")]
    assert isinstance(item, Taken)
    (stored,) = await gate.spool.query(QueueFilter(), None, 1)
    repeats = Repeats(state=gate.state, audit=gate.shared.audit, clock=gate.clock, events=gate.heard)
    await gate.state.put("repeat/x", b"nonsense", gate.clock.now() + KNOWN_FOR)
    assert type(await repeats.claim("x", stored.message)).__name__ == "First"
