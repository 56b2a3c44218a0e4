"""A language that nobody speaks: every sentence of the portal's pages in brackets, as a gettext catalogue.

What stands on a page outside brackets was not translated. Left out on purpose: real translations.
"""

import io
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.mofile import write_mo

from gateway.portal.language import DOMAIN

LANGUAGE = "en_XA"
OPEN, CLOSE = "⟦", "⟧"
_TEMPLATES = Path(__file__).parents[2] / "gateway" / "portal" / "templates"


def write_pseudo_locale(folder: Path) -> int:
    """Makes the catalogue below a folder of languages; returns how many sentences it has."""
    catalogue = Catalog(locale="en")
    for template in sorted(_TEMPLATES.glob("*.html")):
        found = extract("jinja2.ext:babel_extract", io.BytesIO(template.read_bytes()), options={"encoding": "utf-8"})
        for _, words, _, _ in found:
            catalogue.add(words, _bracketed(words))
    file = folder / LANGUAGE / "LC_MESSAGES" / f"{DOMAIN}.mo"
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as out:
        write_mo(out, catalogue)
    return len(catalogue)


def _bracketed(words: str | tuple[str, ...]) -> str | tuple[str, ...]:
    """Both plural forms of a sentence that has them."""
    if isinstance(words, str):
        return f"{OPEN}{words}{CLOSE}"
    return tuple(f"{OPEN}{form}{CLOSE}" for form in words)
