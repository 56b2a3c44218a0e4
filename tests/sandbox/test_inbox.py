"""The inbox keeps the newest messages within its limits, and an arrival knows which message of the gateway's it is."""

import asyncio
from datetime import timedelta

import pytest

from gateway.sandbox.inbox import Inbox
from tests.sandbox.samples import QUEUE_ID, arrival, content


def test_the_newest_come_first_and_the_oldest_go_at_the_limit_of_messages() -> None:
    inbox = Inbox(max_messages=2)
    for _ in range(3):
        inbox.add(arrival(inbox.next_id()))
    assert [kept.id for kept in inbox.newest()] == ["000003", "000002"]
    assert inbox.get("000001") is None
    assert inbox.get("000002") is inbox.newest()[1]


def test_the_oldest_go_at_the_limit_of_bytes_and_the_newest_stays_whatever_its_size() -> None:
    inbox = Inbox(max_bytes=10)
    for size in (6, 4, 1):
        inbox.add(arrival(inbox.next_id(), data=b"x" * size))
    assert [kept.id for kept in inbox.newest()] == ["000003", "000002"]
    inbox.add(arrival(inbox.next_id(), data=b"x" * 11))
    assert [kept.id for kept in inbox.newest()] == ["000004"]
    inbox.add(arrival(inbox.next_id(), data=b"x" * 10))
    assert [kept.id for kept in inbox.newest()] == ["000005"]


async def test_waiting_ends_with_the_message_waited_for_and_not_with_another() -> None:
    inbox = Inbox()
    waiting = asyncio.ensure_future(inbox.wait(lambda box: bool(box.to("bob@x.example")), timedelta(seconds=10)))
    await asyncio.sleep(0)
    inbox.add(arrival(inbox.next_id(), to="alice@x.example"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not waiting.done()
    inbox.add(arrival(inbox.next_id(), to="bob@x.example"))
    await waiting
    with pytest.raises(TimeoutError):
        await inbox.wait(lambda box: bool(box.to("nobody@x.example")), timedelta(milliseconds=1))


@pytest.mark.parametrize(
    ("received", "expected"),
    [
        (f"by gateway id {QUEUE_ID}; today", QUEUE_ID),
        (f"by gateway\r\n\tid {QUEUE_ID}\r\n\tfor <alice@tls.example>; today", QUEUE_ID),
        ("by gateway; today", None),
        ("by gateway id 4XyZ0Q; today", None),
    ],
)
def test_the_queue_id_is_that_of_the_topmost_received_field_alone(received: str, expected: str | None) -> None:
    assert arrival(data=content(received=received)).queue_id == expected


def test_a_queue_id_in_the_body_is_none() -> None:
    assert arrival(data=b"Subject: x\r\n\r\nReceived: by gateway id 000-forged; today\r\n").queue_id is None
    assert arrival(data=b"Subject: x\r\n\r\nMessage-ID: <forged@x>\r\n").message_id == ""


def test_the_message_id_is_found_in_the_header() -> None:
    assert arrival().message_id == "<1@council.example>"
