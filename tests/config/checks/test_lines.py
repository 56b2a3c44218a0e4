"""Lines of keys in TOML files."""

import tomllib
from pathlib import Path

import pytest

from gateway.config.checks.lines import Places, key_lines, line_of
from gateway.config.page import as_list, as_table, dotted
from gateway.config.problems import Problem

TEXT = '''# [not.a.table]
top = 1

[a]
"b c" = "x # [no]"   # [nor.this]
long = """
key = 1
[a.table]
"""
list = [
    # rules = 3
    { name = "]" },
    'it''s',
]
after.it = true
'odd.key' = 2

[[rules]]
name = "one"
when = { any = [
    { x = 1 },
] }

[[rules]]
name = 'two'
[rules.when]
x = 1

[[rules]]
[[rules.parts]]
[[rules.parts]]
deep = "\\"]"
[last]
end = 1
'''.replace("'it''s'", "'it is'")


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("top", "top = 1"),
        ("a", "[a]"),
        ("a.b c", '"b c" ='),
        ("a.long", 'long = """'),
        ("a.list[2].name", "list = ["),
        ("a.after.it", "after.it"),
        ("a.odd.key", "'odd.key'"),
        ("rules[1]", "[[rules]]"),
        ("rules[1].when.any[1].x", "when = { any"),
        ("rules[2].name", "name = 'two'"),
        ("rules[2].when.x", "x = 1"),
        ("rules[3].parts[2].deep", "deep ="),
        ("last.end", "end = 1"),
    ],
)
def test_a_key_is_found_where_it_stands(key: str, words: str) -> None:
    tomllib.loads(TEXT)
    number = line_of(key, key_lines(TEXT))
    assert number is not None
    assert words in TEXT.splitlines()[number - 1]


def test_what_is_missing_is_told_at_the_table_around_it() -> None:
    lines = key_lines(TEXT)
    assert line_of("rules[2].advice", lines) == lines["rules[2]"]
    assert line_of("a.nothing.deeper", lines) == lines["a"]
    assert line_of("elsewhere", lines) is None
    assert line_of("key", lines) is None
    assert "a.table" not in lines


@pytest.mark.parametrize(
    "file", sorted(Path(__file__).parents[3].glob("policies/**/*.toml")), ids=lambda file: file.name
)
def test_every_key_of_the_shipped_files_is_found(file: Path) -> None:
    text = file.read_text()
    lines, source = key_lines(text), text.splitlines()
    for key, name in leaves("", tomllib.loads(text)):
        number = line_of(key, lines)
        assert number is not None, key
        assert name in source[number - 1] or key not in lines, key


def leaves(at: str, value: object) -> list[tuple[str, str]]:
    """Every key below, with its own name."""
    found = [
        each
        for name, inner in as_table(value).items()
        for path in [dotted(at, name) if at else name]
        for each in [(path, name), *leaves(path, inner)]
    ]
    return found + [
        each for number, inner in enumerate(as_list(value)) for each in leaves(f"{at}[{number + 1}]", inner)
    ]


def test_a_problem_is_told_with_its_line_if_its_file_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(TEXT)
    (tmp_path / "bad.toml").write_bytes(b"\xff\xfe")
    places = Places()

    def told(file: str, key: str) -> str:
        return places.told(Problem(file=str(tmp_path / file), key=key, text="wrong")).replace(f"{tmp_path}/", "")

    assert told("a.toml", "top") == "a.toml:2: top: wrong"
    assert told("a.toml", "") == "a.toml: wrong"
    assert told("a.toml", "none") == "a.toml: none: wrong"
    assert told("bad.toml", "top") == "bad.toml: top: wrong"
    assert told("none.toml", "top") == "none.toml: top: wrong"
    assert told("r.csv", "line 3") == "r.csv: line 3: wrong"


@pytest.mark.parametrize("text", ['a = "', "a = [", "[", "[[", "=", '"', "a.b.", "\x00"])
def test_half_a_file_is_no_trouble(text: str) -> None:
    assert line_of("nothing", key_lines(text)) is None
