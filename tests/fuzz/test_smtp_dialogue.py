"""The SMTP dialogue under any bytes, in any pieces: the same replies, never a fault, never a half message."""

import re
from datetime import timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.listeners.smtp_memory import converse

TRANSCRIPT = (
    b"NOOP\r\nEHLO pc.council.example\r\nXYZZY\r\nMAIL FROM:<a@council.example> SIZE=30 RET=HDRS\r\n"
    b"RCPT TO:<b@x.example> NOTIFY=NEVER\r\nRCPT TO:<not one>\r\nDATA\r\n"
    b"A: b\r\n\r\n..\r\n.c\r\n\r\n.\r\n"
    b"MAIL FROM:<>\r\nRCPT TO:<b@x.example>\r\nBDAT 8\r\nA: b\r\n\r\nBDAT 7 LAST\r\nc\r\n.\r\nd"
    b"NOOP\nRSET\r\nMAIL FROM:<a@council.example>\r\nRCPT TO:<b@x.example>\r\nDATA\r\nx\n.\r\n.\r\n"
    b"MAIL FROM:<a@council.example>\r\nRCPT TO:<c@x.example>\r\nDATA\r\n" + b"x" * 200 + b"\r\n.\r\n"
    b"BDAT 6\r\nQUIT\r\nRSET\r\nQUIT\r\n"
)
MESSAGES = [b"A: b\r\n\r\n.\r\nc\r\n\r\n", b"A: b\r\n\r\nc\r\n.\r\nd\r\n"]
REPLY_LINES = re.compile(rb"(?:[2-5][0-9]{2}[ -][^\r\n]*\r\n)+")


async def test_transcript_in_one_piece_has_the_expected_replies() -> None:
    memory = await converse([TRANSCRIPT])
    codes = [int(line[:3]) for line in bytes(memory.transport.said).splitlines() if line[3:4] == b" "]
    assert codes == [
        *(220, 250, 250, 500, 250, 250, 501, 354, 250),
        *(250, 250, 250, 250),
        *(500, 250, 250, 250, 354, 550),
        *(250, 250, 354, 552),
        *(503, 250, 221),
    ]
    assert memory.accept.messages == MESSAGES
    assert memory.events.faults == []


async def test_transcript_byte_by_byte_has_the_same_replies() -> None:
    whole = await converse([TRANSCRIPT])
    memory = await converse([TRANSCRIPT[i : i + 1] for i in range(len(TRANSCRIPT))], [3])
    assert memory.transport.said == whole.transport.said
    assert memory.accept.messages == MESSAGES


@settings(max_examples=200, deadline=timedelta(seconds=5))
@given(st.lists(st.integers(1, len(TRANSCRIPT) - 1), max_size=30), st.lists(st.integers(0, 4), max_size=5))
async def test_transcript_in_any_pieces_has_the_same_replies(cuts: list[int], pauses: list[int]) -> None:
    whole = await converse([TRANSCRIPT])
    edges = [0, *sorted(cuts), len(TRANSCRIPT)]
    memory = await converse([TRANSCRIPT[a:b] for a, b in pairwise(edges)], pauses)
    assert memory.transport.said == whole.transport.said
    assert memory.accept.messages == MESSAGES


FRAGMENTS = st.one_of(
    st.sampled_from(
        [
            b"EHLO x\r\n",
            b"HELO y\r\n",
            b"MAIL FROM:<a@council.example>",
            b"MAIL FROM:<>",
            b" SIZE=10 BODY=8BITMIME SMTPUTF8",
            b"RCPT TO:<b@x.example>",
            b" NOTIFY=NEVER ORCPT=rfc822;x",
            b"\r\n",
            b"DATA\r\n",
            b".\r\n",
            b"\r\n.\r\n",
            b"BDAT 3\r\nabc",
            b"BDAT 4 LAST\r\nab\r\n",
            b"BDAT 0 LAST\r\n",
            b"RSET\r\n",
            b"STARTTLS\r\n",
            b"AUTH PLAIN x\r\n",
            b"VRFY x\r\n",
            b"\n",
            b"\r",
            b"\x00",
            b"\xff",
        ]
    ),
    st.binary(max_size=20),
)


@settings(max_examples=300, deadline=timedelta(seconds=5))
@given(st.lists(FRAGMENTS, max_size=30), st.lists(st.integers(0, 3), max_size=3))
async def test_any_conversation_gets_well_formed_replies_and_no_fault(pieces: list[bytes], pauses: list[int]) -> None:
    memory = await converse(pieces, pauses)
    assert REPLY_LINES.fullmatch(memory.transport.said)
    assert memory.events.faults == []
    for submission in memory.accept.submissions:
        assert submission.finished != bool(submission.discarded)
        assert len(submission.content) <= 100
        assert not submission.finished or not re.search(rb"\r(?!\n)|(?<!\r)\n", submission.content)
