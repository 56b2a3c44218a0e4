"""The Subject on the way out: marks leave, a tag comes, and all the rest stays as the sender wrote it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import subject
from gateway.core.edits import Retitle
from gateway.core.facts import Field
from gateway.core.subject import MAX_SUBJECT, cut, fold_mark, retitle, shortened, subjects, titles
from gateway.core.words import to_text
from tests.core.scanning import scan

MARKS = ("[SECURE]", "[OFFICIAL - SENSITIVE]", "[ref: A/1]")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[SECURE] Minutes", "Minutes"),
        ("Minutes [secure]", "Minutes"),
        ("Re: [Secure] Minutes", "Re: Minutes"),
        ("Re:[SECURE]Minutes", "Re:Minutes"),
        ("a [SECURE]b[SECURE] c", "a b c"),
        ("[SECURE][SECURE]  [SECURE] a", "a"),
        ("a [SECURE]  [SECURE]\tb", "a b"),
        ("[SECURE]", ""),
        ("[OFFICIAL  -\tsensitive]  two  spaces [REF:  A/2]", "two  spaces [REF:  A/2]"),
        ("a [REF: a/1] b", "a b"),
        ("caf\u00e9 [SECURE]", "caf\u00e9"),
    ],
)
def test_marks_leave_and_one_space_stays(before: str, after: str) -> None:
    assert retitle(before.encode(), Retitle(without=MARKS)) == after.encode()


@pytest.mark.parametrize(
    "value", [b"", b"Minutes", b"SECURE", b"[SEC URE]", b"a  b\t ", b"=?utf-8?q?caf=C3=A9?=", b"\xff"]
)
def test_what_has_no_mark_stays_untouched(value: bytes) -> None:
    assert retitle(value, Retitle(without=MARKS)) is None
    assert retitle(value, Retitle(without=("", " "))) is None
    assert retitle(value, Retitle()) is None


def test_bytes_that_are_no_unicode_stay() -> None:
    assert retitle(b"[SECURE] caf\xe9", Retitle(without=MARKS)) == b"caf\xe9"
    assert retitle(b"caf\xe9", Retitle("[TAG]")) == b"[TAG] caf\xe9"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("=?utf-8?q?=5BSECURE=5D_caf=C3=A9?=", "caf\u00e9"),
        ("[SECURE] =?utf-8?B?Y2Fmw6k=?=", "caf\u00e9"),
        ("=?iso-8859-1?q?=5BSEC?= =?iso-8859-1?q?URE=5D_caf=E9?= [secure]", "caf\u00e9"),
        ("=?utf-8?q?=5BSECURE=5D_plain?=", "plain"),
    ],
)
def test_marks_leave_encoded_words(before: str, after: str) -> None:
    changed = retitle(before.encode(), Retitle(without=MARKS))
    assert changed is not None
    assert changed.isascii()
    assert to_text(changed) == after
    assert (b"=?" in changed) == (not after.isascii())


def test_a_word_that_hides_a_line_end_stays_a_word() -> None:
    changed = retitle(b"[SECURE] =?utf-8?q?a=0D=0ABcc:_x?=", Retitle(without=MARKS))
    assert changed is not None
    assert not set(changed) & set(b"\r\n")
    assert to_text(changed) == "a\r\nBcc: x"


def test_text_that_only_looks_like_a_word_is_not_made_one() -> None:
    changed = retitle(b"=?utf-8?q?=5BSECURE=5D_=3D=3Futf-8=3Fq=3Fx=3F=3D?=", Retitle(without=MARKS))
    assert changed is not None
    assert changed.startswith(b"=?utf-8?b?")


def test_long_texts_are_encoded_in_words_of_whole_characters() -> None:
    text = "\u20ac" * 100 + " \ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16") * 20
    changed = retitle(f"[SECURE] =?utf-8?q?=E2?= {text}".encode(), Retitle(without=MARKS))
    assert changed is not None
    words = changed.split(b" ")
    assert len(words) > 5
    assert max(map(len, words)) <= 75
    assert to_text(changed).endswith(text)


@pytest.mark.parametrize(
    ("before", "tag", "after"),
    [
        ("Minutes", "[OFFICIAL]", "[OFFICIAL] Minutes"),
        ("", "[OFFICIAL]", "[OFFICIAL]"),
        ("[SECURE]", "[OFFICIAL]", "[OFFICIAL]"),
        ("[secure] Minutes", "[SECURE]", "[SECURE] Minutes"),
        ("=?utf-8?q?caf=C3=A9?=", "[A]", "[A] caf\u00e9"),
        ("Minutes", "[\u00e9]", "[\u00e9] Minutes"),
    ],
)
def test_a_tag_comes_first(before: str, tag: str, after: str) -> None:
    changed = retitle(before.encode(), Retitle(tag, MARKS))
    assert changed is not None
    assert changed.isascii()
    assert to_text(changed) == after


def test_a_tag_that_is_there_is_not_repeated() -> None:
    assert retitle(b"Re: [Official]  Minutes", Retitle("[OFFICIAL]")) is None


@pytest.mark.parametrize(
    ("text", "mark", "left"), [("[Stra\u00dfe] a", "[STRASSE]", "a"), ("\u0130 [x]", "[X]", "\u0130")]
)
def test_letters_that_fold_to_two_are_cut_whole(text: str, mark: str, left: str) -> None:
    assert cut(text, (mark,)) == left


def test_subjects_are_decoded_and_folded() -> None:
    message = "Subject: =?utf-8?q?A=5Bb?=\n  C\nsubject: two\n\nx\n"
    assert subjects(scan(message)) == ("a[b c", "two")
    assert titles(scan(message)) == ("A[b  C", "two")


def test_subjects_are_decoded_once_however_many_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = list[bytes]()
    monkeypatch.setattr(subject, "to_text", lambda value: decoded.append(value) or to_text(value))
    scanned = scan("Subject: =?utf-8?q?asked_often?=\n\nx\n")
    assert {*(subjects(scanned) for _ in range(3)), *(titles(scanned) for _ in range(3))} == {("asked often",)}
    assert decoded == [b"=?utf-8?q?asked_often?="]


def test_of_all_subjects_together_only_the_beginning_is_kept() -> None:
    whole = (Field("Subject", b"a" * (MAX_SUBJECT - 2)), Field("To", b"b" * 2 * MAX_SUBJECT), Field("subject", b"cd"))
    assert shortened(whole) == whole
    longer = (*whole[:2], Field("SUBJECT", b"cdef"), Field("Subject", b"gh"), Field("X", b"i"))
    assert shortened(longer) == (*whole[:2], Field("SUBJECT", b"cd"), Field("X", b"i"))


def test_of_many_subjects_few_are_kept() -> None:
    few = tuple(Field("Subject", bytes([number])) for number in range(16))
    assert shortened(few) == few
    assert shortened((*few, Field("Subject", b"x"))) == few


TEXT = st.text(st.sampled_from("aB[]: \t\u00e9\u0130\u00df\ud800=?"), max_size=12)


@given(st.lists(TEXT | st.sampled_from(MARKS), max_size=6).map("".join), TEXT)
def test_it_is_total_and_idempotent_in_what_it_shows(text: str, tag: str) -> None:
    edit = Retitle(tag, MARKS[:1])
    value = text.encode("utf-8", "replace").strip()
    changed = retitle(value, edit)
    shown = to_text(value if changed is None else changed)
    folded = fold_mark(to_text(value))
    if folded.count("[") == 1 == folded.count("[secure]") and "secure" not in fold_mark(tag):
        assert "[secure]" not in fold_mark(shown)
