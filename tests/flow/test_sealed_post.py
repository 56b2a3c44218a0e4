"""What the pages cause leaves by the way of its kind: protected as it must be, in its time, rather twice than never."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.core.address import NullPath, parse_address
from gateway.core.record import Entry, EventKind, Kind, Origin, QueueId
from gateway.core.sealed import OwnMail, PackageId
from gateway.core.tls import Protection
from gateway.flow.ports import QueueFilter, SealedStoreError, SpoolFull
from gateway.flow.sealed_post import AGAIN_AFTER, LEASE, MOST_AT_ONCE, SealedPost
from tests.fakes.clock import START, settle
from tests.flow.gate import Gate
from tests.flow.sealing import PORTAL, letters, sealing_gate, store_of

MAIL = OwnMail(
    kind=Kind.CODE,
    to=parse_address("ann@one.example"),
    text=b"From: x@council.example\r\nMessage-ID: <code-1@gw.council.example>\r\n\r\nYour code\r\n",
    reason="a code",
    message_id="code-1",
    package=PackageId("package-1"),
    number=2,
    queue_id=QueueId("000-abc"),
    until=START + timedelta(minutes=15),
)


class Committed:
    """What `on_commit` heard."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def __call__(self, entries: Sequence[Entry]) -> None:
        self.entries += entries


def post_of(gate: Gate, heard: Committed | None = None) -> SealedPost:
    return SealedPost(gate.spool, gate.shared, heard or Committed())


async def sent(mail: OwnMail) -> Entry:
    """What becomes of one mail."""
    gate, heard = sealing_gate(), Committed()
    await store_of(gate).post(mail)
    await post_of(gate, heard).send()
    (entry,) = heard.entries
    assert store_of(gate).waiting == {}
    assert [item.message.queue_id for item in await gate.spool.query(QueueFilter(), None, 10)] == [
        entry.message.queue_id
    ]
    assert [event.text for event in await gate.audit(EventKind.ACCEPTED)] == [mail.reason]
    assert [message for message, _ in gate.heard.accepted_rows] == [entry.message]
    return entry


@pytest.mark.parametrize(("protected", "floor"), [(True, Protection.VERIFIED), (False, Protection.NONE)])
async def test_a_code_is_as_protected_as_it_must_be_and_ends_with_its_time(protected: bool, floor: Protection) -> None:
    entry = await sent(replace(MAIL, protected=protected))
    (row,), message = entry.rows, entry.message
    assert (row.decision.floor, row.expires_at, row.deadline) == (floor, MAIL.until, MAIL.until)
    assert (message.kind, message.origin) == (Kind.CODE, Origin(QueueId("000-abc"), 2, Kind.CODE))
    assert (message.envelope.reverse_path, message.message_id) == (NullPath.NULL, "<code-1@gw.council.example>")
    assert message.body.inline == MAIL.text


async def test_mail_without_an_end_has_the_time_of_all_mail() -> None:
    (row,) = (await sent(replace(MAIL, kind=Kind.NOTICE, until=None))).rows
    assert row.expires_at == START + timedelta(days=5)


@pytest.mark.parametrize("message_id", ["r-1", "r-1@gw.council.example"])
async def test_a_reply_comes_from_the_portal_also_in_its_envelope(message_id: str) -> None:
    entry = await sent(replace(MAIL, kind=Kind.REPLY, until=None, message_id=message_id))
    assert entry.message.envelope.reverse_path == PORTAL.sender
    assert entry.message.message_id == "<r-1@gw.council.example>" and not entry.message.envelope.smtputf8


async def test_a_header_beyond_ascii_asks_for_smtputf8() -> None:
    entry = await sent(replace(MAIL, text=b"Reply-To: " + "grün@x.example".encode() + b"\r\n\r\nx\r\n"))
    assert entry.message.envelope.smtputf8
    assert not (await sent(replace(MAIL, text=b"A: b\r\n\r\n" + "grün\r\n".encode()))).message.envelope.smtputf8


async def test_a_code_that_is_over_is_forgotten() -> None:
    gate = sealing_gate()
    await store_of(gate).post(replace(MAIL, until=START))
    await post_of(gate).send()
    assert store_of(gate).waiting == {} and gate.heard.accepted_rows == []


async def test_one_bad_mail_stops_no_other_and_is_tried_again() -> None:
    gate, heard = sealing_gate(), Committed()
    await store_of(gate).post(replace(MAIL, text=b"no header"))
    await store_of(gate).post(MAIL)
    await post_of(gate, heard).send()
    assert len(heard.entries) == 1 and list(store_of(gate).waiting) == [1]
    for _ in range(2):
        assert [(where, queue_id) for where, queue_id, _ in gate.heard.faults] == [("sealed post", "")]
        await gate.clock.advance(AGAIN_AFTER / 3)
        await post_of(gate, heard).send()
    await gate.clock.advance(AGAIN_AFTER / 3)
    await post_of(gate, heard).send()
    assert len(gate.heard.faults) == 2 and len(heard.entries) == 1


async def test_bad_mails_in_front_do_not_keep_out_those_behind() -> None:
    gate, heard = sealing_gate(), Committed()
    for _ in range(MOST_AT_ONCE):
        await store_of(gate).post(replace(MAIL, text=b"no header"))
    await store_of(gate).post(MAIL)
    post = post_of(gate, heard)
    for count in (0, 1):
        await post.send()
        assert len(heard.entries) == count


async def test_without_room_all_of_it_waits() -> None:
    gate, heard = sealing_gate(), Committed()
    await store_of(gate).post(MAIL)
    await store_of(gate).post(MAIL)
    gate.spool.refuse = SpoolFull("no room")
    with pytest.raises(SpoolFull):
        await post_of(gate, heard).send()
    assert heard.entries == [] and len(store_of(gate).waiting) == 2 and gate.heard.faults == []


async def test_a_crash_before_the_store_hears_of_it_sends_it_twice() -> None:
    gate, heard = sealing_gate(), Committed()
    store = store_of(gate)
    await store.post(MAIL)

    async def dies(numbers: Sequence[int]) -> None:
        raise SealedStoreError("gone")

    store.posted = dies
    post = post_of(gate, heard)
    await post.send()
    del store.posted
    await gate.clock.advance(AGAIN_AFTER)
    await post.send()
    assert [entry.message.message_id for entry in heard.entries] == ["<code-1@gw.council.example>"] * 2
    assert store.waiting == {}


async def test_one_process_does_it_and_another_soon_after_that_is_gone() -> None:
    gate, first, second = sealing_gate(), Committed(), Committed()
    one, other = post_of(gate, first), post_of(gate, second)
    await one.send()
    await store_of(gate).post(MAIL)
    await other.send()
    assert second.entries == []
    await gate.clock.advance(LEASE)
    await other.send()
    assert (len(first.entries), len(second.entries)) == (0, 1)


async def test_without_a_store_there_is_nothing_to_do() -> None:
    gate = Gate()
    await post_of(gate).send()
    assert gate.heard.accepted_rows == []


async def test_it_leaves_by_the_route_of_its_kind() -> None:
    gate = sealing_gate()
    async with gate.running():
        await store_of(gate).post(MAIL)
        await SealedPost(gate.spool, gate.shared, gate.dispatch.committed).send()
        await settle()
        (mail,) = letters(gate)
        assert mail["Message-ID"] == "<code-1@gw.council.example>"
