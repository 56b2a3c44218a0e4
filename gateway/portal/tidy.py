"""HTML from a message brought into a form that every parser reads alike and none reads slowly; pure and linear.

Only known tags and attributes remain, each closed where its parent ends, and not too deep: a parser takes minutes and
gigabytes for some hundred kilobytes of tags that are nested or overlap on purpose, and minutes for ampersands and
no-break spaces. Nothing here makes it safe to show: that is `gateway.portal.sanitise`.
"""

import re
from collections.abc import Iterator, Set
from typing import Final

_EVERYWHERE: Final = frozenset({"style", "dir", "lang", "title", "align"})
_CELL: Final = frozenset({"valign", "bgcolor", "background", "width", "height", "colspan", "rowspan", "nowrap"})
ATTRIBUTES: Final = {
    **dict.fromkeys(
        "abbr address article b bdi bdo big blockquote caption center cite code dd del dfn div dl dt em figcaption"
        " figure footer h1 h2 h3 h4 h5 h6 header hr i ins kbd main mark nav p pre q s samp section small span strike"
        " strong sub sup tbody tfoot thead tt u ul var wbr".split(),
        _EVERYWHERE,
    ),
    "a": _EVERYWHERE | {"href"},
    "br": frozenset[str](),
    "col": _EVERYWHERE | {"span", "width"},
    "colgroup": _EVERYWHERE | {"span", "width"},
    "font": _EVERYWHERE | {"color", "face", "size"},
    "img": _EVERYWHERE | {"src", "alt", "width", "height", "border"},
    "li": _EVERYWHERE | {"value"},
    "ol": _EVERYWHERE | {"start", "type"},
    "table": _EVERYWHERE | {"bgcolor", "background", "width", "height", "border", "cellpadding", "cellspacing"},
    "td": _EVERYWHERE | _CELL,
    "th": _EVERYWHERE | _CELL,
    "tr": _EVERYWHERE | {"valign", "bgcolor", "background", "height"},
}
"""The tags that remain, each with its attributes."""
_VOID: Final = frozenset({"br", "col", "hr", "img", "wbr"})
_ALSO: Final = {"body": "div"}
_UNSEEN: Final = {
    name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE)
    for name in ("script", "style", "title", "textarea", "xmp", "iframe", "noembed", "noframes")
}
_DEEPEST: Final = 100
_MOST_TAGS: Final = 100_000
# Writing takes time by the square of these in one text or value: what may have to be escaped, and what begins with the
# same byte as a no-break space. A comment, which is left out, ends a text.
_DEAR: Final = "&\x80-\xbf"
_MOST_DEAR: Final = 1000
# HTML, section 13.2.6.4.7: what a tag ends that was left open, and beyond what it ends nothing. A parser that has to
# end something itself opens what stood in it again, each time, so that a few tags become millions.
_CELLS: Final = frozenset({"table", "td", "th", "caption"})
_ENDS: Final = {"li": {"li"}, "dt": {"dt", "dd"}, "dd": {"dt", "dd"}, "a": {"a"}}
_BEYOND: Final = {"li": _CELLS | {"ul", "ol"}, "dt": _CELLS | {"dl"}, "dd": _CELLS | {"dl"}}
_END_PARAGRAPH: Final = frozenset(
    "address article blockquote center dd div dl dt figcaption figure footer h1 h2 h3 h4 h5 h6 header hr li main nav ol"
    " p pre section table ul".split()
)
# Sections 13.2.6.4.9 to 15: what stands in a table directly, and in what of it.
_ROWS: Final = frozenset({"table", "tbody", "thead", "tfoot"})
_PARENTS: Final = {
    **dict.fromkeys(("tbody", "thead", "tfoot", "caption", "colgroup"), frozenset({"table"})),
    "col": frozenset({"table", "colgroup"}),
    "tr": _ROWS,
    **dict.fromkeys(("td", "th"), _ROWS | {"tr"}),
}
_ENDED_WITHIN: Final = {**dict.fromkeys(_PARENTS, frozenset({"table"})), "table": frozenset[str]()}
_ONLY_PARTS: Final = _ROWS | {"tr", "colgroup"}

# HTML, sections 13.2.5.32 to 39: where an attribute's name and value end. Possessive, so that nothing is read twice.
_ATTRIBUTE: Final = r"""[\s/]*+([^\s/>][^\s/>=]*+)(?:\s*+=\s*+("[^"]*+"|'[^']*+'|[^\s>"'][^\s>]*+|))?+"""
_EACH = re.compile(_ATTRIBUTE)
_TAG = re.compile(rf"<(/?)([a-zA-Z][^\s/>]*+)((?:{_ATTRIBUTE})*+)[\s/]*+>")
_BEGIN = re.compile(r"<(?=[a-zA-Z!?/])")
_IS_DEAR = re.compile(rf"[{_DEAR}]")
_MANY_DEAR = re.compile(rf"(?:[{_DEAR}][^{_DEAR}]*+){{{_MOST_DEAR}}}")


def tidy(markup: str) -> str:
    """The same text, with those tags that are known and not too many, all of them closed."""
    return "".join(_Tidy(markup).pieces())


class _Tidy:
    """One pass; ``_open`` are the tags that are open in what was given out."""

    def __init__(self, markup: str) -> None:
        self._markup = markup
        self._open: list[str] = []
        self._tags = 0
        self._dear = 0

    def pieces(self) -> Iterator[str]:
        at = 0
        while begin := _BEGIN.search(self._markup, at):
            yield self._text(self._markup[at : begin.start()])
            tag = _TAG.match(self._markup, begin.start())
            if tag is not None:
                yield from self._tag(tag)
                at = self._behind(tag)
            elif self._markup[begin.end()] in "!?/":
                at = self._behind_comment(begin.start())
            else:
                # The last tag has no end, so nothing behind it has been meant as markup.
                at = begin.start()
                break
        yield self._text(self._markup[at:])
        yield from self._close(0)

    def _text(self, text: str) -> str:
        """Texts between which no tag is given out are one, so what is dear is counted over all of them."""
        text = _MANY_DEAR.sub(r"\g<0><!---->", text.replace("<", "&lt;"))
        self._dear += len(_IS_DEAR.findall(text))
        if self._dear < _MOST_DEAR:
            return text
        self._dear = 0
        return f"{text}<!---->"

    def _behind(self, tag: re.Match[str]) -> int:
        unseen = _UNSEEN.get(tag[2].lower())
        if unseen is None or tag[1]:
            return tag.end()
        end = unseen.search(self._markup, tag.end())
        return end.start() if end else len(self._markup)

    def _behind_comment(self, at: int) -> int:
        if self._markup.startswith(("<!-->", "<!--->"), at):
            return self._markup.index(">", at) + 1
        mark = "-->" if self._markup.startswith("<!--", at) else ">"
        end = self._markup.find(mark, at)
        return end + len(mark) if end >= 0 else len(self._markup)

    def _tag(self, tag: re.Match[str]) -> Iterator[str]:
        name = tag[2].lower()
        name = _ALSO.get(name, name)
        if name not in ATTRIBUTES:
            return
        if tag[1]:
            yield from self._close(self._nearest({name}, _ENDED_WITHIN.get(name, _CELLS)))
            return
        yield from self._make_room(name)
        if self._fits(name):
            self._tags += 1
            yield f"<{name}{''.join(_attributes(name, tag[3]))}>"
            if name not in _VOID:
                self._open.append(name)

    def _make_room(self, name: str) -> Iterator[str]:
        """Ends what the tag would end."""
        if name in _PARENTS:
            yield from self._close(self._nearest(_PARENTS[name], frozenset()) + 1)
        if name in _ENDS:
            yield from self._close(self._nearest(_ENDS[name], _BEYOND.get(name, _CELLS)))
        if name in _END_PARAGRAPH:
            yield from self._close(self._nearest({"p"}, _CELLS))

    def _fits(self, name: str) -> bool:
        if len(self._open) >= _DEEPEST or self._tags >= _MOST_TAGS:
            return False
        inside = self._open[-1] if self._open else ""
        return inside in _PARENTS[name] if name in _PARENTS else inside not in _ONLY_PARTS

    def _nearest(self, names: Set[str], beyond: Set[str]) -> int:
        """Where the innermost of them is open; behind all that are open if it is not, or only beyond one of those."""
        for at in range(len(self._open) - 1, -1, -1):
            if self._open[at] in names:
                return at
            if self._open[at] in beyond:
                break
        return len(self._open)

    def _close(self, depth: int) -> Iterator[str]:
        while len(self._open) > depth:
            yield f"</{self._open.pop()}>"


def _attributes(name: str, text: str) -> Iterator[str]:
    """Their values keep their references (``&amp;``), which are not the same in attributes as in text."""
    known = ATTRIBUTES[name]
    for each in _EACH.finditer(text):
        key, value = each[1].lower(), each[2] or ""
        if key in known and _MANY_DEAR.search(value) is None:
            bare = value[1:-1] if value[:1] in ('"', "'") else value
            yield f' {key}="{bare.replace(chr(34), "&quot;")}"'
