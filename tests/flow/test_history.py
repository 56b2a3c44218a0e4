"""Whom somebody here wrote to, and what was refused: remembered behind the mail's back, as hashes only."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from gateway.core.address import parse_address
from gateway.core.conditions.history import FirstContact, ResentLower, refusal_id
from gateway.core.decision import Decision, Held, Open, Refused, Routed
from gateway.core.facts import Answer, Lookup, Missing, OutsideFact
from gateway.core.policy import Hold, Reject, Send
from gateway.core.record import EventKind, State
from gateway.core.tls import Starttls
from gateway.flow import history
from gateway.flow.accept import Profile
from gateway.flow.history import History
from gateway.flow.lookups import AllLookups
from gateway.flow.options import Refusals
from gateway.flow.ports import SpoolError
from tests.fakes.clock import settle
from tests.fixtures.build import rule
from tests.flow.gate import HOUR, KEY, MESSAGE, SENDER, Gate, to, with_fields, with_rules

ALICE, BOB = parse_address("alice@tls.example"), parse_address("bob@tls.example")
FORBIDDEN = parse_address("alice@forbidden.example")
DAY = 24 * HOUR
MONTH = 30 * DAY


@asynccontextmanager
async def remembering(gate: Gate) -> AsyncGenerator[None]:
    """With the task that writes."""
    task = asyncio.create_task(gate.shared.history.run())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def known(gate: Gate, *keys: str) -> list[bool]:
    found = await gate.shared.history.known(keys)
    return [fact.yes for key in keys if isinstance(fact := found[key], Answer)]


async def test_a_recipient_is_known_once_the_history_is_a_month_old() -> None:
    gate = Gate()
    async with remembering(gate):
        await gate.hand_over("alice@tls.example")
        await settle()
        assert await known(gate, ALICE.key, BOB.key) == [True, True]
        await gate.clock.advance(MONTH - timedelta(seconds=1))
        assert await known(gate, ALICE.key, BOB.key) == [True, True]
        await gate.clock.advance(timedelta(seconds=1))
        assert await known(gate, ALICE.key, BOB.key) == [True, False]
        found = await gate.shared.history.known([ALICE.key, BOB.key])
        assert found == {
            ALICE.key: Answer(True, "somebody here wrote to this address before, last on 2026-03-02"),
            BOB.key: Answer(False, "nobody here wrote to this address in the last 400 days"),
        }
        await gate.hand_over("Bob@TLS.example")
        await settle()
        assert await known(gate, BOB.key) == [True]


async def test_a_recipient_is_forgotten_after_400_days_without_mail_and_the_history_is_not() -> None:
    gate = Gate()
    async with remembering(gate):
        await gate.hand_over("alice@tls.example", "bob@tls.example")
        await gate.clock.advance(399 * DAY)
        await gate.hand_over("bob@tls.example")
        await gate.clock.advance(DAY)
        assert await known(gate, ALICE.key, BOB.key) == [False, True]


async def test_without_mail_no_history_begins() -> None:
    gate = Gate()
    assert await known(gate, ALICE.key) == [True]
    async with remembering(gate):
        # Our own report is no mail to somebody, and a refused recipient was not written to.
        await gate.hand_over("alice@forbidden.example")
        await settle()
    await gate.clock.advance(2 * MONTH)
    assert await gate.state.items("history/", 10) == {}
    assert await known(gate, ALICE.key, parse_address("officer@council.example").key) == [True, True]


async def test_only_hashes_are_kept_and_another_key_begins_anew() -> None:
    gate = Gate()
    async with remembering(gate):
        await gate.hand_over("alice@tls.example", "alice@forbidden.example")
        await settle()
    kept = await gate.state.items("", 100)
    assert len([key for key in kept if key.startswith("history/k/")]) == 1
    assert len([key for key in kept if key.startswith("refused/")]) == 1
    for text in ("alice", "example", "officer", "subject"):
        assert text not in repr(kept)
    await gate.clock.advance(MONTH)
    other = History(gate.state, gate.clock, b"another key", gate.heard)
    found = await other.known([BOB.key])
    assert found[BOB.key] == Answer(True, "the history is younger than 30 days, so everybody counts as known")


async def test_held_and_open_recipients_count_once_their_mail_is_on_its_way() -> None:
    gate = Gate()
    held, asks = parse_address("a@held.example"), parse_address("a@asks.example")
    async with remembering(gate), gate.running():
        await gate.hand_over("first@tls.example")
        await gate.clock.advance(MONTH)
        await gate.hand_over("a@held.example", "a@asks.example")
        await settle()
        assert await known(gate, held.key, asks.key) == [False, False]
        gate.lookups.table[Lookup.STARTTLS, "asks.example"] = Starttls.YES
        await gate.clock.advance(HOUR)
        assert await known(gate, held.key, asks.key) == [False, True]


async def test_a_refusal_is_remembered_for_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate()
    async with remembering(gate):
        await gate.hand_over("alice@forbidden.example", "bob@tls.example")
        await settle()
        [accepted, *_] = await gate.audit(EventKind.ACCEPTED)
        assert accepted.facts is not None
        mine = refusal_id(accepted.facts.fingerprint, FORBIDDEN, "controlled")
        others = [
            refusal_id(accepted.facts.fingerprint, FORBIDDEN, "public"),
            refusal_id(accepted.facts.fingerprint, BOB, "controlled"),
            refusal_id("another message", FORBIDDEN, "controlled"),
        ]
        found = await gate.shared.history.refused([mine, *others])
        assert found[mine] == Answer(True, "it was refused in the last 24 hours")
        assert [found[each] for each in others] == [Answer(False, "it was not refused in the last 24 hours")] * 3
        await gate.clock.advance(DAY)
        assert (await gate.shared.history.refused([mine]))[mine] == Answer(
            False, "it was not refused in the last 24 hours"
        )


async def test_mail_that_is_sent_again_at_a_lower_level_is_held() -> None:
    again = rule("Again, lower", ResentLower(("public", "controlled")), Hold())
    rules = (
        rule("Not there", to("forbidden.example"), Reject()),
        again,
        rule("Else", None, Send(("tls",))),
    )
    gate = Gate(policy=with_rules(*rules))
    gate.shared = replace(gate.shared, lookups=lookups_of(gate))
    gate.restart()
    async with remembering(gate):
        first = with_fields(b"X-Classification: controlled")
        lower = with_fields(b"X-Classification: public")
        await gate.hand_over("alice@forbidden.example", message=first)
        await settle()
        gate.policies[b"policy-2"] = second = replace(with_rules(*rules[1:]), hash="policy-2")
        gate.reload(second)
        await gate.hand_over("alice@forbidden.example", "bob@tls.example", message=lower)
        await gate.hand_over("alice@forbidden.example", message=first)
        await gate.hand_over("alice@forbidden.example", message=lower.replace(b"planted", b"other"))
    assert await decisions(gate) == [Refused, Held, Routed, Routed, Routed]


async def test_a_first_contact_is_held_and_a_second_is_not() -> None:
    gate = Gate(policy=with_rules(rule("New", FirstContact(), Hold()), rule("Else", None, Send(("tls",)))))
    gate.shared = replace(gate.shared, lookups=lookups_of(gate))
    gate.restart()
    async with remembering(gate):
        await gate.hand_over("alice@tls.example")
        await gate.clock.advance(MONTH)
        await gate.hand_over("alice@tls.example", "bob@tls.example")
        gate.state.failing = True
        await gate.hand_over("alice@tls.example")
    assert await decisions(gate) == [Routed, Routed, Held, Open]


async def decisions(gate: Gate) -> list[type[Decision]]:
    """Of relayed mail, whose sender our own goes to."""
    decided = [event for event in await gate.audit(EventKind.DECIDED) if event.address != str(SENDER)]
    return [type(event.decision) for event in decided if event.decision is not None]


def lookups_of(gate: Gate) -> AllLookups:
    async def nobody(key: str) -> OutsideFact:
        return Missing(key)

    ours = gate.shared.history
    return AllLookups(starttls=nobody, known=ours.known, resent=ours.refused, events=gate.heard)


async def test_a_memory_that_fails_costs_no_mail_and_is_written_again_after_a_pause() -> None:
    gate = Gate()
    async with remembering(gate):
        await gate.hand_over("first@tls.example")
        await settle()
        gate.state.failing = True
        assert (await gate.hand_over("alice@tls.example")).code == 250
        await settle()
        await gate.hand_over("bob@tls.example")
        await gate.clock.advance(timedelta(seconds=59))
        assert [where for where, _, _ in gate.heard.faults] == ["history"]
        with pytest.raises(SpoolError):
            await gate.shared.history.known([ALICE.key])
        gate.state.failing = False
        await gate.clock.advance(timedelta(seconds=1))
        await gate.clock.advance(MONTH)
        assert await known(gate, ALICE.key, BOB.key) == [False, True]


async def test_what_waits_is_limited_and_a_recipient_is_written_once_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MOST_WAITING", 3)
    gate = Gate()
    await gate.hand_over(*(f"r{number}@tls.example" for number in range(5)))
    assert await gate.shared.history.write()
    assert len(await gate.state.items("history/k/", 100)) == 3
    written: list[int] = []
    put_many = gate.state.put_many

    async def counting(values: dict[str, bytes], until: object) -> None:
        written.append(len(values))
        await put_many(values, gate.clock.now() + HOUR)

    gate.state.put_many = counting  # pyright: ignore[reportAttributeAccessIssue]
    await gate.hand_over("r0@tls.example")
    assert await gate.shared.history.write()
    assert written == []
    await gate.clock.advance(DAY)
    await gate.hand_over("r0@tls.example")
    assert await gate.shared.history.write()
    assert written == [1]


async def test_who_was_written_to_today_is_remembered_within_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MOST_WAITING", 3)
    gate = Gate()
    written: list[int] = []
    put_many = gate.state.put_many

    async def counting(values: dict[str, bytes], until: datetime) -> None:
        written.append(len([key for key in values if key.startswith("history/k/")]))
        await put_many(values, until)

    async def writes(*recipients: str) -> list[int]:
        written.clear()
        await gate.hand_over(*(f"{name}@tls.example" for name in recipients))
        assert await gate.shared.history.write()
        return [*written]

    gate.state.put_many = counting  # pyright: ignore[reportAttributeAccessIssue]
    assert (await writes("a", "b", "c"))[-1] == 3
    assert await writes("a", "b", "c") == []
    assert await writes("d") == [1]
    assert await writes("d", "a") == [2], "more than three are not remembered, so all are written again"
    assert await writes("d", "a") == []


async def test_what_was_refused_in_the_session_is_remembered_too() -> None:
    gate = Gate()
    answer = await gate.hand_over("alice@forbidden.example", message=MESSAGE, profile=Profile("smtp", Refusals.SESSION))
    assert answer.code == 550
    await gate.shared.history.write()
    assert len(await gate.state.items("refused/", 10)) == 1
    assert KEY not in repr(await gate.state.items("", 10)).encode()
    assert all(event.state is State.REFUSED for event in await gate.audit(EventKind.ENDED))
