"""Codes, passphrases and tokens: what is kept of them tells nothing, and people may type them as people do."""

import pytest

from gateway.sealed.guesses import hash_secret, matches, new_code, normalise, token_for, token_hash

PEPPER = b"p" * 32


def test_codes_are_eight_digits_and_seldom_the_same() -> None:
    codes = {new_code() for _ in range(500)}
    assert all(len(code) == 8 and code.isdecimal() and code.isascii() for code in codes)
    assert len(codes) > 490


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("1234 5678", "12345678"),
        (" 1234-5678 ", "12345678"),
        ("Acid-Acorn-acre", "acid-acorn-acre"),
        ("acid  acorn\tacre.", "acid-acorn-acre"),
        ("acid–acorn—acre", "acid-acorn-acre"),
        ("acid \N{HYPHEN} acorn\N{NON-BREAKING HYPHEN}acre", "acid-acorn-acre"),
        ("１２３４ ５６７８", "12345678"),
        ("cafe\N{COMBINING ACUTE ACCENT} noir", "café-noir"),
    ],
)
def test_it_may_be_typed_as_people_do(typed: str, meant: str) -> None:
    assert normalise(typed) == meant == normalise(meant)
    assert matches(typed, hash_secret(meant, PEPPER), PEPPER)


def test_another_secret_another_pepper_and_nonsense_do_not_match() -> None:
    hashed = hash_secret("acid-acorn", PEPPER)
    assert matches("acid-acorn", hashed, PEPPER)
    assert not matches("acid-acorn2", hashed, PEPPER)
    assert not matches("acidacorn", hashed, PEPPER)
    assert not matches("acid-acorn", hashed, b"q" * 32)
    assert not matches("acid-acorn", "no hash", PEPPER)
    assert not matches("\udc80", hashed, PEPPER)


def test_what_is_kept_is_salted_and_does_not_hold_it() -> None:
    one, two = hash_secret("12345678", PEPPER), hash_secret("12345678", PEPPER)
    assert one != two and one.startswith("$argon2id$") and "12345678" not in one


def test_tokens_differ_by_reader_and_seed_and_only_a_hash_is_known() -> None:
    tokens = {token_for(seed, number) for seed in (b"a" * 32, b"b" * 32) for number in range(3)}
    assert len(tokens) == 6 and all(len(token) == 43 for token in tokens)
    assert token_for(b"a" * 32, 1) == token_for(b"a" * 32, 1)
    assert token_hash("x") != token_hash("y") and len(token_hash("\udc80" * 1000)) == 32
