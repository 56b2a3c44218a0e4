"""The keys that wrap: read strictly, never shown, and what they wrap opens only where it belongs."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sealed.keys import Damaged, Keyring, UnknownKey, new_keyring

ONE = base64.b64encode(b"1" * 32).decode()
TWO = base64.b64encode(b"2" * 32).decode()


def test_lines_are_read_in_order_and_written_again() -> None:
    keyring = Keyring.parse(f"# mine\n\nnew {ONE}\n  old\t{TWO}  \n".encode())
    assert keyring.keys == (("new", b"1" * 32), ("old", b"2" * 32))
    assert keyring.current == "new"
    assert Keyring.parse(keyring.to_bytes()) == keyring


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no key"),
        ("# only a word\n", "no key"),
        (f"{ONE}\n", "line 1"),
        (f"a {ONE}\nb {ONE[:-4]}\n", "line 2"),
        (f"a {ONE} more\n", "line 1"),
        (f"A {ONE}\n", "line 1"),
        (f"{'a' * 41} {ONE}\n", "line 1"),
        ("a not-base64\n", "line 1"),
        (f"a {ONE}\na {TWO}\n", "same name"),
        ("ä é\n", "ASCII"),
    ],
)
def test_what_is_no_keyring_is_refused_without_repeating_it(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as refused:
        Keyring.parse(text.encode())
    assert ONE not in str(refused.value) and "not-base64" not in str(refused.value)


def test_no_key_is_ever_shown() -> None:
    keyring = new_keyring()
    assert "keys" not in repr(keyring)
    assert base64.b64encode(keyring.keys[0][1]).decode() not in f"{keyring!r}{keyring!s}"


def test_a_new_key_wraps_and_the_old_one_opens_what_it_wrapped() -> None:
    old = new_keyring()
    name, wrapped = old.wrap(b"secret", b"p1")
    new = old.rotated("second")
    assert new.wrap(b"secret", b"p1")[0] == "second"
    assert new.unwrap(name, wrapped, b"p1") == b"secret"
    with pytest.raises(UnknownKey, match="first"):
        new.only_current().unwrap(name, wrapped, b"p1")
    assert new.only_current().keys == new.keys[:1]


@pytest.mark.parametrize("name", ["first", "", "Upper", "with space", "a" * 41])
def test_a_name_that_is_there_or_cannot_be_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be the name"):
        new_keyring().rotated(name)


@given(st.binary(max_size=100), st.binary(max_size=20), st.integers(0, 200))
def test_changed_or_moved_it_does_not_open(key: bytes, about: bytes, at: int) -> None:
    keyring = new_keyring()
    name, wrapped = keyring.wrap(key, about)
    assert keyring.unwrap(name, wrapped, about) == key
    with pytest.raises(Damaged):
        keyring.unwrap(name, wrapped, about + b"x")
    changed = bytearray(wrapped)
    changed[at % len(changed)] ^= 1
    with pytest.raises(Damaged):
        keyring.unwrap(name, bytes(changed), about)
    with pytest.raises(Damaged):
        keyring.unwrap(name, wrapped[: at % len(wrapped)], about)


def test_wrapped_twice_it_looks_different() -> None:
    keyring = new_keyring()
    assert keyring.wrap(b"k", b"") != keyring.wrap(b"k", b"")
