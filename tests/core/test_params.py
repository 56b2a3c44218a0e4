"""Parameters of MIME fields: RFC 2231, RFC 2047, and the sloppy forms that are in use."""

import pytest

from gateway.core.params import read_value


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (b'attachment; filename="plan.pdf"', "plan.pdf"),
        (b"attachment; FileName=plan.pdf", "plan.pdf"),
        (b"attachment;filename = plan.pdf ; size=3", "plan.pdf"),
        (b"attachment; filename=my plan.pdf; size=3", "my plan.pdf"),
        (b'attachment; filename="a \\"b\\" ; c.pdf"; size=3', 'a "b" ; c.pdf'),
        (b'attachment; filename="=?utf-8?B?w6kucGRm?="', "\u00e9.pdf"),
        (b"attachment; filename==?iso-8859-1?Q?=E9.pdf?=", "\u00e9.pdf"),
        (b"attachment; filename*=utf-8'en'%C3%A9.pdf", "\u00e9.pdf"),
        (b"attachment; FILENAME*=UTF-8''%c3%a9.pdf", "\u00e9.pdf"),
        (b"attachment; filename=plain.pdf; filename*=iso-8859-1''%E9.pdf", "\u00e9.pdf"),
        (b"attachment; filename*0=long; filename*1=-name; filename*2=.pdf", "long-name.pdf"),
        (b"attachment; filename*1*=%A9.pdf; filename*0*=utf-8''%C3", "\u00e9.pdf"),
        (b"attachment; filename*0*=utf-8''%C3%A9; filename*1=\"50%20.pdf\"", "\u00e950%20.pdf"),
        (b"attachment; filename*0=a; filename*2=c", "a"),
        (b"attachment; filename*=no-charset%20here", "no-charset here"),
        (b"attachment; filename*=''bare%20name", "bare name"),
        (b'attachment; filename="caf\xe9.pdf"', "caf\ufffd.pdf"),
        (b'attachment; filename="caf\xc3\xa9.pdf"', "caf\u00e9.pdf"),
        (b"attachment; filename=first.pdf; filename=second.pdf", "first.pdf"),
        (b"attachment; size=3", ""),
        (b"", ""),
    ],
)
def test_names_are_found_in_all_their_forms(value: bytes, name: str) -> None:
    assert read_value(value).text("filename") == name


def test_the_word_before_the_parameters_is_folded() -> None:
    assert read_value(b" TEXT/Plain ; charset=x").main == "text/plain"
    assert read_value(b"Inline").main == "inline"


@pytest.mark.parametrize("value", [b"a/b; c=d", b"a/b; c=d;", b"a/b;; c=d; ", b'a/b; c="d e"; f=g', b"a/b", b""])
def test_ordinary_values_are_well_formed(value: bytes) -> None:
    read = read_value(value)
    assert not read.malformed
    assert not read.twice


@pytest.mark.parametrize(
    "value",
    [b'a/b; c="open', b'a/b; c="d"e', b"a/b; c", b"a/b; c=d e", b"a/b; c=d (comment)", b"a/b; (comment) c=d; e=f"],
)
def test_what_readers_take_differently_is_malformed(value: bytes) -> None:
    assert read_value(value).malformed


def test_behind_a_malformed_piece_the_rest_is_read() -> None:
    read = read_value(b"a/b; nonsense; boundary=x")
    assert read.parameters["boundary"] == b"x"
    assert read.malformed


def test_a_parameter_that_stands_twice_is_told() -> None:
    assert read_value(b"a/b; boundary=x; Boundary=y").twice == frozenset({"boundary"})
