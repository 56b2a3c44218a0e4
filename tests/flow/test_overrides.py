"""Refused, sent again with the token, delivered: once, by whom it was given to, with a reason."""

import asyncio
import email
import email.policy
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.core.address import NullPath, parse_address
from gateway.core.conditions.logic import All, AnyOf
from gateway.core.conditions.outside import StarttlsIs
from gateway.core.decision import Routed
from gateway.core.facts import Lookup
from gateway.core.marks import MAX_MARKS
from gateway.core.override import OverrideResult, token_id
from gateway.core.policy import Hold, Reject, Rule, Send
from gateway.core.record import EventKind, Kind, State
from gateway.core.template import Template
from gateway.core.tls import Protection, Starttls
from gateway.flow.accept import Profile
from gateway.flow.options import Refusals
from gateway.flow.ports import QueueFilter, SpoolError
from tests.fakes.clock import settle
from tests.flow.gate import HOUR, KEY, SENDER, Gate, to, with_fields, with_rules

GP, NURSE = "gp@guarded.example", "nurse@guarded.example"
SESSION = Profile("smtp", Refusals.SESSION)
ALL = QueueFilter(states=frozenset(State))
_MARK = re.compile(r"\[override: ([A-Z2-9-]{19}) your reason\]")


def rejecting(name: str, domain: str, *, overridable: bool = True) -> Rule:
    return Rule(name=name, when=to(domain), action=Reject(), advice=Template("Ask first."), overridable=overridable)


POLICY = with_rules(
    rejecting("Guarded", "guarded.example"),
    replace(rejecting("Guarded again", "guarded.example"), when=to(NURSE)),
    rejecting("Never", "never.example", overridable=False),
    replace(rejecting("Held", "held.example"), action=Hold()),
    replace(rejecting("Asks", "asks.example"), when=All((to("asks.example"), StarttlsIs(Starttls.NO)))),
    Rule(name="Controlled", when=None, action=Send(("tls",)), advice=Template("")),
)

ONE, TWO = "one@one.example", "two@two.example"
_OPEN = Rule(name="Controlled", when=None, action=Send(("tls",)), advice=Template(""))
HIDING = with_rules(
    rejecting("First", "two.example"),
    replace(rejecting("Behind", "one.example"), when=AnyOf((to("one.example"), to("two.example")))),
    _OPEN,
)
_ASKS_TWO = All((to("two.example"), StarttlsIs(Starttls.NO)))
HIDING_A_LOOKUP = with_rules(
    rejecting("First", "two.example"),
    replace(rejecting("Behind", "one.example"), when=AnyOf((to("one.example"), _ASKS_TWO))),
    _OPEN,
)


def guarded() -> Gate:
    return Gate(policy=POLICY)


def message(*tokens: str, reason: str = "she asked for it", message_id: str = "again") -> bytes:
    marks = " ".join(f"[override: {token} {reason}]" for token in tokens)
    text = with_fields(f"Subject: {marks} the planted subject".encode()).replace(
        b"Subject: the planted subject\r\n", b""
    )
    return text.replace(b"<original@", f"<{message_id}@".encode())


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def tokens_in(mail: bytes) -> list[str]:
    """The tokens of one mail of ours, each once, in order."""
    parsed = email.message_from_bytes(mail, policy=email.policy.default)
    text = next(part for part in parsed.walk() if part.get_content_type() == "text/plain")
    return list(dict.fromkeys(_MARK.findall(text.get_content())))


async def refused_tokens(gate: Gate, *recipients: str, again: bytes | None = None) -> list[str]:
    """Hands a message over and reads what the report about it offers."""
    before = len(gate.reports())
    assert (await gate.hand_over(*recipients, message=again or message())).is_positive
    await settle()
    return [token for _, mail in gate.reports()[before:] for token in tokens_in(mail)]


async def states(gate: Gate, message_id: str = "again") -> list[State]:
    """The states or ends of the recipients of the messages with that id, in the order of the audit."""
    accepted = await gate.audit(EventKind.ACCEPTED)
    ids = [event.queue_id for event in accepted if event.message_id == f"<{message_id}@council.example>"]
    ended = {(e.queue_id, e.recipient): e.state for e in await gate.audit(EventKind.ENDED)}
    decided = [(e.queue_id, e.recipient) for e in await gate.audit(EventKind.DECIDED)]
    return [ended.get(one) or State.HELD for one in dict.fromkeys(decided) if one[0] in ids]


def results(gate: Gate) -> list[OverrideResult]:
    return [result for _, _, result in gate.heard.overrides]


async def test_refused_message_goes_when_it_is_sent_again_with_its_token_and_a_reason() -> None:
    gate = guarded()
    async with gate.running():
        (token,) = await refused_tokens(gate, GP)
        await gate.hand_over(GP, message=message(token, message_id="second"))
        await settle()
        assert gate.transports["tls"].carried == [GP]
        assert await states(gate, "second") == [State.DELIVERED]
        ((_, delivery),) = gate.transports["tls"].deliveries
        assert b"override" not in delivery.header and b"Subject: the planted subject\r\n" in delivery.header
    (accepted,) = [e for e in await gate.audit(EventKind.ACCEPTED) if "second" in e.message_id]
    assert accepted.text == "override of Guarded by officer@council.example: she asked for it"
    assert accepted.facts is not None and accepted.facts.overridden == {"Guarded"}
    assert gate.heard.overrides == [("Guarded", "officer@council.example", OverrideResult.GRANTED)]


async def test_token_works_for_one_message_and_for_that_again_after_a_451() -> None:
    gate = guarded()
    async with gate.running():
        (token,) = await refused_tokens(gate, GP)
        gate.spool.refuse = SpoolError("the disk broke")
        with pytest.raises(SpoolError):
            await gate.hand_over(GP, message=message(token, message_id="second"))
        gate.spool.refuse = None
        for message_id in ("second", "third", "second"):
            await gate.hand_over(GP, message=message(token, message_id=message_id))
            await settle()
        assert gate.transports["tls"].carried == [GP, GP]
        assert await states(gate, "third") == [State.REPORTED]
        assert (other := tokens_in(gate.reports()[-1][1])) and other != [token]
    granted = OverrideResult.GRANTED
    assert results(gate) == [granted, granted, OverrideResult.USED, granted]


async def test_token_is_for_one_content_though_the_message_id_be_the_same() -> None:
    gate = guarded()
    async with gate.running():
        (token,) = await refused_tokens(gate, GP)
        first = message(token, message_id="second")
        others = (
            first.replace(b"The body.", b"Another secret."),
            first.replace(b"planted subject", b"planted secret"),
            first + b"More.\r\n",
            b"Comments: more\r\n" + first,
        )
        for one in (first, *others, b"Received: from a retry\r\nDKIM-Signature: anew\r\n" + first):
            await gate.hand_over(GP, message=one)
            await settle()
        assert gate.transports["tls"].carried == [GP, GP]
    granted, used = OverrideResult.GRANTED, OverrideResult.USED
    assert results(gate) == [granted, used, used, used, used, granted]


async def test_content_is_the_same_however_it_is_cut_into_blocks() -> None:
    gate = guarded()
    async with gate.running():
        (token,) = await refused_tokens(gate, GP)
        text = message(token, message_id="second")
        for size in (len(text), 1, 7):
            submission = gate.begin(GP)
            for start in range(0, len(text), size):
                submission.write(text[start : start + size])
            await submission.finish()
        await settle()
    assert results(gate) == [OverrideResult.GRANTED] * 3


async def test_of_two_messages_at_the_same_time_one_gets_the_token() -> None:
    gate = guarded()
    async with gate.running():
        (token,) = await refused_tokens(gate, GP)
        both, works = asyncio.Barrier(2), gate.state.put_if_absent

        async def together(key: str, value: bytes, until: datetime) -> bytes:
            await both.wait()
            return await works(key, value, until)

        gate.state.put_if_absent = together
        texts = (message(token), message(token).replace(b"The body.", b"Another secret."))
        await asyncio.gather(*(gate.hand_over(GP, message=text) for text in texts))
        await settle()
        assert gate.transports["tls"].carried == [GP]
    assert sorted(results(gate)) == [OverrideResult.GRANTED, OverrideResult.USED]


async def test_use_is_remembered_for_as_long_as_the_token_lives() -> None:
    gate = guarded()
    async with gate.running():
        (token,) = await refused_tokens(gate, GP)
        await gate.hand_over(GP, message=message(token, message_id="second"))
        await gate.clock.advance(72 * HOUR - timedelta(seconds=1))
        assert await refused_tokens(gate, GP, again=message(token, message_id="third")) != []
        assert gate.transports["tls"].carried == [GP]
    assert results(gate) == [OverrideResult.GRANTED, OverrideResult.USED]


async def test_message_without_an_id_never_comes_again() -> None:
    gate = guarded()
    async with gate.running():
        (token,) = await refused_tokens(gate, GP)
        text = message(token).replace(b"Message-ID: <again@council.example>\r\n", b"")
        await gate.hand_over(GP, message=text)
        await gate.hand_over(GP, message=text)
        await settle()
        assert gate.transports["tls"].carried == [GP]
    assert results(gate) == [OverrideResult.GRANTED, OverrideResult.USED]


async def test_token_is_over_after_three_days() -> None:
    gate = guarded()
    async with gate.running():
        (token,) = await refused_tokens(gate, GP)
        await gate.clock.advance(72 * HOUR - timedelta(seconds=1))
        (other,) = await refused_tokens(gate, GP)
        await gate.clock.advance(timedelta(seconds=1))
        assert await refused_tokens(gate, GP, again=message(token)) != []
        assert await refused_tokens(gate, GP, again=message(other)) == []
        assert gate.transports["tls"].carried == [GP]
    assert results(gate) == [OverrideResult.UNKNOWN, OverrideResult.GRANTED]


async def test_token_is_no_good_for_another_sender_recipient_or_reason() -> None:
    gate = guarded()
    async with gate.running():
        (token,) = await refused_tokens(gate, GP)
        await gate.hand_over(GP, message=message(token), sender=parse_address("clerk@council.example"))
        await gate.hand_over("vet@guarded.example", message=message(token))
        await gate.hand_over(GP, "vet@guarded.example", message=message(token))
        await gate.hand_over(GP, message=message(token, reason="no"))
        await gate.hand_over(GP, message=message(token[:-1] + ("A" if token[-1] != "A" else "B")))
        await settle()
        assert gate.transports["tls"].carried == []
        await gate.hand_over(GP, message=message(token))
        await settle()
        assert gate.transports["tls"].carried == [GP], "none of that has used it up"
    assert results(gate) == [
        OverrideResult.OTHER,
        OverrideResult.NOT_USED,
        OverrideResult.NOT_USED,
        OverrideResult.NO_REASON,
        OverrideResult.UNKNOWN,
        OverrideResult.GRANTED,
    ]


async def test_token_is_no_good_under_a_policy_that_allows_no_override_any_more() -> None:
    gate = guarded()
    async with gate.running():
        (token,) = await refused_tokens(gate, GP)
    first, *others = POLICY.rules
    gate.reload(replace(POLICY, rules=(replace(first, overridable=False), *others), hash="policy-2"))
    async with gate.running():
        assert await refused_tokens(gate, GP, again=message(token)) == []
        assert gate.transports["tls"].carried == []
    assert results(gate) == [OverrideResult.OTHER]


async def test_rule_that_allows_no_override_offers_none() -> None:
    gate = guarded()
    async with gate.running():
        assert await refused_tokens(gate, "gp@never.example") == []
        assert b"override" not in gate.reports()[-1][1]


async def test_second_rule_asks_for_its_own_token_and_leaves_the_first_unused() -> None:
    gate = guarded()
    async with gate.running():
        (first,) = await refused_tokens(gate, NURSE)
        (second,) = await refused_tokens(gate, NURSE, again=message(first))
        assert second != first and b"Guarded again" in gate.reports()[-1][1]
        await gate.hand_over(NURSE, message=message(first, second))
        await settle()
        assert gate.transports["tls"].carried == [NURSE]
    granted = OverrideResult.GRANTED
    assert results(gate) == [OverrideResult.NOT_USED, granted, granted]
    told = [event.text for event in await gate.audit(EventKind.ACCEPTED) if event.text.startswith("override")]
    assert told == [
        "override of Guarded by officer@council.example: she asked for it; "
        "override of Guarded again by officer@council.example: she asked for it"
    ]


async def test_one_token_is_for_all_whom_the_rule_stopped_and_for_fewer() -> None:
    gate = guarded()
    vet = "vet@guarded.example"
    async with gate.running():
        (token,) = await refused_tokens(gate, GP, vet, "sure@tls.example")
        await gate.hand_over(vet, "sure@tls.example", message=message(token))
        await settle()
        assert gate.transports["tls"].carried == ["sure@tls.example", vet, "sure@tls.example"]


async def test_two_tokens_together_name_everybody() -> None:
    gate = guarded()
    vet = "vet@guarded.example"
    async with gate.running():
        (one,) = await refused_tokens(gate, GP)
        (other,) = await refused_tokens(gate, vet)
        await gate.hand_over(GP, vet, message=message(one, other))
        await settle()
        assert sorted(gate.transports["tls"].carried) == [GP, vet]


async def test_token_lifts_no_rule_that_another_rule_only_hid() -> None:
    gate = Gate(policy=HIDING)
    async with gate.running():
        tokens = await refused_tokens(gate, ONE, TWO)
        assert len(tokens) == 2
        await gate.hand_over(ONE, TWO, message=message(*tokens, message_id="second"))
        await settle()
        assert gate.transports["tls"].carried == []
        assert results(gate) == [OverrideResult.NOT_USED] * 2
        (third,) = tokens_in(gate.reports()[-1][1])
        await gate.hand_over(ONE, TWO, message=message(*tokens, third, message_id="third"))
        await settle()
        assert sorted(gate.transports["tls"].carried) == [ONE, TWO], "now each rule's tokens name everybody"


async def test_token_still_serves_those_whom_no_hidden_rule_stops() -> None:
    gate = Gate(policy=HIDING)
    async with gate.running():
        one, two = await refused_tokens(gate, ONE, TWO)
        await gate.hand_over(ONE, TWO, message=message(one, message_id="second"))
        await settle()
        assert gate.transports["tls"].carried == [ONE]
        await gate.hand_over(ONE, TWO, message=message(two, message_id="third"))
        await settle()
        assert gate.transports["tls"].carried == [ONE]


_STOPPED = st.frozensets(st.sampled_from("abc"), min_size=1)
_UNNAMED = st.frozensets(st.sampled_from("abc"), max_size=1)


@given(st.lists(st.tuples(_STOPPED, _UNNAMED), min_size=2, max_size=3))
@example([(frozenset("c"), frozenset()), (frozenset("ac"), frozenset("c"))])
async def test_nobody_gets_past_a_rule_for_which_no_token_names_them(
    rules: list[tuple[frozenset[str], frozenset[str]]],
) -> None:
    """By rule, whom it stops, and whom of them its token does not name."""
    made = [
        replace(
            rejecting(f"R{number}", "x.example"), when=AnyOf(tuple(to(f"{one}@x.example") for one in sorted(stopped)))
        )
        for number, (stopped, _) in enumerate(rules)
    ]
    gate = Gate(policy=with_rules(*made, _OPEN))
    for number, (stopped, unnamed) in enumerate(rules):
        grant = {"rule": f"R{number}", "sender": str(SENDER), "until": str(gate.clock.now() + HOUR)}
        value = _json({**grant, "recipients": [parse_address(f"{one}@x.example").key for one in stopped - unnamed]})
        await gate.state.put("override/given/" + token_id(KEY, f"T{number}"), value, gate.clock.now() + HOUR)
    tokens = [f"T{number}" for number in range(len(rules))]
    await gate.hand_over(*(f"{one}@x.example" for one in "abc"), message=message(*tokens))
    ((_, rows), *_) = [one for one in gate.heard.accepted_rows if one[0].kind is Kind.RELAY]
    sent = {row.address.local for row in rows if isinstance(row.decision, Routed)}
    assert not any(sent & stopped & unnamed for stopped, unnamed in rules)
    if not any(stopped & unnamed for stopped, unnamed in rules):
        assert sent == set("abc")


async def test_hidden_rule_that_cannot_be_told_yet_is_not_lifted() -> None:
    gate = Gate(policy=HIDING_A_LOOKUP)
    need = Lookup.STARTTLS, "two.example"
    async with gate.running():
        tokens = await refused_tokens(gate, ONE, TWO)
        assert len(tokens) == 2
        await gate.hand_over(ONE, TWO, message=message(*tokens, message_id="second"))
        gate.lookups.table[need] = Starttls.NO
        await gate.clock.advance(HOUR)
        assert gate.transports["tls"].carried == []


async def test_rule_that_for_certain_stops_nobody_else_is_lifted() -> None:
    gate = Gate(policy=HIDING_A_LOOKUP)
    gate.lookups.table[Lookup.STARTTLS, "two.example"] = Starttls.YES
    async with gate.running():
        tokens = await refused_tokens(gate, ONE, TWO)
        await gate.hand_over(ONE, TWO, message=message(*tokens, message_id="second"))
        await settle()
        assert sorted(gate.transports["tls"].carried) == [ONE, TWO]


async def test_held_message_is_overridden_likewise() -> None:
    gate = guarded()
    async with gate.running():
        (token,) = await refused_tokens(gate, "gp@held.example")
        await gate.hand_over("gp@held.example", message=message(token))
        await settle()
        assert gate.transports["tls"].carried == ["gp@held.example"]
        assert await states(gate) == [State.HELD, State.DELIVERED]


async def test_recipient_without_a_token_keeps_the_rule_that_may_yet_stop_it() -> None:
    gate = guarded()
    asks = "gp@asks.example", "vet@asks.example"
    need = Lookup.STARTTLS, "asks.example"
    gate.lookups.table[need] = Starttls.NO
    async with gate.running():
        (token,) = await refused_tokens(gate, asks[0])
        del gate.lookups.table[need]
        await gate.hand_over(*asks, message=message(token))
        assert results(gate) == [OverrideResult.NOT_USED]
        gate.lookups.table[need] = Starttls.NO
        await gate.clock.advance(HOUR)
        assert gate.transports["tls"].carried == []
        del gate.lookups.table[need]
        await gate.hand_over(asks[0], message=message(token))
        await settle()
        assert gate.transports["tls"].carried == [asks[0]], "its one recipient is named: no lookup is waited for"


async def test_late_refusal_has_a_token_too() -> None:
    gate = guarded()
    async with gate.running():
        await gate.hand_over("gp@asks.example")
        gate.lookups.table[Lookup.STARTTLS, "asks.example"] = Starttls.NO
        await gate.clock.advance(HOUR)
        (token,) = tokens_in(gate.reports()[-1][1])
        await gate.hand_over("gp@asks.example", message=message(token))
        await settle()
        assert gate.transports["tls"].carried == ["gp@asks.example"]


async def test_refusal_in_the_session_names_the_token() -> None:
    gate = guarded()
    async with gate.running():
        refused = await gate.hand_over(GP, profile=SESSION)
        assert refused.code == 550
        (token,) = dict.fromkeys(_MARK.findall("\n".join(refused.lines)))
        assert (await gate.hand_over(GP, message=message(token), profile=SESSION)).is_positive
        await settle()
        assert gate.transports["tls"].carried == [GP]


async def test_mail_that_nobody_answers_gets_no_token() -> None:
    gate = guarded()
    text = with_fields(b"Auto-Submitted: auto-generated")
    refused = await gate.hand_over(GP, message=text, profile=SESSION)
    assert refused.code == 550 and not _MARK.search("\n".join(refused.lines))
    refused = await gate.hand_over(GP, sender=NullPath.NULL)
    assert refused.code == 550 and not _MARK.search("\n".join(refused.lines))


async def test_mailing_gets_no_token() -> None:
    gate = guarded()
    many = [f"gp{number}@guarded.example" for number in range(101)]
    async with gate.running():
        assert await refused_tokens(gate, *many) == []
        assert len(await refused_tokens(gate, *many[:100])) == 1


async def test_state_that_fails_gives_and_takes_no_token_and_nothing_else_fails() -> None:
    gate = guarded()
    async with gate.running():
        gate.state.failing = True
        assert await refused_tokens(gate, GP) == []
        gate.state.failing = False
        (token,) = await refused_tokens(gate, GP)
        gate.state.failing = True
        assert await refused_tokens(gate, GP, again=message(token)) == []
        gate.state.failing = False
        assert gate.transports["tls"].carried == []
        await gate.hand_over(GP, message=message(token))
        await settle()
        assert gate.transports["tls"].carried == [GP]
    assert results(gate) == [OverrideResult.UNAVAILABLE, OverrideResult.GRANTED]
    assert {where for where, _, _ in gate.heard.faults} == {"override"}


async def test_token_that_cannot_be_marked_as_used_is_not_used() -> None:
    gate = guarded()

    async def fail(key: str, value: bytes, until: object) -> bytes:
        raise SpoolError("the test wants it so")

    async with gate.running():
        (token,) = await refused_tokens(gate, GP)
        works = gate.state.put_if_absent
        gate.state.put_if_absent = fail  # pyright: ignore[reportAttributeAccessIssue]
        assert await refused_tokens(gate, GP, again=message(token)) != []
        gate.state.put_if_absent = works
        assert gate.transports["tls"].carried == []
    assert results(gate) == [OverrideResult.UNAVAILABLE]


async def test_what_is_kept_tells_neither_token_nor_reason() -> None:
    gate = guarded()
    async with gate.running():
        (token,) = await refused_tokens(gate, GP)
        await gate.hand_over(GP, message=message(token))
    kept = repr(dict(await gate.state.items("override/", 10)))
    assert kept.count("override/") == 2
    assert token not in kept and token.replace("-", "") not in kept and "she asked" not in kept


async def test_floor_holds_for_an_overridden_message() -> None:
    gate = guarded()
    async with gate.running():
        (token,) = await refused_tokens(gate, GP)
    await gate.hand_over(GP, message=message(token))
    rows = [item.row for item in await gate.spool.query(ALL, None, 20) if str(item.row.address) == GP]
    assert [row.decision.floor for row in rows] == [Protection.ENCRYPTED]


async def test_damaged_token_is_none() -> None:
    gate = guarded()
    async with gate.running():
        (token,) = await refused_tokens(gate, GP)
        (key,) = await _keys(gate, "override/given/")
        await gate.state.put(key, b'["of another form"]', gate.clock.now() + HOUR)
        await gate.hand_over(GP, message=message(token))
        await settle()
        assert gate.transports["tls"].carried == []
    assert results(gate) == [OverrideResult.UNKNOWN]


@pytest.mark.parametrize(
    "until", [b'"2999-01-01T00:00:00"', b"1e999", b"null", b'"\xff"', b'"2999-01-01T00:00:00+99:99"']
)
async def test_token_with_a_damaged_end_is_none(until: bytes) -> None:
    gate = guarded()
    async with gate.running():
        (token,) = await refused_tokens(gate, GP)
        (key,) = await _keys(gate, "override/given/")
        whole = (await gate.state.get(key)) or b""
        damaged = whole[: whole.index(b'"until":') + 8] + until + b"}"
        await gate.state.put(key, damaged, gate.clock.now() + HOUR)
        await gate.hand_over(GP, message=message(token))
    assert results(gate) == [OverrideResult.UNKNOWN]


@given(st.binary(max_size=200) | st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=5).map(_json))
async def test_whatever_is_kept_is_a_token_or_none(value: bytes) -> None:
    gate = guarded()
    await gate.state.put("override/given/" + token_id(KEY, "T"), value, gate.clock.now() + HOUR)
    assert (await gate.hand_over(GP, message=message("T"))).is_positive
    assert results(gate) == [OverrideResult.UNKNOWN]


async def test_mark_that_is_not_taken_out_does_not_work() -> None:
    gate = guarded()
    async with gate.running():
        (token,) = await refused_tokens(gate, GP)
        references = b"".join(b"[ref: %d]" % number for number in range(60))
        marks = b"".join(b"[override: T%d why]" % number for number in range(MAX_MARKS))
        text = message(token, message_id="second")
        await gate.hand_over(GP, message=text.replace(b"Subject: ", b"Subject: " + marks))
        await settle()
        assert gate.transports["tls"].carried == []
        await gate.hand_over(GP, message=text.replace(b"Subject: ", b"Subject: " + references))
        await settle()
        ((_, delivery),) = gate.transports["tls"].deliveries
        assert b"override" not in delivery.header and b"she asked" not in delivery.header
    assert results(gate)[-1] is OverrideResult.GRANTED


async def _keys(gate: Gate, prefix: str) -> Sequence[str]:
    return tuple(await gate.state.items(prefix, 10))
