"""One long SMTP transcript has the replies and messages that it should, in any pieces; `dialogue` has any bytes."""

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
