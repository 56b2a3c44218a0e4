import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.hop import FIELD, MAX_RECEIVED, Hop, hop_edit, is_loop, read_hop
from gateway.core.record import QueueId

KEY, ID = b"k" * 32, "<m@council.example>"
HOP = Hop(QueueId("000-abc.1_2"), ("tls", "encrypted"))


def value(hop: Hop, message_id: str = ID, key: bytes = KEY) -> bytes:
    return hop_edit(hop, message_id, key).value.encode()


def test_what_was_written_is_read_again() -> None:
    assert hop_edit(HOP, ID, KEY).name == FIELD
    assert read_hop((value(HOP),), ID, KEY) == HOP


NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}", fullmatch=True)


@given(st.lists(NAMES, min_size=1, max_size=3).map(tuple), st.text(max_size=60))
def test_any_route_name_and_message_id_comes_back(routes: tuple[str, ...], message_id: str) -> None:
    hop = Hop(QueueId("000-a"), routes)
    found = value(hop, message_id)
    assert b"\n" not in found and b"\r" not in found
    assert read_hop((found,), message_id, KEY) == hop


@pytest.mark.parametrize(
    "forged",
    [
        b"",
        b"v1; 000-abc; tls; " + b"0" * 64,
        value(HOP, key=b"x" * 32),
        value(HOP, message_id="<other@council.example>"),
        value(HOP).replace(b"encrypted", b"decrypted"),
        value(HOP).replace(b"v1", b"v2"),
        value(HOP) + b" ",
        value(HOP)[:-1],
        "v1; é; tls; ".encode() + b"0" * 64,
        b"v1; a; \xff; " + b"0" * 64,
    ],
)
def test_foreign_or_altered_field_does_not_count(forged: bytes) -> None:
    assert read_hop((forged,), ID, KEY) is None
    assert read_hop((forged, value(HOP)), ID, KEY) == HOP


def test_field_with_the_most_passes_counts() -> None:
    longer = Hop(QueueId("000-b"), (*HOP.routes, "internal"))
    assert read_hop((value(HOP), value(longer), value(HOP)), ID, KEY) == longer


@pytest.mark.parametrize(
    ("routes", "chosen", "received", "loop"),
    [
        (None, {"tls"}, 1, False),
        (None, {"tls"}, MAX_RECEIVED, False),
        (None, {"tls"}, MAX_RECEIVED + 1, True),
        (("encrypted",), {"tls"}, 2, False),
        (("encrypted",), {"tls", "encrypted"}, 2, True),
        (("a", "b"), {"tls"}, 2, False),
        (("a", "b", "c"), {"tls"}, 2, True),
    ],
)
def test_loop_is_a_route_taken_again_or_too_many_passes(
    routes: tuple[str, ...] | None, chosen: set[str], received: int, loop: bool
) -> None:
    hop = Hop(QueueId("000-a"), routes) if routes is not None else None
    assert is_loop(hop, frozenset(chosen), received) is loop
