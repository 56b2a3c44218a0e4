"""Every answer byte by byte, and what would make an MTA hang up is never built."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.reply import Reply, Status, reply
from gateway.wire.errors import LocalProtocolError
from gateway.wire.milter.answers import (
    PROGRESS,
    AddHeader,
    Change,
    InsertHeader,
    Quarantine,
    Verdict,
    action_of,
    change_packet,
)
from gateway.wire.milter.negotiation import Action
from gateway.wire.milter.packets import MAX_DATA
from gateway.wire.milter.reply_code import reply_code

# Postfix's own look at it (milter8_valid_smtp_reply, since 2026-07): one code, a status of its class, CRLF between.
VALID = re.compile(rb"(?:([45])\d\d-\1\.\d{1,3}\.\d{1,3} [^\r\n\0]*\r\n)*([45])\d\d \2\.\d{1,3}\.\d{1,3} [^\r\n\0]*\0")


def test_letters_of_the_verdicts() -> None:
    assert {verdict.name: verdict.value for verdict in Verdict} == {
        "CONTINUE": "c",
        "ACCEPT": "a",
        "REJECT": "r",
        "TEMPFAIL": "t",
        "DISCARD": "d",
        "SKIP": "s",
    }
    assert PROGRESS == b"\0\0\0\1p"


@pytest.mark.parametrize(
    ("change", "wire"),
    [
        (AddHeader(b"X-A", b" one"), b"\0\0\0\x0ahX-A\0 one\0"),
        (AddHeader(b"X-A", b""), b"\0\0\0\6hX-A\0\0"),
        (AddHeader(b"X-A", b" one\n\ttwo\n three"), b"\0\0\0\x16hX-A\0 one\n\ttwo\n three\0"),
        (AddHeader(b"X-A", b" \xc3\xbc"), b"\0\0\0\x09hX-A\0 \xc3\xbc\0"),
        (InsertHeader(0, b"X-A", b" one"), b"\0\0\0\x0ei\0\0\0\0X-A\0 one\0"),
        (InsertHeader(258, b"X-A", b"one"), b"\0\0\0\x0di\0\0\1\2X-A\0one\0"),
        (Quarantine("looked at by people"), b"\0\0\0\x15qlooked at by people\0"),
    ],
)
def test_changes_byte_by_byte(change: Change, wire: bytes) -> None:
    assert change_packet(change, leading_space=True) == wire


@pytest.mark.parametrize(
    ("value", "sent"), [(b" one", b"one"), (b"  one", b" one"), (b"one", b"one"), (b"\tone", b"\tone"), (b"", b"")]
)
def test_the_mta_puts_one_space_back_where_it_was_not_agreed_to_leave_it(value: bytes, sent: bytes) -> None:
    assert change_packet(AddHeader(b"X", value), leading_space=False)[5:] == b"X\0" + sent + b"\0"
    assert change_packet(InsertHeader(0, b"X", value), leading_space=False)[9:] == b"X\0" + sent + b"\0"


@pytest.mark.parametrize(
    "change",
    [
        AddHeader(b"", b" a"),
        AddHeader(b"X A", b" a"),
        AddHeader(b"X:", b" a"),
        AddHeader(b"X\n", b" a"),
        AddHeader(b"X\0Y", b" a"),
        AddHeader(b"\xc3\xbc", b" a"),
        AddHeader(b"X", b" a\0"),
        AddHeader(b"X", b" a\nBcc: b"),
        AddHeader(b"X", b" a\n"),
        AddHeader(b"X", b" a\r\n b"),
        AddHeader(b"X", b" a\x1b"),
        AddHeader(b"X", b" " + b"a" * MAX_DATA),
        InsertHeader(-1, b"X", b" a"),
        InsertHeader(2**31, b"X", b" a"),
        InsertHeader(0, b"X", b" a\nb"),
        Quarantine(""),
        Quarantine("a\0"),
        Quarantine("a\nb"),
        Quarantine("ü"),
        Quarantine("a" * 101),
    ],
)
def test_what_is_no_header_field_or_reason_is_not_built(change: Change) -> None:
    with pytest.raises(LocalProtocolError):
        change_packet(change, leading_space=True)


def test_the_longest_changes_are_built() -> None:
    assert len(change_packet(AddHeader(b"X", b"a" * (MAX_DATA - 3)), leading_space=True)) == 5 + MAX_DATA
    assert len(change_packet(Quarantine("a" * 100), leading_space=True)) == 106
    assert change_packet(InsertHeader(2**31 - 1, b"X", b""), leading_space=True)[5:9] == b"\x7f\xff\xff\xff"


@pytest.mark.parametrize(
    ("change", "action"),
    [
        (AddHeader(b"X", b""), Action.ADDHDRS),
        (InsertHeader(0, b"X", b""), Action.ADDHDRS),
        (Quarantine("a"), Action.QUARANTINE),
    ],
)
def test_what_a_change_needs(change: Change, action: Action) -> None:
    assert action_of(change) is action


@pytest.mark.parametrize(
    ("given_reply", "payload"),
    [
        (reply(550, "5.7.1", "not allowed"), b"550 5.7.1 not allowed\0"),
        (reply(400, "4.0.0", "a"), b"400 4.0.0 a\0"),
        (reply(451, "4.3.0", "later"), b"451 4.3.0 later\0"),
        (reply(421, "4.3.2", "bye"), b"421 4.3.2 bye\0"),
        (reply(550, "5.7.1", ""), b"550 5.7.1 \0"),
        (reply(550, "5.7.1", "100% sure, %s %%"), b"550 5.7.1 100%% sure, %%s %%%%\0"),
        (reply(554, "5.7.123", "a\tb", "", "c"), b"554-5.7.123 a\tb\r\n554-5.7.123 \r\n554 5.7.123 c\0"),
    ],
)
def test_a_reply_as_postfix_and_sendmail_expect_it(given_reply: Reply, payload: bytes) -> None:
    assert reply_code(given_reply) == (len(payload) + 1).to_bytes(4) + b"y" + payload


@pytest.mark.parametrize(
    "given_reply",
    [
        reply(250, "2.0.0", "fine"),
        Reply(354, None, ("go on",)),
        Reply(550, None, ("no",)),
        reply(550, "5.7.1", "für Sie nicht"),
        Reply(399, None, ("no",)),
        reply(550, "5.7.1", "a" * 981),
        reply(550, "5.7.1", "%" * 490 + "a"),
        reply(550, "5.7.1", *["a"] * 33),
    ],
)
def test_a_reply_that_an_mta_would_find_wrong_is_not_built(given_reply: Reply) -> None:
    with pytest.raises(LocalProtocolError):
        reply_code(given_reply)


def test_the_longest_reply_is_built() -> None:
    longest = reply_code(reply(550, "5.7.1", *["%" * 490] * 32))
    assert longest.count(b"\r\n") == 31
    assert len(longest) < MAX_DATA


@pytest.mark.parametrize("line", ["a\rb", "a\nb", "a\0b", "a\r\n250 b"])
def test_a_line_that_would_end_the_reply_cannot_be_said(line: str) -> None:
    with pytest.raises(ValueError, match="control character"):
        reply(550, "5.7.1", line)


@pytest.mark.parametrize(("code", "status"), [(550, Status(4, 7, 1)), (450, Status(5, 7, 1)), (550, Status(2, 0, 0))])
def test_a_status_of_another_class_cannot_be_said(code: int, status: Status) -> None:
    with pytest.raises(ValueError, match="contradicts"):
        Reply(code, status, ("no",))


printable = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30)


@given(
    st.sampled_from([421, 450, 499, 500, 550, 599]), st.integers(0, 999), st.lists(printable, min_size=1, max_size=4)
)
def test_what_is_built_is_what_postfix_finds_valid_and_says_the_same(code: int, detail: int, texts: list[str]) -> None:
    wire = reply_code(Reply(code, Status(code // 100, 7, detail), tuple(texts)))
    assert VALID.fullmatch(wire, 5)
    lines = wire[5:-1].decode().split("\r\n")
    assert {line[:3] for line in lines} == {str(code)}
    assert [line.split(" ", 2)[2] if line[3] == " " else line.split(" ", 1)[1] for line in lines] == [
        text.replace("%", "%%") for text in texts
    ]
