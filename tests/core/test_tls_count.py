"""Counting sessions: details may be given up, numbers never."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import tls_count
from gateway.core.tls_count import Failure, PolicyCount, SessionCount, without_places, without_policies
from gateway.core.tlsrpt import Applied, PolicyType, Result, SessionSeen

NONE = Applied(PolicyType.NONE, "a.example")
STS = Applied(PolicyType.STS, "a.example", ("version: STSv1", "mode: enforce"), ("*.a.example",))
TLSA = Applied(PolicyType.TLSA, "mx.a.example", ("3 1 1 ab",))


def seen(
    applied: Applied = STS, failure: Result | None = None, host: str = "mx.a.example", detail: str = ""
) -> SessionSeen:
    return SessionSeen(
        domain="a.example", applied=applied, host=host, address="192.0.2.1", ours="198.51.100.1",
        failure=failure, detail=detail,
    )  # fmt: skip


def sessions(min_size: int = 0) -> st.SearchStrategy[list[SessionSeen]]:
    one = st.builds(
        seen,
        st.sampled_from((NONE, STS, TLSA)),
        st.one_of(st.none(), st.sampled_from(Result)),
        st.sampled_from(("mx1.a.example", "mx2.a.example")),
        st.text(max_size=3),
    )
    return st.lists(one, min_size=min_size, max_size=30)


def counted(all_seen: Sequence[SessionSeen], *, room: bool = True) -> SessionCount:
    count = SessionCount("a.example")
    for one in all_seen:
        count.note(one, room=room)
    return count


def totals(policies: Sequence[PolicyCount]) -> tuple[int, int]:
    return sum(one.good for one in policies), sum(one.failed for one in policies)


def test_sessions_are_grouped_by_policy_and_by_how_they_failed() -> None:
    count = counted(
        [
            seen(),
            seen(failure=Result.EXPIRED, detail="it ran out in May"),
            seen(failure=Result.EXPIRED, detail="it ran out in June"),
            seen(failure=Result.EXPIRED, host="mx2.a.example"),
            seen(failure=Result.NO_STARTTLS),
            seen(TLSA),
            seen(TLSA),
        ]
    )
    expired = Failure(Result.EXPIRED, "mx.a.example", "192.0.2.1", "198.51.100.1")
    assert count.policies() == (
        PolicyCount(applied=TLSA, good=2),
        PolicyCount(
            applied=STS,
            good=1,
            failures=(
                (expired, 2),
                (Failure(Result.EXPIRED, "mx2.a.example", "192.0.2.1", "198.51.100.1"), 1),
                (Failure(Result.NO_STARTTLS, "mx.a.example", "192.0.2.1", "198.51.100.1"), 1),
            ),
        ),
    )
    assert count.policies()[1].failures[0][0].detail == "it ran out in May"
    assert count.kinds == 5


def test_too_many_kinds_are_told_apart_by_their_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls_count, "MAX_KINDS", 2)
    count = counted([seen(failure=Result.EXPIRED, host=f"mx{number}.example") for number in (1, 2, 3, 4, 1)])
    (one,) = count.policies()
    assert [(failure.host, times) for failure, times in one.failures] == [
        ("", 2),
        ("mx1.example", 2),
        ("mx2.example", 1),
    ]
    assert one.failed == 5


def test_too_many_policies_are_told_apart_by_their_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls_count, "MAX_POLICIES", 2)
    count = counted([seen(Applied(PolicyType.TLSA, f"mx{number}.example")) for number in (1, 2, 3, 4, 2)])
    assert [(one.applied.domain, one.good) for one in count.policies()] == [
        ("a.example", 2), ("mx1.example", 1), ("mx2.example", 2),
    ]  # fmt: skip


def test_without_room_there_is_one_line_for_each_type_and_result() -> None:
    count = counted([seen(), seen(TLSA, Result.EXPIRED)])
    count.note(seen(failure=Result.EXPIRED, host="mx3.example"), room=False)
    count.note(seen(Applied(PolicyType.STS, "a.example", ("mode: none",))), room=False)
    count.note(seen(TLSA, Result.EXPIRED), room=False)
    assert [(one.applied, one.good, [(f.host, times) for f, times in one.failures]) for one in count.policies()] == [
        (TLSA, 0, [("mx.a.example", 2)]),
        (Applied(PolicyType.STS, "a.example"), 1, []),
        (STS, 1, [("", 1)]),
    ]


def test_long_texts_are_cut() -> None:
    by_size = Applied(PolicyType.STS, "a.example", ("x" * 1024, "y" * 1024), ("z",))
    by_lines = Applied(PolicyType.STS, "b.example", ("",) * 33, ("",) * 17)
    fits = Applied(PolicyType.STS, "c.example", ("x" * 960, "y" * 960), ("z",) * 15)
    count = counted([seen(by_size), seen(by_lines), seen(fits), seen(failure=Result.EXPIRED, detail="d" * 201)])
    found = {one.applied.domain: one for one in count.policies() if one.applied != STS}
    assert found["a.example"].applied == replace(by_size, strings=("x" * 1024, "…"))
    assert found["b.example"].applied == replace(by_lines, strings=("",) * 32 + ("…",), mx_hosts=("",) * 16 + ("…",))
    assert found["c.example"].applied == fits
    ((failure, _),) = next(one for one in count.policies() if one.applied == STS).failures
    assert failure.detail == "d" * 200
    again = SessionCount("a.example")
    again.add(count.policies())
    assert again.policies() == count.policies(), "what is cut is cut once"


@given(st.lists(sessions()))
def test_counts_of_all_parts_are_the_counts_of_the_whole(parts: list[list[SessionSeen]]) -> None:
    everything = [one for part in parts for one in part]
    joined = SessionCount("a.example")
    for part in parts:
        joined.add(counted(part).policies())
    assert joined.policies() == counted(everything).policies()
    failed = sum(one.failure is not None for one in everything)
    assert totals(joined.policies()) == (len(everything) - failed, failed)


@given(sessions())
def test_no_way_to_say_less_changes_a_number(all_seen: list[SessionSeen]) -> None:
    whole, roomless = counted(all_seen).policies(), counted(all_seen, room=False).policies()
    assert (
        totals(whole)
        == totals(roomless)
        == totals(without_places(whole))
        == totals(without_policies("a.example", whole))
    )
    for one in (*without_places(whole), *roomless, *without_policies("a.example", whole)):
        assert all(failure == Failure(failure.result) for failure, _ in one.failures)
        assert len({failure.result for failure, _ in one.failures}) == len(one.failures)
    assert len(without_policies("a.example", whole)) <= len(PolicyType)
