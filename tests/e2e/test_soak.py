"""A short soak: workers are killed and reloaded in a churning world, and whatever was acknowledged arrives."""

from bench.soak import Plan, soak
from bench.soak_sink import Mood


async def test_nothing_acknowledged_is_lost_while_workers_die() -> None:
    done, sink = await soak(Plan(messages=400, sessions=8, kills=3, reloads=2, mood=0.5))

    assert done.acknowledged == set(range(400))
    assert done.lost(sink) == set()
    assert (done.killed, done.reloaded) == (3, 2)
    assert sink.turned_away[Mood.CLOSED] + sink.turned_away[Mood.LATER] + sink.turned_away[Mood.RUDE] > 0
    # What came twice was in flight at a kill, or was sent again because its acknowledgement was cut off.
    assert sum(sink.came.values()) - 400 <= 3 * (8 + 32)


async def test_a_sink_that_forgets_is_noticed() -> None:
    done, sink = await soak(Plan(messages=20, sessions=2, workers=1))
    del sink.came[7]
    assert done.lost(sink) == {7}
