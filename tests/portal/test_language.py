"""The language of pages, and that every word of every page can be translated."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.sealing import Unlock
from gateway.portal import context
from gateway.portal.language import DOMAIN, translations_for
from tests.portal.at_portal import Portal, portal
from tests.portal.caller import Answer

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
        texts = message if isinstance(message, tuple) else (message,)
        made.add(message, tuple(map(odd, texts)) if len(texts) > 1 else odd(texts[0]))
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
    "Sun, 22 Nov 2026 15:00:00 +0000", "2026-11-22 15:00 UTC", "text/plain", "message.eml", "·", ":", ",", "",
}  # fmt: skip


def untranslated(page: str) -> Iterator[str]:
    """What stands outside brackets and is neither of the message nor of the organisation."""
    reader = _Words()
    reader.feed(page)
    for said in reader.said:
        outside = re.sub(r"⟦[^⟦⟧]*⟧", "|", re.sub(r"⟦[^⟦⟧]*⟧", "|", said))
        for piece in outside.split("|"):
            rest = piece.strip(" \n·:")
            if rest not in DATA and not re.fullmatch(r"[\d ,.:]*|\d+(\.\d)? (bytes|[KMG]iB)", rest):
                yield rest


@dataclass
class Pages:
    """All pages, by what they are."""

    there: Portal

    async def all(self) -> dict[str, Answer]:
        there, link = self.there, self.there.link()
        reading, browser = await there.open(2), there.browser()
        proof = (await reading.get("/read")).field("proof")
        pages = {
            "landing": await browser.get(link),
            "landing after a code": await browser.get(f"{link}?code=sent"),
            "landing of another": await browser.get(there.link(5)),
            "form of another": await browser.form(f"{link}/open", {}),
            "nothing typed": await there.try_secret(browser, ""),
            "not for me": await browser.get(f"{link}/not-for-me"),
            "sender": await browser.get(there.sender_link),
            "sender, not sure": await browser.form(there.sender_link, await self._sender("erase")),
            "sender, nothing": await browser.form(there.sender_link, await self._sender("restore")),
            "sender, forged": await browser.form(there.sender_link, {}),
            "unknown": await browser.get("/m/unknown"),
            "ended": await browser.get("/read"),
            "no form": await browser.raw(f"{link}/open", b"", Content_Type="text/plain"),
            "read": await reading.get("/read"),
            "reply": await reading.get("/reply"),
            "reply of another form": await reading.post("/reply", []),
            "replied": await reading.get("/reply/sent"),
            "left": await reading.form("/leave", {"proof": proof}),
        }
        for left in range(4, -1, -1):
            pages[f"wrong, {left} left"] = await there.try_secret(browser, "00000000", number=5)
        pages["locked"] = await browser.get(there.link(5))
        await there.store.revoke(there.package, 5, there.clock.now(), "")
        pages["sender, closed"] = await browser.get(there.sender_link)
        form = (await browser.get(f"{link}/not-for-me")).field("proof")
        pages["disowned"] = await browser.form(f"{link}/not-for-me", {"proof": form})
        pages["sender, not for them"] = await browser.get(there.sender_link)
        await there.store.erase(there.package, there.clock.now(), "")
        pages["sender, erased"] = await browser.get(there.sender_link)
        for _ in range(121):
            pages["too often"] = await browser.get("/m/unknown")
        return pages

    async def _sender(self, action: str) -> dict[str, str]:
        page = await self.there.browser("192.0.2.4").get(self.there.sender_link)
        return {"proof": page.field("proof"), "action": action}


@pytest.mark.parametrize("unlock", [Unlock.MAIL, Unlock.VERIFIED_MAIL])
async def test_every_word_of_every_page_is_translated(tmp_path: Path, unlock: Unlock) -> None:
    async with portal(tmp_path / "store", unlock) as there:
        there.world.page = replace(there.world.page, languages=folder_of(tmp_path, "qps"))
        browser_of = there.browser

        def browser(address: str = "198.51.100.7"):
            made = browser_of(address)
            made.headers["Accept-Language"] = "qps"
            return made

        there.browser = browser  # type: ignore[method-assign]
        pages = await Pages(there).all()
    left = {name: found for name, page in pages.items() if (found := list(untranslated(page.text)))}
    assert left == {}
    assert {page.headers["content-language"] for page in pages.values()} == {"qps"}
    assert all('<html lang="qps">' in page.text and "⟦" in page.text for page in pages.values())


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
