"""Where a domain wants its reports on TLS."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.address import parse_address
from gateway.core.tlsrpt import MAX_DESTINATIONS, MailTo, PostTo, read_rua

TO = MailTo(parse_address("reports@example.com"))


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        # Section 3.1's own two examples.
        (b"v=TLSRPTv1;rua=mailto:reports@example.com", (TO,)),
        (b"v=TLSRPTv1; rua=https://reporting.example.com/v1/tlsrpt", (PostTo("https://reporting.example.com/v1/tlsrpt"),)),
        (b"v=TLSRPTv1 ; rua=mailto:reports@example.com ;", (TO,)),
        (b"v=TLSRPTv1;\trua=MAILTO:reports@example.com , HTTPS://a.example", (TO, PostTo("HTTPS://a.example"))),
        (b"v=TLSRPTv1; x_1.y-z=other; rua=mailto:reports@example.com; rua=https://a.example/", (TO, PostTo("https://a.example/"))),
        (b"v=TLSRPTv1; rua=mailto:reports@example.com, mailto:reports@EXAMPLE.com", (TO,)),
        (b"v=TLSRPTv1; rua=mailto:tls%2Breports%25@example.com", (MailTo(parse_address("tls+reports%@example.com")),)),
        (b"v=TLSRPTv1; rua=mailto:reports@example.com!10m", (TO,)),
        (b"v=TLSRPTv1; rua=mailto:reports@example.com?subject=x", (TO,)),
        (b"v=TLSRPTv1; rua=https://a.example:8443/x?y=%2C#part", (PostTo("https://a.example:8443/x?y=%2C"),)),
        (b"v=TLSRPTv1; rua=mailto:reports@example.com,ftp://a.example/,nothing", (TO,)),
        (b"v=TLSRPTv1; RUA=mailto:reports@example.com", ()),
        (b"v=TLSRPTv1; rua", ()),
        (b"v=TLSRPTv1;", ()),
    ],
)  # fmt: skip
def test_destinations_of_a_record(record: bytes, expected: tuple[MailTo | PostTo, ...]) -> None:
    assert read_rua((b"v=spf1 -all", record)) == expected


@pytest.mark.parametrize(
    "uri",
    [
        "mailto:", "mailto:reports", "mailto:a@b.example%2Cc@d.example", "mailto:a@b.example%0D%0AX:%20y",
        "mailto:a@[192.0.2.1]", "mailto:%C3%A4@example.com", "mailto:%FF@example.com", "mailto:a@b.example%2",
        "mailto:a%40b@c.example", "mailto:a b@c.example", "mailto:<a@b.example>",
        "http://a.example/", "https:", "https:///x", "https://localhost/", "https://127.0.0.1/", "https://[::1]/",
        "https://[::1", "https://a.2130706433/", "https://user@a.example/", "https://a.example:0/",
        "https://a.example:99999/", "https://a..example/", "https://a_b.example/", "https://a.example/%zz",
        "https://a.example/" + "x" * 1024,
    ],
)  # fmt: skip
def test_what_is_no_destination_is_passed_over(uri: str) -> None:
    assert read_rua((f"v=TLSRPTv1; rua={uri},mailto:reports@example.com".encode(),)) == (TO,)


@pytest.mark.parametrize(
    "texts",
    [
        (),
        (b"v=spf1 -all",),
        (b"v=TLSRPTv1",),
        (b"v=TLSRPTv2; rua=mailto:reports@example.com",),
        (b"V=tlsrptv1; rua=mailto:reports@example.com",),
        (b" v=TLSRPTv1; rua=mailto:reports@example.com",),
        (b"v=TLSRPTv1; rua=mailto:reports@example.com",) * 2,
        (b"v=TLSRPTv1; rua=mailto:reports@example.com", b"v=TLSRPTv1; x"),
    ],
)
def test_domain_without_exactly_one_record_wants_none(texts: tuple[bytes, ...]) -> None:
    assert read_rua(texts) is None


def test_number_of_destinations_is_limited() -> None:
    uris = [f"mailto:r{number}@example.com" for number in range(MAX_DESTINATIONS + 1)]
    found = read_rua((("v=TLSRPTv1; rua=" + ",".join(uris)).encode(),))
    assert found is not None and [str(one) for one in found] == uris[:-1]


def test_destination_is_known_by_its_text() -> None:
    assert str(TO) == "mailto:reports@example.com"
    assert str(PostTo("https://a.example/x")) == "https://a.example/x"


@given(st.binary(max_size=60), st.sampled_from((b"mailto:", b"https://", b"")))
def test_nothing_that_is_published_breaks_it(rest: bytes, scheme: bytes) -> None:
    for one in read_rua((b"v=TLSRPTv1; rua=" + scheme + rest,)) or ():
        assert str(one).isascii() and "\r" not in str(one) and "\n" not in str(one) and " " not in str(one)
