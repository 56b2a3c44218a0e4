"""The nearest known word to one that nobody knows: the end of a sentence that refuses it."""

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Ends a sentence about an unknown word: the nearest known one, or all of them."""
    words = sorted(known)
    near = get_close_matches(word, words, n=1)
    if near:
        return f", did you mean `{near[0]}`?"
    return f"; known are {', '.join(words)}" if words else ""
