"""Fuzz target: what a server says, from its greeting on, as our client reads it."""

from collections.abc import Iterable
from typing import Final

from gateway.core.reply import Reply
from gateway.wire.errors import RemoteProtocolError
from gateway.wire.smtp_client import Capabilities
from gateway.wire.smtp_replies import MAX_LINE, MAX_LINES, MAX_TEXT, ReplyReader
from tests.fuzz.target import Target, pieces


def one(data: bytes) -> None:
    """The same whole replies come out and the same error ends them, however the bytes are cut."""
    replies, trouble = _read([data])
    assert (replies, trouble) == _read(pieces(data))
    for reply in replies:
        assert 200 <= reply.code <= 599
        assert 1 <= len(reply.lines) <= MAX_LINES
        assert all(len(line) <= MAX_TEXT and "\n" not in line and "\0" not in line for line in reply.lines)
        assert reply.status is None or reply.status.klass == reply.code // 100
        "".join(reply.lines).encode()
        offered = Capabilities.parse(reply)
        assert offered.size_limit is None or offered.size_limit > 0


def _read(blocks: Iterable[bytes]) -> tuple[list[Reply], str]:
    reader, replies = ReplyReader(), list[Reply]()
    try:
        for block in blocks:
            reader.feed(block)
            while (reply := reader.next()) is not None:
                replies.append(reply)
            assert reader.waiting < MAX_LINE
    except RemoteProtocolError as error:
        return replies, str(error)
    return replies, ""


TARGET: Final = Target(name="replies", one=one)
