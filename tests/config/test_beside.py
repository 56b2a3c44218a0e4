from pathlib import Path

import pytest

from gateway.config import beside as module
from gateway.config.beside import Beside, pack_policy, policy_hash, read_beside, unpack_policy
from gateway.config.page import Page

POLICY = b"""
[registers]
partners = "registers/partners.csv"
schools = "../gone.csv"
schools_under = ["*.sch.example"]
[groups.x]
file = "x.txt"
[groups.y]
addresses = ["y.txt"]
"""


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policies/p.toml"
    (path.parent / "registers").mkdir(parents=True)
    path.write_bytes(POLICY)
    (path.parent / "registers/partners.csv").write_bytes(b"name\n")
    (path.parent / "x.txt").write_bytes(b"x.example\n")
    return path


def test_every_file_that_a_policy_names_is_read(policy: Path) -> None:
    read = read_beside(policy, POLICY)
    assert read.files == {"registers/partners.csv": b"name\n", "x.txt": b"x.example\n"}
    assert read.unreadable == {"../gone.csv": "No such file or directory"}
    assert "x.example" not in repr(read)


def test_a_file_that_cannot_be_read_is_a_problem_where_it_is_named(policy: Path) -> None:
    page = Page("p.toml")
    read = read_beside(policy, POLICY)
    assert read.take(page, "groups.x.file", "x.txt") == b"x.example\n"
    assert read.take(page, "registers.schools", "../gone.csv") is None
    assert read.take(page, "registers.systems", "new.csv") is None
    assert [str(problem) for problem in page.problems] == [
        f"p.toml: registers.schools: the file `{policy.parent}/../gone.csv` cannot be read: No such file or directory",
        f"p.toml: registers.systems: the file `{policy.parent}/new.csv` cannot be read: "
        "it was not there when the policy was read",
    ]


@pytest.mark.parametrize(
    "data", [b"\xff", b"[registers", b"registers = 7\ngroups = [1]", b"[registers]\npartners = ''"]
)
def test_a_policy_that_cannot_be_read_names_no_files(policy: Path, data: bytes) -> None:
    assert read_beside(policy, data) == Beside(policy.parent)


def test_a_name_that_no_file_can_have_is_unreadable(policy: Path) -> None:
    assert read_beside(policy, b'[registers]\npartners = "a\\u0000b"').unreadable == {"a\0b": "embedded null byte"}


def test_the_files_together_are_bounded(policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 15)
    assert set(read_beside(policy, POLICY).files) == {"registers/partners.csv", "x.txt"}
    monkeypatch.setattr(module, "MOST_BYTES", 14)
    read = read_beside(policy, POLICY)
    assert set(read.files) == {"registers/partners.csv"}
    assert read.unreadable["x.txt"] == "the files beside a policy have at most 0 MiB together"


def test_a_policy_and_its_files_are_one_text() -> None:
    files = {"a.csv": b"\xff\x00", "b.txt": b""}
    text = pack_policy(POLICY, files)
    assert unpack_policy(text) == (POLICY, files)
    assert text == pack_policy(POLICY, dict(reversed(files.items())))
    assert pack_policy(POLICY, {}) == POLICY
    assert unpack_policy(POLICY) == (POLICY, {})


def test_a_byte_that_moves_makes_another_policy() -> None:
    texts = [
        (b"ab", {"c": b"d"}),
        (b"a", {"bc": b"d"}),
        (b"ab", {"c": b"", "d": b""}),
        (b"ab", {}),
        (b"ab", {"cd": b""}),
    ]
    assert len({policy_hash(pack_policy(*each)) for each in texts}) == len(texts)
    # The text of one could be the policy of another, if that were TOML; so it cannot be used.
    page = Page("p")
    assert page.toml(pack_policy(b"ab", {"c": b"d"})) is None


@pytest.mark.parametrize("rest", [b"", b"7", b"{}", b'{"policy": "!"}', b'{"policy": "", "files": {"a": 7}}', b"\xff"])
def test_a_damaged_text_is_none(rest: bytes) -> None:
    mark = pack_policy(b"", {"a": b""}).partition(b"\n")[0] + b"\n"
    with pytest.raises(ValueError):
        unpack_policy(mark + rest)
