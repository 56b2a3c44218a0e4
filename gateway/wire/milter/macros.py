"""The macros of one milter connection: the values that the MTA sends before a command, kept until they are outdated."""

from collections.abc import Mapping
from typing import Final

from gateway.wire.milter.packets import Command

# In the order of their commands, the last first: what a later one says of a name is newer.
_MESSAGE: Final = (
    Command.END_OF_MESSAGE,
    Command.BODY,
    Command.END_OF_HEADERS,
    Command.HEADER,
    Command.DATA,
    Command.RCPT,
    Command.MAIL,
)
_NEWEST_FIRST: Final = (Command.UNKNOWN, *_MESSAGE, Command.HELO, Command.CONNECT)


class MacroTable:
    """One page for each command; a page that comes replaces that command's and no other.

    An MTA that has nothing to say before a command may leave the page out: the page of the command before it (another
    recipient's, say) is then gone all the same.
    """

    __slots__ = ("_announced", "_pages")

    def __init__(self) -> None:
        self._pages: dict[Command, Mapping[str, bytes]] = {}
        self._announced: Command | None = None

    def put(self, command: Command, values: Mapping[str, bytes]) -> None:
        """Takes the page of the command that comes next."""
        self._pages[command] = values
        self._announced = command

    def command_came(self, command: Command) -> None:
        """The command itself: drops its page unless that came just before it."""
        if self._announced is not command:
            self._pages.pop(command, None)
        self._announced = None

    def end_message(self, ended_by: Command) -> None:
        """Forgets what belongs to a message, but for the page of the command that began another."""
        for command in _MESSAGE:
            if command is not ended_by:
                self._pages.pop(command, None)

    def clear(self) -> None:
        """Forgets all, for another client."""
        self._pages.clear()

    def get(self, name: str) -> bytes | None:
        """The newest value of a name, without its braces."""
        pages = (self._pages.get(command, {}) for command in _NEWEST_FIRST)
        return next((page[name] for page in pages if name in page), None)
