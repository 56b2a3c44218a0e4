"""Names for files that come from a message: such as any system takes, and no two the same.

Left out on purpose: what the files are, which their names do not tell anybody.
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from gateway.core.sealed import PartPlace

_LONGEST: Final = 120
_LONGEST_ENDING: Final = 10
_SPACE: Final = re.compile(r"[\u00a0\u2000-\u200a\u202f\u3000]")
# What Windows, or a path, would not take as a name.
_NO_NAME: Final = str.maketrans(dict.fromkeys('<>:"|?*/\\', "_"))
_ENDINGS: Final = {
    "text/plain": ".txt",
    "text/html": ".html",
    "text/calendar": ".ics",
    "text/vcard": ".vcf",
    "message/rfc822": ".eml",
    "application/pdf": ".pdf",
    "application/zip": ".zip",
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
}


def file_name(part: PartPlace) -> str:
    """The name of a part, or one by its number and type if it has none."""
    return safe_name(part.name) or f"part-{part.number + 1}{_ENDINGS.get(part.type, '.bin')}"


def safe_name(text: str) -> str:
    """No path, and nothing that cannot be printed; empty if nothing is left."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", text))[-1]
    clean = "".join(char for char in _SPACE.sub(" ", last) if char.isprintable()).translate(_NO_NAME).strip(" .")
    stem, dot, ending = clean.rpartition(".")
    if not dot or len(ending) > _LONGEST_ENDING:
        return clean[:_LONGEST]
    return f"{stem[: _LONGEST - len(ending) - 1]}.{ending}"


def unique(names: Sequence[str]) -> list[str]:
    """The same names, those that some system would take for one made different: ``a.txt``, ``a (2).txt``."""
    taken: dict[str, int] = {}
    result: list[str] = []
    for name in names:
        stem, dot, ending = name.rpartition(".")
        stem, ending = (stem, dot + ending) if stem else (name, "")
        candidate, number = name, taken.get(_key(name), 0)
        while number and _key(candidate) in taken:
            number += 1
            candidate = f"{stem} ({number}){ending}"
        taken[_key(name)] = max(number, 1)
        taken.setdefault(_key(candidate), 1)
        result.append(candidate)
    return result


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
