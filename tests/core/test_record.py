import pytest

from gateway.core.record import BodyRef, State


def test_exactly_the_first_four_states_wait() -> None:
    assert [state for state in State if state.waits] == [State.QUEUED, State.OPEN, State.HELD, State.PENDING]


@pytest.mark.parametrize(("inline", "path"), [(None, None), (b"x", "file")])
def test_body_that_is_nowhere_or_twice_cannot_be_built(inline: bytes | None, path: str | None) -> None:
    with pytest.raises(ValueError, match="either inline or in a file"):
        BodyRef(size=1, sha256="", inline=inline, path=path)


def test_empty_body_may_be_inline() -> None:
    assert BodyRef(size=0, sha256="", inline=b"").inline == b""
