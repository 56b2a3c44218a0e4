"""What is remembered of downloads that began: the latest of each session, and of the latest sessions."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.portal.begun import Begun


def test_only_what_was_added_in_this_session_is_there() -> None:
    begun = Begun()
    begun.add("jo", "a")
    assert begun.has("jo", "a")
    assert not begun.has("jo", "b")
    assert not begun.has("kim", "a")


def test_the_file_that_was_not_used_for_longest_is_forgotten_first() -> None:
    begun = Begun(sessions=2, files=2)
    for key in ("a", "b"):
        begun.add("jo", key)
    assert begun.has("jo", "a")
    begun.add("jo", "c")
    assert [begun.has("jo", key) for key in "abc"] == [True, False, True]


def test_so_is_the_session_and_what_one_adds_pushes_no_other_out() -> None:
    begun = Begun(sessions=2, files=2)
    begun.add("jo", "a")
    begun.add("kim", "a")
    for number in range(10):
        begun.add("jo", str(number))
    assert begun.has("kim", "a")
    begun.add("lee", "a")
    assert [begun.has(session, key) for session, key in (("jo", "9"), ("kim", "a"), ("lee", "a"))] == [
        False,
        True,
        True,
    ]


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("uvwxyz"), st.booleans())))
def test_it_stays_within_its_limits(steps: list[tuple[str, str, bool]]) -> None:
    begun = Begun(sessions=3, files=4)
    added = set[tuple[str, str]]()
    for session, key, adds in steps:
        if adds:
            begun.add(session, key)
            added.add((session, key))
            assert begun.has(session, key)
        else:
            assert not begun.has(session, key) or (session, key) in added
    kept = {(session, key) for session in "abcd" for key in "uvwxyz" if begun.has(session, key)}
    assert kept <= added
    assert len({session for session, _ in kept}) <= 3
    assert all(sum(one == session for one, _ in kept) <= 4 for session in "abcd")
