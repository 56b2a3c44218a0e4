"""Next hops in every form that Postfix has for them, and what is none."""

import pytest

from gateway.core.next_hop import BadNextHop, NextHop, parse_next_hop


@pytest.mark.parametrize(
    ("text", "hop", "again"),
    [
        ("Partner.Example", NextHop("partner.example"), "partner.example"),
        ("münchen.example", NextHop("xn--mnchen-3ya.example"), "xn--mnchen-3ya.example"),
        ("partner.example:2525", NextHop("partner.example", port=2525), "partner.example:2525"),
        ("partner.example:smtp", NextHop("partner.example", port=25), "partner.example:25"),
        ("[mx.partner.example]", NextHop("mx.partner.example", exact=True), "[mx.partner.example]"),
        (
            "[mx.partner.example]:submission",
            NextHop("mx.partner.example", exact=True, port=587),
            "[mx.partner.example]:587",
        ),
        ("[192.0.2.1]:25", NextHop("[192.0.2.1]", exact=True, port=25), "[192.0.2.1]:25"),
        ("[ipv6:2001:DB8::1]", NextHop("[IPv6:2001:db8::1]", exact=True), "[IPv6:2001:db8::1]"),
        ("[2001:db8::1]:25", NextHop("[IPv6:2001:db8::1]", exact=True, port=25), "[IPv6:2001:db8::1]:25"),
    ],
)
def test_each_form_is_read_and_written(text: str, hop: NextHop, again: str) -> None:
    assert parse_next_hop(text) == hop
    assert str(hop) == again
    assert parse_next_hop(again) == hop


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        ".partner.example",
        "partner.example:",
        "partner.example:0",
        "partner.example:65536",
        "partner.example:²",
        "partner.example:imap",
        "partner.example:25:25",
        "[partner.example",
        "[[192.0.2.1]]",
        "[fe80::1%eth0]",
        "[192.0.2.300]x",
        "a b.example",
        "unix:/run/lmtp",
        "x" * 301,
    ],
)
def test_what_is_no_next_hop_is_refused(text: str) -> None:
    with pytest.raises(BadNextHop):
        parse_next_hop(text)
