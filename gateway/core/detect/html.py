"""HTML as lines of text and links, without what it quotes; no HTML parser, one pass in linear time.

Quoted are block quotes (which some programs also use to indent, so their text is not seen), Gmail's and Yahoo's quote
divisions, and everything behind the place where Outlook begins the message that it answers. Style sheets, scripts and
comments are no text; CSS is not read, so what it hides is.
"""

import re
from dataclasses import dataclass, field
from typing import Final

from gateway.core.references import without_references

# A comment's beginning, an element's tag, or a declaration. A tag ends at the next angle bracket; one that closes may
# stand in a quoted value. Possessive throughout, so no text is read more often than twice.
_ATTRIBUTES: Final = r"(?:[^<>=]++|=\s{0,4}+(?:\"[^\"<]{0,4096}+\"|'[^'<]{0,4096}+')?+)*+"
_MARKUP = re.compile(rf"<(?:(!--)|(/?)([a-zA-Z][\w:-]{{0,40}}+)({_ATTRIBUTES})>?|[!?][^<>]*+>?)")
_HREF = re.compile(r"\bhref\s{0,4}=\s{0,4}(?:\"([^\"]{0,4096})|'([^']{0,4096})|([^\s\"'>]{1,4096}))", re.IGNORECASE)
_SPACE = re.compile(r"\s+")

_UNSEEN: Final = {name: re.compile(rf"</{name}\b", re.IGNORECASE) for name in ("style", "script", "title")}
_BREAKS: Final = frozenset(
    "address article blockquote br center dd div dl dt fieldset footer form h1 h2 h3 h4 h5 h6 header hr li main ol p "
    "pre section table tbody thead tr ul".split()
)
_CELLS: Final = frozenset({"td", "th"})
# Elements with an address that nobody can press.
_NOT_PRESSED: Final = frozenset({"link", "base"})
_QUOTE = re.compile(r"gmail_quote|yahoo_quoted", re.IGNORECASE)
_ANSWERED = re.compile(r"\bid\s{0,4}=\s{0,4}[\"']?(?:x_)*+(?:appendonsend|divRplyFwdMsg)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text as it is shown, and the addresses behind the links in it."""

    text: str
    links: tuple[str, ...] = ()


@dataclass(slots=True)
class _Page:
    """The lines so far, the one under way, and how deep inside a quotation the reading is."""

    lines: list[Line] = field(default_factory=list[Line])
    words: list[str] = field(default_factory=list[str])
    links: list[str] = field(default_factory=list[str])
    quote: str = ""
    depth: int = 0

    def write(self, text: str) -> None:
        if text and not self.quote:
            self.words.append(without_references(text))

    def tag(self, closing: bool, name: str, attributes: str) -> None:
        if self.quote:
            self._inside_quote(closing, name)
        elif not closing and _begins_quote(name, attributes):
            self.quote, self.depth = name, 1
        elif not closing and name not in _NOT_PRESSED:
            self._link(attributes)
        if name in _BREAKS:
            self.end_line()
        elif name in _CELLS:
            self.write(" ")

    def end_line(self) -> None:
        text = _SPACE.sub(" ", "".join(self.words)).strip()
        if text or self.links:
            self.lines.append(Line(text, tuple(self.links)))
        self.words.clear()
        self.links.clear()

    def _inside_quote(self, closing: bool, name: str) -> None:
        if name == self.quote:
            self.depth += -1 if closing else 1
        if not self.depth:
            self.quote = ""

    def _link(self, attributes: str) -> None:
        found = _HREF.search(attributes)
        if found:
            self.links.append(without_references(found[1] or found[2] or found[3] or ""))


def html_lines(text: str) -> list[Line]:
    """What the sender wrote, in order."""
    page = _Page()
    at = 0
    while at < len(text):
        markup = _MARKUP.search(text, at)
        page.write(text[at : markup.start() if markup else len(text)])
        if markup is None:
            break
        at = _behind(text, markup)
        name, attributes = (markup[3] or "").lower(), markup[4] or ""
        if name and _ANSWERED.search(attributes):
            break
        if name:
            page.tag(bool(markup[2]), name, attributes)
    page.end_line()
    return page.lines


def _behind(text: str, markup: re.Match[str]) -> int:
    """Where reading goes on: behind the markup, and behind what belongs to it and is not shown."""
    if markup[1]:
        end = text.find("-->", markup.end())
        return len(text) if end < 0 else end + 3
    unseen = None if markup[2] else _UNSEEN.get((markup[3] or "").lower())
    end = unseen.search(text, markup.end()) if unseen else None
    return markup.end() if unseen is None else end.start() if end else len(text)


def _begins_quote(name: str, attributes: str) -> bool:
    return name == "blockquote" or (name == "div" and _QUOTE.search(attributes) is not None)
