"""What a domain looks like to a person: names that are read alike have the same skeleton (after UTS 39).

Left out on purpose: the whole table of UTS 39. Here are the letters of other scripts that pass for Latin ones in a
domain, marks on letters, and the Latin pairs and digits that people misread.
"""

import unicodedata
from typing import Final

import idna

_PREFIX: Final = "xn--"

# Cyrillic, Greek, Armenian and rarer Latin letters by the one that they pass for; i, 1 and l are one, as are o and 0.
_PASS_FOR: Final = {
    "a": "аαɑ",
    "b": "вƅ",
    "c": "сϲ",
    "d": "ԁđ",
    "e": "еε",
    "g": "ɡց",
    "h": "һнħ",
    "j": "јϳ",
    "k": "кκ",
    "l": "ӏіιıł1i",
    "m": "м",
    "n": "пո",
    "o": "оοօø0",
    "p": "рρ",
    "q": "ԛզ",
    "r": "г",
    "s": "ѕ",
    "t": "тτŧ",
    "u": "υս",
    "v": "ѵν",
    "w": "ԝω",
    "x": "хχ",
    "y": "уγ",
}
_LETTERS: Final = str.maketrans({odd: letter for letter, odds in _PASS_FOR.items() for odd in odds})
_PAIRS: Final = (("rn", "m"), ("vv", "w"), ("cl", "d"))


def to_unicode(domain: str) -> str:
    """The domain with its A-labels as people see them; what cannot be decoded stays as it is."""
    return ".".join(map(_label, domain.split("."))) if _PREFIX in domain else domain


def _label(label: str) -> str:
    if not label.startswith(_PREFIX):
        return label
    try:
        return idna.decode(label)
    except (idna.IDNAError, UnicodeError):
        return label


def skeleton(text: str) -> str:
    """The same for all texts that look alike; only to be compared with another one."""
    if not text.isascii():
        apart = unicodedata.normalize("NFKD", text.casefold())
        text = "".join(character for character in apart if not unicodedata.combining(character))
    text = text.translate(_LETTERS)
    for pair, letter in _PAIRS:
        text = text.replace(pair, letter)
    return text
