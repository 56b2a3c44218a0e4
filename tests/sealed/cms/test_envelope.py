"""Sealed messages opened by `openssl cms`: every byte, with every kind of key and cipher, in constant memory."""

import tracemalloc
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.sealed.cms.entity import Entity
from gateway.sealed.cms.envelope import Content, Envelope
from gateway.sealed.cms.lines import Base64Lines
from tests.sealed.cms.people import Person, curve_key, described, opened, person, rsa_key

BOB = "bob@partner.example"
RSA = person(BOB, key=rsa_key())
P256 = person(BOB)
P384 = person(BOB, key=curve_key(ec.SECP384R1()))
P521 = person(BOB, key=curve_key(ec.SECP521R1()))
EVERYBODY = pytest.mark.parametrize("who", [RSA, P256, P384, P521], ids=["RSA", "P-256", "P-384", "P-521"])
BOTH = pytest.mark.parametrize("content", list(Content))


def sealed(who: Person, content: Content, data: bytes) -> bytes:
    envelope = Envelope(who.certificate, content, len(data))
    return envelope.start() + envelope.seal(data) + envelope.finish()


@pytest.mark.peer("openssl")
@EVERYBODY
@BOTH
def test_openssl_opens_it_and_names_the_cipher(who: Person, content: Content, tmp_path: Path) -> None:
    data = b"Content-Type: text/plain\r\n\r\nthe planted secret\r\n"
    der = sealed(who, content, data)
    assert b"planted" not in der
    assert opened(tmp_path, who, der, "DER") == data
    said = described(der)
    assert ("aes-256-gcm" in said, "aes-256-cbc" in said) == (content is Content.GCM, content is Content.CBC)
    assert ("authEnvelopedData" in said) is (content is Content.GCM)
    assert ("dhSinglePass-stdDH-sha256kdf-scheme" in said) is (who is not RSA)


@pytest.mark.peer("openssl")
@BOTH
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.binary(max_size=200), large=st.sampled_from([0, 15, 16, 65_536, 70_001]), blocks=st.integers(1, 9))
def test_every_byte_arrives_whatever_the_sizes(
    content: Content, data: bytes, large: int, blocks: int, tmp_path: Path
) -> None:
    data += bytes(large)
    envelope, step = Envelope(RSA.certificate, content, len(data)), len(data) // blocks + 1
    parts = [envelope.seal(data[start : start + step]) for start in range(0, len(data), step)]
    assert opened(tmp_path, RSA, b"".join([envelope.start(), *parts, envelope.finish()]), "DER") == data


@BOTH
def test_no_two_messages_are_alike(content: Content) -> None:
    first, second = (sealed(RSA, content, bytes(64)) for _ in range(2))
    assert first[-80:] != second[-80:]


@BOTH
def test_content_of_another_size_is_never_finished(content: Content) -> None:
    short = Envelope(RSA.certificate, content, 4)
    short.seal(b"abc")
    with pytest.raises(ValueError, match="less content"):
        short.finish()
    with pytest.raises(ValueError, match="more content"):
        Envelope(RSA.certificate, content, 4).seal(b"abcde")


@pytest.mark.peer("openssl")
def test_a_changed_byte_is_noticed_with_gcm(tmp_path: Path) -> None:
    der = bytearray(sealed(RSA, Content.GCM, bytes(100)))
    der[-40] ^= 1
    with pytest.raises(AssertionError, match=r"(?i)error"):
        opened(tmp_path, RSA, bytes(der), "DER")


# Base64 lines.


@given(st.lists(st.binary(max_size=200)))
def test_lines_are_the_same_whatever_the_blocks(blocks: list[bytes]) -> None:
    whole, pieces = Base64Lines(), Base64Lines()
    expected = whole.feed(b"".join(blocks)) + whole.finish()
    assert b"".join(map(pieces.feed, blocks)) + pieces.finish() == expected
    lines = expected.split(b"\r\n")
    assert lines.pop() == b""
    assert all(len(line) == 76 for line in lines[:-1])


# Streaming.


def bodies(*blocks: bytes) -> Entity:
    async def body() -> AsyncIterator[bytes]:
        for block in blocks:
            yield block

    return Entity(before=b"X: y\r\n\r\n", body=body, body_size=sum(map(len, blocks)))


async def test_an_entity_streams_its_parts_in_order() -> None:
    entity = bodies(b"abc", bytes(300_000), b"end")
    blocks = [block async for block in entity.blocks()]
    assert b"".join(blocks) == b"X: y\r\n\r\nabc" + bytes(300_000) + b"end"
    assert sum(map(len, blocks)) == entity.size


async def test_memory_stays_flat() -> None:
    block, count = bytes(64 * 1024), 1024

    async def body() -> AsyncIterator[bytes]:
        for _ in range(count):
            yield block

    entity = Entity(before=b"", body=body, body_size=count * len(block))
    size = 0
    tracemalloc.start()
    try:
        async for lines in entity.sealed(RSA.certificate, Content.GCM):
            size += len(lines)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size > 64 * 1024 * 1024 * 4 // 3
    assert peak < 8 * 1024 * 1024


async def test_a_body_that_breaks_off_is_closed_and_raises() -> None:
    closed = list[bool]()

    async def body() -> AsyncGenerator[bytes]:
        try:
            yield b"abc"
            raise OSError("the disk is gone")
        finally:
            closed.append(True)

    entity = Entity(before=b"", body=body, body_size=300)
    with pytest.raises(OSError, match="gone"):
        _ = [lines async for lines in entity.sealed(RSA.certificate, Content.CBC)]
    assert closed == [True]
