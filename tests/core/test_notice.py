"""Points: once each, with everybody that they concern."""

from dataclasses import replace

from gateway.core.effects import Point
from gateway.core.notice import Noted, also, note_lines, noted, to_do
from gateway.core.reply import Status
from gateway.core.report import Item, item_of
from tests.core.queued import ROW, recipient

ONE = Point("One", "it is so", "Do this.")
TWO = Point("Two", "it is otherwise", "")


def item(address: str, *points: Point) -> Item:
    return replace(item_of(ROW, Status(2, 0, 0)), recipient=recipient(address), warnings=points)


def test_each_point_stands_once_in_the_order_of_the_recipients() -> None:
    found = noted([item("b@x.example", TWO), item("a@x.example", ONE, TWO), item("c@x.example")])
    assert found == (
        Noted("Two", "it is otherwise", ("it is otherwise",), ("b@x.example", "a@x.example")),
        Noted("One", "Do this.", ("it is so",), ("a@x.example",)),
    )


def test_points_that_differ_in_their_reasons_alone_are_one() -> None:
    found = noted([item(f"{why}@x.example", replace(ONE, reason=why)) for why in ("a", "b", "a", "c", "d")])
    assert found == (Noted("One", "Do this.", ("a", "b", "c", "d"), tuple(f"{why}@x.example" for why in "abcd")),)
    assert note_lines(found[0])[1] == "Why: a; b; c and 1 more"


def test_point_without_advice_leaves_its_reason() -> None:
    assert (to_do(ONE), to_do(TWO)) == ("Do this.", "it is otherwise")
    assert also(ONE) == "Also: Do this. (why: it is so; rule: One)"


def test_many_recipients_are_counted() -> None:
    addresses = tuple(f"r{number}@x.example" for number in range(13))
    many = Noted("One", "Do this.", ("it is so",), addresses)
    assert note_lines(many)[1:3] == ("Why: it is so", "Rule: One")
    assert note_lines(many)[-1].endswith("r8@x.example, r9@x.example and 3 more")
    assert note_lines(replace(many, recipients=addresses[:10]))[-1].endswith("r9@x.example")
