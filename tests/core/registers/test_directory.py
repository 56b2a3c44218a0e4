import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.address import Address, BadAddress, parse_address
from gateway.core.registers.directory import Directory, directory, keyed, parse_member


@pytest.mark.parametrize(
    ("address", "entry"),
    [
        ("amy@one.example", "amy"),
        ("AMY@One.Example", "amy"),
        ('"amy"@one.example', "amy"),
        ("bob@one.example", "one"),
        ("bob@sub.one.example", "below one"),
        ("bob@deep.sub.one.example", "below sub"),
        ("bob@two.example", None),
        ("bob@example", None),
        ("bob@notone.example", None),
        ("bob@[192.0.2.1]", None),
        ("bob@xn--bcher-kva.example", "books"),
    ],
)
def test_the_nearest_entry_is_found(address: str, entry: str | None) -> None:
    found = directory(
        [
            ("Amy@one.example", "amy"),
            ("ONE.example", "one"),
            ("*.one.example", "below one"),
            ("*.sub.one.example", "below sub"),
            ("Bücher.example", "books"),
        ]
    )
    assert found.of(parse_address(address)) == entry


def test_an_empty_directory_knows_nobody() -> None:
    nobody: Directory[str] = Directory()
    assert nobody.of(parse_address("a@b.example")) is None
    assert list(nobody.entries()) == []


def test_all_entries_are_listed() -> None:
    assert sorted(directory([("a@b.example", "a"), ("b.example", "b"), ("*.b.example", "c")]).entries()) == list("abc")


def test_a_member_stands_for_one_entry() -> None:
    one, same = object(), [("b.example", "x"), ("B.example", "x")]
    assert directory(same).domains == {"b.example": "x"}
    with pytest.raises(BadAddress, match=r"`B\.example` stands in the register twice"):
        directory([("b.example", one), ("B.example", object())])


@pytest.mark.parametrize("text", ["", "*.", "*", "a b", "@", "a@", "*.a@b..c", "https://b.example", "b.example."])
def test_what_is_no_member_is_named(text: str) -> None:
    with pytest.raises(BadAddress, match="is not an address, a domain or"):
        parse_member(text)


_NAMES = st.from_regex(r"[a-z]{1,5}(\.[a-z]{1,5}){0,3}", fullmatch=True)


@given(st.lists(st.one_of(_NAMES, _NAMES.map("*.{}".format), _NAMES.map("x@{}".format)), max_size=8), _NAMES)
def test_it_agrees_with_looking_at_every_member(members: list[str], domain: str) -> None:
    found = keyed({member: member for member in members})
    address = parse_address(f"x@{domain}")
    below = [m for m in members if m.startswith("*.") and domain.endswith(m[1:])]
    expected = (
        str(address)
        if str(address) in members
        else domain
        if domain in members
        else max(below, key=len)
        if below
        else None
    )
    assert found.of(address) == expected


def test_a_lookup_asks_as_few_questions_of_many_entries_as_of_few() -> None:
    few, many = (keyed({f"*.d{number}.example": number for number in range(size)}) for size in (10, 50_000))
    address = parse_address("x@a.b.c.d7.example")
    assert few.of(address) == many.of(address) == 7
    assert _calls(few, address) == _calls(many, address)


def _calls(found: Directory[int], address: Address) -> int:
    """How many functions one lookup calls, built-in ones too."""
    calls = 0

    def count(_frame: object, event: str, _arg: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        found.of(address)
    finally:
        sys.setprofile(None)
    return calls
