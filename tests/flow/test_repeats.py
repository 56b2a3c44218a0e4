"""The same message again, because an MTA was not told in time that the first copy had been taken."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.core.address import parse_address
from gateway.core.decision import Decision, Refused, Routed
from gateway.core.envelope import Recipient
from gateway.core.record import Event, EventKind, Message, QueueId, State
from gateway.core.tls import Protection
from gateway.flow.custody import Taken, TurnedAway
from gateway.flow.ports import QueueFilter, SpoolError
from gateway.flow.repeats import COMMITS_WITHIN, KNOWN_FOR, First, Known, Repeats, identity
from gateway.flow.taking_over import UNDECIDED
from tests.core import queued
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
        (("gp@tls.example",), MESSAGE.replace(b"the planted", b"another")),
        (("gp@tls.example",), with_fields(b"X-Classification: public", b"X-Sealpost-Intent: secure")),
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


GP, X = parse_address("gp@tls.example"), parse_address("x@tls.example")
SEND = Routed(rule="R", chain=("tls",), floor=Protection.NONE, original_floor=Protection.NONE, reason="", advice="")
REFUSE = Refused(rule="R", floor=Protection.NONE, reason="", advice="")
NOW = datetime(2026, 3, 1, tzinfo=UTC)
FIRST = QueueId("000-first")


def story(*ends: tuple[Decision, State | None]) -> list[Event]:
    """What the audit says of a message whose recipients were decided so and ended there, if they did."""
    told: list[Event] = []
    for number, (decision, state) in enumerate(ends):
        event = Event(kind=EventKind.DECIDED, at=NOW, queue_id=FIRST, recipient=number, decision=decision)
        told.append(event)
        if state is not None:
            told.append(replace(event, kind=EventKind.ENDED, state=state, decision=None))
    return told


@pytest.mark.parametrize(
    ("ends", "known"),
    [
        ([(SEND, None)], True),
        ([(SEND, State.DELIVERED), (SEND, None)], True),
        ([(SEND, State.SEALED), (SEND, State.DELIVERED)], True),
        ([(SEND, State.DELIVERED), (REFUSE, State.REPORTED)], True),
        ([(SEND, State.DELIVERED), (SEND, State.REPORTED)], False),
        ([(SEND, None), (SEND, State.DELETED)], False),
        ([(SEND, State.LEFT)], False),
        ([(REFUSE, State.REPORTED)], False),
        ([(REFUSE, State.REFUSED)], False),
    ],
)
async def test_a_first_copy_counts_only_if_it_reaches_all_who_were_to_get_it(
    ends: list[tuple[Decision, State | None]], *, known: bool
) -> None:
    gate = Gate()

    async def audit(queue_id: QueueId) -> list[Event]:
        return story(*ends) if queue_id == FIRST else story((SEND, None))

    repeats = Repeats(state=gate.state, audit=audit, clock=gate.clock, events=gate.heard)
    first, second, third = (a_message(QueueId(name)) for name in ("000-first", "000-second", "000-third"))
    assert await repeats.claim("k", first) == First("k")
    assert await repeats.claim("k", second) == (Known(first.queue_id) if known else First("k"))
    # Whoever was taken last is what the next one is compared with.
    assert await repeats.claim("k", third) == Known(first.queue_id if known else second.queue_id)


def a_message(queue_id: QueueId) -> Message:
    return replace(queued.MESSAGE, queue_id=queue_id)


def test_it_is_known_by_who_sent_what_to_whom_from_where() -> None:
    envelope = queued.MESSAGE.envelope

    def known_as(content: bytes = b"c", message_id: str = "<1@a.example>", **changed: object) -> str:
        return identity(replace(envelope, **changed), message_id, content)  # pyright: ignore[reportArgumentType]

    to = tuple(Recipient(address=address) for address in (GP, X))
    others = [
        known_as(b"d"),
        known_as(message_id="<2@a.example>"),
        known_as(reverse_path=parse_address("other@council.example")),
        known_as(client=replace(envelope.client, address="10.0.0.77")),
        known_as(recipients=to),
    ]
    assert len({known_as(), *others}) == len(others) + 1
    assert known_as(message_id=" <1@a.example> ") == known_as()
    assert known_as(recipients=to[::-1]) == known_as(recipients=to)
    assert known_as(message_id=" ") == ""
