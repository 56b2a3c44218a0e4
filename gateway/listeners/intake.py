"""One message on its way from the wire into the flow: the first fault decides the reply, the rest is only drained.

Whatever the flow raises becomes a reply here, so that the session always reads on to the end of the content and
never takes content for commands.
"""

from collections.abc import Callable

from gateway.core.reply import Reply, reply
from gateway.core.scan import TooComplex
from gateway.flow.accept import Submission
from gateway.flow.custody import Fate, TurnedAway
from gateway.flow.ports import SpoolFull
from gateway.listeners import smtp_replies as replies


class Intake:
    """Takes blocks of at most 256 KiB, then finishes; ``fault`` is set by the first thing that went wrong."""

    __slots__ = ("_broken", "_room", "_submission", "fault")

    def __init__(self, submission: Submission, max_message: int, broken: Callable[[BaseException], None]) -> None:
        self._submission = submission
        self._room = max_message
        self._broken = broken
        self.fault: Reply | None = None

    def take(self, block: bytes) -> None:
        """Passes the block on; after a fault it is dropped."""
        if self.fault is not None or not block:
            return
        self._room -= len(block)
        if self._room < 0:
            self.fail(replies.TOO_LARGE)
            return
        try:
            self._submission.write(block)
        except Exception as error:
            self.fail(self._reply_to(error))

    def fail(self, fault: Reply) -> None:
        """Gives the message up, unless it was already; what was written is forgotten."""
        if self.fault is None:
            self.fault = fault
            self._submission.discard()

    async def finish(self) -> Reply:
        """The flow's answer, after which it is responsible if the answer is positive; or the fault."""
        if self.fault is not None:
            return self.fault
        try:
            return await self._submission.finish()
        except Exception as error:
            answer = self._reply_to(error)
            self.fail(answer)
            return answer

    async def decide(self) -> Fate:
        """What becomes of the message; a fault turns it away."""
        if self.fault is not None:
            return TurnedAway(self.fault)
        try:
            return await self._submission.decide()
        except Exception as error:
            answer = self._reply_to(error)
            self.fail(answer)
            return TurnedAway(answer)

    def discard(self) -> None:
        """Forgets the message: the client went away or changed its mind."""
        self._submission.discard()

    def _reply_to(self, error: Exception) -> Reply:
        match error:
            case SpoolFull():
                return replies.NO_ROOM
            case TooComplex():
                return reply(554, "5.6.0", str(error))
            case _:
                self._broken(error)
                return replies.BROKEN
