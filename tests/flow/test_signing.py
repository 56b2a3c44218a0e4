"""Mail leaves signed as its last byte stands, on every route that is not our own; and without a key as it came."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.core.outcome import Cause
from gateway.core.record import Kind, State
from gateway.core.route import Declared
from gateway.flow.deliveries import Deliveries
from gateway.flow.ports import Delivery, QueueFilter, Signer
from gateway.flow.unsigned import NoSigner
from gateway.signing.dkim import Dkim
from gateway.signing.keys import DkimKey
from gateway.spool.sqlite import SpoolParts, SqliteSpool
from tests.fakes.carrying import DELIVERED, UNKNOWN_USER, deferred
from tests.fakes.clock import settle
from tests.flow.gate import Gate, whole
from tests.flow.wishing import wishing
from tests.signing.keys import ED25519, MESSAGE, RSA, both, dkim_key, records
from tests.signing.verifying import opendkim, verdicts

ACCEPTED = {RSA: True, ED25519: True}
ALL = QueueFilter(states=frozenset(State))


def with_keys(gate: Gate, *keys: DkimKey) -> Gate:
    """The same gate with these keys."""
    return with_signer(gate, Dkim(keys, gate.clock))


def with_signer(gate: Gate, signer: Signer) -> Gate:
    gate.shared = replace(gate.shared, signer=signer)
    gate.restart()
    return gate


def sent(gate: Gate, route: str) -> list[bytes]:
    """What left by a route, as it left."""
    return [as_it_left(delivery) for _, delivery in gate.transports[route].deliveries]


def as_it_left(delivery: Delivery) -> bytes:
    return whole(delivery.header, delivery.body.inline or b"", delivery.body_offset)


async def test_message_leaves_signed_over_all_our_edits() -> None:
    gate = with_keys(Gate(), *both())
    message = b"Bcc: hidden@x.example\r\nX-Sealpost-Forged: 1\r\n" + MESSAGE
    async with gate.running():
        assert (await gate.hand_over("gp@tls.example", message=message)).is_positive
        await settle()
    (left,) = sent(gate, "tls")
    assert verdicts(left, records(*both())) == ACCEPTED
    assert left.startswith(b"DKIM-Signature:") and b"hidden@" not in left and b"X-Sealpost-Hop:" in left
    assert left.partition(b"\r\n\r\n")[2] == MESSAGE.partition(b"\r\n\r\n")[2]
    assert gate.heard.faults == []


@pytest.mark.peer("opendkim")
@pytest.mark.peer("root")
async def test_opendkim_accepts_what_left() -> None:
    gate = with_keys(Gate(), *both())
    async with gate.running():
        await gate.hand_over("gp@tls.example", message=MESSAGE)
        await settle()
    (left,) = sent(gate, "tls")
    assert opendkim(left, records(*both())) == ""
    assert "Bad signature" in opendkim(left.replace(b"body", b"bodies"), records(*both()))


async def test_what_stays_inside_is_not_signed() -> None:
    gate = with_keys(Gate(), *both())
    async with gate.running():
        await gate.hand_over("clerk@council.example", "gp@tls.example", message=MESSAGE)
        await settle()
    assert gate.routes["internal"].declared is Declared.INTERNAL
    assert [b"DKIM-Signature" in left for route in ("internal", "tls") for left in sent(gate, route)] == [False, True]


async def test_each_delivery_is_signed_with_its_own_edits() -> None:
    gate = with_keys(wishing(), *both())
    async with gate.running():
        await gate.hand_over("a@three.example", "b@two.example", message=MESSAGE)
        await settle()
    plain, tagged = sent(gate, "tls")
    assert b"[OFFICIAL]" in tagged and b"[OFFICIAL]" not in plain
    assert verdicts(plain, records(*both())) == verdicts(tagged, records(*both())) == ACCEPTED


async def test_next_attempt_signs_anew() -> None:
    gate = with_keys(Gate(), *both())
    outcomes = iter([deferred(Cause.REPLY_4XX), DELIVERED])
    gate.transports["tls"].script = lambda delivery, target, now: next(outcomes)
    async with gate.running():
        await gate.hand_over("gp@tls.example", message=MESSAGE)
        await gate.clock.advance(timedelta(hours=1))
    first, second = sent(gate, "tls")
    assert first[: first.index(b"b=")] != second[: second.index(b"b=")]
    assert verdicts(first, records(*both())) == verdicts(second, records(*both())) == ACCEPTED


async def test_without_a_key_for_its_author_a_message_leaves_as_it_came() -> None:
    gate = with_keys(Gate(), dkim_key(RSA))
    message = MESSAGE.replace(b"officer@council.example", b"officer@other.example")
    async with gate.running():
        await gate.hand_over("gp@tls.example", message=message)
        await settle()
    (left,) = sent(gate, "tls")
    assert b"DKIM-Signature" not in left and left.endswith(message)


async def test_nothing_is_hashed_without_a_key_and_a_key_that_comes_later_signs_only_later_mail() -> None:
    gate = Gate()
    await gate.hand_over("gp@tls.example", message=MESSAGE)
    with_keys(gate, *both())
    await gate.hand_over("later@tls.example", message=MESSAGE)
    kept = [item.message.body_hash for item in await gate.spool.query(ALL, None, 10)]
    assert [bool(body_hash) for body_hash in kept] == [False, True]
    async with gate.running():
        await settle()
    found = {str(d.targets[0].recipient.address): as_it_left(d) for _, d in gate.transports["tls"].deliveries}
    assert b"DKIM-Signature" not in found["gp@tls.example"]
    assert verdicts(found["later@tls.example"], records(*both())) == ACCEPTED


async def test_key_that_is_gone_signs_nothing_more() -> None:
    gate = with_keys(Gate(), *both())
    await gate.hand_over("gp@tls.example", message=MESSAGE)
    with_signer(gate, NoSigner())
    async with gate.running():
        await settle()
    assert (await gate.ends(), gate.heard.faults) == ({"gp@tls.example": State.DELIVERED}, [])
    assert b"DKIM-Signature" not in sent(gate, "tls")[0]


@dataclass
class Failing(Signer):
    """A signer with a bug."""

    error: Exception

    def wanted(self, domain: str) -> bool:
        return domain == "council.example"

    def sign(self, header: bytes, body_hash: str) -> bytes:
        raise self.error


async def test_signature_that_fails_is_our_fault_and_keeps_nothing_from_going() -> None:
    error = ValueError("a bug")
    gate = with_signer(Gate(), Failing(error))
    async with gate.running():
        await gate.hand_over("gp@tls.example", message=MESSAGE)
        await settle()
    assert await gate.ends() == {"gp@tls.example": State.DELIVERED}
    assert sent(gate, "tls")[0].endswith(MESSAGE)
    ((where, queue_id, found),) = gate.heard.faults
    assert (where, found) == ("dkim", error) and queue_id == gate.transports["tls"].deliveries[0][1].queue_id


@pytest.mark.parametrize("sizes", [[1], [7, 3], [64 * 1024]])
async def test_message_is_hashed_however_it_comes(sizes: Sequence[int]) -> None:
    gate = with_keys(Gate(), *both())
    submission, at, number = gate.begin("gp@tls.example"), 0, 0
    while at < len(MESSAGE):
        size = sizes[number % len(sizes)]
        submission.write(MESSAGE[at : at + size])
        at, number = at + size, number + 1
    async with gate.running():
        await submission.finish()
        await settle()
    assert verdicts(sent(gate, "tls")[0], records(*both())) == ACCEPTED


async def test_our_own_mail_is_signed_where_it_leaves() -> None:
    gate = Gate()
    key = dkim_key(RSA, "gw.council.example", "council.example")
    system = replace(gate.shared.system, routes={Kind.REPORT: "opportunistic", Kind.NOTICE: "internal"})
    gate.shared = replace(gate.shared, system=system)
    with_keys(gate, key)
    gate.transports["tls"].script = lambda delivery, target, now: UNKNOWN_USER
    async with gate.running():
        await gate.hand_over("gp@tls.example", message=MESSAGE)
        await settle()
    (report,) = sent(gate, "opportunistic")
    assert b"multipart/report" in report
    assert verdicts(report, records(key)) == {RSA: True}


async def test_our_own_mail_is_not_hashed_for_a_domain_without_a_key() -> None:
    gate = with_keys(Gate(), dkim_key(RSA, "elsewhere.example"))
    gate.transports["tls"].script = lambda delivery, target, now: UNKNOWN_USER
    async with gate.running():
        await gate.hand_over("gp@tls.example", message=MESSAGE)
        await settle()
    reports = [message for message, _ in gate.heard.accepted_rows if message.kind is Kind.REPORT]
    assert [message.body_hash for message in reports] == [""]


async def test_large_body_in_a_file_is_signed_too(tmp_path: Path) -> None:
    gate = with_keys(Gate(), *both())
    lines = b"".join(b"line %d\t of   a large body \r\n" % number for number in range(60_000))
    spool = await SqliteSpool.open(tmp_path, 0, SpoolParts(clock=gate.clock))
    try:
        gate.accept = type(gate.accept)(spool, gate.shared, lambda entries: None)
        submission = gate.begin("gp@tls.example")
        for start in range(0, len(MESSAGE + lines), 100_000):
            submission.write((MESSAGE + lines)[start : start + 100_000])
        assert (await submission.finish()).is_positive
        (item,) = await spool.query(ALL, None, 10)
        assert item.message.body.path is not None and item.message.body_hash
        await Deliveries(gate.shared, spool.bodies, item.message).attempt([item.row], gate.clock.now())
        ((_, delivery),) = gate.transports["tls"].deliveries
        stored = b"".join([bytes(block) async for block in spool.bodies.open(delivery.body)])
    finally:
        await spool.aclose()
    assert verdicts(whole(delivery.header, stored, delivery.body_offset), records(*both())) == ACCEPTED
