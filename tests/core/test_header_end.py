"""The body begins where the scan says it does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.header_end import HeaderEnd
from gateway.core.scan import Scanner

PIECES = st.sampled_from([b"A: b", b"\r\n", b"\r\n\r\n", b"\r", b"\n", b" ", b"x"])


@given(st.lists(PIECES, max_size=12), st.integers(min_value=1, max_value=5))
def test_it_is_where_the_scan_finds_it_however_the_message_is_cut(pieces: list[bytes], size: int) -> None:
    message = b"".join(pieces)
    scanner, header = Scanner(), HeaderEnd()
    scanner.feed(message)
    body = b"".join([header.behind(message[at : at + size]) for at in range(0, len(message), size)])
    assert body == message[scanner.close().header_bytes :]


@pytest.mark.parametrize(
    ("message", "body"),
    [(b"A: b\r\n\r\nx\r\n\r\ny", b"x\r\n\r\ny"), (b"\r\nx", b"x"), (b"A: b\r\n", b""), (b"", b"")],
)
def test_first_empty_line_counts(message: bytes, body: bytes) -> None:
    assert HeaderEnd().behind(message) == body
