"""Every fuzz target over the corpus in git, and under hypothesis over words of its format and any bytes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.target import Target, pieces
from tests.fuzz.targets import TARGETS

NAMES = sorted(TARGETS)
KEPT = [(name, path.name) for name in NAMES for path in sorted(TARGETS[name].corpus.iterdir())]
MOST_KEPT = 60


@pytest.mark.parametrize(("name", "file"), KEPT)
def test_what_must_hold_does_for_every_input_that_is_kept(name: str, file: str) -> None:
    target = TARGETS[name]
    target.one((target.corpus / file).read_bytes())


def of(target: Target) -> st.SearchStrategy[bytes]:
    """Kept inputs cut and joined with words of the format, so that more than the first check of a parser is met."""
    kept = [path.read_bytes()[: target.longest] for path in sorted(target.corpus.iterdir())]
    words = st.sampled_from(target.words())
    piece = words | st.binary(max_size=20) | st.sampled_from(kept) | st.sampled_from(kept).flatmap(cut)
    return st.lists(piece, max_size=30).map(b"".join).map(lambda data: data[: target.longest])


def cut(data: bytes) -> st.SearchStrategy[bytes]:
    edges = st.integers(0, len(data))
    return st.tuples(edges, edges).map(lambda pair: data[min(pair) : max(pair)])


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None)
@given(data=st.data())
def test_what_must_hold_does_for_words_of_the_format_and_any_bytes(name: str, data: st.DataObject) -> None:
    target = TARGETS[name]
    target.one(data.draw(of(target)))


@pytest.mark.parametrize("name", NAMES)
def test_a_corpus_is_there_and_small(name: str) -> None:
    assert 1 <= len(list(TARGETS[name].corpus.iterdir())) <= MOST_KEPT


@given(st.binary())
def test_pieces_are_the_bytes_again(data: bytes) -> None:
    assert b"".join(pieces(data)) == data
