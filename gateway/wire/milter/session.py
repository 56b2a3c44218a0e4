"""One milter conversation, version 6, on the filter's side (libmilter's API and mfdef.h, Postfix's MILTER_README).

Bytes in, events out; one verdict for each event that wants one, bytes out. The MTA waits for each answer, so nothing
is read ahead of it. Left out on purpose: what is done about an event, and time.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from gateway.core.reply import Reply
from gateway.wire.errors import LocalProtocolError
from gateway.wire.milter import negotiation
from gateway.wire.milter.answers import PROGRESS, Change, Verdict, action_of, change_packet
from gateway.wire.milter.decode import decode
from gateway.wire.milter.events import Event, Header, Macros
from gateway.wire.milter.macros import MacroTable
from gateway.wire.milter.negotiation import Agreement, Offer, Step, Terms
from gateway.wire.milter.order import Phase, ends_message, following
from gateway.wire.milter.packets import Command, PacketReader, packet
from gateway.wire.milter.reply_code import reply_code

# The step that takes the answer away; the end of a message has none.
_ANSWERED: Final[Mapping[Command, Step]] = MappingProxyType(
    {
        Command.CONNECT: Step.NR_CONN,
        Command.HELO: Step.NR_HELO,
        Command.MAIL: Step.NR_MAIL,
        Command.RCPT: Step.NR_RCPT,
        Command.DATA: Step.NR_DATA,
        Command.UNKNOWN: Step.NR_UNKN,
        Command.HEADER: Step.NR_HDR,
        Command.END_OF_HEADERS: Step.NR_EOH,
        Command.BODY: Step.NR_BODY,
        Command.END_OF_MESSAGE: Step(0),
    }
)
_NO_MESSAGE: Final = (Command.CONNECT, Command.HELO)
_END_MESSAGE: Final = (Command.HELO, Command.MAIL, Command.ABORT)


class MilterSession:
    """Call `feed`, then `next` until it gives None; after an event for which ``wants_answer``, answer first.

    A new HELO or MAIL ends the message under way as ABORT does; so do QUIT and QUIT_NEW_CONNECTION.
    """

    __slots__ = ("_due", "_macros", "_phase", "_reader", "_terms", "agreed")

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._reader = PacketReader()
        self._macros = MacroTable()
        self._phase = Phase.NEW
        self._due: Offer | Command | None = None
        self.agreed = Agreement()

    @property
    def wants_answer(self) -> bool:
        """Whether the MTA waits: after `Offer` for `agree`, else for `answer`."""
        return self._due is not None

    def macro(self, name: str) -> bytes | None:
        """The newest value of a macro, by its name without braces."""
        return self._macros.get(name)

    def feed(self, data: bytes) -> None:
        """Takes what arrived."""
        self._reader.feed(data)

    def next(self) -> Event | None:
        """The next event, None while its end has not come.

        Raises:
            RemoteProtocolError: the MTA broke the protocol. The session is of no use afterwards.
            LocalProtocolError: the last event has not been answered.
        """
        if self._due is not None:
            raise LocalProtocolError("the milter's last event has not been answered")
        taken = self._reader.next()
        if taken is None:
            return None
        self._phase = following(self._phase, taken.command)
        event = self._exact(decode(taken))
        self._keep_macros(taken.command, event)
        self._due = event if isinstance(event, Offer) else self._answered(taken.command)
        return event

    def agree(self) -> bytes:
        """The answer to an `Offer`.

        Raises:
            RemoteProtocolError: the MTA does not offer what the terms need; the text names it.
            LocalProtocolError: there is no offer to answer.
        """
        if not isinstance(self._due, Offer):
            raise LocalProtocolError("the MTA has made no offer")
        self.agreed = negotiation.agree(self._due, self._terms)
        self._due = None
        return negotiation.answer(self.agreed, self._terms)

    def answer(self, verdict: Verdict | Reply) -> bytes:
        """The answer to the last event; a `Reply` is given to the client as it is.

        Raises:
            LocalProtocolError: it wants none, or cannot be answered so; nothing has changed, another answer may follow.
        """
        command = self._awaited()
        if verdict is Verdict.SKIP and not (command is Command.BODY and Step.SKIP in self.agreed.steps):
            raise LocalProtocolError("only a body can be skipped, and only if that was agreed on")
        if verdict is Verdict.DISCARD and command in _NO_MESSAGE:
            raise LocalProtocolError("there is no message to discard")
        said = reply_code(verdict) if isinstance(verdict, Reply) else packet(verdict)
        self._due = None
        if ends_message(command, verdict):
            self._phase = Phase.READY
        return said

    def change(self, change: Change) -> bytes:
        """A change of the message, before the answer to its end.

        Raises:
            LocalProtocolError: not at the end of a message, not agreed on, or not well-formed.
        """
        self._demand_end()
        if action_of(change) not in self.agreed.actions:
            raise LocalProtocolError("such a change was not agreed on")
        return change_packet(change, leading_space=Step.HDR_LEADSPC in self.agreed.steps)

    def progress(self) -> bytes:
        """Asks for more time, at the end of a message; as often as it takes. Raises LocalProtocolError elsewhere."""
        self._demand_end()
        return PROGRESS

    def _awaited(self) -> Command:
        """The command that an answer is owed for."""
        if self._due is None or isinstance(self._due, Offer):
            raise LocalProtocolError("the MTA waits for no verdict")
        return self._due

    def _demand_end(self) -> None:
        """MTAs hang up on what comes anywhere else."""
        if self._due is not Command.END_OF_MESSAGE:
            raise LocalProtocolError("that can be said at the end of a message only")

    def _answered(self, command: Command) -> Command | None:
        """The command if it is to be answered."""
        without = _ANSWERED.get(command)
        return None if without is None or without & self.agreed.steps else command

    def _exact(self, event: Event) -> Event:
        """Without HDR_LEADSPC the MTA takes one space off each value; nearly always there was one."""
        if isinstance(event, Header) and Step.HDR_LEADSPC not in self.agreed.steps:
            return Header(event.name, b" " + event.value)
        return event

    def _keep_macros(self, command: Command, event: Event) -> None:
        if isinstance(event, Macros):
            self._macros.put(event.command, event.values)
            return
        self._macros.command_came(command)
        if command is Command.QUIT_NEW_CONNECTION:
            self._macros.clear()
        elif command in _END_MESSAGE:
            self._macros.end_message(command)
