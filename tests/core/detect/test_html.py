"""HTML as lines: what is shown, what is quoted, what is no text, and time that grows with the text only."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.detect.html import Line, html_lines


def texts(html: str) -> list[str]:
    return [line.text for line in html_lines(html)]


@pytest.mark.parametrize(
    ("html", "lines"),
    [
        ("<p>One <b>tw</b>o</p>\n<p>three<br>four</p>", ["One two", "three", "four"]),
        ("<table><tr><td>NHS</td><td>123</td></tr><tr><th>a</th></tr></table>", ["NHS 123", "a"]),
        ("a &amp; b&nbsp;&eacute; &lt;c&gt;", ["a & b é <c>"]),
        ("a\r\n   b", ["a b"]),
        ("<STYLE>p { x }</Style>a<script>if (1 < 2) x()</script>b<title>t</title>c", ["abc"]),
        ("a<!-- no <p> --->b<!--[if mso]>x<![endif]-->c<![if !mso]>d<![endif]>", ["abcd"]),
        ("a<!-- never ends <p>b", ["a"]),
        ("a<style>never ends", ["a"]),
        ("1 < 2 <3 a<", ["1 < 2 <3 a<"]),
        ('<p title="a>b">c</p>', ["c"]),
        ("<p title='a>b' x=>c</p>", ["c"]),
        ('<p title="never ends>c</p><p>d', ["c", "d"]),
        ("<p <b>c", ["c"]),
        ("</style>a", ["a"]),
        ("", []),
    ],
)
def test_lines_are_what_is_shown(html: str, lines: list[str]) -> None:
    assert texts(html) == lines


@pytest.mark.parametrize(
    ("html", "lines"),
    [
        ("a<blockquote>b<blockquote>c</blockquote>d</blockquote>e", ["a", "e"]),
        ("a<BlockQuote type=cite>b<div>c</div><table><td>d</td></table>", ["a"]),
        ('a<div class="gmail_quote"><div dir="ltr">On Monday</div>b</div>c', ["a", "c"]),
        ('a<div class="gmail_signature">b</div>', ["a", "b"]),
        ('a<div class="yahoo_quoted" id=y><p>b</p></div>c', ["a", "c"]),
        ('a<div id="appendonsend"></div><hr><div id="x">b</div>', ["a"]),
        ('a<div id="x_x_divRplyFwdMsg" dir="ltr">b</div>c', ["a"]),
        ("a<hr id=divRplyFwdMsg>b", ["a"]),
        ('a<div title="the appendonsend">b</div>', ["a", "b"]),
        ("a</blockquote>b", ["a", "b"]),
    ],
)
def test_what_is_quoted_is_left_out(html: str, lines: list[str]) -> None:
    assert texts(html) == lines


@pytest.mark.parametrize(
    ("html", "links"),
    [
        ('<a href="https://a.example/x?y=1&amp;z=2">b</a>', ("https://a.example/x?y=1&z=2",)),
        ("<A title=b HREF = 'https://a.example/'>b</a>", ("https://a.example/",)),
        ("<area href=https://a.example/>", ("https://a.example/",)),
        ('<a title="a>b" href="https://a.example/">b</a>', ("https://a.example/",)),
        ('<a href="1"></a><a href="2">b</a>', ("1", "2")),
        ('<a href="never ends>b</a>', ("never ends",)),
        ('<a href="">b</a>', ("",)),
        ('<link href="https://a.example/"><base href="https://b.example/"><a name=c>d</a>', ()),
        ('<blockquote><a href="https://a.example/">b</a></blockquote>c', ()),
        ('b<div id=appendonsend><a href="https://a.example/">c</a></div>', ()),
    ],
)
def test_addresses_of_links_stay_with_their_line(html: str, links: tuple[str, ...]) -> None:
    assert tuple(link for line in html_lines(html) for link in line.links) == links


def test_a_link_without_words_is_a_line() -> None:
    assert html_lines('a<br><a href="x"><img src="y"></a><br>b') == [Line("a"), Line("", ("x",)), Line("b")]


HOSTILE = ("<", "<a ", '<a href="', "<a ='\"", "<!--", "<style>", "<!", "<blockquote>", "&#x", "<a b='c", "<br>", "=")


@pytest.mark.parametrize("piece", HOSTILE)
def test_the_work_grows_with_the_text_and_no_faster(piece: str) -> None:
    def cost(size: int) -> float:
        text = (piece * (size // len(piece) + 1))[:size]
        best = float("inf")
        for _ in range(3):
            begin = time.process_time()
            html_lines(text)
            best = min(best, time.process_time() - begin)
        return best

    # Sixteen times the text; quadratic work would be 256 times as much.
    assert cost(256 * 1024) < 80 * max(cost(16 * 1024), 0.0005)


@given(
    html=st.lists(
        st.sampled_from(
            [*HOSTILE, "</", ">", "a", '"', "'", "blockquote>", "<div class=gmail_quote>", "-->", "href=x", "\n"]
        )
    ).map("".join)
)
def test_any_markup_gives_lines_without_line_ends(html: str) -> None:
    assert all("\n" not in line.text and (line.text or line.links) for line in html_lines(html))
