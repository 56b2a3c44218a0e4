"""Which references of an HTML text show a picture; all else leaves the file attached."""

import pytest

from gateway.core.inline import References


def found(*blocks: bytes) -> set[bytes]:
    references = References()
    for block in blocks:
        references.feed(block)
    references.end_text()
    return references.found


@pytest.mark.parametrize(
    "html",
    [
        b'<img src="cid:logo@x">',
        b"<img src='cid:logo@x' alt=x>",
        b"<IMG width=3 SRC=cid:logo@x>",
        b'<img src = "CID:logo@x">',
        b'<img\r\n src=\r\n"cid:logo@x">',
        b'<img alt="x"src="cid:logo@x">',
        b'<img src="cid:logo%40x">',
        b'<table background="cid:logo@x">',
        b'<td style="background: url(cid:logo@x)">',
        b"<td style=\"background: URL( 'cid:logo@x' )\">",
        b'<!-- note --><img src="cid:logo@x">',
        b'<!--[if !vml]--><img src="cid:logo@x"><!--[endif]-->',
    ],
)
def test_pictures_in_the_text_are_shown(html: bytes) -> None:
    assert found(b"<html>" + html + b"</html>") == {b"logo@x"}


@pytest.mark.parametrize(
    "html",
    [
        b'<a href="cid:logo@x">',
        b'<object data="cid:logo@x">',
        b'<img data-src="cid:logo@x">',
        b"see cid:logo@x",
        b'<p> src="cid:logo@x"',
        b'src="cid:logo@x"',
        b'<img src="Cid:logo@x">',
        b'<img src="cid:">',
        b'<!-- <img src="cid:logo@x"> -->',
        b'<!-- a --><!-- <img src="cid:logo@x">',
        b"<img " + b"a" * 1100 + b' src="cid:logo@x">',
    ],
)
def test_what_is_not_certain_is_not_shown(html: bytes) -> None:
    assert found(b"<html>" + html + b'</html><img src="cid:other">') <= {b"other"}


@pytest.mark.parametrize("cut", [1, 2, 3, 7, 64])
def test_the_cut_of_the_text_changes_nothing(cut: int) -> None:
    filler = b"<p>words and words</p>" * 100
    html = (
        filler
        + b'<!-- <img src="cid:one">'
        + filler
        + b'<img src="cid:two"> --> <img src="cid:three">'
        + filler
        + b"<!-- open -->"
        + filler
        + b'<td style="background: url(cid:four)">'
    )
    assert found(*(html[at : at + cut] for at in range(0, len(html), cut))) == {b"three", b"four"}


def test_a_comment_of_one_text_does_not_reach_into_the_next() -> None:
    references = References()
    references.feed(b"<!-- open" + b" " * 4000)
    references.end_text()
    references.feed(b'<img src="cid:a">')
    references.end_text()
    assert references.found == {b"a"}


def test_references_past_the_limit_are_not_shown() -> None:
    html = b"".join(b'<img src="cid:%d">' % number for number in range(1200))
    assert found(html) == {b"%d" % number for number in range(1000)}


def test_the_text_is_not_kept() -> None:
    references = References()
    for _ in range(100):
        references.feed(b"x" * 65536)
    assert len(references._text) < 2048
