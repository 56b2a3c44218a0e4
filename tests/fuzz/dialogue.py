"""Fuzz target: what a client says to the SMTP listener, in one piece and in many."""

import asyncio
import re
from typing import Final

from gateway.listeners.smtp_replies import BARE_LINE_END, TOO_LARGE, encode
from tests.fuzz.target import Target, pieces
from tests.listeners.smtp_memory import Memory, converse

# Each reply of lines with one code, the last of which says that it is the last.
_REPLIES: Final = re.compile(rb"(?:(?:([2-5][0-9]{2})-[^\r\n]*\r\n(?:\1-[^\r\n]*\r\n)*\1|[2-5][0-9]{2}) [^\r\n]*\r\n)+")
_TOO_LARGE, _BARE = encode(TOO_LARGE), encode(BARE_LINE_END)
_BARE_LINE_END: Final = re.compile(rb"\r(?!\n)|(?<!\r)\n")
_MOST: Final = 100


def one(data: bytes) -> None:
    """Well-formed replies and whole messages, the same in any split; never a fault, never a half message."""
    whole, split = asyncio.run(_both(data))
    _judge(whole)
    # Of two reasons to refuse one message the one that is met first is said, which the cuts decide.
    assert split.transport.said.replace(_TOO_LARGE, _BARE) == whole.transport.said.replace(_TOO_LARGE, _BARE)
    assert split.accept.messages == whole.accept.messages
    assert [each.envelope for each in split.accept.submissions] == [each.envelope for each in whole.accept.submissions]


async def _both(data: bytes) -> tuple[Memory, Memory]:
    return await converse([data]), await converse(list(pieces(data)), [len(data) % 3])


def _judge(memory: Memory) -> None:
    assert _REPLIES.fullmatch(memory.transport.said)
    assert memory.events.faults == []
    for submission in memory.accept.submissions:
        assert submission.finished != bool(submission.discarded)
        assert len(submission.content) <= _MOST
        assert not submission.finished or not _BARE_LINE_END.search(submission.content)


TARGET: Final = Target(name="dialogue", one=one)
