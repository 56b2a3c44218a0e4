"""What a part's header says: type, file or text, boundary, and where readers would differ."""

import pytest

from gateway.core.defect import Defect
from gateway.core.header import read_header
from gateway.core.mime import PartHeader, read_part
from tests.core.scanning import crlf


def part(header: str, *, default_type: str = "text/plain", inside_attached: bool = False) -> PartHeader:
    fields = read_header(crlf(header)).fields
    return read_part(fields, default_type=default_type, inside_attached=inside_attached)


@pytest.mark.parametrize(
    ("header", "type_", "is_file"),
    [
        ("", "text/plain", False),
        ("Content-Type:\n", "text/plain", False),
        ("Content-Type: TEXT/HTML; charset=utf-8\n", "text/html", False),
        ("Content-Type: text\n", "text/plain", False),
        ("Content-Type: pdf\n", "application/octet-stream", True),
        ("Content-Type: text(x)/plain\n", "application/octet-stream", True),
        ("Content-Type: image/png\n", "image/png", True),
        ("Content-Type: message/rfc822\n", "message/rfc822", True),
        ("Content-Type: application/ms-tnef\n", "application/ms-tnef", True),
        ("Content-Type: text/plain\nContent-Disposition: attachment\n", "text/plain", True),
        ("Content-Type: text/plain\nContent-Disposition: something-new\n", "text/plain", True),
        ("Content-Type: text/plain\nContent-Disposition: INLINE\n", "text/plain", False),
        ("Content-Type: text/plain\nContent-Disposition: inline; filename=a.txt\n", "text/plain", True),
        ('Content-Type: text/plain; name="a.txt"\n', "text/plain", True),
        ('Content-Type: text/plain; name=""\n', "text/plain", False),
        ("Content-Type: text/plain; name*=utf-8''%01\n", "text/plain", True),
        ("Comment: x\nContent-Type: text/html\nContent-Type: image/png\n", "text/html", False),
    ],
)
def test_types_and_files_are_told_apart(header: str, type_: str, is_file: bool) -> None:
    read = part(header)
    assert (read.type, read.is_file) == (type_, is_file)
    assert read.defects == ()


def test_the_default_type_is_the_parents() -> None:
    assert part("", default_type="message/rfc822").type == "message/rfc822"
    assert part("Content-Type: text/plain\n", default_type="message/rfc822").type == "text/plain"


def test_text_inside_an_attached_multipart_is_attached() -> None:
    assert part("Content-Type: text/plain\n", inside_attached=True).is_file


def test_the_name_of_the_disposition_goes_before_that_of_the_type() -> None:
    assert part("Content-Type: a/b; name=one\nContent-Disposition: inline; filename=two\n").name == "two"
    assert part("Content-Type: a/b; name=one\nContent-Disposition: inline\n").name == "one"


def test_names_are_cut_and_printable() -> None:
    assert part("Content-Disposition: attachment; filename*=utf-8''a%0Ab%E2%80%AEc\n").name == "a\ufffdb\ufffdc"
    assert len(part(f"Content-Type: a/b; name={'n' * 999}\n").name) == 255


@pytest.mark.parametrize(
    ("header", "may"),
    [
        ("Content-Type: image/png\nContent-ID: <a>\n", True),
        ("Content-Type: image/png; name=a.png\nContent-ID: <a>\nContent-Disposition: inline\n", True),
        ("Content-Type: application/octet-stream; name=A.PNG\nContent-ID: <a>\n", True),
        ("Content-Type: application/octet-stream; name=a.docx\nContent-ID: <a>\n", False),
        ("Content-Type: application/pdf; name=a.png\nContent-ID: <a>\n", False),
        ("Content-Type: image/png\n", False),
        ("Content-Type: image/png\nContent-ID: <a>\nContent-Disposition: attachment\n", False),
    ],
)
def test_only_pictures_with_an_id_may_be_shown(header: str, may: bool) -> None:
    assert part(header).may_be_shown is may


def test_only_calendars_have_a_method() -> None:
    assert part("Content-Type: text/calendar; method=reply\n").method == "REPLY"
    assert part("Content-Type: text/plain; method=reply\n").method == ""


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/mixed; boundary=abc", b"abc"),
        ('multipart/mixed; boundary="----=_Part (1) x"', b"----=_Part (1) x"),
        ("Multipart/Alternative; charset=utf-8; BOUNDARY=----=_Part_1.2", b"----=_Part_1.2"),
        ('multipart/mixed; type="text/html"; boundary="=-a@b*c";', b"=-a@b*c"),
        (f"multipart/mixed; boundary={'b' * 70}", b"b" * 70),
    ],
)
def test_boundaries_in_use_are_followed_without_defect(content_type: str, boundary: bytes) -> None:
    read = part(f"Content-Type: {content_type}\nContent-Transfer-Encoding: 8BIT\n")
    assert (read.boundary, read.defects) == (boundary, ())
    assert read.is_multipart


@pytest.mark.parametrize(
    ("content_type", "boundary", "defect"),
    [
        ("multipart/mixed", b"", Defect.BOUNDARY_MISSING),
        ('multipart/mixed; boundary=""', b"", Defect.BOUNDARY_MISSING),
        (f"multipart/mixed; boundary={'b' * 71}", b"b" * 71, Defect.BOUNDARY_LONG),
        (f"multipart/mixed; boundary={'b' * 201}", b"", Defect.BOUNDARY_LONG),
        ('multipart/mixed; boundary="a "', b"a ", Defect.BOUNDARY_CHARACTERS),
        ('multipart/mixed; boundary="a\\"b"', b'a"b', Defect.BOUNDARY_CHARACTERS),
        ("multipart/mixed; boundary=caf\xe9", b"caf\xe9", Defect.BOUNDARY_CHARACTERS),
        ("multipart/mixed; boundary=a b", b"a b", Defect.CONTENT_TYPE),
        ("multipart/mixed; boundary=a (comment)", b"a (comment)", Defect.CONTENT_TYPE),
        ("multipart/mixed; boundary=a; boundary=b", b"a", Defect.CONTENT_TYPE),
        ("multipart/mixed; boundary*0=a; boundary*1=b", b"ab", Defect.BOUNDARY_FORM),
        ("multipart/mixed; boundary*=utf-8''ab; boundary=x", b"x", Defect.BOUNDARY_FORM),
        ("multipart/mixed boundary=a", b"", Defect.CONTENT_TYPE),
        ("multipart; boundary=a", b"", Defect.CONTENT_TYPE),
        ("message/rfc822 (x)", b"", Defect.CONTENT_TYPE),
        ("message/partial; id=a; number=1; total=2", b"", Defect.FRAGMENT),
    ],
)
def test_what_another_reader_would_divide_differently_is_named(
    content_type: str, boundary: bytes, defect: Defect
) -> None:
    read = part(f"Content-Type: {content_type}\n")
    assert read.boundary == boundary
    assert read.defects == (defect,)


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable", "x-unknown"])
def test_an_encoded_multipart_is_named(encoding: str) -> None:
    read = part(f"Content-Type: multipart/mixed; boundary=a\nContent-Transfer-Encoding: {encoding}\n")
    assert read.defects == (Defect.MULTIPART_ENCODING,)


def test_a_multipart_that_cannot_be_divided_is_one_file() -> None:
    assert part("Content-Type: multipart/mixed\n").is_file
    assert part("Content-Type: multipart/mixed boundary=a\n").is_file
