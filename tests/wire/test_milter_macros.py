"""Which macro is seen when: one page for each command, the newest value of a name, nothing of another message."""

from gateway.wire.milter.macros import MacroTable
from gateway.wire.milter.packets import Command


def table(*pages: Command) -> MacroTable:
    """Pages that came before their commands, each with its own letter under its own name and under ``x``."""
    macros = MacroTable()
    for command in pages:
        macros.put(command, {command.value: b"here", "x": command.value.encode()})
        macros.command_came(command)
    return macros


def seen(macros: MacroTable) -> str:
    return "".join(letter for letter in "CHMRTLNBEU" if macros.get(letter) is not None)


CLIENT = (Command.CONNECT, Command.HELO)
MESSAGE = (
    Command.MAIL,
    Command.RCPT,
    Command.DATA,
    Command.HEADER,
    Command.END_OF_HEADERS,
    Command.BODY,
    Command.END_OF_MESSAGE,
)


def test_the_newest_value_of_a_name_is_taken() -> None:
    assert MacroTable().get("x") is None
    for count in range(1, 10):
        pages = (*CLIENT, *MESSAGE)[:count]
        assert table(*pages).get("x") == pages[-1].value.encode()


def test_what_came_last_is_the_newest_whatever_its_command() -> None:
    for pages in [(Command.UNKNOWN, Command.RCPT), (Command.DATA, Command.RCPT), (Command.RCPT, Command.DATA)]:
        assert table(*CLIENT, Command.MAIL, *pages).get("x") == pages[-1].value.encode()
    again = table(Command.RCPT, Command.UNKNOWN)
    again.put(Command.RCPT, {"x": b"again"})
    assert again.get("x") == b"again"


def test_a_page_replaces_that_of_its_command_and_no_other() -> None:
    macros = table(*CLIENT, Command.MAIL, Command.RCPT)
    macros.put(Command.RCPT, {"new": b"1"})
    assert macros.get("R") is None
    assert macros.get("new") == b"1"
    assert seen(macros) == "CHM"


def test_a_command_without_its_page_drops_the_one_before() -> None:
    macros = table(*CLIENT, Command.MAIL, Command.RCPT)
    macros.command_came(Command.RCPT)
    assert seen(macros) == "CHM"
    assert macros.get("x") == b"M"


def test_an_abort_forgets_the_message_and_keeps_the_client() -> None:
    macros = table(*CLIENT, *MESSAGE, Command.UNKNOWN)
    assert seen(macros) == "CHMRTLNBEU"
    macros.command_came(Command.ABORT)
    macros.end_message(Command.ABORT)
    assert seen(macros) == "CH"


def test_a_new_message_keeps_its_own_page_alone() -> None:
    macros = table(*CLIENT, *MESSAGE, Command.UNKNOWN)
    macros.put(Command.MAIL, {"M": b"second"})
    macros.command_came(Command.MAIL)
    macros.end_message(Command.MAIL)
    assert seen(macros) == "CHM"
    assert macros.get("M") == b"second"


def test_another_client_begins_with_none() -> None:
    macros = table(*CLIENT, Command.MAIL, Command.UNKNOWN)
    assert seen(macros) == "CHMU"
    macros.clear()
    assert seen(macros) == ""
