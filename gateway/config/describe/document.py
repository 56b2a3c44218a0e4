"""A page for people as headings, paragraphs, lists and tables, rendered as Markdown or as HTML (WCAG 2.2 AA).

The HTML needs no script and no other file. Every text is escaped, because a policy's words may hold any character.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Final, TypeAlias, assert_never


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Some sentences."""

    text: str


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rows:
    """A table with a caption; the first cell of each row names it."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


Block: TypeAlias = Paragraph | Bullets | Rows


@dataclass(frozen=True, slots=True)
class Section:
    """A heading of the second rank with what stands below it."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """The whole page."""

    title: str
    lead: str
    sections: tuple[Section, ...]


_STYLE: Final = (
    "body{font:1.05rem/1.6 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem;"
    "color:#1a1a1a;background:#fff;overflow-wrap:anywhere}table{border-collapse:collapse;margin:1rem 0}"
    "caption{text-align:left;font-weight:600;padding:.3rem 0}"
    "th,td{border:1px solid #767676;padding:.4rem .6rem;min-width:5rem;text-align:left;vertical-align:top}"
    "div.wide{overflow-x:auto}"
)
_MARKDOWN: Final = re.compile(r"([\\`*_\[\]<>|#])")


def as_markdown(document: Document) -> str:
    """CommonMark, with tables as GitHub knows them."""
    parts = [f"# {_mark(document.title)}", _mark(document.lead)]
    for section in document.sections:
        parts.append(f"## {_mark(section.title)}")
        parts += ["\n".join(_markdown(block)) for block in section.blocks]
    return "\n\n".join(part for part in parts if part) + "\n"


def _markdown(block: Block) -> Iterator[str]:
    match block:
        case Paragraph(text):
            yield _mark(text)
        case Bullets(items):
            yield from (f"- {_mark(item)}" for item in items)
        case Rows():
            yield f"**{_mark(block.caption)}**\n"
            yield f"| {' | '.join(_mark(cell) for cell in block.head)} |"
            yield f"|{' --- |' * len(block.head)}"
            yield from (f"| {' | '.join(_mark(cell) for cell in row)} |" for row in block.rows)
        case _:
            assert_never(block)


def _mark(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", text)


def as_html(document: Document) -> str:
    """One file."""
    body = "".join(_html_section(section) for section in document.sections)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(document.title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{escape(document.title)}</h1>\n<p>{escape(document.lead)}</p>\n{body}</main>\n</body>\n</html>\n"
    )


def _html_section(section: Section) -> str:
    return (
        f"<section>\n<h2>{escape(section.title)}</h2>\n{''.join(_html(block) for block in section.blocks)}</section>\n"
    )


def _html(block: Block) -> str:
    match block:
        case Paragraph(text):
            return f"<p>{escape(text)}</p>\n"
        case Bullets(items):
            lines = "".join(f"<li>{escape(item)}</li>\n" for item in items)
            return f"<ul>\n{lines}</ul>\n"
        case Rows():
            return _html_table(block)
        case _:
            assert_never(block)


def _html_table(table: Rows) -> str:
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in table.head)
    rows = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in row[1:])}</tr>\n'
        for row in table.rows
    )
    # A wide table scrolls by itself, and the keyboard reaches it.
    return (
        f'<div class="wide" role="region" tabindex="0" aria-label="{escape(table.caption)}">\n'
        f"<table>\n<caption>{escape(table.caption)}</caption>\n"
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n</div>\n"
    )
