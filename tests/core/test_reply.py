"""Replies and statuses that cannot contradict themselves."""

import pytest

from gateway.core.reply import MAX_SHOWN, Reply, Status, reply


def test_reply_prints_as_its_code_status_and_lines() -> None:
    assert str(reply(550, "5.7.1", "not allowed", "call us")) == "550 5.7.1 not allowed / call us"
    assert str(Reply(354, None, ("go on",))) == "354 go on"
    assert reply(550, "5.7.1", "not allowed").codes == "550 5.7.1"
    assert Reply(354, None, ("go on",)).codes == "354"


@pytest.mark.parametrize("more", [-1, 0, 1, 5000])
def test_a_long_reply_is_cut_where_people_read_it_and_is_kept_whole(more: int) -> None:
    words = "x" * (MAX_SHOWN - len("550 5.7.1 ") + more)
    answer = reply(550, "5.7.1", words)
    assert str(answer) == (f"550 5.7.1 {words}" if more <= 0 else f"{f'550 5.7.1 {words}'[:MAX_SHOWN]}…")
    assert answer.lines == (words,)


@pytest.mark.parametrize(
    ("code", "positive", "transient", "permanent"),
    [(250, True, False, False), (354, False, False, False), (451, False, True, False), (500, False, False, True)],
)
def test_class_of_a_reply_comes_from_its_code(code: int, positive: bool, transient: bool, permanent: bool) -> None:
    answer = Reply(code, None, ("x",))
    assert (answer.is_positive, answer.is_transient, answer.is_permanent) == (positive, transient, permanent)


@pytest.mark.parametrize(
    ("code", "status", "lines"),
    [
        (199, None, ("x",)),
        (600, None, ("x",)),
        (451, Status(5, 7, 1), ("x",)),
        (550, Status(4, 7, 1), ("x",)),
        (250, None, ()),
        (250, None, ("x\r\n250 y",)),
        (250, None, ("x", "y\n")),
        (250, None, ("\x7f",)),
    ],
)
def test_contradictory_reply_cannot_be_made(code: int, status: Status | None, lines: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"reply|contradicts"):
        Reply(code, status, lines)


@pytest.mark.parametrize(
    "numbers", [(1, 0, 0), (3, 0, 0), (6, 0, 0), (5, -1, 0), (5, 1000, 0), (5, 0, 1000), (5, 0, -1)]
)
def test_status_has_three_numbers_in_their_ranges(numbers: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="not an enhanced status"):
        Status(*numbers)


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("5.7.1", Status(5, 7, 1)),
        ("4.4.316 Connection refused", Status(4, 4, 316)),
        ("2.0.0\tOK", Status(2, 0, 0)),
        ("", None),
        ("5.7.1x", None),
        ("3.0.0 x", None),
        ("5.7", None),
        ("5.7.1234", None),
        (" 5.7.1", None),
        ("5.٧.1", None),
    ],
)
def test_status_is_read_from_the_start_of_a_text(text: str, status: Status | None) -> None:
    assert Status.parse(text) == status


def test_status_becomes_permanent_with_the_same_subject() -> None:
    assert Status(4, 7, 4).permanent() == Status(5, 7, 4)
    assert str(Status(4, 7, 4).permanent()) == "5.7.4"


def test_reply_of_ours_with_a_status_that_is_none_is_an_error() -> None:
    with pytest.raises(ValueError, match="not an enhanced status"):
        reply(550, "none", "x")
