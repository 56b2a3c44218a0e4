"""A sentence of a policy with words to be filled in, such as ``{owner}``: checked when it is read, total when used."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

WORDS: Final = {
    "recipient": "the recipient",
    "domain": "the recipient's organisation",
    "sender": "you",
    "level": "its level",
    "contact": "the service desk",
    "mailbox": "the mailbox",
    "owner": "its owner",
    "partner": "the organisation",
    "reference": "the agreement",
    "expires": "the end of the agreement",
    "cjsm_address": "their CJSM address",
    "lookalike": "a known address",
}
"""Every word, and what stands in its place where a message has none."""

_PLACE = re.compile(r"\{([^{}]*)\}")


def unknown_words(text: str) -> tuple[str, ...]:
    """The places of a text that nothing could be filled into."""
    return tuple(name for name in _PLACE.findall(text) if name not in WORDS)


@dataclass(frozen=True, slots=True)
class Template:
    """A text with places in braces.

    Raises:
        ValueError: a place is none of `WORDS`; the text names it.
    """

    text: str

    def __post_init__(self) -> None:
        for name in unknown_words(self.text):
            raise ValueError(f"`{{{name}}}` is no word that can be filled in; known are {', '.join(sorted(WORDS))}")

    def fill(self, words: Mapping[str, str]) -> str:
        """The sentence; a word that is not given, or empty, is said in general."""
        if "{" not in self.text:
            return self.text
        return _PLACE.sub(lambda place: words.get(place[1]) or WORDS[place[1]], self.text)
