"""The sender's own words, apart from the mail that they answer or pass on."""

import pytest

from gateway.core.detect.own import own_lines, own_text
from tests.core.detect.messages import holding


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("a\nb", "a\nb"),
        ("a\n> b\n>> c\n  > d\ne", "a\ne"),
        ("a\n-----Original Message-----\nb", "a"),
        ("a\n---------- Forwarded message ---------\nb", "a"),
        ("a\n ------ Forwarded by A B on 1 May ------\nb", "a"),
        ("a\nBegin forwarded message:\n\nb", "a"),
        ("a\nFrom: A\nSent: today\nTo: B\nSubject: c\n\nd", "a"),
        ("a\n________\n*From:* A <a@b.example>\n*Date:* today\n*To:* B\n\nd", "a\n________"),
        ("a\nFrom: A Sent: today To: B\nb", "a"),
        ("a\nFrom: the office\nb", "a\nFrom: the office\nb"),
        ("a\nFrom: A\nSent: today\nb", "a\nFrom: A\nSent: today\nb"),
        ("a\nFrom: A\nTo: B\nc", "a\nFrom: A\nTo: B\nc"),
        ("a\nFrom: A\n" + "b\n" * 8 + "Sent: c\nTo: d", "a\nFrom: A\n" + "b\n" * 8 + "Sent: c\nTo: d"),
        ("the original message-----\nb", "the original message-----\nb"),
        ("-- \nJane", "-- \nJane"),
        ("", ""),
    ],
)
def test_plain_text_without_what_it_quotes(text: str, own: str) -> None:
    assert own_text(holding(text=text), 10_000) == own


def test_outlooks_head_of_a_quoted_message_is_known_in_html_too() -> None:
    html = "<p>a</p><div><p><b>From:</b> A<br><b>Sent:</b> today<br><b>To:</b> B</p></div><p>b</p>"
    assert own_text(holding(html=html), 10_000) == "a"


def test_each_text_is_read_by_its_type_and_one_quotation_does_not_end_the_other() -> None:
    scan = holding(text="a\n-----Original Message-----\nb", html="<i>c</i><br><a href=d>e</a>")
    assert [(line.text, line.links) for line in own_lines(scan, 10_000)] == [("a", ()), ("c", ()), ("e", ("d",))]


def test_only_the_beginning_is_read() -> None:
    assert own_text(holding(text="abcdef"), 3) == "abc"
    assert own_text(holding(text="abcdef", html="ghijkl"), 6) == "abc\nghi"
