"""Which TLSA records count, and which certificate they mean."""

from hashlib import sha256, sha512
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.dane import Tlsa, matches, usable

D32, D64 = b"a" * 32, b"b" * 64


@pytest.mark.parametrize(
    "record",
    [
        Tlsa(3, 0, 0, b"x"),
        Tlsa(3, 1, 1, D32),
        Tlsa(3, 0, 2, D64),
        Tlsa(2, 0, 1, D32),
        Tlsa(2, 1, 2, D64),
        Tlsa(2, 1, 0, b"x"),
    ],
    ids=str,
)
def test_records_for_smtp_are_usable(record: Tlsa) -> None:
    assert usable([record]) == (record,)


@pytest.mark.parametrize(
    "record",
    [
        Tlsa(0, 1, 1, D32),
        Tlsa(1, 1, 1, D32),
        Tlsa(4, 1, 1, D32),
        Tlsa(255, 1, 1, D32),
        Tlsa(3, 2, 1, D32),
        Tlsa(3, 1, 3, D32),
        Tlsa(3, 1, 1, D32[1:]),
        Tlsa(3, 1, 1, D64),
        Tlsa(3, 1, 2, D32),
        Tlsa(3, 1, 1, b""),
        Tlsa(3, 1, 0, b""),
    ],
    ids=str,
)
def test_records_that_are_unknown_malformed_or_for_others_are_not(record: Tlsa) -> None:
    assert usable([record]) == ()
    good = Tlsa(3, 1, 1, b"c" * 32)
    assert usable([record, good]) == (good,)


def test_of_the_digests_of_one_kind_the_strongest_count() -> None:
    weak, strong, strong_too = Tlsa(3, 1, 1, D32), Tlsa(3, 1, 2, D64), Tlsa(3, 1, 2, b"c" * 64)
    other_selector, other_usage, full = Tlsa(3, 0, 1, D32), Tlsa(2, 1, 1, D32), Tlsa(3, 1, 0, b"key")
    found = usable([weak, strong, full, other_usage, strong_too, other_selector])
    assert found == (other_usage, other_selector, full, strong, strong_too)


def test_a_malformed_strong_digest_displaces_nothing() -> None:
    weak = Tlsa(3, 1, 1, D32)
    assert usable([Tlsa(3, 1, 2, D64[1:]), weak]) == (weak,)


records = st.builds(
    Tlsa,
    st.integers(0, 4),
    st.integers(0, 2),
    st.integers(0, 3),
    st.sampled_from([b"", b"x", D32, D64, b"c" * 32]),
)


@given(st.lists(records), st.randoms())
def test_neither_order_nor_repetition_changes_what_counts(found: list[Tlsa], random: Random) -> None:
    shuffled = [*found, *found]
    random.shuffle(shuffled)
    assert usable(shuffled) == usable(found)
    assert usable(usable(found)) == usable(found)
    assert set(usable(found)) <= set(found)


CERTIFICATE, KEY = b"certificate", b"key"


@pytest.mark.parametrize("selector", [0, 1])
@pytest.mark.parametrize("matching", [0, 1, 2])
def test_a_record_means_what_it_was_made_of_and_nothing_else(selector: int, matching: int) -> None:
    made_of = (CERTIFICATE, KEY)[selector]
    data = (made_of, sha256(made_of).digest(), sha512(made_of).digest())[matching]
    record = Tlsa(3, selector, matching, data)
    assert matches(record, CERTIFICATE, KEY)
    assert not matches(record, KEY, CERTIFICATE)
    assert not matches(Tlsa(3, 1 - selector, matching, data), CERTIFICATE, KEY)
    assert not matches(Tlsa(3, selector, (matching + 1) % 3, data), CERTIFICATE, KEY)
    assert not matches(Tlsa(3, selector, matching, data[:-1]), CERTIFICATE, KEY)


def test_an_unknown_matching_type_means_nothing() -> None:
    assert not matches(Tlsa(3, 0, 3, CERTIFICATE), CERTIFICATE, KEY)


def test_a_key_that_cannot_be_read_is_meant_by_nothing() -> None:
    assert not matches(Tlsa(3, 1, 1, sha256(b"").digest()), CERTIFICATE, b"")


def test_a_record_is_written_as_in_a_zone_file() -> None:
    assert str(Tlsa(3, 1, 0, b"\x0a\xff")) == "3 1 0 0aff"
