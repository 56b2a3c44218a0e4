"""Names that any system takes, and no two the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.file_names import file_name, unique
from gateway.core.sealed import PartPlace


def part(number: int, kind: str, name: str) -> PartPlace:
    return PartPlace(
        number=number, type=kind, charset="", name=name, content_id="", encoding="7bit", attached=True, start=0, end=0,
        size=0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("given_name", "kind", "name"),
    [
        ("report.pdf", "application/pdf", "report.pdf"),
        ("../../etc/passwd", "text/plain", "passwd"),
        ("C:\\Users\\a\\plan.docx", "application/x", "plan.docx"),
        ("a\r\nSet-Cookie: x=1.txt", "text/plain", "aSet-Cookie_ x=1.txt"),
        ("exe\u202efdp.exe", "application/x", "exefdp.exe"),
        ("  .. ", "text/html", "part-4.html"),
        ("", "message/rfc822", "part-4.eml"),
        ("", "application/x-odd", "part-4.bin"),
        ("x" * 300 + ".pdf", "application/pdf", "x" * 116 + ".pdf"),
        ("x" * 300, "application/pdf", "x" * 120),
        ("a\u00a0b\u3000c.pdf", "application/pdf", "a b c.pdf"),
        ("Übersicht 'ä\".txt", "text/plain", "Übersicht 'ä_.txt"),
    ],
)
def test_names(given_name: str, kind: str, name: str) -> None:
    assert file_name(part(3, kind, given_name)) == name


@given(st.text(max_size=300))
def test_any_name_becomes_one_that_is_safe(text: str) -> None:
    name = file_name(part(0, "text/plain", text))
    assert name
    assert len(name) <= 120
    assert name.isprintable()
    assert not set(name) & set('<>:"|?*/\\')
    assert name[0] != "."


@given(st.lists(st.sampled_from(["a.txt", "A.TXT", "a (2).txt", "b", ".c", "a.tar.gz"]), max_size=30))
def test_no_two_are_taken_for_one(names: list[str]) -> None:
    found = unique(names)
    assert len({name.casefold() for name in found}) == len(found) == len(names)
