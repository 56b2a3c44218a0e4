"""The first match is told at once, further ones come as one digest, none is dropped, and none repeats the message."""

import email
import email.policy
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from gateway.core.conditions.logic import All
from gateway.core.conditions.outside import StarttlsIs
from gateway.core.digest import MOST_LINES, About, Line, Topic
from gateway.core.facts import Lookup
from gateway.core.policy import Reject, Rule, Send, Wishes
from gateway.core.record import EventKind, Kind
from gateway.core.template import Template
from gateway.core.tls import Starttls
from gateway.flow.accept import Profile
from gateway.flow.digests import Digests
from gateway.flow.leased import LEASE
from gateway.flow.options import Refusals
from gateway.flow.ports import Lease, Settlement, SpoolError, SpoolFull
from gateway.flow.tally import SLACK, WINDOW, Tally
from tests.fakes.carrying import UNKNOWN_USER, Ids
from tests.fakes.clock import START, settle
from tests.flow.gate import HOUR, MESSAGE, Gate, recipient, to, with_fields, with_rules

DPO, MANAGER, POSTMASTER = "dpo@council.example", "manager@council.example", "postmaster@council.example"
LATER = WINDOW + SLACK
TOPIC = Topic(about=About.RULE, rule="R", mailbox=DPO)
LINE = Line(at=START, queue_id="000-a", sender="a@b.example", recipient="c@d.example", why="because")


def telling(name: str, domain: str, *mailboxes: str) -> Rule:
    wishes = Wishes(notify=mailboxes)
    return Rule(name=name, when=to(domain), action=Send(("tls",)), advice=Template(""), wishes=wishes)


ASKS = All((to("asks.example"), StarttlsIs(Starttls.YES)))
POLICY = with_rules(
    telling("Watched", "watched.example", DPO),
    telling("Both", "both.example", DPO, MANAGER),
    replace(telling("Refused", "refused.example", DPO), action=Reject()),
    replace(telling("Late", "asks.example", DPO), when=ASKS, action=Send(("encrypted",))),
    Rule(name="Rest", when=None, action=Send(("tls",)), advice=Template("")),
)


def watched() -> Gate:
    return Gate(policy=POLICY)


def digests(gate: Gate) -> Digests:
    """The chore of a process."""
    return Digests(gate.spool, gate.shared, lambda entries: gate.dispatch.committed(entries))


def told(gate: Gate, mailbox: str) -> list[tuple[str, str]]:
    """Subject and plain text of each mail of ours that the mailbox got."""
    found: list[tuple[str, str]] = []
    for _, mail in gate.reports():
        parsed = email.message_from_bytes(mail, policy=email.policy.default)
        text = next(part for part in parsed.walk() if part.get_content_type() == "text/plain")
        if parsed["To"] == mailbox:
            found.append((parsed["Subject"], text.get_content()))
    return found


async def later(gate: Gate, chore: Digests, by: timedelta = LATER) -> None:
    """Lets time pass, and then one round of the chore."""
    await gate.clock.advance(by)
    await chore.send()
    await settle()


async def test_first_match_is_told_at_once_without_a_word_of_the_message() -> None:
    gate = watched()
    async with gate.running():
        await gate.hand_over("gp@watched.example", "vet@watched.example", "x@tls.example")
        await settle()
        ((subject, text),) = told(gate, DPO)
        assert subject == "A rule has matched: Watched"
        (queue_id,) = [m.queue_id for m, _ in gate.heard.accepted_rows if m.kind is Kind.RELAY]
        assert text.count(queue_id) == 2 and "gp@watched.example" in text and "vet@watched.example" in text
        assert "officer@council.example" in text and "x@tls.example" not in text
        mail = b"".join(mail for _, mail in gate.reports())
        assert b"planted" not in mail and b"The body" not in mail
    (notice,) = [message for message, _ in gate.heard.accepted_rows if message.kind is Kind.NOTICE]
    assert notice.origin is not None and notice.origin.queue_id == queue_id


async def test_five_more_are_one_digest_a_day_later_and_then_it_begins_again() -> None:
    gate = watched()
    async with gate.running():
        chore = digests(gate)
        for number in range(6):
            await gate.hand_over(f"gp{number}@watched.example")
        await later(gate, chore, LATER - timedelta(seconds=1))
        assert len(told(gate, DPO)) == 1, "its day is not over"
        await later(gate, chore, timedelta(seconds=1))
        _, (subject, text) = told(gate, DPO)
        assert subject == "A rule has matched again: Watched"
        assert "2 March 2026, 09:00 UTC: 5." in text
        assert [f"gp{number}@watched.example" in text for number in range(6)] == [False, *[True] * 5]
        await later(gate, chore, timedelta(days=3))
        assert len(told(gate, DPO)) == 2, "it is told once"
        await gate.hand_over("gp@watched.example")
        await settle()
        assert [subject for subject, _ in told(gate, DPO)[2:]] == ["A rule has matched: Watched"]


async def test_mailboxes_and_rules_have_their_own_first_and_digest() -> None:
    gate = watched()
    async with gate.running():
        chore = digests(gate)
        await gate.hand_over("gp@watched.example")
        await gate.hand_over("gp@both.example")
        await gate.hand_over("vet@both.example")
        await settle()
        assert (len(told(gate, DPO)), len(told(gate, MANAGER))) == (2, 1)
        await later(gate, chore)
        for mailbox in (DPO, MANAGER):
            *_, (_, text) = told(gate, mailbox)
            assert "vet@both.example" in text and "gp@both.example" not in text
        assert (len(told(gate, DPO)), len(told(gate, MANAGER))) == (3, 2)


async def test_restart_between_loses_nothing() -> None:
    gate = watched()
    async with gate.running():
        await gate.hand_over("gp0@watched.example")
        await gate.hand_over("gp1@watched.example")
    gate.reload(POLICY)
    async with gate.running():
        await gate.hand_over("gp2@watched.example")
        await later(gate, digests(gate))
        _, (_, text) = told(gate, DPO)
        assert "gp1@watched.example" in text and "gp2@watched.example" in text and "UTC: 2." in text


async def test_one_process_sends_and_another_takes_over() -> None:
    gate = watched()
    async with gate.running():
        one, other = digests(gate), digests(gate)
        await gate.hand_over("gp0@watched.example")
        await gate.hand_over("gp1@watched.example")
        await gate.clock.advance(LATER - timedelta(minutes=1))
        await one.send()
        await later(gate, other, timedelta(minutes=1))
        assert len(told(gate, DPO)) == 1, "the first one has the work"
        await later(gate, other, LEASE)
        assert len(told(gate, DPO)) == 2


async def test_digest_that_cannot_be_sent_is_tried_again_and_keeps_no_other_back() -> None:
    gate = watched()
    async with gate.running():
        chore = digests(gate)
        await gate.shared.tally.add(replace(TOPIC, mailbox="nobody"), [LINE])
        await gate.shared.tally.add(TOPIC, [LINE])
        gate.spool.refuse = SpoolError("the disk broke")
        await later(gate, chore)
        assert [where for where, _, _ in gate.heard.faults] == ["digest", "digest"]
        gate.spool.refuse = None
        await later(gate, chore, LEASE)
        assert len(told(gate, DPO)) == 1
        assert len(gate.heard.faults) == 3, "what has no mailbox is heard of"


async def test_refusal_in_the_session_is_told_too() -> None:
    gate = watched()
    async with gate.running():
        refused = await gate.hand_over("gp@refused.example", profile=Profile("smtp", Refusals.SESSION))
        await settle()
        assert refused.code == 550
        assert [subject for subject, _ in told(gate, DPO)] == ["A rule has matched: Refused"]


async def test_rule_that_matches_late_is_told_then_and_once() -> None:
    gate = watched()
    async with gate.running():
        await gate.hand_over("gp@asks.example")
        await settle()
        assert told(gate, DPO) == []
        gate.lookups.table[Lookup.STARTTLS, "asks.example"] = Starttls.YES
        await gate.clock.advance(HOUR)
        assert [subject for subject, _ in told(gate, DPO)] == ["A rule has matched: Late"]
        assert gate.transports["encrypted"].carried == ["gp@asks.example"]
        assert await gate.state.items("notify/more/", 10) == {}


async def test_late_match_of_mail_that_has_no_report_waits_for_nothing() -> None:
    refusing = replace(telling("Late", "asks.example", DPO), when=ASKS, action=Reject())
    gate = Gate(policy=with_rules(refusing, POLICY.rules[-1]))
    async with gate.running():
        await gate.hand_over("gp@asks.example", message=with_fields(b"Auto-Submitted: auto-generated"))
        gate.lookups.table[Lookup.STARTTLS, "asks.example"] = Starttls.YES
        await gate.clock.advance(HOUR)
        *_, ended = [event for event in await gate.audit(EventKind.ENDED) if event.address == "gp@asks.example"]
        assert [at for at, _ in gate.reports()] == [ended.at]


async def test_late_match_that_finds_no_room_for_its_mail_comes_with_the_digest() -> None:
    gate = watched()
    async with gate.running():
        await gate.hand_over("gp@asks.example")
        gate.lookups.table[Lookup.STARTTLS, "asks.example"] = Starttls.YES
        settled = gate.spool.settle

        async def full(lease: Lease, settlement: Settlement) -> None:
            if settlement.entries:
                raise SpoolFull("no room")
            await settled(lease, settlement)

        gate.spool.settle = full  # pyright: ignore[reportAttributeAccessIssue]
        await gate.clock.advance(HOUR)
        assert gate.transports["encrypted"].carried == ["gp@asks.example"] and told(gate, DPO) == []
        await later(gate, digests(gate))
        ((_, text),) = told(gate, DPO)
        assert "gp@asks.example" in text


async def test_state_that_fails_tells_each_at_once() -> None:
    gate = watched()
    async with gate.running():
        await gate.hand_over("gp0@watched.example")
        gate.state.failing = True
        for number in (1, 2):
            assert (await gate.hand_over(f"gp{number}@watched.example")).is_positive
        await settle()
        assert len(told(gate, DPO)) == 3
    assert [where for where, _, _ in gate.heard.faults] == ["notify", "notify"]


async def test_line_that_cannot_be_kept_is_told_at_once() -> None:
    gate = watched()

    async def fail(key: str, value: bytes, until: object) -> None:
        raise SpoolError("the test wants it so")

    async with gate.running():
        await gate.hand_over("gp0@watched.example")
        gate.state.put = fail  # pyright: ignore[reportAttributeAccessIssue]
        await gate.hand_over("gp1@watched.example")
        await settle()
        assert len(told(gate, DPO)) == 2
    assert [where for where, _, _ in gate.heard.faults] == ["notify"]


async def test_mailbox_that_is_none_stops_no_mail() -> None:
    gate = Gate(policy=with_rules(telling("Watched", "watched.example", "nobody"), POLICY.rules[-1]))
    async with gate.running():
        assert (await gate.hand_over("gp@watched.example")).is_positive
        await settle()
        assert gate.transports["tls"].carried == ["gp@watched.example"]
    assert [where for where, _, _ in gate.heard.faults] == ["notify"]


async def test_ends_that_nobody_was_told_of_come_daily_to_the_postmaster() -> None:
    gate = watched()
    gate.transports["tls"].script = lambda delivery, target, now: UNKNOWN_USER
    async with gate.running():
        chore = digests(gate)
        await gate.hand_over("robot@x.example", message=with_fields(b"Auto-Submitted: auto-generated"))
        await gate.hand_over("person@x.example")
        await gate.hand_over("gone@refused.example", message=with_fields(b"Auto-Submitted: auto-generated"))
        await settle()
        assert told(gate, POSTMASTER) == []
        await later(gate, chore)
        ((subject, text),) = told(gate, POSTMASTER)
        assert subject == "Mail that nobody was told of"
        assert "robot@x.example" in text and "gone@refused.example" in text and "person@x.example" not in text


async def test_our_own_mail_is_in_no_summary() -> None:
    gate = watched()
    gate.transports["tls"].script = lambda delivery, target, now: UNKNOWN_USER
    gate.transports["internal"].script = lambda delivery, target, now: UNKNOWN_USER
    async with gate.running():
        await gate.hand_over("person@x.example", recipient("quiet@x.example"))
        await settle()
        assert len(await gate.audit(EventKind.ENDED)) == 3
    assert await gate.state.items("notify/", 10) == {}


async def test_many_lines_are_counted_and_the_first_kept() -> None:
    gate = watched()
    for _ in range(3):
        await gate.shared.tally.add(TOPIC, [LINE] * 100)
    await gate.clock.advance(LATER)
    (due,) = await gate.shared.tally.due()
    assert (due.batch.count, len(due.batch.lines)) == (300, MOST_LINES)


async def test_very_long_lines_are_fewer_and_counted() -> None:
    gate = watched()
    long = replace(LINE, sender="\u20ac" * 320, recipient="\u20ac" * 320)
    await gate.shared.tally.add(TOPIC, [long] * 100)
    await gate.clock.advance(LATER)
    (due,) = await gate.shared.tally.due()
    assert due.batch.count == 100 and 10 <= len(due.batch.lines) < 100


async def test_writers_of_one_window_are_one_batch_and_other_values_none() -> None:
    gate = watched()
    ids = Ids()
    writers = [Tally(gate.state, gate.clock, ids) for _ in range(3)]
    for number, writer in enumerate(writers):
        await writer.add(TOPIC, [replace(LINE, queue_id=f"000-{number}")])
    await gate.state.put("notify/more/0/damaged", b"{}", START + 30 * WINDOW)
    await gate.clock.advance(LATER)
    (due,) = await writers[0].due()
    assert sorted(line.queue_id for line in due.batch.lines) == ["000-0", "000-1", "000-2"]
    await writers[0].forget(due)
    assert await writers[1].due() == ()


async def test_lines_of_one_window_wait_for_days() -> None:
    gate = watched()
    await gate.shared.tally.add(TOPIC, [LINE])
    await gate.clock.advance(timedelta(days=13))
    kept: Mapping[str, bytes] = await gate.state.items("notify/more/", 10)
    assert len(kept) == 1 and len(await gate.shared.tally.due()) == 1
    assert MESSAGE not in kept.values()


async def test_several_rules_of_one_message_are_one_mail_and_each_has_its_window() -> None:
    gate = watched()
    async with gate.running():
        await gate.hand_over("a@watched.example", "b@both.example", "c@both.example")
        await settle()
        ((_, text),) = told(gate, DPO)
        assert "has matched: Watched and Both." in text
        assert all(f"{who}.example" in text for who in ("a@watched", "b@both", "c@both"))
        ((_, other),) = told(gate, MANAGER)
        assert "has matched: Both." in other and "watched.example" not in other
        await gate.hand_over("d@watched.example")
        await settle()
        assert len(told(gate, DPO)) == 1
