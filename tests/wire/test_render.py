"""Header edits: what is asked for changes, and not one byte more."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.edits import Add, Remove, Retitle
from gateway.core.header import read_header
from gateway.wire.errors import LocalProtocolError
from gateway.wire.render import render, rewrite

HEADER = (
    b"From: a@x.example\r\nBCC : one@x.example,\r\n\ttwo@x.example\r\nbcc:\r\nBcc-Note: stays\r\n"
    b"To: b@y.example\r\n\r\n"
)

FIELDS = st.lists(
    st.tuples(
        st.sampled_from([b"From", b"To", b"X-One", b"x-one"]), st.sampled_from([b" a", b"", b" \xff\x00", b" a\r\n b"])
    ),
    max_size=6,
)


def block(fields: list[tuple[bytes, bytes]]) -> bytes:
    return b"".join(name + b":" + value + b"\r\n" for name, value in fields) + b"\r\n"


@given(fields=FIELDS)
def test_without_edits_every_byte_stays(fields: list[tuple[bytes, bytes]]) -> None:
    assert render(block(fields), ()) == block(fields)


@given(fields=FIELDS)
def test_removal_takes_the_fields_of_that_name_and_no_others(fields: list[tuple[bytes, bytes]]) -> None:
    kept = [field for field in fields if field[0].lower() != b"x-one"]
    assert render(block(fields), (Remove("X-ONE"),)) == block(kept)


def test_a_removed_field_takes_its_folds_along_and_its_namesakes() -> None:
    expected = b"From: a@x.example\r\nBcc-Note: stays\r\nTo: b@y.example\r\n\r\n"
    assert render(HEADER, (Remove("Bcc"),)) == expected


def test_the_last_addition_stands_topmost() -> None:
    edits = (Add("Received", "one;\r\n\ttwo"), Add("X-Sealpost-Hop", "v1"))
    assert render(b"A: b\r\n\r\n", edits) == b"X-Sealpost-Hop: v1\r\nReceived: one;\r\n\ttwo\r\nA: b\r\n\r\n"


def test_replacing_a_field_is_a_removal_and_an_addition() -> None:
    assert render(b"Subject: old\r\n\r\n", (Remove("subject"), Add("Subject", "né"))) == "Subject: né\r\n\r\n".encode()


@pytest.mark.parametrize(
    ("header", "expected"),
    [(b"", b"\r\n"), (b"\r\n", b"\r\n"), (b"A: b\r\n", b"A: b\r\n\r\n"), (b"A: b", b"A: b\r\n\r\n")],
)
def test_a_block_without_its_empty_line_gets_one(header: bytes, expected: bytes) -> None:
    assert render(header, ()) == expected
    assert render(header, (Add("X", "1"),)) == b"X: 1\r\n" + expected


@pytest.mark.parametrize(
    ("name", "value"),
    [("A B", "x"), ("A:", "x"), ("", "x"), ("A", "x\r\nBcc: y"), ("A", "x\n y"), ("A", "x\x00"), ("A", "x\r\n")],
)
def test_a_field_that_would_inject_another_is_refused(name: str, value: str) -> None:
    with pytest.raises(LocalProtocolError):
        render(b"A: b\r\n\r\n", (Add(name, value),))


def test_a_name_is_taken_literally_and_not_as_a_pattern() -> None:
    assert render(b"X-A.B: 1\r\nX-AxB: 2\r\n\r\n", (Remove("X-A.B"),)) == b"X-AxB: 2\r\n\r\n"


@pytest.mark.parametrize(
    "field",
    [
        b"X-Sealpost-Foo: 1\r\n",
        b"X-Sealpost-Foo\x0b: 1\r\n",
        b"X-Sealpost-Foo\r\n : 1\r\n",
        b"X-Sealpost-Foo \r\n\t: 1\r\n 2\r\n",
        b"X-Sealpost-\xe9: 1\r\n",
        b"X-Sealpost-\xc3\xa9 and more: 1\r\n",
    ],
)
@pytest.mark.parametrize("before", [b"", b"A: b\r\n", b"no colon\r\n"])
def test_a_field_leaves_under_the_name_by_which_the_door_knows_it(before: bytes, field: bytes) -> None:
    removals = [
        Remove(found.name) for found in read_header(before + field).fields if found.name.startswith("X-Sealpost-")
    ]
    assert len(removals) == 1
    assert render(before + field + b"To: c\r\n\r\n", removals) == before + b"To: c\r\n\r\n"


def test_a_continuation_line_that_looks_like_a_field_is_none() -> None:
    header = b"no colon\r\n Bcc: x\r\nTo: c\r\n\tBcc: y\r\n\r\n"
    assert render(header, (Remove("Bcc"),)) == header


def test_many_removals_and_additions_keep_their_order() -> None:
    fields = [(b"X-%d" % number, b" 1\r\n 2") for number in range(100)]
    edits = [*(Remove(f"x-{number}") for number in range(99)), Add("X-99", "new"), Add("To", "d"), Remove("X-99")]
    assert render(block([*fields, (b"From", b" a")]), edits) == b"To: d\r\nFrom: a\r\n\r\n"


# The Subject.

SECURE = Retitle(without=("[SECURE]",))
TITLED = b"From: a\r\nSUBJECT: [secure]  Minutes\r\n of  the day\r\nTo: b\r\n\r\n"


def test_a_mark_leaves_the_subject_and_nothing_else_changes() -> None:
    assert render(TITLED, (SECURE,)) == b"From: a\r\nSUBJECT: Minutes of  the day\r\nTo: b\r\n\r\n"


@pytest.mark.parametrize("edit", [Retitle(without=("[OTHER]",)), Retitle("[SECURE]"), Retitle()])
def test_a_subject_that_does_not_change_keeps_its_bytes(edit: Retitle) -> None:
    assert render(TITLED, (edit,)) == TITLED


def test_a_tag_is_put_before_the_subject_after_the_mark_left() -> None:
    edits = (Add("X", "1"), SECURE, Retitle("[OFFICIAL]"), Remove("To"))
    assert render(TITLED, edits) == b"X: 1\r\nFrom: a\r\nSUBJECT: [OFFICIAL] Minutes of  the day\r\n\r\n"
    assert render(TITLED, (Retitle("[A]"), Retitle("[B]"))).count(b"[B] [A] [secure]") == 1


def test_a_message_without_subject_gets_the_tag_alone() -> None:
    assert render(b"To: b\r\n\r\n", (Retitle("[OFFICIAL]"),)) == b"Subject: [OFFICIAL]\r\nTo: b\r\n\r\n"
    assert render(b"To: b\r\n\r\n", (SECURE,)) == b"To: b\r\n\r\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"Subject:[SECURE]\r\n", b"Subject:\r\n"),
        (b"Subject: [SECURE]\r\n\t\r\n", b"Subject:\r\n"),
        (b"Subject : [SEC\r\n URE] [SECURE] a\r\n", b"Subject : [SEC URE] a\r\n"),
        (b"Subject: [SECURE] a\nTo: b\r\n", b"Subject: a\r\nTo: b\r\n"),
        (b"Subject: [SECURE] a\r\nsubject: b [secure]\r\n", b"Subject: a\r\nsubject: b\r\n"),
        (b"Subject: [SECURE] \xff\r\n", b"Subject: \xff\r\n"),
        (b"X-Subject: [SECURE]\r\n", b"X-Subject: [SECURE]\r\n"),
    ],
)
def test_every_form_of_a_subject_is_found(before: bytes, after: bytes) -> None:
    assert render(before + b"\r\n", (SECURE,)) == after + b"\r\n"


def test_a_long_subject_is_folded_before_its_spaces() -> None:
    words = [b"word%d" % number for number in range(60)]
    out = render(b"Subject: [SECURE] " + b"  ".join(words) + b"\r\n" + b"\r\n", (SECURE,))
    lines = out.removesuffix(b"\r\n\r\n").split(b"\r\n")
    assert len(lines) > 3
    assert max(map(len, lines)) <= 78
    assert all(line.startswith(b" ") and line.strip() for line in lines[1:])
    (field,) = read_header(out).fields
    assert field.value == b"  ".join(words)


def test_a_long_word_stands_on_the_line_of_the_name() -> None:
    assert (
        render(b"Subject: " + b"x" * 100 + b" [secure]\r\n\r\n", (SECURE,)) == b"Subject: " + b"x" * 100 + b"\r\n\r\n"
    )


def test_a_tag_that_would_inject_a_field_is_refused() -> None:
    with pytest.raises(LocalProtocolError):
        render(TITLED, (Retitle("x\r\nBcc: y"),))


@given(
    value=st.lists(
        st.sampled_from([b"[secure]", b" ", b"\t", b"a", b"\r\n b", b"\xff", b"=?utf-8?q?=5Bx?="]), max_size=8
    ),
    tag=st.sampled_from(["", "[T]", "\xe9"]),
)
def test_the_other_fields_never_change(value: list[bytes], tag: str) -> None:
    out = render(b"A: 1\r\nSubject:" + b"".join(value) + b"\r\nB: 2\r\n\r\n", (Retitle(tag, ("[secure]",)),))
    assert out.startswith(b"A: 1\r\nSubject:")
    assert out.endswith(b"\r\nB: 2\r\n\r\n")
    assert [field.name for field in read_header(out).fields] == ["A", "Subject", "B"]


def test_rewriting_gives_every_field_with_its_folds_and_keeps_all_else() -> None:
    header = b"From: a\r\nX-Long : b\r\n\tc: d\r\nNo colon\r\nTo:\r\n e\r\n\r\n"
    seen: list[tuple[str, bytes]] = []

    def change(name: str, value: bytes) -> bytes:
        seen.append((name, value))
        return value.upper() if name == "to" else value

    assert rewrite(header, change) == header.replace(b" e\r\n", b" E\r\n")
    assert seen == [("from", b" a\r\n"), ("x-long", b" b\r\n\tc: d\r\n"), ("to", b"\r\n e\r\n")]
