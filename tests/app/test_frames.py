"""Frames carry bytes whole, or say what is wrong."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.app.frames import FrameError, frame, read_frame


def fed(data: bytes) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    return reader


@given(st.lists(st.binary(max_size=300), max_size=5))
def test_what_is_framed_is_read_back_and_then_comes_the_end(payloads: list[bytes]) -> None:
    async def read_all() -> list[bytes]:
        reader = fed(b"".join(frame(payload) for payload in payloads))
        found: list[bytes] = []
        while (payload := await read_frame(reader, 300)) is not None:
            found.append(payload)
        return found

    assert asyncio.run(read_all()) == payloads


async def test_a_frame_above_the_limit_is_refused_by_its_length() -> None:
    with pytest.raises(FrameError, match="11 bytes, the limit is 10"):
        await read_frame(fed(frame(b"12345678901")), 10)
    assert await read_frame(fed(frame(b"1234567890")), 10) == b"1234567890"


@pytest.mark.parametrize("kept", [1, 3, 4, 7])
async def test_a_frame_that_is_cut_off_is_no_frame(kept: int) -> None:
    with pytest.raises(FrameError, match="middle"):
        await read_frame(fed(frame(b"abcdef")[:kept]), 100)
