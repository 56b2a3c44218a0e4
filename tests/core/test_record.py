import pytest

from gateway.core.record import BodyRef, QueueId, State
from tests.spool.samples import entry, row


def test_exactly_the_first_four_states_wait() -> None:
    assert [state for state in State if state.waits] == [State.QUEUED, State.OPEN, State.HELD, State.PENDING]


@pytest.mark.parametrize(("inline", "path"), [(None, None), (b"x", "file")])
def test_body_that_is_nowhere_or_twice_cannot_be_built(inline: bytes | None, path: str | None) -> None:
    with pytest.raises(ValueError, match="either inline or in a file"):
        BodyRef(size=1, sha256="", inline=inline, path=path)


def test_empty_body_may_be_inline() -> None:
    assert BodyRef(size=0, sha256="", inline=b"").inline == b""


def test_an_entry_has_the_rows_of_a_next_hop_that_wait() -> None:
    rows = (row(0), row(1, domain="two.example"), row(2), row(3, state=State.REFUSED))
    assert entry(QueueId("000-a"), *rows).to(rows[0].next_hop) == (rows[0], rows[2])
    assert entry(QueueId("000-a"), *rows).to("tls:three.example") == ()
