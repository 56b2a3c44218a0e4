"""What of a message is text, picture and file; names that any system takes; text in any charset."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.sealed import Face, PartPlace
from gateway.portal.contents import contents, decoded
from gateway.portal.readable import Piece, one_line, pieces, readable


def part(
    number: int,
    kind: str,
    *,
    name: str = "",
    content_id: str = "",
    attached: bool = False,
    inside: str = "multipart/mixed",
    alternative: int = -1,
) -> PartPlace:
    return PartPlace(
        number=number,
        type=kind,
        charset="",
        name=name,
        content_id=content_id,
        encoding="7bit",
        attached=attached,
        start=0,
        end=0,
        size=0,
        inside=inside,
        alternative=alternative,
    )


def face(*parts: PartPlace) -> Face:
    return Face(author="a", subject="s", date="d", to="t", cc="", parts=parts, size=1)


def numbers(parts: tuple[PartPlace, ...]) -> list[int]:
    return [one.number for one in parts]


def test_the_html_of_an_alternative_is_shown_and_its_text_remains() -> None:
    sorted_parts = contents(
        face(
            part(0, "text/plain", inside="multipart/alternative", alternative=0),
            part(1, "text/html", inside="multipart/related", alternative=0),
            part(2, "image/png", content_id="logo@x.example", inside="multipart/related", alternative=0),
            part(3, "text/calendar", inside="multipart/alternative", alternative=0),
            part(4, "application/pdf", name="report.pdf", attached=True),
            part(5, "text/plain"),
            part(6, "text/plain", name="notes.txt"),
            part(7, "image/png", content_id="scan@x.example"),
            part(8, "image/svg+xml", content_id="x@x.example", inside="multipart/related"),
        )
    )
    assert numbers(sorted_parts.body) == [1, 5]
    assert numbers(sorted_parts.texts) == [0]
    assert numbers(sorted_parts.plain) == [0, 5]
    assert numbers(sorted_parts.pictures) == [2]
    assert numbers(sorted_parts.files) == [3, 4, 6, 7, 8]


def test_text_without_a_better_choice_is_shown() -> None:
    sorted_parts = contents(
        face(
            part(0, "text/plain", inside="multipart/alternative", alternative=0),
            part(1, "text/html", attached=True, alternative=0),
            part(2, "text/html", alternative=1),
        )
    )
    assert numbers(sorted_parts.body) == [0, 2]
    assert numbers(sorted_parts.files) == [1]


_kinds = st.sampled_from(["text/plain", "text/html", "image/png", "image/svg+xml", "message/rfc822", "text/calendar"])
_parts = st.lists(
    st.builds(
        part,
        st.just(0),
        _kinds,
        name=st.sampled_from(["", "a.txt"]),
        content_id=st.sampled_from(["", "x@x.example"]),
        attached=st.booleans(),
        inside=st.sampled_from(["multipart/mixed", "multipart/related", "multipart/alternative"]),
        alternative=st.integers(-1, 2),
    )
)


@given(_parts)
def test_every_part_is_in_one_place(parts: list[PartPlace]) -> None:
    numbered = [part(n, p.type, name=p.name, content_id=p.content_id, attached=p.attached, inside=p.inside,
                     alternative=p.alternative) for n, p in enumerate(parts)]  # fmt: skip
    found = contents(face(*numbered))
    everywhere = [*found.body, *found.texts, *found.pictures, *found.files]
    assert sorted(one.number for one in everywhere) == list(range(len(parts)))


@pytest.mark.parametrize(
    ("data", "charset", "text"),
    [
        ("Café".encode(), "utf-8", "Café"),
        ("Café".encode("latin-1"), "ISO-8859-1", "Café"),
        ("Café".encode("latin-1"), "", "Café"),
        ("Café".encode(), "us-ascii", "Café"),
        (b"\xef\xbb\xbfBOM", "", "BOM"),
        ("“quoted”".encode("cp1252"), "", "“quoted”"),
        (b"abc", "no-such-charset", "abc"),
        (b"abc", "zlib_codec", "abc"),
        ("日本".encode("iso-2022-jp"), "iso-2022-jp", "日本"),
    ],
)
def test_text_in_its_charset(data: bytes, charset: str, text: str) -> None:
    assert decoded(data, charset) == text


def test_html_may_name_its_charset_itself() -> None:
    data = '<meta http-equiv="Content-Type" content="text/html; charset=windows-1251"><p>Привет'.encode("cp1251")
    assert "Привет" in decoded(data, "", html=True)
    assert "Привет" not in decoded(data, "")


@given(st.binary(max_size=300), st.text(max_size=20), st.booleans())
def test_no_bytes_raise(data: bytes, charset: str, html: bool) -> None:
    decoded(data, charset, html=html)


def test_readable_text_has_no_controls_and_reorders_nothing() -> None:
    assert readable("a\r\nb\x00\x1b[31mc\u202ed\u200de") == "a\nb\ufffd\ufffd[31mcd\u200de"
    assert readable("a\u00a0b\u3000c\ud800\u0085d\t.") == "a\u00a0b\u3000c\ufffd\nd\t."
    assert one_line(" a\r\n b\tc ") == "a b c"


def test_links_are_their_own_targets() -> None:
    text = (
        "See https://council.example/a?b=1#c. Or (http://x.example), javascript:alert(1), https://. xhttps://y.example"
    )
    assert list(pieces(text)) == [
        Piece("See "),
        Piece("https://council.example/a?b=1#c", link=True),
        Piece(". Or ("),
        Piece("http://x.example", link=True),
        Piece("), javascript:alert(1), https://. xhttps://y.example"),
    ]


@given(st.text(alphabet="htps:/.x <>\"'&é)\n", max_size=100))
def test_pieces_are_the_whole_text(text: str) -> None:
    found = list(pieces(text))
    assert "".join(one.text for one in found) == text
    assert all(one.text.startswith(("http://", "https://")) and one.text.isascii() for one in found if one.link)
