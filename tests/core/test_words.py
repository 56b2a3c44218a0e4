"""Encoded words: decoded as other readers decode them, and never slower than the field is long."""

import pytest

from gateway.core.words import decode_charset, to_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"plain", "plain"),
        (b"=?utf-8?B?UHJpdmF0ZQ==?=", "Private"),
        (b"=?utf-8?b?UHJpdmF0ZQ?=", "Private"),
        (b"=?UTF-8?q?caf=C3=A9_au_lait?=", "caf\u00e9 au lait"),
        (b"=?iso-8859-1?Q?caf=E9?=", "caf\u00e9"),
        (b"=?iso-8859-1*en?Q?caf=E9?=", "caf\u00e9"),
        (b"=?utf-8?q?one?= =?utf-8?q?two?=", "onetwo"),
        (b"=?utf-8?q?one?=\t =?utf-8?q?two?= =?utf-8?q?three?=", "onetwothree"),
        (b"=?utf-8?q?one?= two =?utf-8?q?three?=", "one two three"),
        (b"Re:=?utf-8?q?[SECURE]?=more", "Re:[SECURE]more"),
        (b"=?utf-8?q?[OFFICIAL SENSITIVE]?=", "[OFFICIAL SENSITIVE]"),
        (b"=?x-unknown?q?[SECURE]=21?=", "[SECURE]!"),
        (b"=?idna?q?[SECURE]?=", "[SECURE]"),
        (b"=?koi8-r?B?8NLJ18XU?=", "\u041f\u0440\u0438\u0432\u0435\u0442"),
        (b"=?utf-7?q?+AFs-SECURE+AF0-?=", "[SECURE]"),
        # Half of a pair, which no other character set gives and no other program takes.
        (b"=?utf-7?q?+2AA-x?=", "\ufffdx"),
        (b"caf\xc3\xa9", "caf\u00e9"),
        (b"caf\xe9", "caf\ufffd"),
    ],
)
def test_encoded_words_are_decoded(value: bytes, text: str) -> None:
    assert to_text(value) == text


@pytest.mark.parametrize("value", ["=?utf-8?B?A?=", "=?utf-8?x?abc?=", "=?utf-8?q?open", "=?utf-8?B?\u00e9?=", "=?="])
def test_what_cannot_be_decoded_stays_as_it_stood(value: str) -> None:
    assert to_text(f"{value} tail".encode()) == f"{value} tail"


def test_a_character_set_that_breaks_is_read_as_latin_1() -> None:
    # Python has no codec of this name, though the pattern of character sets lets it pass.
    assert decode_charset(b"caf\xe9", "iso-8859-99") == "caf\u00e9"
