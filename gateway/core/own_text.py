"""The text of a message as plain lines, for a letter that repeats it because only the files stay behind.

The plain text is taken, else the HTML without its markup. Left out on purpose: what an HTML text quotes, and files; the
whole message is where the letter leads.
"""

from typing import Final

from gateway.core.detect.html import html_lines
from gateway.core.facts import Text
from gateway.core.scan import Scanner, TooComplex
from gateway.core.texts import HTML

MOST_TEXT: Final = 256 * 1024
"""Characters that are repeated."""
MOST_READ: Final = 1024 * 1024
"""Bytes of a message that are looked at: text stands before the files, and its encoding at most triples it."""


def own_lines(beginning: bytes) -> tuple[str, ...]:
    """The lines that a person wrote, from the first `MOST_READ` bytes of a message; none if they cannot be read."""
    scanner = Scanner(text_bytes=MOST_TEXT)
    try:
        scanner.feed(beginning[:MOST_READ])
        texts = scanner.close().texts
    except TooComplex:
        return ()
    plain = [text for text in texts if text.type != HTML]
    lines = [line for text in plain or texts for line in _lines(text)]
    while lines and not lines[-1]:
        lines.pop()
    return tuple(lines)


def _lines(text: Text) -> list[str]:
    if text.type == HTML:
        return [_shown(line.text) for line in html_lines(text.text)]
    return [_shown(line) for line in text.text.splitlines()]


def _shown(line: str) -> str:
    """Without controls, and without characters that show it in another order; its spaces stay as they are."""
    return "".join(char if char.isprintable() else " " for char in line).rstrip()
