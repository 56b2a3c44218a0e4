"""Ids of detectors: the same for the same question, different for another, and short."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.detect.keys import key

WORDS = st.dictionaries(st.sampled_from(["a", "b"]), st.lists(st.text(max_size=8), max_size=3))


def test_few_words_stand_in_the_key() -> None:
    assert key("file", {"name": ["*.xml"]}) == 'file {"name":["*.xml"]}'


def test_many_words_are_hashed_and_the_key_stays_the_same_in_every_run() -> None:
    words = {"to": [f"{number}.example" for number in range(1000)]}
    assert key("links", words) == "links sha256:0c580b939d3c8ad1ffe356c8"
    assert key("links", words) != key("links", {"to": words["to"][1:]})


@given(one=WORDS, other=WORDS)
def test_two_questions_share_a_key_only_if_they_are_one(one: dict[str, list[str]], other: dict[str, list[str]]) -> None:
    assert (key("x", one) == key("x", other)) is (one == other)
