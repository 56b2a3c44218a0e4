"""Addresses and paths: what is one, what is none, and what compares as the same mailbox."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.address import Address, BadAddress, NullPath, parse_address, parse_domain, parse_path


@pytest.mark.parametrize(
    ("text", "local", "domain"),
    [
        ("a@b", "a", "b"),
        ("Ann.Other+tag@Council.EXAMPLE", "Ann.Other+tag", "council.example"),
        ("!#$%&'*+/=?^_`{|}~-@x.example", "!#$%&'*+/=?^_`{|}~-", "x.example"),
        ('"a b"@x.example', '"a b"', "x.example"),
        (r'"a\"@\\b"@x.example', r'"a\"@\\b"', "x.example"),
        ('""@x.example', '""', "x.example"),
        ("jürgen@bücher.example", "jürgen", "xn--bcher-kva.example"),
        ("a@BÜCHER.example", "a", "xn--bcher-kva.example"),
        ("a@faß.example", "a", "xn--fa-hia.example"),
        ("a@[192.0.2.1]", "a", "[192.0.2.1]"),
        ("a@[IPv6:2001:DB8:0:0::1]", "a", "[IPv6:2001:db8::1]"),
        ("a@[ipv6:::1]", "a", "[IPv6:::1]"),
        ("a" * 64 + "@x.example", "a" * 64, "x.example"),
        ("a@" + "b" * 63 + ".example", "a", "b" * 63 + ".example"),
        ("a@1-2.3", "a", "1-2.3"),
    ],
)
def test_mailbox_keeps_its_local_part_and_normalises_its_domain(text: str, local: str, domain: str) -> None:
    assert parse_address(text) == Address(local, domain)
    assert str(parse_address(text)) == f"{local}@{domain}"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "before @"),
        ("@x.example", "before @"),
        (".a@x.example", "before @"),
        ("a.@x.example", "exactly one @"),
        ("a..b@x.example", "exactly one @"),
        ("a", "exactly one @"),
        ("a b@x.example", "exactly one @"),
        ('"a"b@x.example', "exactly one @"),
        ('"a@x.example', "before @"),
        ('"a\tb"@x.example', "before @"),
        ('"ä"@x.example', "before @"),
        ("a@", "host name"),
        ("a@b@c", "host name"),
        ("a@-b.example", "host name"),
        ("a@b-.example", "host name"),
        ("a@b..example", "host name"),
        ("a@b.example.", "host name"),
        ("a@under_score.example", "host name"),
        ("a@b.example\n", "host name"),
        ("a@" + "b" * 64 + ".example", "host name"),
        ("a@" + "b." * 127 + "example", "longer than 255"),
        ("a" * 65 + "@x.example", "longer than 64"),
        ("ü" * 33 + "@x.example", "longer than 64"),
        ("a\u0085b@x.example", "printed"),
        ("a\u202eb@x.example", "printed"),
        ("a\u2028b@x.example", "printed"),
        ("a\ud800@x.example", "printed"),
        ("a@\u2028.example", "internationalised"),
        ("a@ü..example", "internationalised"),
        ("a@[1.2.3]", "literal"),
        ("a@[01.2.3.4]", "literal"),
        ("a@[1.2.3.4", "literal"),
        ("a@[IPv6:1]", "literal"),
        ("a@[IPv6:::1%eth0]", "literal"),
        ("a@[::1]", "literal"),
    ],
)
def test_what_is_no_mailbox_says_why_and_never_repeats_it(text: str, why: str) -> None:
    with pytest.raises(BadAddress, match=why):
        parse_address(text)


def test_domain_of_255_bytes_is_the_longest() -> None:
    domain = "b." * 126 + "com"
    assert parse_domain(domain) == domain
    with pytest.raises(BadAddress, match="longer"):
        parse_domain("b" + domain)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a@x.example", "A@X.example"),
        ("a@x.example", '"a"@x.example'),
        ("a.b@x.example", r'"a\.b"@x.example'),
        ("straße@x.example", "STRASSE@x.example"),
        ("caf\u00e9@x.example", "cafe\u0301@x.example"),
    ],
)
def test_spellings_of_one_mailbox_have_one_key(one: str, other: str) -> None:
    assert parse_address(one).key == parse_address(other).key
    assert parse_address(one) != parse_address(other)


def test_different_mailboxes_have_different_keys() -> None:
    texts = ["a@x.example", "b@x.example", "a@y.example", "a.@x.example".replace(".@", "-@"), '"a b"@x.example']
    assert len({parse_address(text).key for text in texts}) == len(texts)


@pytest.mark.parametrize(
    ("text", "routed"),
    [("a@x.example", False), ("a%b@x.example", True), ("b!a@x.example", True), ('"a@b"@x.example', True)],
)
def test_local_part_that_names_a_further_hop_is_routed(text: str, routed: bool) -> None:
    assert parse_address(text).is_routed is routed


def test_address_that_is_not_ascii_says_so() -> None:
    assert parse_address("a@bücher.example").is_ascii
    assert not parse_address("ü@x.example").is_ascii


@pytest.mark.parametrize(
    ("data", "path", "rest"),
    [
        (b"<>", NullPath.NULL, b""),
        (b"<> SIZE=1", NullPath.NULL, b" SIZE=1"),
        (b"<a@b.example>", Address("a", "b.example"), b""),
        (b"<a@b.example>x", Address("a", "b.example"), b"x"),
        (b'<"a>b"@c.example> N=1>', Address('"a>b"', "c.example"), b" N=1>"),
        (b"<" + b"a" * 64 + b"@" + b"b." * 92 + b"com>", Address("a" * 64, "b." * 92 + "com"), b""),
    ],
)
def test_path_ends_at_its_bracket(data: bytes, path: object, rest: bytes) -> None:
    assert parse_path(data, utf8=False) == (path, rest)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"a@b.example",
        b" <a@b.example>",
        b"<a@b.example",
        b"< a@b.example>",
        b"<@r.example:a@b.example>",
        b'<"a@b.example>',
        b'<"a"x>',
        b"<" + b"a" * 64 + b"@" + b"b." * 94 + b"com>",
        b"<\xc3\xbc@b.example>",
        b"<\xff@b.example>",
        b"<a\x00@b.example>",
    ],
)
def test_what_is_no_path_is_refused(data: bytes) -> None:
    with pytest.raises(BadAddress):
        parse_path(data, utf8=False)


def test_path_beyond_ascii_needs_utf8_and_must_be_it() -> None:
    assert parse_path("<ü@b.example>".encode(), utf8=True) == (Address("ü", "b.example"), b"")
    with pytest.raises(BadAddress, match="UTF-8"):
        parse_path(b"<\xfc@b.example>", utf8=True)


def test_null_path_is_no_string_and_prints_as_nothing() -> None:
    assert str(NullPath.NULL) == ""
    assert NullPath.NULL != ""


@given(st.text(max_size=80))
def test_any_text_is_an_address_or_is_refused(text: str) -> None:
    try:
        address = parse_address(text)
    except BadAddress:
        return
    assert parse_address(str(address)) == address
    assert not any(character in str(address) for character in "\r\n\0")


@given(st.binary(max_size=80), st.booleans())
def test_any_bytes_are_a_path_or_are_refused(data: bytes, utf8: bool) -> None:
    try:
        _, rest = parse_path(b"<" + data, utf8=utf8)
    except BadAddress:
        return
    assert (b"<" + data).endswith(rest)
