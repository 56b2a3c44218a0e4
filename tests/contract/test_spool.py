"""The contract of `gateway.flow.ports.Spool`, over every implementation."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.core.record import QueueId, State
from gateway.flow.ports import LeaseLost, QueueFilter, Settlement, Spool, SpoolError
from gateway.spool import SPOOLS
from gateway.spool.body_keys import NO_KEYS, BodyKeys
from gateway.spool.changes import delete, retry
from gateway.spool.memory import MemorySpool
from gateway.spool.options import SpoolOptions
from gateway.spool.sqlite import SpoolParts, SqliteSpool
from tests.spool.samples import (
    HOUR,
    START,
    StandingClock,
    body_of,
    commit,
    entry,
    event,
    inline,
    row,
    settlement,
    written,
)

NOWHERE = frozenset[str]()
LARGE = bytes(range(256)) * 2000  # 512,000 bytes: more than what goes inline, and more than one block.


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture(params=[*sorted(SPOOLS), "sealed"])
async def spool(request: pytest.FixtureRequest, tmp_path: Path, clock: StandingClock) -> AsyncIterator[Spool]:
    if request.param == "memory":
        yield MemorySpool(7, clock=clock)
        return
    options = SpoolOptions(keys=BodyKeys([b"k" * 32]) if request.param == "sealed" else NO_KEYS)
    opened = await SqliteSpool.open(tmp_path / "spool", 7, SpoolParts(clock=clock, options=options))
    yield opened
    await opened.aclose()


async def places(spool: Spool) -> list[tuple[QueueId, int]]:
    found = await spool.query(QueueFilter(states=frozenset(State)), None, 1000)
    return [(item.message.queue_id, item.row.number) for item in found]


async def texts(spool: Spool, queue_id: QueueId | None = None) -> list[str]:
    return [told.text for _, told in await spool.events(queue_id, 0, 1000)]


# Ids


async def test_queue_ids_carry_the_shard_and_sort_by_time_though_the_clock_steps_back(
    spool: Spool, clock: StandingClock
) -> None:
    ids = [spool.new_queue_id() for _ in range(3)]
    clock.time -= HOUR
    ids.append(spool.new_queue_id())
    clock.time += 2 * HOUR
    ids.append(spool.new_queue_id())
    assert ids == sorted(set(ids))
    assert all(queue_id.startswith("007-") for queue_id in ids)


# Commit and claim


async def test_a_committed_message_is_claimed_as_it_was_given(spool: Spool) -> None:
    queue_id = spool.new_queue_id()
    given = entry(queue_id, row(0), row(1), row(2, domain="two.example"))
    await spool.commit([given])
    leases = await spool.claim(START, 10, NOWHERE)
    assert [(lease.next_hop, lease.rows) for lease in leases] == [
        ("tls:one.example", given.rows[:2]),
        ("tls:two.example", given.rows[2:]),
    ]
    assert all(lease.message == given.message for lease in leases)
    assert all(lease.until > START for lease in leases)
    assert await texts(spool, queue_id) == ["accepted"]


async def test_entries_of_one_commit_come_together(spool: Spool) -> None:
    first, second = spool.new_queue_id(), spool.new_queue_id()
    await spool.commit([entry(first), entry(second)])
    assert await places(spool) == [(first, 0), (second, 0)]


async def test_a_commit_that_cannot_be_kept_leaves_nothing_and_harms_no_neighbour(spool: Spool) -> None:
    taken = await commit(spool)
    other, third, fourth = (spool.new_queue_id() for _ in range(3))
    results = await asyncio.gather(
        spool.commit([entry(third)]),
        spool.commit([entry(other), entry(taken)]),
        spool.commit([entry(fourth)]),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [type(None), SpoolError, type(None)]
    assert {place[0] for place in await places(spool)} == {taken, third, fourth}
    assert len(await texts(spool)) == 3


async def test_a_message_that_has_ended_at_the_door_leaves_its_events_only(spool: Spool) -> None:
    queue_id = await commit(spool, row(0, state=State.REFUSED))
    assert await places(spool) == []
    assert await spool.claim(START, 10, NOWHERE) == ()
    assert await texts(spool, queue_id) == ["accepted"]


async def test_ended_recipients_of_a_waiting_message_are_kept_and_never_claimed(spool: Spool) -> None:
    queue_id = await commit(spool, row(0, state=State.REPORTED), row(1))
    (lease,) = await spool.claim(START, 10, NOWHERE)
    assert [one.number for one in lease.rows] == [1]
    assert await places(spool) == [(queue_id, 0), (queue_id, 1)]


async def test_the_oldest_due_row_comes_first_whatever_its_destination(spool: Spool) -> None:
    late = await commit(spool, row(due_at=START - 1 * HOUR, domain="a.example"))
    early = await commit(spool, row(due_at=START - 3 * HOUR, domain="b.example"))
    middle = await commit(spool, row(due_at=START - 2 * HOUR, domain="a.example"))
    not_yet = await commit(spool, row(due_at=START + HOUR / 12, domain="c.example"))
    leases = await spool.claim(START, 2, NOWHERE)
    assert [lease.message.queue_id for lease in leases] == [early, middle]
    assert [lease.message.queue_id for lease in await spool.claim(START, 2, NOWHERE)] == [late]
    assert [lease.message.queue_id for lease in await spool.claim(START + HOUR / 12, 2, NOWHERE)] == [not_yet]


async def test_rows_of_every_waiting_state_are_claimed_when_due(spool: Spool) -> None:
    await commit(spool, row(0), row(1, state=State.OPEN, next_hop=""), row(2, state=State.HELD, next_hop="held"))
    leases = await spool.claim(START, 10, NOWHERE)
    assert {lease.rows[0].state for lease in leases} == {State.QUEUED, State.OPEN, State.HELD}


async def test_only_due_rows_of_a_destination_are_in_its_lease(spool: Spool) -> None:
    queue_id = await commit(spool, row(0), row(1, due_at=START + HOUR), row(2))
    (lease,) = await spool.claim(START, 10, NOWHERE)
    assert [one.number for one in lease.rows] == [0, 2]
    await spool.settle(lease, settlement(lease))
    (later,) = await spool.claim(START + HOUR, 10, NOWHERE)
    assert (later.message.queue_id, [one.number for one in later.rows]) == (queue_id, [1])


async def test_a_busy_destination_hides_nobody_behind_it(spool: Spool) -> None:
    for age in range(40, 0, -1):
        await commit(spool, row(due_at=START - age * HOUR, domain="busy.example"))
    behind = await commit(spool, row(domain="free.example"))
    leases = await spool.claim(START, 5, frozenset({"tls:busy.example"}))
    assert [lease.message.queue_id for lease in leases] == [behind]
    assert len(await spool.claim(START, 50, NOWHERE)) == 40


# Leases


async def test_two_claims_never_overlap(spool: Spool) -> None:
    for number in range(20):
        await commit(spool, row(0), row(1, domain=f"{number % 3}.example"))
    claims = await asyncio.gather(*(spool.claim(START, 7, NOWHERE) for _ in range(10)))
    groups = [(lease.message.queue_id, lease.next_hop) for leases in claims for lease in leases]
    assert len(groups) == len(set(groups)) == 40
    assert max(len(leases) for leases in claims) == 7


async def test_a_lease_that_ran_out_is_another_s_and_its_first_holder_has_lost_it(spool: Spool) -> None:
    queue_id = await commit(spool)
    (first,) = await spool.claim(START, 1, NOWHERE)
    assert await spool.claim(first.until - HOUR / 3600, 1, NOWHERE) == ()
    (second,) = await spool.claim(first.until, 1, NOWHERE)
    assert second.token != first.token
    with pytest.raises(LeaseLost):
        await spool.settle(first, settlement(first))
    with pytest.raises(LeaseLost):
        await spool.renew(first, second.until)
    await spool.release(first)
    assert await texts(spool, queue_id) == ["accepted"]
    await spool.settle(second, settlement(second))
    assert await texts(spool, queue_id) == ["accepted", "delivered"]


async def test_a_lease_that_ran_out_and_that_nobody_has_taken_still_settles(spool: Spool, clock: StandingClock) -> None:
    await commit(spool)
    (lease,) = await spool.claim(START, 1, NOWHERE)
    clock.time = lease.until + HOUR
    await spool.settle(lease, settlement(lease))
    assert await places(spool) == []


async def test_a_renewed_lease_keeps_its_rows(spool: Spool) -> None:
    await commit(spool)
    (lease,) = await spool.claim(START, 1, NOWHERE)
    renewed = await spool.renew(lease, lease.until + HOUR)
    assert renewed.until == lease.until + HOUR
    assert await spool.claim(lease.until, 1, NOWHERE) == ()
    assert len(await spool.claim(renewed.until, 1, NOWHERE)) == 1


async def test_a_new_entry_is_leased_as_it_was_given_and_from_then_on_by_nobody_else(spool: Spool) -> None:
    queue_id = spool.new_queue_id()
    given = entry(queue_id, row(0), row(1, domain="two.example"), row(2), row(3, state=State.REFUSED))
    await spool.commit([given])
    first, second = given.rows[0].next_hop, given.rows[1].next_hop
    lease = spool.lease(given, first)
    assert lease is not None and lease.message == given.message
    assert (lease.rows, lease.next_hop) == ((given.rows[0], given.rows[2]), first)
    assert spool.lease(given, first) is None
    (other,) = await spool.claim(START, 10, NOWHERE)
    assert other.next_hop == second and spool.lease(given, second) is None
    await spool.settle(other, settlement(other))
    await spool.settle(lease, settlement(lease))
    assert await places(spool) == []


async def test_a_claim_under_way_never_gives_what_was_leased_meanwhile(spool: Spool) -> None:
    given = [entry(spool.new_queue_id(), row(0)) for _ in range(20)]
    await spool.commit(given)
    claim = asyncio.create_task(spool.claim(START, 100, NOWHERE))
    await asyncio.sleep(0)
    leases = [lease for one in given[::2] if (lease := spool.lease(one, one.rows[0].next_hop)) is not None]
    claimed = [lease.message.queue_id for lease in await claim]
    assert sorted(claimed + [lease.message.queue_id for lease in leases]) == [one.message.queue_id for one in given]


async def test_what_an_operator_or_an_attempt_has_changed_is_leased_by_claims_only(spool: Spool) -> None:
    deleted, tried = (entry(spool.new_queue_id(), row(0), row(1)) for _ in range(2))
    hop = tried.rows[0].next_hop
    await spool.commit([deleted, tried])
    await spool.operate(deleted.message.queue_id, frozenset({1}), delete("alex", "test", START))
    assert spool.lease(deleted, hop) is None
    first = spool.lease(tried, hop)
    assert first is not None
    await spool.settle(first, settlement(first, State.QUEUED))
    assert spool.lease(tried, hop) is None


async def test_a_released_lease_is_due_at_once_and_cannot_be_settled(spool: Spool) -> None:
    await commit(spool)
    (lease,) = await spool.claim(START, 1, NOWHERE)
    await spool.release(lease)
    (again,) = await spool.claim(START, 1, NOWHERE)
    assert again.rows == lease.rows
    with pytest.raises(LeaseLost):
        await spool.settle(lease, settlement(lease))


async def test_a_settled_lease_cannot_be_settled_again(spool: Spool) -> None:
    queue_id = await commit(spool)
    (lease,) = await spool.claim(START, 1, NOWHERE)
    await spool.settle(lease, settlement(lease, State.QUEUED, due_at=START + HOUR))
    with pytest.raises(LeaseLost):
        await spool.settle(lease, settlement(lease))
    assert await places(spool) == [(queue_id, 0)]


async def test_a_settlement_of_rows_outside_its_lease_is_refused(spool: Spool) -> None:
    queue_id = await commit(spool, row(0), row(1, domain="two.example"))
    first, second = await spool.claim(START, 2, NOWHERE)
    with pytest.raises(ValueError, match="rows of its lease"):
        await spool.settle(first, settlement(second))
    await spool.settle(first, settlement(first))
    assert await places(spool) == [(queue_id, 0), (queue_id, 1)]


# Settle


async def test_a_deferred_recipient_waits_until_it_is_due_with_what_the_attempt_changed(spool: Spool) -> None:
    await commit(spool)
    (lease,) = await spool.claim(START, 1, NOWHERE)
    await spool.settle(lease, settlement(lease, State.QUEUED, due_at=START + HOUR))
    assert await spool.claim(START, 1, NOWHERE) == ()
    (again,) = await spool.claim(START + HOUR, 1, NOWHERE)
    assert again.rows[0].attempts == 1


async def test_a_recipient_that_moved_to_another_route_is_claimed_for_its_new_hop(spool: Spool) -> None:
    await commit(spool)
    (lease,) = await spool.claim(START, 1, NOWHERE)
    moved = replace(lease.rows[0], route_index=1, next_hop="encrypted:relay.example")
    await spool.settle(lease, Settlement(rows=(moved,), events=()))
    (again,) = await spool.claim(START, 10, frozenset({"tls:one.example"}))
    assert (again.next_hop, again.rows) == ("encrypted:relay.example", (moved,))


async def test_a_message_goes_when_its_last_recipient_has_ended_and_not_before(spool: Spool) -> None:
    queue_id = await commit(spool, row(0), row(1, domain="two.example"), body=await written(spool, LARGE))
    first, second = await spool.claim(START, 2, NOWHERE)
    await spool.settle(first, settlement(first))
    assert await places(spool) == [(queue_id, 0), (queue_id, 1)]
    assert await body_of(spool, second.message.body) == LARGE
    await spool.settle(second, settlement(second))
    assert await places(spool) == []
    assert await texts(spool, queue_id) == ["accepted", "delivered", "delivered"]


async def test_recipients_that_end_at_the_same_time_take_their_message_with_them(spool: Spool) -> None:
    await commit(spool, *(row(number, domain=f"{number}.example") for number in range(8)))
    leases = await spool.claim(START, 10, NOWHERE)
    await asyncio.gather(*(spool.settle(lease, settlement(lease)) for lease in leases))
    assert await places(spool) == []
    assert (await spool.size()).oldest is None


async def test_a_report_comes_with_the_settlement_that_causes_it(spool: Spool) -> None:
    await commit(spool)
    (lease,) = await spool.claim(START, 1, NOWHERE)
    report = spool.new_queue_id()
    caused = replace(settlement(lease, State.REPORTED), entries=(entry(report, row(0, domain="council.example")),))
    await spool.settle(lease, caused)
    assert await places(spool) == [(report, 0)]


async def test_a_settlement_whose_report_cannot_be_kept_does_not_happen_and_can_be_repeated(spool: Spool) -> None:
    waiting, queue_id = await commit(spool, row(due_at=START + HOUR)), await commit(spool)
    (lease,) = await spool.claim(START, 1, NOWHERE)
    clash = replace(settlement(lease, State.REPORTED), entries=(entry(waiting),))
    with pytest.raises(SpoolError):
        await spool.settle(lease, clash)
    assert await texts(spool, queue_id) == ["accepted"]
    assert await spool.claim(START, 10, NOWHERE) == ()
    await spool.settle(lease, settlement(lease))
    assert await places(spool) == [(waiting, 0)]


# Next due


async def test_next_due_passes_over_leases_and_paused_destinations(spool: Spool, clock: StandingClock) -> None:
    assert await spool.next_due() is None
    await commit(spool, row(0, due_at=START + 3 * HOUR, domain="c.example"))
    await commit(spool, row(0, due_at=START + 1 * HOUR, domain="a.example"))
    await commit(spool, row(0, due_at=START + 2 * HOUR, domain="a.example"))
    await commit(spool, row(0, state=State.DELIVERED))
    assert await spool.next_due() == START + 1 * HOUR
    assert await spool.next_due(frozenset({"tls:a.example"})) == START + 3 * HOUR
    clock.time = START + 1 * HOUR
    (lease,) = await spool.claim(clock.time, 10, NOWHERE)
    assert await spool.next_due() == START + 2 * HOUR
    clock.time = lease.until
    assert await spool.next_due() == START + 1 * HOUR
    await spool.settle(lease, settlement(lease, State.QUEUED, due_at=START + 9 * HOUR))
    assert await spool.next_due() == START + 2 * HOUR


# Bodies


@pytest.mark.parametrize("size", [0, 1, 128 * 1024, 128 * 1024 + 1, 512_000])
async def test_a_body_is_read_as_it_was_written_from_any_offset(spool: Spool, size: int) -> None:
    data = LARGE[:size]
    ref = await written(spool, data)
    assert (ref.size, ref.inline is None) == (size, size > 128 * 1024)
    await commit(spool, body=ref)
    (lease,) = await spool.claim(START, 1, NOWHERE)
    assert lease.message.body == ref
    for offset in (0, 1, size // 2, size):
        blocks = [block async for block in spool.bodies.open(lease.message.body, offset)]
        assert b"".join(blocks) == data[offset:]
        assert all(0 < len(block) <= 256 * 1024 for block in blocks)


@pytest.mark.parametrize("size", [1000, 512_000])
async def test_a_damaged_body_is_never_read_to_its_end(spool: Spool, size: int) -> None:
    ref = await written(spool, LARGE[:size])
    await commit(spool, body=ref)
    wrong = replace(ref, sha256=inline(b"other").sha256)
    with pytest.raises(SpoolError):
        await body_of(spool, wrong)
    with pytest.raises(SpoolError):
        await body_of(spool, replace(ref, size=size + 1))
    assert await body_of(spool, ref) == LARGE[:size]


async def test_discard_is_harmless_at_any_time_and_never_takes_a_committed_body(spool: Spool) -> None:
    empty, begun, finished, kept = (spool.bodies.writer() for _ in range(4))
    for writer in (begun, finished, kept):
        writer.write(LARGE)
    await finished.finish()
    ref = await kept.finish()
    await commit(spool, body=ref)
    for writer in (empty, begun, finished, kept):
        writer.discard()
        writer.discard()
    assert await body_of(spool, ref) == LARGE


# Queries


async def test_pages_of_a_query_are_in_order_and_complete(spool: Spool) -> None:
    ids = [await commit(spool, row(0), row(1, domain="two.example")) for _ in range(5)]
    found: list[tuple[QueueId, int]] = []
    after: tuple[QueueId, int] | None = None
    while page := await spool.query(QueueFilter(), after, 3):
        found += [(item.message.queue_id, item.row.number) for item in page]
        after = found[-1]
    assert found == [(queue_id, number) for queue_id in ids for number in (0, 1)]


async def test_a_query_selects_by_each_part_of_its_filter(spool: Spool) -> None:
    one = await commit(spool, row(0, due_at=START + HOUR), row(1, state=State.HELD, domain="two.example"))
    two = await commit(spool, row(0, state=State.DELIVERED), row(1))

    async def select(filter: QueueFilter) -> list[tuple[QueueId, int]]:
        return [(item.message.queue_id, item.row.number) for item in await spool.query(filter, None, 10)]

    assert await select(QueueFilter()) == [(one, 0), (one, 1), (two, 1)]
    assert await select(QueueFilter(queue_id=two)) == [(two, 1)]
    assert await select(QueueFilter(states=frozenset({State.HELD}))) == [(one, 1)]
    assert await select(QueueFilter(states=frozenset({State.DELIVERED}))) == [(two, 0)]
    assert await select(QueueFilter(domain="two.example")) == [(one, 1)]
    assert await select(QueueFilter(due_before=START + HOUR)) == [(one, 1), (two, 1)]
    assert await select(QueueFilter(states=frozenset())) == []


async def test_a_query_brings_no_inline_body(spool: Spool) -> None:
    queue_id = await commit(spool)
    (item,) = await spool.query(QueueFilter(queue_id=queue_id), None, 1)
    assert (item.message.body.inline, item.message.body.size) == (None, inline().size)
    with pytest.raises(SpoolError):
        await body_of(spool, item.message.body)


async def test_size_counts_recipients_by_state_and_knows_the_oldest(spool: Spool) -> None:
    assert (await spool.size()).oldest is None
    await commit(
        spool, row(0), row(1), row(2, state=State.HELD), row(3, state=State.REPORTED), row(4, state=State.PENDING)
    )
    size = await spool.size()
    assert size.waiting == {State.QUEUED: 2, State.OPEN: 0, State.HELD: 1, State.PENDING: 1}
    assert size.oldest == START


async def test_events_are_read_in_order_behind_a_number(spool: Spool) -> None:
    one, two = await commit(spool), await commit(spool)
    everything = await spool.events(None, 0, 10)
    assert [told.queue_id for _, told in everything] == [one, two]
    assert await spool.events(None, everything[0][0], 10) == everything[1:]
    assert await spool.events(two, 0, 10) == everything[1:]
    assert await spool.events(None, 0, 1) == everything[:1]


# Operators


async def test_a_deleted_recipient_ends_with_name_and_reason_and_the_others_stay(spool: Spool) -> None:
    queue_id = await commit(spool, row(0), row(1), row(2, state=State.DELIVERED))
    assert await spool.operate(queue_id, frozenset({1, 2}), delete("alex", "wrong address", START)) == 1
    (lease,) = await spool.claim(START, 10, NOWHERE)
    assert [one.number for one in lease.rows] == [0]
    assert await texts(spool, queue_id) == [
        "accepted",
        "deleted by alex: wrong address",
        "deleted by alex: wrong address",
    ]
    ended = [told for _, told in await spool.events(queue_id, 0, 10)][-1]
    assert (ended.state, ended.recipient, ended.address) == (State.DELETED, 1, "r1@one.example")


async def test_a_message_that_is_deleted_as_a_whole_is_gone(spool: Spool) -> None:
    stays, queue_id = await commit(spool), await commit(spool, row(0), row(1), body=await written(spool, LARGE))
    assert await spool.operate(queue_id, None, delete("alex", "test", START)) == 2
    assert await places(spool) == [(stays, 0)]


async def test_retry_makes_queued_rows_due_and_leaves_held_ones(spool: Spool) -> None:
    later = START + 5 * HOUR
    queue_id = await commit(spool, row(0, due_at=later), row(1, due_at=later, state=State.HELD, next_hop=""))
    assert await spool.operate(queue_id, None, retry("alex", START)) == 1
    (lease,) = await spool.claim(START, 10, NOWHERE)
    assert [(one.number, one.due_at) for one in lease.rows] == [(0, START)]


async def test_rows_in_delivery_are_left_alone_by_operators(spool: Spool) -> None:
    queue_id = await commit(spool, row(0), row(1, domain="two.example"))
    (lease,) = await spool.claim(START, 1, NOWHERE)
    assert await spool.operate(queue_id, None, delete("alex", "test", START)) == 1
    await spool.settle(lease, settlement(lease))
    assert (await texts(spool, queue_id))[-1] == "delivered"
    assert await places(spool) == []


async def test_an_expired_lease_cannot_bring_back_what_an_operator_deleted(spool: Spool, clock: StandingClock) -> None:
    queue_id = await commit(spool)
    (lease,) = await spool.claim(START, 1, NOWHERE)
    clock.time = lease.until
    assert await spool.operate(queue_id, None, delete("alex", "test", START)) == 1
    with pytest.raises(LeaseLost):
        await spool.settle(lease, settlement(lease, State.QUEUED))
    assert await places(spool) == []


async def test_what_is_committed_while_an_operator_changes_it_goes_by_what_became_of_it(spool: Spool) -> None:
    for number in range(20):
        given = entry(spool.new_queue_id(), row(0), row(1))
        committing = asyncio.create_task(spool.commit([given]))
        await asyncio.sleep(0)
        operating = asyncio.create_task(
            spool.operate(given.message.queue_id, frozenset({number % 2}), delete("alex", "test", START))
        )
        await committing
        lease = spool.lease(given, given.rows[0].next_hop)
        deleted = [number % 2] * await operating
        leases = [lease] if lease is not None else await spool.claim(START, 1, NOWHERE)
        for each in leases:
            await spool.settle(each, settlement(each))
        sent = [one.number for each in leases for one in each.rows]
        assert sorted(deleted + sent) == [0, 1], "one end each"


async def test_an_operation_on_an_unknown_message_changes_nothing(spool: Spool) -> None:
    assert await spool.operate(QueueId("007-none"), None, delete("alex", "test", START)) == 0
    assert await texts(spool) == []


# Policies and sweeping


async def test_a_policy_stays_while_an_entry_names_it_and_while_it_is_the_last(
    spool: Spool, clock: StandingClock
) -> None:
    await spool.keep_policy("p0", b"nobody's")
    await spool.keep_policy("p1", b"the entry's")
    clock.time += HOUR
    await spool.keep_policy("p2", b"in force")
    await commit(spool)
    assert await spool.policy("p9") is None
    assert await spool.sweep(START) == 0
    assert await spool.policy("p0") == b"nobody's"
    clock.time += HOUR
    assert await spool.sweep(clock.time) == 2  # The policy and the event of the commit.
    assert [await spool.policy(name) for name in ("p0", "p1", "p2")] == [None, b"the entry's", b"in force"]
    (lease,) = await spool.claim(START, 1, NOWHERE)
    await spool.settle(lease, settlement(lease))
    assert await spool.sweep(START + HOUR) == 2
    assert [await spool.policy(name) for name in ("p1", "p2")] == [None, b"in force"]


async def test_sweep_removes_events_older_than_asked_and_no_others(spool: Spool) -> None:
    queue_id = spool.new_queue_id()
    told = tuple(event(queue_id, f"{hour}", at=START + hour * HOUR) for hour in range(4))
    await spool.commit([replace(entry(queue_id), events=told)])
    assert await spool.sweep(START + 2 * HOUR) == 2
    assert await texts(spool) == ["2", "3"]
    await spool.commit([replace(entry(spool.new_queue_id()), events=told[3:])])
    assert await texts(spool) == ["2", "3", "3"]


async def test_sweep_leaves_the_bodies_of_messages_and_of_writers_alone(spool: Spool) -> None:
    kept = await written(spool, LARGE)
    await commit(spool, body=kept)
    begun = spool.bodies.writer()
    begun.write(LARGE)
    finished = await written(spool, LARGE[1:])
    assert await spool.sweep(START) == 0
    begun.write(b"more")
    await commit(spool, body=finished)
    await commit(spool, body=await begun.finish())
    for lease, data in zip(await spool.claim(START, 3, NOWHERE), (LARGE, LARGE[1:], LARGE + b"more"), strict=True):
        assert await body_of(spool, lease.message.body) == data
