"""Every message survives its way through JSON, and nothing else is taken for one."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from gateway.app.messages import (
    ANSWER,
    FROM_WORKER,
    REQUEST,
    TO_WORKER,
    AskReload,
    AskStatus,
    Changed,
    Delete,
    Done,
    Health,
    Hold,
    NotDone,
    NotReloaded,
    Operate,
    Operated,
    Pick,
    Reload,
    Reroute,
    Retry,
    Running,
    Start,
    Stop,
)

PICKS = (Pick(queue_id="000-a", numbers=(0, 7)), Pick(queue_id="001-b"))
DELETE = Delete(picks=PICKS, reason="wrong person", operator="root")
REROUTE = Reroute(picks=PICKS, route="secure", reason="their host is down", operator="root")


@pytest.mark.parametrize(
    ("adapter", "message"),
    [
        (TO_WORKER, Start(slots=2, listeners=(5, 6), bundle=b"\x00\xff\n")),
        (TO_WORKER, Reload(bundle=b"")),
        (TO_WORKER, Stop(grace=2.5)),
        (TO_WORKER, Operate(number=1, operation=Retry(picks=PICKS, operator="root"))),
        (TO_WORKER, Operate(number=2, operation=DELETE)),
        (FROM_WORKER, Running(hash="ab")),
        (FROM_WORKER, NotReloaded(hash="ab", reason="why")),
        (FROM_WORKER, Health(shards=(0, 3), problem=None)),
        (FROM_WORKER, Operated(number=2, changed=0, problem="why")),
        (REQUEST, AskReload()),
        (REQUEST, AskStatus()),
        (REQUEST, DELETE),
        (REQUEST, REROUTE),
        (REQUEST, Hold(picks=PICKS, reason="stop", operator="root")),
        (ANSWER, Done(text="ok")),
        (ANSWER, Changed(recipients=3)),
        (ANSWER, NotDone(text="why")),
    ],
)
def test_a_message_comes_back_as_it_was(adapter: TypeAdapter[Any], message: object) -> None:
    assert adapter.validate_json(adapter.dump_json(message)) == message


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b'{"kind":"stop"}', b'{"kind":"done","text":"x"}', b"\xff"])
def test_anything_else_is_refused(text: bytes) -> None:
    with pytest.raises(ValidationError):
        TO_WORKER.validate_json(text)
