"""An MTA's side of one milter connection over a socket: it talks as Postfix does, and remembers every answer.

It holds the filter to what Postfix and Sendmail demand of it: `FilterBroke` is where they would hang up and use their
default action.
"""

import asyncio
import contextlib
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final

from tests.fakes import milter_packets as wire

# The bit by which a filter says that it gives no answer.
_NO_REPLY: Final = {
    b"C": 0x1000, b"H": 0x2000, b"M": 0x4000, b"R": 0x8000, b"T": 0x10000, b"U": 0x20000, b"L": 0x80, b"N": 0x40000,
    b"B": 0x80000, b"E": 0,
}  # fmt: skip
# The bit that a change has to be agreed by.
_CHANGES: Final = {
    b"h": 0x01, b"i": 0x01, b"b": 0x02, b"+": 0x04, b"-": 0x08, b"m": 0x10, b"q": 0x20, b"e": 0x40, b"2": 0x80,
}  # fmt: skip
_NO_UNKNOWN: Final = 0x100
_SKIP: Final = 0x400
_LEADING_SPACE: Final = 0x100000
_REPLY: Final = re.compile(
    rb"(?:([45]\d\d)-([45])\.\d{1,3}\.\d{1,3} [^\r\n\0]*\r\n)*([45]\d\d) ([45])\.\d{1,3}\.\d{1,3} [^\r\n\0]*\0"
)
_LONGEST: Final = 65_536

NoMacros: Final[Mapping[bytes, bytes]] = {}


class FilterBroke(Exception):
    """The filter said something for which an MTA hangs up."""


@dataclass(frozen=True)
class Answer:
    """What the filter said to one command: changes and PROGRESS first, the verdict's letter last."""

    to: bytes
    verdict: bytes
    text: str = ""
    changes: tuple[tuple[bytes, bytes], ...] = ()
    progress: int = 0

    @property
    def goes_on(self) -> bool:
        return self.verdict in (b"c", b"s", b"")


@dataclass
class MilterMta:
    """``answers`` holds all, in order; a command that wants no answer has one without verdict."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    offer: tuple[int, int, int] = wire.POSTFIX_OFFER
    patience: float = 10
    actions: int = 0
    steps: int = 0
    macros: dict[int, bytes] = field(default_factory=dict[int, bytes])
    answers: list[Answer] = field(default_factory=list[Answer])

    async def __aenter__(self) -> "MilterMta":
        try:
            await self.negotiate()
        except BaseException:
            await self._hang_up()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._hang_up()

    async def _hang_up(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()

    async def negotiate(self) -> None:
        """Offers, and keeps what was agreed on; ``macros`` is what the filter asked for, by stage."""
        await self._send(wire.offer(*self.offer))
        letter, payload = await self._packet()
        if letter != b"O" or len(payload) < 12:
            raise FilterBroke("the offer was not answered")
        version, self.actions, self.steps = struct.unpack("!III", payload[:12])
        _, actions, steps = self.offer
        if version != 6 or self.actions & ~actions or self.steps & ~steps:
            raise FilterBroke("the filter asks for what was not offered")
        self.macros = _symbol_lists(payload[12:])
        if self.macros and not self.actions & 0x100:
            raise FilterBroke("the filter asks for macros without having agreed to")

    async def client(self, host: bytes = b"pc.test", address: bytes = b"192.0.2.1", port: int = 12345) -> Answer:
        """A client comes, by IPv4 or, where the address has a colon, by IPv6."""
        family = b"6" if b":" in address else b"4"
        return await self.ask(wire.connect(host, family, port, address), {b"j": b"mx.test", b"{client_addr}": address})

    async def helo(self, name: bytes = b"pc.test", macros: Mapping[bytes, bytes] = NoMacros) -> Answer:
        return await self.ask(wire.helo(name), macros)

    async def unknown(self, line: bytes) -> Answer:
        if self.steps & _NO_UNKNOWN:
            return self._noted(Answer(b"U", b""))
        return await self.ask(wire.unknown(line), NoMacros)

    async def mail(self, path: bytes, *parameters: bytes, macros: Mapping[bytes, bytes] = NoMacros) -> Answer:
        return await self.ask(wire.mail(path, *parameters), macros)

    async def rcpt(self, path: bytes, *parameters: bytes) -> Answer:
        return await self.ask(wire.rcpt(path, *parameters), {b"{rcpt_addr}": path.strip(b"<>").lower()})

    async def data(self, queue_id: bytes = b"4F1") -> Answer:
        return await self.ask(wire.DATA, {b"i": queue_id})

    async def content(self, message: bytes, queue_id: bytes = b"4F1") -> Answer:
        """Header, body and end of a message with CRLF; the last answer, which is the message's."""
        head, _, body = message.partition(b"\r\n\r\n")
        macros = {b"i": queue_id}
        packets = [*map(self._header, _fields(head)), wire.END_OF_HEADERS, *wire.body(body)]
        for packet in packets:
            answer = await self.ask(packet, macros)
            if not answer.goes_on:
                return answer
            if answer.verdict == b"s":
                break
        return await self.ask(wire.end_of_message(), macros)

    async def message(self, sender: bytes, recipients: Sequence[bytes], message: bytes) -> Answer:
        """A whole message as one SMTP transaction has it, ABORT behind it included; recipients may be refused."""
        answer = await self._envelope(sender, recipients)
        if answer.goes_on:
            answer = await self.data()
        if answer.goes_on:
            answer = await self.content(message)
        await self.abort()
        return answer

    async def abort(self) -> None:
        await self._send(wire.ABORT)

    async def new_client(self) -> None:
        """What Sendmail says when it keeps the connection."""
        await self._send(wire.QUIT_NEW_CONNECTION)

    async def quit(self) -> None:
        """Says so and waits until the filter has hung up; it has no more to say."""
        await self._send(wire.QUIT)
        try:
            async with asyncio.timeout(self.patience):
                said = await self.reader.read(1)
        except TimeoutError as error:
            raise FilterBroke("the filter did not hang up") from error
        if said:
            raise FilterBroke("the filter answered QUIT")

    async def ask(self, packet: bytes, macros: Mapping[bytes, bytes]) -> Answer:
        """One command with its macros before it, and what comes back."""
        command = packet[4:5]
        await self._send(wire.macros(command, macros) + packet)
        if self.steps & _NO_REPLY[command]:
            return self._noted(Answer(command, b""))
        changes, progress = list[tuple[bytes, bytes]](), 0
        while True:
            letter, payload = await self._packet()
            if letter == b"p":
                progress += 1
            elif letter in _CHANGES:
                self._check_change(command, letter)
                changes.append((letter, payload))
            else:
                text = self._checked(command, letter, payload)
                return self._noted(Answer(command, letter, text, tuple(changes), progress))

    async def _envelope(self, sender: bytes, recipients: Sequence[bytes]) -> Answer:
        answer = await self.mail(sender)
        if not answer.goes_on:
            return answer
        answers = [await self.rcpt(recipient) for recipient in recipients]
        ended = [answer for answer in answers if answer.verdict in (b"a", b"d")]
        taken = [answer for answer in answers if answer.goes_on]
        return (ended or taken or answers)[0]

    def _header(self, line: bytes) -> bytes:
        name, _, value = line.partition(b":")
        value = value.replace(b"\r\n", b"\n")
        return wire.header(name, value if self.steps & _LEADING_SPACE else value.removeprefix(b" "))

    def _noted(self, answer: Answer) -> Answer:
        self.answers.append(answer)
        return answer

    def _check_change(self, command: bytes, letter: bytes) -> None:
        if command != b"E":
            raise FilterBroke("the filter changes a message that has not ended")
        if not self.actions & _CHANGES[letter]:
            raise FilterBroke("the filter makes a change that was not agreed on")

    def _checked(self, command: bytes, letter: bytes, payload: bytes) -> str:
        """The reply's text, without its marks, if the verdict has one."""
        if letter == b"y":
            return _reply(payload)
        if letter not in (b"c", b"a", b"r", b"t", b"d", b"s", b"4") or payload:
            raise FilterBroke(f"not a verdict: {letter!r}")
        if letter == b"s" and not (command == b"B" and self.steps & _SKIP):
            raise FilterBroke("that cannot be skipped")
        if letter == b"d" and command in (b"C", b"H"):
            raise FilterBroke("there is no message to discard")
        return ""

    async def _send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def _packet(self) -> tuple[bytes, bytes]:
        try:
            async with asyncio.timeout(self.patience):
                size = int.from_bytes(await self.reader.readexactly(4))
                if not 1 <= size <= _LONGEST:
                    raise FilterBroke(f"a packet of {size} bytes")
                packet = await self.reader.readexactly(size)
        except (asyncio.IncompleteReadError, ConnectionError, TimeoutError) as error:
            raise FilterBroke("no answer") from error
        return packet[:1], packet[1:]


async def milter_mta(host: str, port: int, offer: tuple[int, int, int] = wire.POSTFIX_OFFER) -> MilterMta:
    """Connects; ``async with`` negotiates, and hangs up at its end."""
    reader, writer = await asyncio.open_connection(host, port)
    return MilterMta(reader, writer, offer)


def _fields(head: bytes) -> list[bytes]:
    return re.split(rb"\r\n(?![\t ])", head) if head else []


def _reply(payload: bytes) -> str:
    """As the client of Postfix sees it: each ``%%`` is one."""
    if not _REPLY.fullmatch(payload) or payload.replace(b"%%", b"").count(b"%"):
        raise FilterBroke(f"malformed reply: {payload!r}")
    lines = payload[:-1].split(b"\r\n")
    if len({(line[:3], line[4:5]) for line in lines}) != 1 or lines[0][:1] != lines[0][4:5]:
        raise FilterBroke(f"codes that contradict each other: {payload!r}")
    return payload[:-1].replace(b"%%", b"%").decode()


def _symbol_lists(data: bytes) -> dict[int, bytes]:
    lists = dict[int, bytes]()
    while data:
        names, end, rest = data[4:].partition(b"\0")
        if not end:
            raise FilterBroke("a list of macros without its end")
        lists[int.from_bytes(data[:4])] = names
        data = rest
    return lists
