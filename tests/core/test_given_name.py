"""The name that somebody outside typed: still a name, and nothing in it that leads anywhere or ends its quotes."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.given_name import given_name


@pytest.mark.parametrize(
    "name",
    [
        "Jo Miller",
        "Dr. Ann O'Brien-Smith, Jr.",
        "Siân O\N{RIGHT SINGLE QUOTATION MARK}Neil",
        "Жанна",
        "山田 太郎",
        "प्रिया",
        "e\N{COMBINING ACUTE ACCENT}",
        "",
    ],
)
def test_a_name_stays_as_it_was_typed(name: str) -> None:
    assert given_name(name) == name


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("https://evil.example/login your mailbox is full", "https evil example login your mailbox is full"),
        ("www.evil.example", "www evil example"),
        ("evil.1example", "evil. example"),
        ("boss@council.example", "boss council example"),
        ("boss\N{FULLWIDTH COMMERCIAL AT}council\N{FULLWIDTH FULL STOP}example", "boss council example"),
        ("evil\N{IDEOGRAPHIC FULL STOP}example", "evil example"),
        ("evil.\N{ZERO WIDTH SPACE}example", "evil. example"),
        ("mailto:x", "mailto x"),
        ("=?utf-8?q?CEO?=", "utf- q CEO"),
        ('Jo". Call 01632 960999 "', "Jo . Call"),
        ("a\r\n\r\nb\tc\x00\u202ed", "a b c d"),
        ("x" * 59 + " yz", "x" * 59),
        (" ... / 12345", ""),
        ("'-,", ""),
    ],
)
def test_what_is_no_name_goes(typed: str, shown: str) -> None:
    assert given_name(typed) == shown


@given(st.one_of(st.text(), st.text(alphabet="ab./:@ \"'-,1\u200b\uff0e")))
def test_nothing_typed_is_a_link_or_ends_its_quotes(typed: str) -> None:
    shown = given_name(typed)
    assert len(shown) <= 60 and shown == shown.strip()
    assert not set('"/:@<>=?&\\\r\n') & set(shown)
    assert not any(unicodedata.category(char)[0] in "CNS" for char in shown)
    assert not re.search(r"\.\S", shown)
    assert given_name(shown) == shown
