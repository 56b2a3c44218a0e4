"""Addresses in To and Cc: what can be read of them, and that no field costs more than its length."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.visible import MAX_VISIBLE, read_visible


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


@pytest.mark.parametrize("piece", ["a", "a@", '"', '\\"', "(", "(a", "\\(", "<", '"a"@', "a@[", "a@b ", ","])
def test_no_field_costs_the_square_of_its_length(piece: str) -> None:
    value = (piece * 250_000)[:250_000].encode()
    began = time.process_time()
    read_visible([value, b'"' + value])
    assert time.process_time() - began < 5


@given(st.text(st.sampled_from('ab@.,;:<>"\\()[] \t\u00e9'), max_size=30))
def test_it_is_total(text: str) -> None:
    addresses, more = read_visible([text.encode()])
    assert more == 0
    assert all("@" in address for address in addresses)
