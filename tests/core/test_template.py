import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.template import WORDS, Template, unknown_words


def test_words_are_filled_in_and_missing_ones_said_in_general() -> None:
    template = Template("Ask {owner} of {mailbox} at {domain}.")
    assert template.fill({"owner": "the registrar", "mailbox": ""}) == (
        "Ask the registrar of the mailbox at the recipient's organisation."
    )
    assert Template("No places.").fill({"owner": "x"}) == "No places."


def test_what_is_filled_in_is_not_read_again() -> None:
    assert Template("{owner}").fill({"owner": "{partner}"}) == "{partner}"


def test_a_place_that_is_no_word_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`\{ownr\}` is no word that can be filled in; known are cjsm_address"):
        Template("Ask {ownr}.")
    assert unknown_words("{ownr} {owner} {}") == ("ownr", "")


@given(st.text(), st.dictionaries(st.sampled_from(sorted(WORDS)), st.text()))
def test_filling_never_fails(text: str, words: dict[str, str]) -> None:
    if not unknown_words(text):
        Template(text).fill(words)
