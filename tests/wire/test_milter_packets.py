"""Milter packets in any split, refused before they are waited for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.errors import LocalProtocolError, RemoteProtocolError
from gateway.wire.milter.packets import MAX_DATA, MAX_PAYLOAD, Command, Packet, PacketReader, packet


def read(data: bytes, size: int) -> list[Packet]:
    reader, packets = PacketReader(), list[Packet]()
    for start in range(0, len(data), size):
        reader.feed(data[start : start + size])
        while (one := reader.next()) is not None:
            packets.append(one)
    return packets


WIRE = bytes.fromhex(
    "0000000d 4f 00000006 000001ff 001fffff"
    "00000002 44 48"
    "00000009 48 70632e7465737400"
    "00000001 41"
    "00000004 42 0d0a2e"
    "00000001 51"
)
PACKETS = [
    Packet(Command.NEGOTIATE, bytes.fromhex("00000006 000001ff 001fffff")),
    Packet(Command.MACROS, b"H"),
    Packet(Command.HELO, b"pc.test\0"),
    Packet(Command.ABORT, b""),
    Packet(Command.BODY, b"\r\n."),
    Packet(Command.QUIT, b""),
]


@pytest.mark.parametrize("size", range(1, len(WIRE) + 1))
def test_packets_are_the_same_in_any_split(size: int) -> None:
    assert read(WIRE, size) == PACKETS


@pytest.mark.parametrize("command", Command)
def test_the_longest_packet_of_each_command_is_read_and_a_longer_one_is_not_waited_for(command: Command) -> None:
    longest = MAX_PAYLOAD[command]
    payload = b"x" * longest
    assert read((longest + 1).to_bytes(4) + command.encode() + payload, 1 << 16) == [Packet(command, payload)]
    with pytest.raises(RemoteProtocolError):
        read((longest + 2).to_bytes(4) + command.encode(), 1)


@pytest.mark.parametrize("length", ["00000000", "00100002", "7fffffff", "ffffffff"])
def test_an_impossible_length_is_refused_by_its_four_bytes(length: str) -> None:
    with pytest.raises(RemoteProtocolError, match="impossible length"):
        read(bytes.fromhex(length), 4)


@pytest.mark.parametrize("letter", [b"\0", b"o", b"c", b"y", b"Z", b"\xff"])
def test_a_command_that_does_not_exist_is_refused_by_its_letter(letter: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="does not exist"):
        read(b"\0\1\0\0" + letter, 5)


def test_an_error_stays_one() -> None:
    reader = PacketReader()
    reader.feed(b"\0\0\0\0")
    for _ in range(2):
        with pytest.raises(RemoteProtocolError):
            reader.next()
        reader.feed(WIRE)


@given(data=st.binary(max_size=200), size=st.integers(1, 9))
def test_any_bytes_are_read_or_refused(data: bytes, size: int) -> None:
    try:
        packets = read(data, size)
    except RemoteProtocolError:
        return
    said = b"".join((len(one.payload) + 1).to_bytes(4) + one.command.encode() + one.payload for one in packets)
    assert data.startswith(said)


def test_a_packet_of_ours_is_as_long_as_sendmail_reads_and_no_longer() -> None:
    assert packet("c") == bytes.fromhex("00000001 63")
    assert packet("h", b"a\0b\0") == bytes.fromhex("00000005 68 61006200")
    assert len(packet("h", bytes(MAX_DATA))) == 5 + MAX_DATA
    with pytest.raises(LocalProtocolError):
        packet("h", bytes(MAX_DATA + 1))


def test_how_much_is_waited_for() -> None:
    assert {command.value: most for command, most in MAX_PAYLOAD.items()} == {
        **dict.fromkeys("DHMRUBE", 65_535),
        **dict.fromkeys("TNAQK", 0),
        "O": 256,
        "C": 1024,
        "L": 1_048_576,
    }
