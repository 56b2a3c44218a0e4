"""TOML read to a table, or one sentence that says why not, whatever its reader makes of it."""

import pytest

from gateway.config.toml import MOST_DEPTH, NotToml, read_toml


def test_a_file_is_a_table() -> None:
    assert read_toml("a = [1, { b = 'é' }]".encode()) == {"a": [1, {"b": "é"}]}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"a = \xff", "the file is not UTF-8 text"),
        (b"a = ", "this is not TOML: Invalid value"),
        (b"a = " + b"9" * 5000, "a number in it has too many digits"),
        (b"a = " + b"[" * 5000, f"nested more than {MOST_DEPTH} deep"),
        (b"a = " + b"[" * MOST_DEPTH + b"]" * MOST_DEPTH, f"nested more than {MOST_DEPTH} deep"),
        (b"a." * MOST_DEPTH + b"b = 1", f"nested more than {MOST_DEPTH} deep"),
        (b"[" + b"a." * 5000 + b"b]", f"nested more than {MOST_DEPTH} deep"),
    ],
)
def test_what_is_no_toml_is_said_in_one_sentence(text: bytes, reason: str) -> None:
    with pytest.raises(NotToml, match=reason):
        read_toml(text)


def test_what_people_nest_is_read() -> None:
    depth = MOST_DEPTH - 1
    assert read_toml(b"a = " + b"[" * depth + b"]" * depth)
    assert read_toml(b"a." * depth + b"b = 1")
