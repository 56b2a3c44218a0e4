"""SMFIR_REPLYCODE: a reply of ours that the MTA gives its client, the only place where its text is made.

A line that an MTA finds wrong is worse than none: Postfix answers 451 in its place and hangs up on the filter.
"""

import re
from typing import Final

from gateway.core.reply import Reply
from gateway.wire.errors import LocalProtocolError
from gateway.wire.milter.packets import packet

MAX_LINE: Final = 980
"""Characters of one line's text (libmilter's MAXREPLYLEN), counted with every ``%`` twice."""

MAX_LINES: Final = 32
"""Lines of one reply (libmilter's MAXREPLIES)."""

# The client need not have asked for SMTPUTF8.
_TEXT: Final = re.compile(r"[\t -~]*")


def reply_code(reply: Reply) -> bytes:
    """The packet for a reply of 4xx or 5xx with its status, which is of the same class by construction.

    Raises:
        LocalProtocolError: another code, no status, too many or too long lines, or text that is not ASCII.
    """
    if reply.code < 400 or reply.status is None:
        raise LocalProtocolError("a milter's reply has a code of 4xx or 5xx, and a status")
    if len(reply.lines) > MAX_LINES:
        raise LocalProtocolError("a milter's reply has too many lines")
    texts = [_escaped(line) for line in reply.lines]
    separators = ["-"] * (len(texts) - 1) + [" "]
    lines = [f"{reply.code}{mark}{reply.status} {text}" for mark, text in zip(separators, texts, strict=True)]
    return packet("y", "\r\n".join(lines).encode("ascii") + b"\0")


def _escaped(line: str) -> str:
    """Sendmail takes the text for a format, so ``%`` is said twice; Postfix halves it again."""
    text = line.replace("%", "%%")
    if len(text) > MAX_LINE or not _TEXT.fullmatch(text):
        raise LocalProtocolError("a line of a milter's reply is too long or not ASCII")
    return text
