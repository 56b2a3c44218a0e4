"""The Subject: read, compared with marks, and rewritten on the way out (RFC 5322 section 3.6.5, RFC 2047).

A subject without encoded words keeps all its other bytes, 8-bit ones too; one with them is decoded and encoded anew as
UTF-8. Left out on purpose: a second pass over what the removal of a mark puts together.
"""

import binascii
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Final

from gateway.core.edits import Retitle
from gateway.core.facts import Field, Scan
from gateway.core.words import decode_words, to_text

MAX_SUBJECT: Final = 16 * 1024
"""Bytes of all subjects of a message that are read; mail programs write some 255 characters into one."""

_LEAST: Final = 1024
"""Bytes that each of them counts at least, so that they are few as well."""

# 45 bytes are 60 characters of base64, and an encoded word has at most 75 (RFC 2047 section 2).
_WORD_BYTES: Final = 45


def fold_mark(text: str) -> str:
    """A subject, or a mark in it, as they are compared: without case, runs of space alike."""
    return " ".join(text.casefold().split())


def subjects(scan: Scan) -> tuple[str, ...]:
    """The decoded subjects, folded for `fold_mark`; more than one is a defect, and all are read."""
    return _folded_titles(scan.values("Subject"))


def titles(scan: Scan) -> tuple[str, ...]:
    """The decoded subjects as they are shown."""
    return _titles(scan.values("Subject"))


def shortened(fields: tuple[Field, ...]) -> tuple[Field, ...]:
    """The fields without what is behind the first `MAX_SUBJECT` bytes of their subjects."""
    kept, left = list[Field](), MAX_SUBJECT
    for field in fields:
        if field.name.casefold() != "subject":
            kept.append(field)
        elif left > 0:
            kept.append(replace(field, value=field.value[:left]))
            left -= max(len(field.value), _LEAST)
    return tuple(kept)


# Every source of labels, every detector and every mark asks for the subjects of the message that is judged.
@lru_cache(maxsize=4)
def _titles(values: tuple[bytes, ...]) -> tuple[str, ...]:
    return tuple(map(to_text, values))


@lru_cache(maxsize=4)
def _folded_titles(values: tuple[bytes, ...]) -> tuple[str, ...]:
    return tuple(map(fold_mark, _titles(values)))


def retitle(value: bytes, edit: Retitle) -> bytes | None:
    """The unfolded value after the edit, in one line; None if nothing changes. A tag that is there is not repeated."""
    raw = value.decode("utf-8", "surrogateescape")
    text = decode_words(raw) if "=?" in raw else raw
    changed = _tagged(cut(text, edit.without), edit.tag)
    if changed == text:
        return None
    return changed.encode("utf-8", "surrogateescape") if text is raw and edit.tag.isascii() else _encoded(changed)


def _tagged(text: str, tag: str) -> str:
    if not tag or fold_mark(tag) in fold_mark(text):
        return text
    return f"{tag} {text}".rstrip()


def cut(text: str, marks: Sequence[str]) -> str:
    """The text without the marks; of the space around one, a single space stays."""
    wanted = sorted({fold_mark(mark) for mark in marks} - {""}, key=len, reverse=True)
    if not wanted:
        return text
    folded, at = _folded(text)
    kept, start = list[str](), 0
    for match in re.finditer(f" ?(?:{'|'.join(map(re.escape, wanted))}) ?", folded):
        before = text[start : at[match.start()]]
        spaced = " " in (match[0][0], match[0][-1])
        kept += [before, " " if spaced and (before or kept[-1:] != [" "]) else ""]
        start = at[match.end()]
    return "".join([*kept, text[start:]]).strip() if kept else text


def _folded(text: str) -> tuple[str, list[int]]:
    """The text as `fold_mark` folds it, and where in the text each of its characters, and its end, stands."""
    folded, at = list[str](), list[int]()
    for index, character in enumerate(text):
        for each in " " if character.isspace() else character.casefold():
            if each != " " or (folded and folded[-1] != " "):
                folded.append(each)
                at.append(index)
    return "".join(folded), [*at, len(text)]


def _encoded(text: str) -> bytes:
    """The text as a field can hold it: encoded words for what is not ASCII, or would be read as one."""
    if text.isascii() and text.isprintable() and "=?" not in text:
        return text.encode()
    return b" ".join(b"=?utf-8?b?" + binascii.b2a_base64(piece, newline=False) + b"?=" for piece in _pieces(text))


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
