"""The payload of every milter command, byte by byte, and back through the MTA's own encoder."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.errors import RemoteProtocolError
from gateway.wire.milter.decode import decode
from gateway.wire.milter.events import (
    Abort,
    Body,
    Connect,
    Data,
    EndOfHeaders,
    EndOfMessage,
    Event,
    Header,
    Helo,
    Macros,
    MailFrom,
    Quit,
    QuitNewConnection,
    Recipient,
    SocketPath,
    Unknown,
)
from gateway.wire.milter.negotiation import Action, Offer, Step
from gateway.wire.milter.packets import Command, Packet, PacketReader
from tests.fakes import milter_packets as mta


def decoded(wire: bytes) -> Event:
    reader = PacketReader()
    reader.feed(wire)
    packet = reader.next()
    assert packet is not None
    assert reader.next() is None
    return decode(packet)


@pytest.mark.parametrize(
    ("letter", "payload", "event"),
    [
        ("O", bytes.fromhex("00000006 000001ff 001fffff"), Offer(6, Action(0x1FF), Step(0x1FFFFF))),
        ("O", bytes.fromhex("00000007 000003ff 701fffff aa"), Offer(7, Action(0x3FF), Step(0x701FFFFF))),
        ("D", b"C", Macros(Command.CONNECT, {})),
        ("D", b"Cj\0mx.test\0", Macros(Command.CONNECT, {"j": b"mx.test"})),
        (
            "D",
            b"M{auth_authen}\0\xc3\xbc\0{i}\0004F\0\xfc\0\0",
            Macros(Command.MAIL, {"auth_authen": b"\xc3\xbc", "i": b"4F", "ü": b""}),
        ),
        ("D", b"Ri\0one\0i\0two\0", Macros(Command.RCPT, {"i": b"two"})),
        ("C", b"[192.0.2.1]\0" + b"4\x30\x39192.0.2.1\0", Connect(b"[192.0.2.1]", IPv4Address("192.0.2.1"), 12345)),
        ("C", b"a.test\x006\0\x192001:db8::1\0", Connect(b"a.test", IPv6Address("2001:db8::1"), 25)),
        ("C", b"a.test\x006\0\x19IPv6:2001:db8::1\0", Connect(b"a.test", IPv6Address("2001:db8::1"), 25)),
        ("C", b"localhost\0L\0\0/run/mail\0", Connect(b"localhost", SocketPath(b"/run/mail"), 0)),
        ("C", b"localhost\0U", Connect(b"localhost", None, 0)),
        ("C", b"\0U", Connect(b"", None, 0)),
        ("H", b"pc.test\0", Helo(b"pc.test")),
        ("H", b"\0", Helo(b"")),
        ("M", b"<>\0", MailFrom(b"<>", ())),
        ("M", b"<A@x.test>\0SIZE=1\0BODY=8BITMIME\0", MailFrom(b"<A@x.test>", (b"SIZE=1", b"BODY=8BITMIME"))),
        ("R", b"<Exact@x.test>\0", Recipient(b"<Exact@x.test>", ())),
        ("R", b"<b@x.test>\0NOTIFY=NEVER\0", Recipient(b"<b@x.test>", (b"NOTIFY=NEVER",))),
        ("T", b"", Data()),
        ("U", b"XYZZY now\0", Unknown(b"XYZZY now")),
        ("L", b"Subject\0  two spaces\n\tfold\0", Header(b"Subject", b"  two spaces\n\tfold")),
        ("L", b"X\0\0", Header(b"X", b"")),
        ("L", b"X \0\r\n a\rb\0", Header(b"X ", b"\r\n a\rb")),
        ("N", b"", EndOfHeaders()),
        ("B", b"", Body(b"")),
        ("B", b"a\0\r", Body(b"a\0\r")),
        ("E", b"", EndOfMessage(b"")),
        ("E", b"last\r\n", EndOfMessage(b"last\r\n")),
        ("A", b"", Abort()),
        ("Q", b"", Quit()),
        ("K", b"", QuitNewConnection()),
    ],
)
def test_each_payload_is_read_to_the_last_byte(letter: str, payload: bytes, event: Event) -> None:
    assert decode(Packet(Command(letter), payload)) == event


@pytest.mark.parametrize(
    ("letter", "payload"),
    [
        ("O", bytes(11)),
        ("D", b""),
        ("D", b"Z"),
        ("D", b"\xff"),
        ("D", b"Cj\0"),
        ("D", b"Cj\0mx.test"),
        ("D", b"Cj\0mx.test\0i\0"),
        ("C", b""),
        ("C", b"a.test"),
        ("C", b"a.test\0"),
        ("C", b"a.test\0U\0"),
        ("C", b"a.test\x004"),
        ("C", b"a.test\x004\0\x19"),
        ("C", b"a.test\x004\0\x19192.0.2.1"),
        ("C", b"a.test\x004\0\x19192.0.2.1\0more\0"),
        ("C", b"a.test\x004\0\x19192.0.2\0"),
        ("C", b"a.test\x004\0\x19192.0.2.01\0"),
        ("C", b"a.test\x004\0\x192001:db8::1\0"),
        ("C", b"a.test\x004\0\x19\xd9\xa1.0.2.1\0"),
        ("C", b"a.test\x006\0\x19192.0.2.1\0"),
        ("C", b"a.test\x006\0\x19IPv4:::1\0"),
        ("C", b"a.test\x005\0\x19192.0.2.1\0"),
        ("H", b""),
        ("H", b"pc.test"),
        ("H", b"pc.test\0more\0"),
        ("M", b""),
        ("M", b"<>"),
        ("M", b"<>\0SIZE=1"),
        ("R", b""),
        ("R", b"<b@x.test>\0NOTIFY"),
        ("U", b""),
        ("U", b"XYZZY"),
        ("L", b""),
        ("L", b"Subject\0"),
        ("L", b"Subject\0 a"),
        ("L", b"Subject\0 a\0b\0"),
        ("L", b"\0 a\0"),
        ("L", b"Sub\nject\0 a\0"),
        ("L", b"Sub\rject\0 a\0"),
        ("L", b"Subject: a\0 b\0"),
        ("L", b" Subject\0 a\0"),
        ("L", b"\tSubject\0 a\0"),
        ("L", b" \0 a\0"),
        ("L", b"Subject\0 a\nBcc: b\0"),
        ("L", b"Subject\0 a\n\n body\0"),
        ("L", b"Subject\0 a\n\0"),
    ],
)
def test_what_does_not_fit_its_layout_is_refused_by_name(letter: str, payload: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match=Command(letter).name):
        decode(Packet(Command(letter), payload))


@pytest.mark.parametrize(
    ("header", "line"),
    [
        (Header(b"Subject", b"  two"), b"Subject:  two\r\n"),
        (Header(b"Subject", b""), b"Subject:\r\n"),
        (Header(b"A", b" b\n\tc\n d"), b"A: b\r\n\tc\r\n d\r\n"),
        (Header(b"A", b" b\r\n c"), b"A: b\r\n c\r\n"),
    ],
)
def test_a_header_is_the_line_of_the_message_again(header: Header, line: bytes) -> None:
    assert header.line() == line


texts = st.binary(max_size=12).map(lambda data: data.replace(b"\0", b""))
several = st.lists(texts, max_size=3)
numbers = st.integers(0, 2**32 - 1)


@given(numbers, numbers, numbers)
def test_offers_round_trip(version: int, actions: int, steps: int) -> None:
    assert decoded(mta.offer(version, actions, steps)) == Offer(version, Action(actions), Step(steps))


@given(st.sampled_from(Command), st.dictionaries(st.text("abc_", min_size=1), texts))
def test_macros_round_trip(command: Command, values: dict[str, bytes]) -> None:
    braced = {f"{{{name}}}".encode(): value for name, value in values.items()}
    assert decoded(mta.macros(command.encode(), braced)) == Macros(command, values)


@given(texts, st.ip_addresses(), st.integers(0, 65535))
def test_clients_round_trip(host: bytes, address: IPv4Address | IPv6Address, port: int) -> None:
    wire = mta.connect(host, str(address.version).encode(), port, str(address).encode())
    assert decoded(wire) == Connect(host, address, port)


@given(texts, several)
def test_commands_round_trip(text: bytes, parameters: list[bytes]) -> None:
    assert decoded(mta.helo(text)) == Helo(text)
    assert decoded(mta.mail(text, *parameters)) == MailFrom(text, tuple(parameters))
    assert decoded(mta.rcpt(text, *parameters)) == Recipient(text, tuple(parameters))
    assert decoded(mta.unknown(text)) == Unknown(text)


names = texts.map(lambda text: b"X" + text.translate(None, b"\r\n:"))
values = texts.map(lambda text: text.replace(b"\n", b"\n\t"))


@given(names, values, st.binary(max_size=40))
def test_content_round_trips(name: bytes, value: bytes, chunk: bytes) -> None:
    assert decoded(mta.header(name, value)) == Header(name, value)
    assert decoded(mta.end_of_message(chunk)) == EndOfMessage(chunk)


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 156_392])
def test_a_body_that_the_mta_cuts_is_whole_again(size: int) -> None:
    data = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    bodies = [decoded(wire) for wire in mta.body(data)]
    assert b"".join(body.chunk for body in bodies if isinstance(body, Body)) == data
    assert len(bodies) == -(-size // 65_535)


@given(st.sampled_from(Command), st.binary(max_size=60))
def test_any_payload_is_read_or_refused(command: Command, payload: bytes) -> None:
    try:
        decode(Packet(command, payload))
    except RemoteProtocolError as error:
        assert str(error).isprintable()
