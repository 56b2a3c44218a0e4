from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.record import QueueId
from gateway.core.result import FIELD, MOST, Result, read_result, result_field
from gateway.core.tls import Protection

KEY: Final = b"k" * 32
ID: Final = "<m@council.example>"
RESULT: Final = Result(queue_id=QueueId("000-abc.1_2"), mode="gate")


def value(*, level: str = "restricted", message_id: str = ID, key: bytes = KEY) -> bytes:
    field = result_field(RESULT, Protection.VERIFIED, level, message_id, key)
    assert field.name == FIELD
    return field.value.encode("ascii")


def test_it_says_what_an_mta_can_look_for_and_is_known_again() -> None:
    assert value().startswith(b"v1; 000-abc.1_2; gate; verified; restricted; ")
    assert read_result([b"forged", value()], ID, KEY) == RESULT
    assert str(RESULT) == "judged before as 000-abc.1_2 by a milter in mode gate"


@given(st.text(max_size=200), st.text(max_size=60))
def test_any_level_stands_in_one_line_and_comes_back(level: str, message_id: str) -> None:
    assert read_result([value(level=level, message_id=message_id)], message_id, KEY) == RESULT


@pytest.mark.parametrize(
    "values",
    [
        [],
        [b""],
        [value(key=b"x" * 32)],
        [value(message_id="<other@council.example>")],
        [value().replace(b"gate", b"tag")],
        [value().replace(b"verified", b"sealed")],
        [value() + b" "],
        [b"forged"] * MOST + [value()],
    ],
)
def test_what_is_forged_counts_for_nothing(values: list[bytes]) -> None:
    assert read_result(values, ID, KEY) is None
