"""The macros of one milter connection: the values that the MTA sends before a command, kept until they are outdated."""

from collections.abc import Mapping
from typing import Final

from gateway.wire.milter.packets import Command

_CLIENT: Final = (Command.CONNECT, Command.HELO)


class MacroTable:
    """One page for each command; a page that comes replaces that command's and no other.

    An MTA that has nothing to say before a command may leave the page out: the page of the command before it (another
    recipient's, say) is then gone all the same.
    """

    __slots__ = ("_announced", "_pages")

    def __init__(self) -> None:
        # In the order in which they came, which is not always that of a message: RCPT may come behind a refused DATA.
        self._pages: dict[Command, Mapping[str, bytes]] = {}
        self._announced: Command | None = None

    def put(self, command: Command, values: Mapping[str, bytes]) -> None:
        """Takes the page of the command that comes next."""
        self._pages.pop(command, None)
        self._pages[command] = values
        self._announced = command

    def command_came(self, command: Command) -> None:
        """The command itself: drops its page unless that came just before it."""
        if self._announced is not command:
            self._pages.pop(command, None)
        self._announced = None

    def end_message(self, ended_by: Command) -> None:
        """Keeps what belongs to the client, and the page of the command that began another message."""
        kept = (*_CLIENT, ended_by)
        self._pages = {command: page for command, page in self._pages.items() if command in kept}

    def clear(self) -> None:
        """Forgets all, for another client."""
        self._pages.clear()

    def get(self, name: str) -> bytes | None:
        """The newest value of a name, without its braces."""
        return next((page[name] for page in reversed(self._pages.values()) if name in page), None)
