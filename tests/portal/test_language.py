"""The language of pages, and that every word of every page can be translated."""

import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment, nodes

from gateway.core.sealing import Unlock
from gateway.portal import context
from gateway.portal.language import DOMAIN, translations_for
from tests.portal.all_pages import Pages
from tests.portal.at_portal import portal

TEMPLATES = Path(context.__file__).parent / "templates"
ODD = str.maketrans("aceinostuyACEINOSTU", "àçéîñöšţüýÀÇÉÎÑÖŠŢÜ")
_HOLE = re.compile(r"%\(\w+\)s|%%")


def odd(text: str) -> str:
    """The same in no language, in brackets, with its holes as they are."""
    pieces, holes = _HOLE.split(text), _HOLE.findall(text)
    changed = [piece.translate(ODD) + hole for piece, hole in zip(pieces, [*holes, ""], strict=True)]
    return f"⟦{''.join(changed)}⟧"


def catalogue() -> Catalog:
    """Of all words in the templates."""
    made = Catalog(locale="en", fuzzy=False)
    found = extract_from_dir(
        TEMPLATES,
        method_map=[("**.html", "jinja2")],
        options_map={"**.html": {"silent": "false"}},
    )
    for _, _, message, _, _ in found:
        made.add(message, odd(message) if isinstance(message, str) else tuple(map(odd, message)))
    return made


def folder_of(folder: Path, *names: str) -> Path:
    for name in names:
        place = folder / name / "LC_MESSAGES"
        place.mkdir(parents=True)
        with (place / f"{DOMAIN}.mo").open("wb") as file:
            write_mo(file, catalogue())
    return folder


class _Words(HTMLParser):
    """All that somebody sees or hears of a page."""

    _SPOKEN = ("alt", "title", "aria-label", "placeholder")

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self._inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.said += [value for name, value in attrs if name in self._SPOKEN and value]
        if tag not in ("meta", "input", "img", "br"):
            self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self._inside.pop()

    def handle_data(self, data: str) -> None:
        if "style" not in self._inside:
            self.said.append(data)


DATA = {
    "Example Council", "01632 960000", "helpdesk@council.example", "worker@council.example", "jo@firm.example",
    "kim@firm.example", "Case 12: Café", "Sam Worker <worker@council.example>", "001-abc", "Plain words.",
    "Sun, 22 Nov 2026 15:00:00 +0000", "2026-11-22 15:00 UTC", "text/plain", "message.eml", "",
}  # fmt: skip


def untranslated(page: str) -> Iterator[str]:
    """What stands outside brackets and is neither of the message nor of the organisation."""
    reader = _Words()
    reader.feed(page)
    for said in reader.said:
        outside, found = said, 1
        while found:
            # A translated word may stand inside a translated sentence.
            outside, found = re.subn(r"⟦[^⟦⟧]*⟧", "·", outside)
        for piece in outside.split("·"):
            rest = piece.strip(" \n:")
            if rest not in DATA and not re.fullmatch(r"[\d ,.:]*|\d+(\.\d)? (bytes|[KMG]iB)", rest):
                yield rest


@pytest.mark.parametrize("unlock", [Unlock.MAIL, Unlock.VERIFIED_MAIL])
async def test_every_word_of_every_page_is_translated(tmp_path: Path, unlock: Unlock) -> None:
    async with portal(tmp_path / "store", unlock) as there:
        there.world.page = replace(there.world.page, languages=folder_of(tmp_path, "qps"))
        there.language = "qps"
        pages = await Pages(there).all()
    left = {name: found for name, page in pages.items() if (found := list(untranslated(page.text)))}
    assert left == {}
    assert {page.headers["content-language"] for page in pages.values()} == {"qps"}
    assert all('<html lang="qps">' in page.text and "⟦" in page.text for page in pages.values())


@pytest.mark.parametrize("template", sorted(path.name for path in TEMPLATES.glob("*.html")))
def test_no_template_says_a_word_by_itself(template: str) -> None:
    """Those too that other tests do not show, in each of their states."""
    parsed = Environment(extensions=["jinja2.ext.i18n"]).parse((TEMPLATES / template).read_text())
    reader = _Words()
    reader.feed("".join(node.data for node in parsed.find_all(nodes.TemplateData)))
    assert re.findall(r"[^\W\d_]+", "".join(reader.said)) == []


async def test_what_is_not_translated_is_found(tmp_path: Path) -> None:
    async with portal(tmp_path) as there:
        page = await there.browser().get(there.link())
    assert "A protected message for you" in list(untranslated(page.text))


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("cy", "cy"),
        ("cy-GB", "cy"),
        ("pt-BR", "pt-br"),
        ("PT-br", "pt-br"),
        ("pt", "en"),
        ("fr, cy;q=0.5", "cy"),
        ("cy;q=0.3, en;q=0.9", "en"),
        ("cy;q=0.9, en;q=0.3", "cy"),
        ("cy;q=0, en", "en"),
        ("cy;q=nonsense, pt-BR", "pt-br"),
        ("*", "en"),
        ("../../cy", "en"),
        ("cy\r\nSet-Cookie: a=b", "en"),
    ],
)
def test_the_language_that_is_wanted_most_among_those_that_there_are(
    tmp_path: Path, accepted: str, language: str
) -> None:
    folder = folder_of(tmp_path, "cy", "pt_BR")
    assert translations_for(folder, accepted).language == language


@given(st.text())
def test_whatever_a_browser_says_there_is_a_language(accepted: str) -> None:
    assert translations_for(None, accepted).language == "en"
