from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.address import NullPath, parse_address, parse_domain
from gateway.core.envelope import Notify, Recipient
from gateway.core.mapping import NO_SUFFIXES, AddressMap, Suffixes, suffixed

CJSM = Suffixes(sender=".cjsm.net", recipient=".cjsm.net")
CLERK = parse_address("clerk@court.example")


def address_map(suffixes: Suffixes = CJSM, *recipients: str) -> AddressMap:
    keys = frozenset(parse_address(each).key for each in recipients or (str(CLERK),))
    ours = {"council.example", parse_domain("rät.example")}
    return AddressMap(suffixes=suffixes, owns=ours.__contains__, recipients=keys)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("a@court.example", "a@court.example.cjsm.net"),
        ("a@court.example.cjsm.net", "a@court.example.cjsm.net"),
        ("a@cjsm.net", "a@cjsm.net"),
        ("a@notcjsm.net", "a@notcjsm.net.cjsm.net"),
        ("a@[192.0.2.1]", "a@[192.0.2.1]"),
    ],
)
def test_a_domain_grows_once(address: str, expected: str) -> None:
    assert str(suffixed(parse_address(address), ".cjsm.net")) == expected
    assert str(suffixed(parse_address(address), "")) == address


def test_the_envelope_names_both_in_the_form_of_the_relay() -> None:
    here = address_map()
    assert str(here.sender(parse_address("anna@council.example"))) == "anna@council.example.cjsm.net"
    assert str(here.sender(parse_address("anna@else.example"))) == "anna@else.example"
    assert here.sender(NullPath.NULL) is NullPath.NULL
    asked = Recipient(address=CLERK, notify=frozenset({Notify.FAILURE}))
    mapped = here.recipient(asked)
    assert str(mapped.address) == "clerk@court.example.cjsm.net"
    assert (mapped.notify, mapped.orcpt) == (asked.notify, "rfc822;clerk@court.example")


@pytest.mark.parametrize(
    ("address", "orcpt"),
    [
        ("a+b=c@court.example", "rfc822;a+2Bb+3Dc@court.example"),
        ('"a b"@court.example', 'rfc822;"a+20b"@court.example'),
        ("é@court.example", None),
    ],
)
def test_the_original_recipient_is_whom_the_sender_wrote_to(address: str, orcpt: str | None) -> None:
    here, recipient = address_map(), Recipient(address=parse_address(address))
    assert here.recipient(recipient).orcpt == orcpt
    assert here.recipient(replace(recipient, orcpt="rfc822;old@x.example")).orcpt == "rfc822;old@x.example"


def test_a_recipient_that_has_the_form_already_stays_as_it_is() -> None:
    known = Recipient(address=parse_address("clerk@cjsm.net"))
    assert address_map().recipient(known) is known


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("from", b" Anna <anna@council.example^>\r\n"),
        ("from", b"anna@Council.Example^ (Anna)\r\n"),
        ("from", b" anna@council.example <anna@council.example^>\r\n"),
        ("from", b' "a@council.example" <anna@council.example^>\r\n'),
        ("from", b" =?utf-8?q?Anna?=\r\n\t<anna@council.example^>\r\n"),
        ("from", " é@rät.example^\r\n".encode()),
        ("from", b" \xff <anna@council.example^>\r\n"),
        ("sender", b" anna@else.example\r\n"),
        ("reply-to", b" <team@council.example^>, x@else.example\r\n"),
        ("to", b" Clerk <CLERK@court.example^>, gp@tls.example\r\n"),
        ("to", b" Team: clerk@court.example^, other@court.example;\r\n"),
        ("cc", b" clerk@court.example.cjsm.net\r\n"),
        ("cc", b" (clerk@court.example) x@[192.0.2.1]\r\n"),
        ("subject", b" clerk@court.example anna@council.example\r\n"),
        ("bcc", b" clerk@court.example\r\n"),
    ],
)
def test_only_domains_of_ours_and_of_this_deliverys_recipients_grow(name: str, value: bytes) -> None:
    """The caret is where a domain grows."""
    before, after = value.replace(b"^", b""), value.replace(b"^", b".cjsm.net")
    assert address_map().field(name, before) == after
    assert address_map(NO_SUFFIXES).field(name, before) == before


@given(st.sampled_from(["from", "to", "cc", "reply-to"]), st.binary(max_size=200))
def test_nothing_else_of_a_field_changes_and_it_grows_once(name: str, value: bytes) -> None:
    here = address_map(CJSM, "a@b.c")
    once = here.field(name, value)
    assert once.replace(b".cjsm.net", b"") == value.replace(b".cjsm.net", b"")
    assert here.field(name, once) == once or b".cjsm.net" not in once


@pytest.mark.parametrize("suffix", ["cjsm.net", ".", ".CJSM.net", ".cjsm.net.", ".a b", "..a"])
def test_a_suffix_is_the_end_of_a_domain(suffix: str) -> None:
    with pytest.raises(ValueError, match="no end of a domain"):
        Suffixes(sender=suffix)
    with pytest.raises(ValueError, match="no end of a domain"):
        Suffixes(recipient=suffix)
    assert not NO_SUFFIXES and Suffixes(sender=".a") and Suffixes(recipient=".a")
