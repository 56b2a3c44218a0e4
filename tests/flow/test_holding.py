"""Held mail is known to whoever decides about it, and each decision is made once, by somebody who may."""

import email
import email.policy
import re
from collections.abc import Sequence
from dataclasses import replace

import pytest

from gateway.core.address import NullPath, parse_address
from gateway.core.conditions.logic import All
from gateway.core.conditions.outside import StarttlsIs
from gateway.core.facts import Lookup
from gateway.core.policy import Hold, Rule, Send
from gateway.core.record import Entry, EventKind, QueueId, State
from gateway.core.release_link import read_link
from gateway.core.template import Template
from gateway.core.tls import Starttls
from gateway.flow.holding import READABLE_FOR, newly_held
from gateway.flow.ports import Lease, OperatorChange, Settlement, SpoolFull
from gateway.flow.release import LONGEST_NOTE, give_back, is_own, read_note, release, shown
from tests.core.queued import FACTS, MESSAGE, ROW, with_envelope
from tests.fakes.clock import settle
from tests.flow.gate import HOUR, KEY, Gate, recipient, to, with_fields, with_rules

IG, DPO = "ig@council.example", "dpo@council.example"
URL = "https://desk.council.example"
ANN = "ann@council.example"


def holding(name: str, domain: str, role: str) -> Rule:
    return Rule(name=name, when=to(domain), action=Hold(role), advice=Template(""))


ASKS = All((to("asks.example"), StarttlsIs(Starttls.YES)))
RULES = (
    holding("Checked", "held.example", "ig"),
    holding("Private", "private.example", "dpo"),
    holding("Operators", "nobody.example", ""),
    replace(holding("Late", "asks.example", "ig"), when=ASKS),
    Rule(name="Rest", when=None, action=Send(("tls",)), advice=Template("")),
)
POLICY = replace(with_rules(*RULES), roles={"ig": parse_address(IG), "dpo": parse_address(DPO)})


def desked(url: str = URL) -> Gate:
    gate = Gate(policy=POLICY)
    gate.shared = replace(gate.shared, system=replace(gate.shared.system, desk_url=url))
    gate.restart()
    return gate


def letters(gate: Gate, mailbox: str) -> list[str]:
    """The plain text of each mail that the mailbox got."""
    found: list[str] = []
    for _, mail in gate.reports():
        parsed = email.message_from_bytes(mail, policy=email.policy.default)
        text = next(part for part in parsed.walk() if part.get_content_type() == "text/plain")
        if parsed["To"] == mailbox:
            found.append(text.get_content())
    return found


def first_id(gate: Gate) -> QueueId:
    return gate.heard.accepted_rows[0][0].queue_id


async def decide(gate: Gate, change: OperatorChange, *numbers: int) -> int:
    changed = await gate.spool.operate(first_id(gate), frozenset(numbers) if numbers else None, change)
    gate.dispatch.wake()
    await settle()
    return changed


async def test_each_role_has_one_letter_with_its_own_recipients_and_link() -> None:
    gate = desked()
    async with gate.running():
        await gate.hand_over("a@held.example", "b@held.example", "c@private.example", "d@nobody.example", "e@x.example")
        await settle()
        (ig,), (dpo,) = letters(gate, IG), letters(gate, DPO)
        assert "a@held.example, b@held.example" in ig and "c@private.example" not in ig
        assert "c@private.example" in dpo and "a@held.example" not in dpo
        for text, role in ((ig, "ig"), (dpo, "dpo")):
            assert "planted" not in text and "The body" not in text
            (path,) = re.findall(rf"{URL}/held/(\S+)", text)
            queue_id, token = path.split("/")
            link = read_link(queue_id, token, KEY, gate.clock.now())
            assert link is not None and (link.queue_id, link.role) == (first_id(gate), role)
            assert link.until == gate.clock.now() + gate.queue.hold_max + READABLE_FOR


async def test_without_a_desk_the_letter_has_no_link() -> None:
    gate = desked(url="")
    async with gate.running():
        await gate.hand_over("a@held.example")
        await settle()
        (text,) = letters(gate, IG)
        assert "ask the mail operators" in text and "https" not in text


async def test_a_letter_goes_for_mail_that_nobody_answers_too() -> None:
    gate = desked()
    async with gate.running():
        automatic = with_fields(b"Auto-Submitted: auto-generated")
        await gate.hand_over("a@held.example", message=automatic)
        await settle()
        assert len(letters(gate, IG)) == 1


async def test_a_role_that_went_is_an_alert_and_the_mail_stays_held() -> None:
    gate = desked()
    gate.reload(replace(POLICY, roles={"dpo": parse_address(DPO)}))
    async with gate.running():
        await gate.hand_over("a@held.example")
        assert [(name, queue_id) for name, queue_id, _ in gate.heard.alerts] == [("hold-untold", first_id(gate))]
        assert await gate.ends() == {}


async def test_a_letter_that_finds_no_room_refuses_the_message_for_now() -> None:
    gate = desked()
    commit = gate.spool.commit

    async def full(entries: Sequence[Entry]) -> None:
        if any("letter to ig" in event.text for entry in entries for event in entry.events):
            raise SpoolFull("no room")
        await commit(entries)

    gate.spool.commit = full  # pyright: ignore[reportAttributeAccessIssue]
    assert (await gate.hand_over("a@held.example")).code == 452
    assert (await gate.hand_over("e@x.example")).code == 250


async def test_a_late_hold_waits_until_its_letter_has_room() -> None:
    gate = desked()
    async with gate.running():
        await gate.hand_over(recipient("gp@asks.example"))
        gate.lookups.table[Lookup.STARTTLS, "asks.example"] = Starttls.YES
        settled, tries = gate.spool.settle, list[bool]()

        async def full(lease: Lease, settlement: Settlement) -> None:
            tries.append(bool(settlement.entries))
            if settlement.entries and len(tries) == 1:
                raise SpoolFull("no room")
            await settled(lease, settlement)

        gate.spool.settle = full  # pyright: ignore[reportAttributeAccessIssue]
        await gate.clock.advance(HOUR)
        assert tries[:3] == [True, False, True]
        (text,) = letters(gate, IG)
        assert "gp@asks.example" in text
        assert await decide(gate, release(ANN, gate.shared.planner, gate.clock.now(), role="ig")) == 1
        assert (await gate.ends())["gp@asks.example"] is State.DELIVERED


@pytest.mark.parametrize(
    ("before", "after", "newly"),
    [
        (State.OPEN, State.HELD, True),
        (State.HELD, State.HELD, False),
        (State.OPEN, State.QUEUED, False),
        (State.HELD, State.QUEUED, False),
    ],
)
def test_only_what_was_not_held_before_is_newly_held(before: State, after: State, newly: bool) -> None:
    assert newly_held(replace(ROW, state=before), replace(ROW, state=after)) is newly


async def test_a_role_decides_its_own_recipients_once() -> None:
    gate = desked()
    async with gate.running():
        await gate.hand_over("a@held.example", "c@private.example")
        change = release(ANN, gate.shared.planner, gate.clock.now(), role="ig", reason="asked")
        assert await decide(gate, change) == 1
        assert await gate.ends() == {"a@held.example": State.DELIVERED}
        assert await decide(gate, change) == 0
        assert await decide(gate, give_back(ANN, "no", gate.clock.now(), role="ig")) == 0
        assert await decide(gate, shown(ANN, gate.clock.now(), role="ig")) == 0
        (told,) = await gate.audit(EventKind.OPERATOR)
        assert (told.address, told.text) == ("a@held.example", f"released by {ANN} (ig): asked")


async def test_what_is_given_back_is_reported_at_once_with_the_note_and_cannot_be_released_any_more() -> None:
    gate = desked()
    async with gate.running():
        await gate.hand_over("a@held.example", "b@held.example")
        now = gate.clock.now()
        back = give_back(ANN, "Use the portal.", now, role="ig")
        change = release(ANN, gate.shared.planner, now)
        # Before the dispatcher comes to it.
        assert await gate.spool.operate(first_id(gate), frozenset({0}), back) == 1
        assert await gate.spool.operate(first_id(gate), frozenset({0}), change) == 0
        assert await gate.spool.operate(first_id(gate), frozenset({0}), back) == 0
        gate.dispatch.wake()
        await settle()
        assert await gate.ends() == {"a@held.example": State.REPORTED}
        assert gate.clock.now() == now
        *_, report = letters(gate, "officer@council.example")
        assert report.startswith("What to do: Use the portal.") and "b@held.example" not in report
        assert await decide(gate, change) == 1
        assert (await gate.ends())["b@held.example"] is State.DELIVERED


async def test_nobody_releases_their_own_but_may_take_it_back() -> None:
    gate = desked()
    async with gate.running():
        await gate.hand_over("a@held.example")
        own = "Officer@COUNCIL.example"
        assert await decide(gate, release(own, gate.shared.planner, gate.clock.now(), role="ig")) == 0
        assert await decide(gate, give_back(own, "My mistake.", gate.clock.now(), role="ig")) == 1
        assert await gate.ends() == {"a@held.example": State.REPORTED}


async def test_that_content_is_shown_is_recorded_and_changes_nothing() -> None:
    gate = desked()
    async with gate.running():
        await gate.hand_over("a@held.example", "b@held.example")
        assert await decide(gate, shown(ANN, gate.clock.now(), role="ig"), 1) == 1
        (told,) = await gate.audit(EventKind.OPERATOR)
        assert (told.address, told.text) == ("b@held.example", f"the content was shown to {ANN} (ig)")
        assert await gate.ends() == {}
        assert await decide(gate, shown(ANN, gate.clock.now(), role="dpo"), 1) == 0


@pytest.mark.parametrize(
    ("user", "own"),
    [
        ("officer@council.example", True),
        ("OFFICER@council.example", True),
        ("boss@council.example", True),
        ("secretary@council.example", True),
        ("ann@council.example", False),
        ("officer@other.example", False),
        ("officer", False),
    ],
)
def test_a_message_is_its_reverse_paths_its_froms_and_its_senders(user: str, own: bool) -> None:
    facts = replace(
        FACTS, header_from=("Boss@council.example", "not an address"), header_sender=("secretary@council.example",)
    )
    assert is_own(replace(MESSAGE, facts=facts), user) is own


def test_a_message_of_nobody_is_nobodys() -> None:
    assert not is_own(replace(with_envelope(reverse_path=NullPath.NULL), facts=None), "officer@council.example")


def test_a_note_is_one_printable_line_within_its_length() -> None:
    assert read_note("  Use\r\nthe\x00 portal\u202e.\t ") == "Use the portal ."
    assert read_note("x" * LONGEST_NOTE) == "x" * LONGEST_NOTE
    with pytest.raises(ValueError, match="the note has 501 characters, and 500 are the most"):
        read_note("x" * (LONGEST_NOTE + 1))
    with pytest.raises(ValueError, match="a note is needed"):
        read_note(" \n\x07")
