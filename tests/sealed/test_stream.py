"""A sealed file gives back any range of what was written, and nothing at all of what was changed."""

import io
import os
import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sealed.keys import Damaged
from gateway.sealed.stream import CHUNK, SealReader, SealWriter, open_bytes, seal_bytes

KEY = b"k" * 32
HEADER = 17
SEALED_CHUNK = CHUNK + 16


def sealed(data: bytes, *cuts: int, key: bytes = KEY, about: bytes = b"p") -> bytes:
    file = io.BytesIO()
    writer = SealWriter(file, key, about)
    for start, end in pairwise([0, *sorted(cuts), len(data)]):
        writer.write(data[start:end])
    assert writer.finish() == len(data)
    return file.getvalue()


def opened(file: bytes, start: int = 0, end: int | None = None, key: bytes = KEY, about: bytes = b"p") -> bytes:
    return b"".join(SealReader(io.BytesIO(file), key, about).read(start, end))


SIZES = st.sampled_from([0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 7])


@given(SIZES, st.lists(st.integers(0, 3 * CHUNK), max_size=4), st.integers(0, 3 * CHUNK), st.integers(0, 3 * CHUNK))
def test_any_range_of_any_message_however_it_was_written(size: int, cuts: list[int], start: int, end: int) -> None:
    data = os.urandom(size)
    file = sealed(data, *(cut for cut in cuts if cut <= size))
    assert SealReader(io.BytesIO(file), KEY, b"p").size == size
    assert opened(file) == data
    assert opened(file, start, end) == data[start:end]
    assert opened(file, start) == data[start:]


@given(st.sampled_from([1, CHUNK, CHUNK + 1, 3 * CHUNK]), st.data())
def test_a_changed_byte_gives_nothing_of_its_chunk(size: int, data: st.DataObject) -> None:
    plain = os.urandom(size)
    file = bytearray(sealed(plain))
    at = data.draw(st.integers(0, len(file) - 1))
    file[at] ^= 0x40
    got = bytearray()
    with pytest.raises(Damaged):
        for block in SealReader(io.BytesIO(bytes(file)), KEY, b"p").read():
            got += block
    assert plain.startswith(bytes(got)) and len(got) <= max(0, at - HEADER) // SEALED_CHUNK * CHUNK


@pytest.mark.parametrize("keep", [0, 5, HEADER, HEADER + 3, HEADER + SEALED_CHUNK, HEADER + 2 * SEALED_CHUNK, -1])
def test_what_is_cut_off_is_noticed(keep: int) -> None:
    file = sealed(os.urandom(3 * CHUNK))
    with pytest.raises(Damaged):
        opened(file[:keep])
    with pytest.raises(Damaged):
        opened(file[:keep], 3 * CHUNK - 1)


def test_what_is_added_is_noticed_wherever_it_is_read() -> None:
    file = sealed(os.urandom(CHUNK))
    for more in (b"x", file[HEADER:]):
        for start in (0, CHUNK):
            with pytest.raises(Damaged):
                opened(file + more, start)


def test_chunks_cannot_change_places_be_left_out_or_come_from_another_file() -> None:
    one, other = sealed(b"a" * 3 * CHUNK), sealed(b"b" * 3 * CHUNK)
    chunks = [one[HEADER + n * SEALED_CHUNK : HEADER + (n + 1) * SEALED_CHUNK] for n in range(3)]
    for order in ([1, 0, 2], [0, 0, 2], [0, 2], [0, 1, 2, 2]):
        with pytest.raises(Damaged):
            opened(one[:HEADER] + b"".join(chunks[n] for n in order))
    mixed = one[: HEADER + SEALED_CHUNK] + other[HEADER + SEALED_CHUNK :]
    with pytest.raises(Damaged):
        opened(mixed)


def test_another_key_or_another_package_does_not_open_it() -> None:
    file = sealed(b"x" * 10)
    for key, about in ((b"j" * 32, b"p"), (KEY, b"q")):
        with pytest.raises(Damaged):
            opened(file, key=key, about=about)
    with pytest.raises(Damaged):
        opened(b"NO SUCH FORMAT" * 10)


def test_nothing_readable_is_written() -> None:
    assert b"MARKER" not in sealed(b"MARKER" * 50_000)


def test_memory_does_not_grow_with_the_message() -> None:
    class Nowhere(io.RawIOBase):
        def write(self, data: object) -> int:
            return 1

    writer, block = SealWriter(Nowhere(), KEY, b"p"), bytes(256 * 1024)  # pyright: ignore[reportArgumentType]
    tracemalloc.start()
    try:
        for _ in range(256):
            writer.write(block)
        assert writer.finish() == 64 * 1024 * 1024
        assert tracemalloc.get_traced_memory()[1] < 4 * 1024 * 1024
    finally:
        tracemalloc.stop()


@given(st.binary(max_size=300), st.binary(max_size=20))
def test_small_values(data: bytes, about: bytes) -> None:
    value = seal_bytes(KEY, data, about)
    assert open_bytes(KEY, value, about) == data
    for broken in (value[:-1], value[:5], b"", bytes([value[0] ^ 1]) + value[1:]):
        with pytest.raises(Damaged):
            open_bytes(KEY, broken, about)
    with pytest.raises(Damaged):
        open_bytes(KEY, value, about + b"!")
