import pytest

from gateway.config.registers.members import read_members
from gateway.config.registers.sheet import Sheet
from gateway.core.domains import DomainSet, Group

OURS = Group(
    "", frozenset({"amy@one.example", "a#b@one.example"}), DomainSet(frozenset({"two.example"}), frozenset({"t"}))
)


def read(text: str, file: str) -> tuple[Group, list[str]]:
    sheet = Sheet(file)
    return read_members(sheet, text.encode()), [f"{problem.key}: {problem.text}" for problem in sheet.said()]


@pytest.mark.parametrize(
    ("text", "file"),
    [
        ("# who\n Amy@one.example # our Amy\n\na#b@one.example\r\nTWO.example\n*.t", "g.txt"),
        ("\ufeffmember\nAmy@one.example\na#b@one.example\n\nTWO.example\n*.t\n", "g.csv"),
        ('members = ["Amy@one.example", "a#b@one.example", "TWO.example", "*.t"]', "g.toml"),
    ],
)
def test_a_list_of_members_in_every_form(text: str, file: str) -> None:
    assert read(text, file) == (OURS, [])


@pytest.mark.parametrize(
    ("text", "file", "problems"),
    [
        (
            "one.example\n\nhttps://x\n",
            "g.txt",
            ["line 3: `https://x` is not an address, a domain or *.domain: the do"],
        ),
        ("one.example\nONE.example", "g.txt", ["line 2: `ONE.example` stands at line 1 already"]),
        ("member\none.example\none.example", "g.csv", ["line 3: `one.example` stands at line 2 already"]),
        (
            "name\none",
            "g.csv",
            ["line 1: unknown column `name`; known are member", "line 1: the column `member` is mis"],
        ),
        (
            "member\none.example\nli\n*.t",
            "g.csv",
            ["line 3: `li` is not an address, a domain or *.domain: a domain has a"],
        ),
        ("member\none.example,x\n", "g.csv", ["line 2: there are 2 cells, line 1 names 1 column"]),
        ("member = []", "g.toml", ["member: unknown key `member`, did you mean `members`?"]),
        ('members = "x"', "g.toml", ["members: this is a list in square brackets"]),
        ("members = [7]", "g.toml", ["members[1]: this is a text in quotes"]),
        ("members = [", "g.toml", [": this is not TOML: "]),
        ("one.example", "g.lst", [": the file of a group is one whose name ends in .txt, .csv or .toml"]),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, file: str, problems: list[str]) -> None:
    said = read(text, file)[1]
    assert len(said) == len(problems)
    for problem, begins in zip(said, problems, strict=True):
        assert problem.startswith(begins)


def test_a_list_is_utf_8() -> None:
    sheet = Sheet("g.txt")
    assert read_members(sheet, b"\xff\n") == Group("")
    assert [str(problem) for problem in sheet.problems] == ["g.txt: the file is not UTF-8 text"]


def test_a_group_has_so_many_members_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.config.registers.members.MOST_ENTRIES", 2)
    assert read("a.example\nb.example\n", "g.txt")[1] == []
    assert read("a.example\nb.example\nc.example\nd.example", "g.txt")[1] == ["line 3: a group has at most 2 members"]
