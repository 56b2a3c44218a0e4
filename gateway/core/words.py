"""Encoded words in header fields, decoded for reading (RFC 2047 section 2, RFC 2231 section 5).

Lenient on purpose, because other readers are: a word may stand inside another token, hold spaces and lack padding.
What cannot be decoded stays as it stood, so it is never mistaken for an empty value.
"""

import binascii
import re
from typing import Final

# encoded-word = "=?" charset ["*" language] "?" encoding "?" encoded-text "?="
_WORD_TEXT: Final = r"=\?[^?\s]{1,75}\?[bBqQ]\?[^?]*\?="
_WORD = re.compile(r"=\?([^?\s*]{1,75})(?:\*[^?\s]*)?\?([bBqQ])\?([^?]*)\?=")
# White space between two adjacent encoded words is not shown (RFC 2047 section 6.2).
_BETWEEN = re.compile(rf"({_WORD_TEXT})\s+(?={_WORD_TEXT})")

# Only real character sets: Python's registry also holds slow ones (idna, punycode) and ones that are no charset.
_CHARSET = re.compile(
    r"utf-?(?:7|8|16(?:[bl]e)?)|us-ascii|ascii|latin-?1|iso-?8859-\d{1,2}|(?:windows|cp)-?(?:125\d|874|932|949)"
    r"|koi8-[rtu]|gb2312|gbk|gb18030|big5(?:-hkscs)?|euc-(?:jp|kr)|shift[_-]jis|iso-2022-(?:jp|kr)|hz-gb-2312"
    r"|tis-620|macintosh",
    re.IGNORECASE,
)
_HALF = re.compile("[\ud800-\udfff]")


def to_text(value: bytes) -> str:
    """A field's bytes as text: UTF-8 (RFC 6532), bytes that are not UTF-8 as U+FFFD; encoded words decoded."""
    text = value.decode("utf-8", "replace")
    return decode_words(text) if "=?" in text else text


def decode_words(text: str) -> str:
    """Replaces every encoded word that can be decoded by its text."""
    return _WORD.sub(_decode, _BETWEEN.sub(r"\1", text))


def decode_charset(data: bytes, charset: str) -> str:
    """``data`` in that character set; an unknown one is read as Latin-1, which keeps ASCII readable."""
    known = charset if _CHARSET.fullmatch(charset) else "latin-1"
    try:
        # UTF-7 alone gives halves of a pair, and nothing that holds one can be stored or sent.
        return _HALF.sub("\ufffd", data.decode(known, "replace"))
    except (LookupError, UnicodeError):
        return data.decode("latin-1")


def _decode(match: re.Match[str]) -> str:
    charset, encoding, text = match.groups()
    try:
        data = text.encode("ascii")
        decoded = binascii.a2b_qp(data, header=True) if encoding in "qQ" else _from_base64(data)
    except (UnicodeEncodeError, binascii.Error):
        return match.group()
    return decode_charset(decoded, charset)


def _from_base64(data: bytes) -> bytes:
    bare = data.rstrip(b"=")
    return binascii.a2b_base64(bare + b"=" * (-len(bare) % 4))
