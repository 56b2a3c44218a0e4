from gateway.core.record import QueueId
from gateway.spool import recent
from gateway.spool.recent import Recent
from tests.spool.samples import inline, message, row


def test_the_oldest_go_first_beyond_the_number() -> None:
    kept = Recent()
    for number in range(recent._MESSAGES + 2):
        kept.add(message(QueueId(f"{number:04d}"), (row(),)))
    assert len(kept.snapshot()) == recent._MESSAGES
    assert next(iter(kept.snapshot())) == "0002"


def test_the_oldest_go_first_beyond_the_bytes_and_what_is_forgotten_makes_room() -> None:
    kept = Recent()
    quarter = inline(b"x" * (recent._BYTES // 4))
    for name in ("a", "b", "c", "d"):
        kept.add(message(QueueId(name), (row(),), quarter))
    kept.forget(QueueId("b"))
    kept.forget(QueueId("b"))
    kept.add(message(QueueId("e"), (row(),), quarter))
    assert list(kept.snapshot()) == ["a", "c", "d", "e"]
    kept.add(message(QueueId("f"), (row(),), quarter))
    assert list(kept.snapshot()) == ["c", "d", "e", "f"]


def test_a_snapshot_stays_what_it_was() -> None:
    kept = Recent()
    kept.add(message(QueueId("a"), (row(),)))
    seen = kept.snapshot()
    kept.forget(QueueId("a"))
    assert list(seen) == ["a"]
