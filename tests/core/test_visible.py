"""Addresses in To and Cc: what can be read of them, and that no field costs more than its length."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import visible
from gateway.core.address import BadAddress, parse_address, parse_domain
from gateway.core.scan import TooComplex
from gateway.core.visible import MAX_BYTES, MAX_FOREIGN, MAX_READ, MAX_VISIBLE, read_visible


@pytest.mark.parametrize(
    ("value", "addresses"),
    [
        (b"a@one.example, Bee <b@Two.Example>,c@three.example", ("a@one.example", "b@two.example", "c@three.example")),
        (b'"Doe, Jane <x@y.example>" <jane@one.example>', ("jane@one.example",)),
        (b'"x@y.example" <jane@one.example>', ("jane@one.example",)),
        (b"x@y.example <jane@one.example>", ("jane@one.example",)),
        (b"Jane (was x@y.example) <jane@one.example>", ("jane@one.example",)),
        (b'"odd local"@one.example', ('"odd local"@one.example',)),
        (b"Team: a@one.example, b@one.example;, c@one.example", ("a@one.example", "b@one.example", "c@one.example")),
        (b"undisclosed-recipients:;", ()),
        (b"a@one.example; b@one.example", ("a@one.example", "b@one.example")),
        (b"a@one.example, A@one.example, <a@ONE.example>", ("a@one.example",)),
        (b"broken <, @, a@, <b@one.example>, @two.example, c@-, d@one.example", ("b@one.example", "d@one.example")),
        ("Jos\u00e9 <j@b\u00fccher.example>".encode(), ("j@xn--bcher-kva.example",)),
        (b"=?utf-8?q?a=40b=2Eexample?= <c@one.example>", ("c@one.example",)),
        (b"a@[192.0.2.1]", ("a@[192.0.2.1]",)),
        (b'a@one.example, "never closed b@one.example', ("a@one.example",)),
        (b"(never closed a@one.example", ()),
        (b"\xff a@one.example", ("a@one.example",)),
        (b"", ()),
    ],
)
def test_addresses_are_read_as_far_as_possible(value: bytes, addresses: tuple[str, ...]) -> None:
    assert read_visible([value]) == (addresses, 0)


def test_all_fields_count_and_each_address_once() -> None:
    assert read_visible([b"a@one.example", b"b@one.example, a@one.example"]) == (("a@one.example", "b@one.example"), 0)


def test_so_many_are_kept_and_the_others_counted() -> None:
    value = ", ".join(f"a{number}@one.example" for number in range(MAX_VISIBLE + 3)).encode()
    addresses, more = read_visible([value, b"a1@one.example"])
    assert (len(addresses), more, addresses[-1]) == (MAX_VISIBLE, 3, f"a{MAX_VISIBLE - 1}@one.example")


def test_those_of_a_register_are_kept_first_wherever_they_stand() -> None:
    others = [f"a{number}@one.example" for number in range(MAX_VISIBLE)]
    value = ", ".join([*others, "All@One.example", '"team"@one.example']).encode()
    addresses, more = read_visible([value], {"all@one.example", "team@one.example", "nobody@one.example"})
    assert addresses == ("All@one.example", '"team"@one.example', *others[:-2])
    assert more == 2
    # As long as all are kept, they stand as they were written.
    assert read_visible([b"a@one.example, all@one.example"], {"all@one.example"})[0][1] == "all@one.example"


def test_as_many_addresses_as_a_message_may_name() -> None:
    value = ",".join(f"{number}@b.c" for number in range(MAX_READ)).encode()
    assert read_visible([value, b"0@b.c"])[1] == MAX_READ - MAX_VISIBLE
    with pytest.raises(TooComplex, match="more than 5000 different addresses"):
        read_visible([value, b"x@b.c"])


def test_to_and_cc_together_are_so_long_at_most() -> None:
    value = b"a@b.c," + b" " * (MAX_BYTES - 12)
    assert read_visible([value, b"d@e.ff"]) == (("a@b.c", "d@e.ff"), 0)
    with pytest.raises(TooComplex, match="larger than 64 KiB"):
        read_visible([value, b"d@e.fff"])


def test_so_many_different_domains_beyond_ascii() -> None:
    value = ",".join(f"a{number}@é{number % MAX_FOREIGN}.example" for number in range(MAX_FOREIGN + 9))
    assert read_visible([value.encode(), b"a@b.example"])[1] == 10
    with pytest.raises(TooComplex, match="more than 500 different international domains"):
        read_visible([value.encode(), "a@é.example".encode()])


def test_each_domain_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def reading(text: str) -> str:
        read.append(text)
        return parse_domain(text)

    monkeypatch.setattr(visible, "parse_domain", reading)
    value = ",".join(
        f"a{number}@{domain}" for number in range(99) for domain in ("é.example", "é-.example", "b.example")
    )
    addresses, _ = read_visible([value.encode()])
    assert sorted(read) == ["é-.example", "é.example"]
    assert len(addresses) == 2 * 99


@pytest.mark.parametrize("piece", ["a", "a@", '"', '\\"', "(", "(a", "\\(", "<", '"a"@', "a@[", "a@b ", ","])
def test_no_field_costs_the_square_of_its_length(piece: str) -> None:
    value = (piece * MAX_BYTES)[: MAX_BYTES - 2].encode()
    began = time.process_time()
    for whole in (value, b'"' + value, value[1:], b"(" + value):
        read_visible([whole])
    assert time.process_time() - began < 2


@given(st.text(st.sampled_from('ab@.,;:<>"\\()[] \t\u00e9'), max_size=30))
def test_it_is_total(text: str) -> None:
    addresses, more = read_visible([text.encode()])
    assert more == 0
    assert all("@" in address for address in addresses)


@given(st.text(st.sampled_from('ab@."[]1-\\ \u00e9\u3002\uff20\uff41'), max_size=12))
def test_one_address_alone_is_read_as_everywhere_else(text: str) -> None:
    try:
        expected = (str(parse_address(text)),)
    except BadAddress:
        expected = ()
    addresses, _ = read_visible([text.encode()])
    assert addresses == expected or not expected
