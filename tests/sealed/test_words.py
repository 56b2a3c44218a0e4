"""Passphrases: enough to guess at, always the same for their secret, and readable."""

import math
from importlib.resources import files

from hypothesis import given
from hypothesis import strategies as st

from gateway.sealed.words import bits, passphrase


def test_six_words_are_more_than_sixty_bits() -> None:
    assert bits() >= 60 > bits(5)
    words = passphrase(b"s" * 32).split("-")
    assert len(words) == 6 and all(word.isalpha() and word.islower() for word in words)


def test_the_bits_are_those_of_the_list_that_the_words_are_from() -> None:
    text = files("xkcdpass").joinpath("static", "eff-short").read_text(encoding="ascii")
    listed = {word for word in text.split() if word.isalpha()}
    assert math.isclose(bits(6), 6 * math.log2(len(listed)))
    assert set(passphrase(b"s" * 32, 200).split("-")) <= listed


def test_it_is_the_same_in_every_version() -> None:
    # A message stays for weeks, and its passphrase is made anew each time that it is shown: the list may not change.
    assert passphrase(bytes(32)) == "scoot-tilt-cot-amino-hut-punk"


@given(st.binary(min_size=32, max_size=32), st.integers(0, 255))
def test_a_passphrase_is_always_the_same_for_its_secret_and_no_other(secret: bytes, bit: int) -> None:
    other = (int.from_bytes(secret, "big") ^ (1 << bit)).to_bytes(32, "big")
    assert passphrase(secret) == passphrase(secret) != passphrase(other)
    assert len(passphrase(secret, 30).split("-")) == 30


def test_every_word_turns_up_about_as_often() -> None:
    found = [word for n in range(2000) for word in passphrase(n.to_bytes(32, "big")).split("-")]
    most = max(found.count(word) for word in set(found[:300]))
    assert len(set(found)) > 1250 and most < 35
