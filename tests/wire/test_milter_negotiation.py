"""What is agreed on is what both sides know; what is needed and not offered is named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.errors import RemoteProtocolError
from gateway.wire.milter.negotiation import Action, Agreement, MacroStage, Offer, Step, Terms, agree, answer

ALL = Offer(6, Action(0x1FF), Step(0x1FFFFF))
TERMS = Terms(
    needed_actions=Action.ADDHDRS | Action.QUARANTINE,
    needed_steps=Step.HDR_LEADSPC,
    wished_steps=Step.SKIP | Step.NR_HDR | Step.NOUNKNOWN,
    macros={MacroStage.CONNECT: ("j", "{client_addr}"), MacroStage.END_OF_MESSAGE: ("i",), MacroStage.HELO: ()},
)


def test_the_mta_is_asked_for_what_both_know() -> None:
    agreed = agree(ALL, TERMS)
    assert agreed == Agreement(
        Action.ADDHDRS | Action.QUARANTINE | Action.SETSYMLIST,
        Step.HDR_LEADSPC | Step.SKIP | Step.NR_HDR | Step.NOUNKNOWN,
    )
    assert answer(agreed, TERMS) == bytes.fromhex("0000002c 4f 00000006 00000121 00100580") + (
        b"\0\0\0\0j {client_addr}\0" + b"\0\0\0\5i\0" + b"\0\0\0\1\0"
    )


def test_what_is_only_wished_for_is_left_out_where_it_is_not_offered() -> None:
    agreed = agree(Offer(6, Action(0x21), Step(0x100080)), TERMS)
    assert agreed == Agreement(Action.ADDHDRS | Action.QUARANTINE, Step.HDR_LEADSPC | Step.NR_HDR)
    assert answer(agreed, TERMS) == bytes.fromhex("0000000d 4f 00000006 00000021 00100080")


def test_a_filter_that_asks_for_no_macros_takes_those_of_the_mta() -> None:
    agreed = agree(ALL, Terms())
    assert agreed == Agreement()
    assert answer(agreed, Terms()) == bytes.fromhex("0000000d 4f 00000006 00000000 00000000")


def test_a_later_version_is_answered_with_ours() -> None:
    assert answer(agree(Offer(7, Action(0xFFFF), Step(0x7FFFFFFF)), Terms()), Terms())[5:9] == b"\0\0\0\6"


@pytest.mark.parametrize(
    ("offer", "words"),
    [
        (Offer(2, Action(0x1FF), Step(0x1FFFFF)), "version 2, and 6 is needed"),
        (Offer(6, Action(0x01), Step(0x1FFFFF)), "needed: SMFIF_QUARANTINE"),
        (Offer(6, Action(0x20), Step(0)), "needed: SMFIF_ADDHDRS, SMFIP_HDR_LEADSPC"),
        (Offer(6, Action(0), Step(0)), "needed: SMFIF_ADDHDRS, SMFIF_QUARANTINE, SMFIP_HDR_LEADSPC"),
    ],
)
def test_what_is_needed_and_not_offered_is_named(offer: Offer, words: str) -> None:
    with pytest.raises(RemoteProtocolError, match=f"{words}$"):
        agree(offer, TERMS)


def test_bits_and_numbers_are_those_of_libmilter() -> None:
    assert {action.name: action.value for action in Action} == {"ADDHDRS": 1, "QUARANTINE": 32, "SETSYMLIST": 256}
    assert {step.name: step.value.bit_length() - 1 for step in Step} == {
        "NR_HDR": 7,
        "NOUNKNOWN": 8,
        "SKIP": 10,
        "RCPT_REJ": 11,
        "NR_CONN": 12,
        "NR_HELO": 13,
        "NR_MAIL": 14,
        "NR_RCPT": 15,
        "NR_DATA": 16,
        "NR_UNKN": 17,
        "NR_EOH": 18,
        "NR_BODY": 19,
        "HDR_LEADSPC": 20,
    }
    assert all(step.value.bit_count() == 1 for step in Step)
    stages = ["CONNECT", "HELO", "MAIL", "RCPT", "DATA", "END_OF_MESSAGE", "END_OF_HEADERS"]
    assert [stage.name for stage in sorted(MacroStage)] == stages
    assert sorted(MacroStage) == list(range(7))


flags = st.integers(0, 2**32 - 1)


@given(flags, flags, flags, flags, flags)
def test_nothing_is_agreed_on_that_one_side_does_not_know(
    actions: int, steps: int, needed_actions: int, needed_steps: int, wished: int
) -> None:
    terms = Terms(
        needed_actions=Action(needed_actions & actions),
        needed_steps=Step(needed_steps & steps),
        wished_steps=Step(wished),
        macros=TERMS.macros,
    )
    agreed = agree(Offer(6, Action(actions), Step(steps)), terms)
    assert not agreed.actions & ~actions
    assert not agreed.steps & ~steps
    assert terms.needed_actions in agreed.actions
    assert terms.needed_steps in agreed.steps
    assert not agreed.steps & ~(terms.needed_steps | wished)
