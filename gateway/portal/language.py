"""The language of the pages: gettext catalogues in a folder, chosen by what the browser prefers (RFC 9110 12.5.4).

The words in the templates are English and need no catalogue. Left out on purpose: the language of letters.
"""

import gettext
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

DOMAIN: Final = "portal"
ENGLISH: Final = "en"
_LONGEST: Final = 300
_MOST: Final = 20


@dataclass(frozen=True, slots=True)
class Translations:
    """A language that there is, and its catalogue."""

    language: str
    catalogue: gettext.NullTranslations


@lru_cache(maxsize=200)
def translations_for(folder: Path | None, accepted: str) -> Translations:
    """Of the languages in the folder, and English, the first that is accepted."""
    known = _known(folder)
    for tag in _preferred(accepted[:_LONGEST]):
        for name in (tag, tag.partition("-")[0]):
            if name == ENGLISH:
                return Translations(ENGLISH, gettext.NullTranslations())
            if name in known:
                return Translations(name, known[name])
    return Translations(ENGLISH, gettext.NullTranslations())


def _preferred(accepted: str) -> list[str]:
    """Language tags, the most wanted first; what cannot be read is passed over."""
    wanted: list[tuple[float, str]] = []
    for part in accepted.split(",")[:_MOST]:
        tag, _, weight = part.strip().partition(";")
        try:
            quality = float(weight.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        if tag and quality > 0:
            wanted.append((quality, tag.strip().lower()))
    return [tag for _, tag in sorted(wanted, key=lambda pair: -pair[0])]


@cache
def _known(folder: Path | None) -> dict[str, gettext.NullTranslations]:
    if folder is None:
        return {}
    names = sorted(path.parent.parent.name for path in folder.glob(f"*/LC_MESSAGES/{DOMAIN}.mo"))
    return {name.lower().replace("_", "-"): gettext.translation(DOMAIN, folder, [name]) for name in names}
