"""What a milter tells its MTA about the fate of a message, and the form of a reply that every MTA takes.

Each fate has exactly one answer; a refusal for good never leaves a listener that only tags.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, assert_never

from gateway.core.edits import Add
from gateway.core.reply import Reply, Status
from gateway.flow.custody import Custody, Fate, Left, Quarantined, Taken, TurnedAway
from gateway.wire.milter.answers import MAX_REASON, Change, InsertHeader, Quarantine, Verdict
from gateway.wire.milter.reply_code import MAX_LINES

_LONGEST: Final = 480
"""Characters of a line: with every ``%`` said twice it is still within an MTA's limit."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Changes of the message, then the verdict on it."""

    verdict: Verdict | Reply
    changes: Sequence[Change] = ()


def answer_to(fate: Fate, custody: Custody) -> Answer:
    """What the MTA hears at the end of the message."""
    match fate:
        case Taken():
            return Answer(Verdict.DISCARD)
        case TurnedAway(reply):
            return Answer(refusal(reply, custody))
        case Left(fields):
            return Answer(Verdict.ACCEPT, _on_top(fields))
        case Quarantined(reason, fields):
            return Answer(Verdict.ACCEPT, (*_on_top(fields), Quarantine(_ascii(reason)[:MAX_REASON])))
        case _:
            assert_never(fate)


def refusal(reply: Reply, custody: Custody) -> Verdict | Reply:
    """The refusal of a command or a message; who only tags puts off what is our fault, and lets the rest pass."""
    if custody is Custody.TAG and reply.is_permanent:
        return Verdict.ACCEPT
    return fitting(reply)


def fitting(reply: Reply) -> Reply:
    """The same reply within the limits of REPLYCODE: ASCII, a status, and no more lines than are read."""
    lines = reply.lines if len(reply.lines) <= MAX_LINES else (*reply.lines[: MAX_LINES - 1], reply.lines[-1])
    status = reply.status or Status(reply.code // 100, 0, 0)
    return Reply(reply.code, status, tuple(_ascii(line)[:_LONGEST] for line in lines))


def _on_top(fields: Sequence[Add]) -> tuple[Change, ...]:
    return tuple(InsertHeader(0, one.name.encode(), b" " + one.value.encode()) for one in fields)


def _ascii(text: str) -> str:
    return "".join(char if " " <= char <= "~" else "?" for char in text)
