"""Names and subjects in the header of mail that we write for somebody: read from one field, written into another.

What is not ASCII becomes encoded words of UTF-8 (RFC 2047); nothing that somebody typed can end a field early. Left out
on purpose: addresses beyond ASCII, which stand in a header as they are (RFC 6532).
"""

import base64
import re
from collections.abc import Iterator, Sequence
from typing import Final

from gateway.core.address import Address, parse_address
from gateway.core.mailboxes import read_mailboxes
from gateway.core.words import to_text

# 45 bytes are 60 characters of base64, and an encoded word has at most 75 (RFC 2047 section 2).
_WORD_BYTES: Final = 45
_LONGEST_NAME: Final = 60
_LONGEST_SUBJECT: Final = 200
_QUOTED_PAIR = re.compile(r"\\(.)")


def one_line(text: str, most: int = _LONGEST_SUBJECT) -> str:
    """What can be shown of it on one line: no controls, and nothing that would show it in another order."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:most].strip()


def author_name(values: Sequence[bytes], sender: Address) -> str:
    """The name beside the sender's address in the From fields; empty if it is another's, or not certain whose."""
    addresses = read_mailboxes(tuple(values)) if len(values) == 1 else ()
    if len(addresses) != 1 or parse_address(addresses[0]).key != sender.key:
        return ""
    phrase = to_text(values[0].rpartition(b"<")[0]).strip()
    if phrase.startswith('"') and phrase.endswith('"'):
        phrase = _QUOTED_PAIR.sub(r"\1", phrase[1:-1])
    # A name with an address in it could pretend to be another sender.
    return one_line(phrase.replace("@", " at "), _LONGEST_NAME)


def mailbox(name: str, address: Address) -> str:
    """``"Name" <address>`` for a field that is not folded behind its name; it may hold folds itself."""
    shown = one_line(name)
    if _is_plain(shown):
        shown = '"' + shown.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{field_text(shown)}\r\n <{address}>"


def field_text(text: str) -> str:
    """One line of text as a field can hold it, folded between encoded words."""
    shown = one_line(text)
    if _is_plain(shown):
        return shown
    return "\r\n ".join(f"=?utf-8?b?{base64.b64encode(piece).decode()}?=" for piece in _pieces(shown))


def _is_plain(text: str) -> bool:
    return text.isascii() and "=?" not in text


def _pieces(text: str) -> Iterator[bytes]:
    """UTF-8 in pieces of whole characters."""
    piece = b""
    for character in text:
        data = character.encode("utf-8", "replace")
        if len(piece) + len(data) > _WORD_BYTES:
            yield piece
            piece = b""
        piece += data
    yield piece
