"""Our own mail as plain text and as a small HTML page, from the same paragraphs (WCAG 2.2 AA).

Left out on purpose: colours, sizes, script, links that a remote server's words could become, and outside resources.
"""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A heading (may be empty) and lines of text, as both the plain and the HTML part show them."""

    heading: str
    lines: tuple[str, ...]

    def in_lines(self) -> "Paragraph":
        """The same with each line on one line: an advice may have several, and a remote server may say anything."""
        return Paragraph(_one_line(self.heading), tuple(map(_one_line, self.lines)))


def plain(parts: Sequence[Paragraph]) -> str:
    """Text with CRLF line ends."""
    blocks = ("\r\n".join(([part.heading] if part.heading else []) + list(part.lines)) for part in parts)
    return "\r\n\r\n".join(blocks) + "\r\n"


def markup(parts: Sequence[Paragraph], title: str, heading: str = "") -> str:
    """A page with its language and title, and headings in order; colours and sizes are the reader's own.

    ``heading`` is the short one on top (the title if it is empty); the first line under it is the bold one.
    """
    (first, *rest), *others = [part.lines for part in parts]
    body = [
        f"<h1>{html.escape(heading or title)}</h1>",
        f"<p><b>{html.escape(first)}</b></p>",
        *(f"<p>{html.escape(line)}</p>" for line in rest),
    ]
    for part, lines in zip(parts[1:], others, strict=True):
        if part.heading:
            body.append(f"<h2>{html.escape(part.heading)}</h2>")
        body.append("<p>" + "<br>\r\n".join(html.escape(line) for line in lines) + "</p>")
    head = f'<meta charset="utf-8"><title>{html.escape(title)}</title>'
    # A link or an address may be wider than a telephone (WCAG 1.4.10).
    start = f'<html lang="en"><head>{head}</head><body style="overflow-wrap: anywhere"><main>'
    page = "\r\n".join(["<!DOCTYPE html>", start, *body])
    return f"{page}\r\n</main></body></html>\r\n"


def when(moment: datetime) -> str:
    """``22 November 2026, 15:41 UTC``."""
    return f"{moment.day} {_MONTHS[moment.month - 1]} {moment.year}, {moment.hour:02}:{moment.minute:02} UTC"


_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July",
    "August", "September", "October", "November", "December",
)  # fmt: skip


def _one_line(text: str) -> str:
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
