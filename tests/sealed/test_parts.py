"""Where the parts of a message stand: each is found, and decodes from any byte on as another reader has it."""

import os
import tracemalloc
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.core.sealed import PartPlace
from gateway.sealed.decoding import EVERY, QuotedPrintable, decoded
from gateway.sealed.keys import Damaged
from gateway.sealed.parts import Index, PartsIndex, index_from_bytes, index_to_bytes


def index(raw: bytes, step: int = 10_007) -> Index:
    found = PartsIndex()
    for at in range(0, len(raw), step):
        found.feed(raw[at : at + step])
    return index_from_bytes(index_to_bytes(found.close()))


def part(raw: bytes, of: Index, place: PartPlace, start: int = 0, end: int | None = None) -> bytes:
    def read(first: int, last: int) -> Iterator[bytes]:
        for at in range(first, last, 65_536):
            yield raw[at : min(last, at + 65_536)]

    return b"".join(decoded(place, of.marks.get(place.number, ()), read, start, place.size if end is None else end))


def leaves(raw: bytes) -> list[EmailMessage]:
    whole = message_from_bytes(raw, policy=policy.default)
    return [each for each in whole.walk() if not each.is_multipart()]


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=200)
FILE = st.tuples(st.binary(max_size=3000), TEXT, st.sampled_from(["base64", "quoted-printable"]))


def written(text: str, markup: str, picture: bytes, files: list[tuple[bytes, str, str]]) -> bytes:
    message = EmailMessage(policy=policy.SMTP)
    message["From"] = "Anna Öhm <anna@council.example>"
    message["To"] = "bob@plain.example"
    message["Subject"] = "Grüße und mehr"
    message.set_content(text)
    message.add_alternative(markup, subtype="html")
    cast("list[EmailMessage]", message.get_payload())[1].add_related(picture, "image", "png", cid="<a@b>")
    for data, name, encoding in files:
        message.add_attachment(data, "application", "x-thing", filename=name, cte=encoding)
    return message.as_bytes()


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(TEXT, TEXT, st.binary(max_size=500), st.lists(FILE, max_size=3), st.integers(1, 5000), st.data())
def test_each_part_decodes_to_what_another_reader_makes_of_it(
    text: str, markup: str, picture: bytes, files: list[tuple[bytes, str, str]], step: int, data: st.DataObject
) -> None:
    raw = written(text, markup, picture, files)
    found = index(raw, step)
    expected = leaves(raw)
    assert len(found.face.parts) == len(expected) == 3 + len(files)
    assert found.face.size == len(raw)
    for place, leaf in zip(found.face.parts, expected, strict=True):
        content = leaf.get_payload(decode=True)
        assert isinstance(content, bytes)
        assert place.type == leaf.get_content_type()
        assert part(raw, found, place) == content
        assert place.size == len(content)
        start = data.draw(st.integers(0, len(content)))
        end = data.draw(st.integers(start, len(content)))
        assert part(raw, found, place, start, end) == content[start:end]


def test_the_face_says_who_and_what_and_how_the_parts_stand_together() -> None:
    found = index(written("hello", "<p>hello</p>", b"png", [(b"x", "größe.bin", "base64")]))
    face = found.face
    assert (face.author, face.subject, face.to) == (
        "Anna Öhm <anna@council.example>",
        "Grüße und mehr",
        "bob@plain.example",
    )
    plain, markup, picture, file = face.parts
    assert (plain.inside, markup.inside, picture.inside) == (
        "multipart/alternative",
        "multipart/related",
        "multipart/related",
    )
    assert plain.alternative == markup.alternative == picture.alternative >= 0 > file.alternative
    assert (picture.content_id, file.name, file.attached) == ("a@b", "größe.bin", True)


def big(encoding: str) -> tuple[bytes, bytes]:
    data = os.urandom(5 * EVERY) if encoding == "base64" else b"Zeile mit =3D und mehr\r\n" * 250_000
    message = EmailMessage(policy=policy.SMTP)
    message.set_content("x")
    message.add_attachment(data, "application", "x-thing", filename="x", cte=encoding)
    return message.as_bytes(), data


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable"])
def test_a_large_file_is_read_from_near_where_it_is_wanted(encoding: str) -> None:
    raw, data = big(encoding)
    found = index(raw, 100_000)
    place = found.face.parts[1]
    asked: list[tuple[int, int]] = []

    def read(first: int, last: int) -> Iterator[bytes]:
        asked.append((first, last))
        yield raw[first:last]

    at = len(data) - 100
    assert b"".join(decoded(place, found.marks[1], read, at, at + 50)) == data[at : at + 50]
    [(first, last)] = asked
    assert last - first < 4 * EVERY < place.end - place.start


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"QUJD\r\nREVG\r\n", b"ABCDEF"),
        (b"QU JD\r\nR*EV!G", b"ABCDEF"),
        (b"QUI=\r\n", b"AB"),
        (b"QUI", b"AB"),
        (b"QUJDR", b"ABC"),
        (b"", b""),
    ],
)
def test_base64_as_people_send_it(body: bytes, expected: bytes) -> None:
    raw = b"Content-Type: application/x\r\nContent-Transfer-Encoding: BASE64\r\n\r\n" + body
    for step in (1, 7, 1000):
        found = index(raw, step)
        [place] = found.face.parts
        assert (part(raw, found, place), place.size) == (expected, len(expected))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"a=3Db\r\nc=\r\nd\r\n", b"a=b\r\ncd\r\n"),
        (b"a=XYb=", b"a=XYb="),
        (b"lone\rreturn", b"lonereturn"),
        (b"end\r", b"end"),
        (b"=E4=F6", b"\xe4\xf6"),
    ],
)
def test_quoted_printable_keeps_its_line_ends(body: bytes, expected: bytes) -> None:
    for step in (1, 2, 3, 1000):
        decoder = QuotedPrintable()
        got = b"".join(decoder.feed(body[at : at + step]) for at in range(0, len(body), step)) + decoder.finish()
        assert got.rstrip(b"=") == expected.rstrip(b"="), step


def test_an_attached_message_is_one_file() -> None:
    inner = written("inner", "<p>x</p>", b"p", [])
    message = EmailMessage(policy=policy.SMTP)
    message.set_content("outer")
    message.add_attachment(message_from_bytes(inner, policy=policy.default))
    raw = message.as_bytes()
    found = index(raw)
    assert [place.type for place in found.face.parts] == ["text/plain", "message/rfc822"]
    assert b"inner" in part(raw, found, found.face.parts[1])


@pytest.mark.parametrize("behind", [0, 300_000])
def test_a_message_too_complex_to_be_taken_apart_is_one_file(behind: int) -> None:
    raw = b"From: a@council.example\r\nSubject: deep\r\n" + b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(40)
    )
    raw += b"x" * behind
    found = index(raw)
    [place] = found.face.parts
    assert (place.type, place.size, found.face.subject) == ("message/rfc822", len(raw), "deep")
    assert part(raw, found, place) == raw


def test_a_multipart_without_any_part_is_one_file() -> None:
    raw = b"Subject: broken\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\nonly a preamble\r\n"
    found = index(raw)
    [place] = found.face.parts
    assert (place.type, part(raw, found, place)) == ("message/rfc822", raw)


def test_what_the_face_shows_is_one_line_without_controls() -> None:
    face = index(b"Subject: =?utf-8?q?one=0D=0Atwo=00=E2=80=AEthree?=\r\nTo: a@b.example,\r\n c@d.example\r\n\r\n").face
    assert (face.subject, face.to) == ("one two three", "a@b.example, c@d.example")


def test_long_fields_are_cut_and_a_damaged_index_says_so() -> None:
    found = index(b"Subject: " + b"x" * 100_000 + b"\r\n\r\n")
    assert len(found.face.subject) <= 2000
    for broken in (b"", b"{}", index_to_bytes(found)[:-2]):
        with pytest.raises(Damaged):
            index_from_bytes(broken)


def test_memory_does_not_grow_with_the_message() -> None:
    found = PartsIndex()
    head = b"Content-Type: application/x\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    block = (b"A" * 76 + b"\r\n") * 3300
    tracemalloc.start()
    try:
        found.feed(head)
        for _ in range(256):
            found.feed(block)
        [place] = found.close().face.parts
        assert place.size == 256 * 3300 * 57
        assert tracemalloc.get_traced_memory()[1] < 8 * 1024 * 1024
    finally:
        tracemalloc.stop()
