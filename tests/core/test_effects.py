from datetime import timedelta

from gateway.core.edits import Add, Remove
from gateway.core.effects import NOTHING, Effects, Notification, Point

ONE = Effects(
    warnings=(Point("a", "why", "do"),),
    notifications=(Notification("a", "dpo@council.example", "why"),),
    copies=("x@council.example",),
    edits=(Remove("X-A"),),
    remind_after=timedelta(days=5),
)
TWO = Effects(
    warnings=(Point("b", "why", "do"), Point("a", "why", "do")),
    copies=("y@council.example", "x@council.example"),
    edits=(Add("X-A", "1"),),
    receipt=True,
)


def test_both_in_order_and_each_thing_once() -> None:
    assert ONE.with_more(TWO) == Effects(
        warnings=(Point("a", "why", "do"), Point("b", "why", "do")),
        notifications=(Notification("a", "dpo@council.example", "why"),),
        copies=("x@council.example", "y@council.example"),
        edits=(Remove("X-A"), Add("X-A", "1")),
        receipt=True,
        remind_after=timedelta(days=5),
    )


def test_the_earliest_reminder_counts() -> None:
    sooner = Effects(remind_after=timedelta(days=2))
    assert ONE.with_more(sooner).remind_after == sooner.with_more(ONE).remind_after == timedelta(days=2)
    assert Effects(receipt=True).with_more(Effects(receipt=True)).remind_after is None


def test_nothing_adds_nothing() -> None:
    assert ONE.with_more(NOTHING) is ONE
    assert NOTHING.with_more(ONE) is ONE
    assert NOTHING.with_more(NOTHING) is NOTHING


def test_what_a_level_was_raised_to_is_kept() -> None:
    raised = Effects(raised="restricted")
    assert ONE.with_more(raised).raised == raised.with_more(ONE).raised == "restricted"
    assert ONE.with_more(TWO).raised == ""
