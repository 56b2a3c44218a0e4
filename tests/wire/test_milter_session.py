"""Whole milter conversations: what is told, what is to be answered and how, what may not come."""

from collections.abc import Iterable
from ipaddress import IPv4Address
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.reply import Reply, reply
from gateway.wire.errors import LocalProtocolError, RemoteProtocolError
from gateway.wire.milter.answers import AddHeader, InsertHeader, Quarantine, Verdict
from gateway.wire.milter.events import (
    Abort,
    Body,
    Connect,
    Data,
    EndOfHeaders,
    EndOfMessage,
    Event,
    Header,
    Helo,
    Macros,
    MailFrom,
    Quit,
    QuitNewConnection,
    Recipient,
)
from gateway.wire.milter.negotiation import Action, Offer, Step, Terms
from gateway.wire.milter.packets import Command
from gateway.wire.milter.session import MilterSession
from tests.fakes import milter_packets as mta
from tests.wire.milter_talk import (
    BODY,
    CHANGING,
    CONNECT,
    END,
    HEADER,
    HELO,
    MAIL,
    MESSAGE,
    NO,
    PLAIN,
    RCPT,
    SAMPLES,
    begun,
    events_of,
    waiting,
)

# As Postfix 3.7 says it: macros before each, HELO again inside TLS and an ABORT behind it and behind the message.
POSTFIX = b"".join(
    (
        mta.offer(),
        mta.macros(b"C", {b"j": b"mx.test", b"{client_addr}": b"192.0.2.1"}),
        CONNECT,
        mta.macros(b"H", {}),
        HELO,
        mta.ABORT,
        mta.macros(b"H", {b"{tls_version}": b"TLSv1.3"}),
        HELO,
        mta.ABORT,
        mta.macros(b"M", {b"{mail_addr}": b"a@x.test"}),
        MAIL,
        mta.macros(b"R", {b"{rcpt_addr}": b"b@x.test"}),
        RCPT,
        mta.macros(b"T", {b"i": b"4F1"}),
        mta.DATA,
        mta.macros(b"L", {b"i": b"4F1"}),
        HEADER,
        mta.macros(b"N", {b"i": b"4F1"}),
        mta.END_OF_HEADERS,
        mta.macros(b"B", {b"i": b"4F1"}),
        BODY,
        mta.macros(b"E", {b"i": b"4F1"}),
        END,
        mta.ABORT,
        mta.ABORT,
        mta.QUIT,
    )
)
TOLD = [
    Offer(6, Action(0x1FF), Step(0x1FFFFF)),
    Macros(Command.CONNECT, {"j": b"mx.test", "client_addr": b"192.0.2.1"}),
    Connect(b"pc.test", IPv4Address("192.0.2.1"), 12345),
    Macros(Command.HELO, {}),
    Helo(b"pc.test"),
    Abort(),
    Macros(Command.HELO, {"tls_version": b"TLSv1.3"}),
    Helo(b"pc.test"),
    Abort(),
    Macros(Command.MAIL, {"mail_addr": b"a@x.test"}),
    MailFrom(b"<a@x.test>", (b"SIZE=9",)),
    Macros(Command.RCPT, {"rcpt_addr": b"b@x.test"}),
    Recipient(b"<b@x.test>", ()),
    Macros(Command.DATA, {"i": b"4F1"}),
    Data(),
    Macros(Command.HEADER, {"i": b"4F1"}),
    Header(b"Subject", b"  two"),
    Macros(Command.END_OF_HEADERS, {"i": b"4F1"}),
    EndOfHeaders(),
    Macros(Command.BODY, {"i": b"4F1"}),
    Body(b"text\r\n"),
    Macros(Command.END_OF_MESSAGE, {"i": b"4F1"}),
    EndOfMessage(b""),
    Abort(),
    Abort(),
    Quit(),
]


def test_a_conversation_with_postfix_is_told_as_it_was_held() -> None:
    assert events_of(MilterSession(PLAIN), POSTFIX) == TOLD


@given(st.lists(st.integers(0, len(POSTFIX)), max_size=40))
def test_events_are_the_same_in_any_split(cuts: list[int]) -> None:
    session, events = MilterSession(PLAIN), list[Event]()
    for start, end in pairwise([0, *sorted(cuts), len(POSTFIX)]):
        events += events_of(session, POSTFIX[start:end])
    assert events == TOLD


def test_a_second_client_on_the_same_connection_needs_no_offer_and_has_no_macros_of_the_first() -> None:
    session = begun(mta.macros(b"C", {b"j": b"mx.test"}), CONNECT, HELO, *MESSAGE)
    assert session.macro("j") == b"mx.test"
    assert (
        events_of(session, mta.QUIT_NEW_CONNECTION + CONNECT + mta.unknown(b"XYZZY") + MAIL)[0] == QuitNewConnection()
    )
    assert session.macro("j") is None
    assert session.agreed.steps is Step.HDR_LEADSPC


def test_answers_as_they_are_sent() -> None:
    session = waiting(CONNECT, HELO, *MESSAGE)
    assert session.answer(NO) == b"\0\0\0\x0ey550 5.7.1 no\0"
    session.feed(MAIL)
    session.next()
    assert session.answer(Verdict.TEMPFAIL) == b"\0\0\0\1t"


def test_the_offer_is_answered_by_agreeing() -> None:
    session = MilterSession(PLAIN)
    with pytest.raises(LocalProtocolError):
        session.agree()
    session.feed(mta.offer())
    session.next()
    with pytest.raises(LocalProtocolError):
        session.answer(Verdict.CONTINUE)
    assert session.agree() == bytes.fromhex("0000000d 4f 00000006 00000000 00100000")
    assert not session.wants_answer
    with pytest.raises(LocalProtocolError):
        session.agree()


def test_an_mta_without_what_is_needed_is_told_in_words() -> None:
    session = MilterSession(PLAIN)
    session.feed(mta.offer(steps=0))
    session.next()
    with pytest.raises(RemoteProtocolError, match="SMFIP_HDR_LEADSPC"):
        session.agree()


def test_the_next_event_waits_for_the_answer() -> None:
    session = waiting(CONNECT + HELO)
    for _ in range(2):
        with pytest.raises(LocalProtocolError):
            session.next()
    session.answer(Verdict.CONTINUE)
    assert session.next() == Helo(b"pc.test")


@pytest.mark.parametrize("wire", [mta.macros(b"M", {}), mta.ABORT, mta.QUIT, mta.QUIT_NEW_CONNECTION])
def test_macros_and_what_ends_something_want_no_answer(wire: bytes) -> None:
    session = begun(CONNECT, HELO, MAIL)
    session.feed(wire)
    assert session.next() is not None
    assert not session.wants_answer
    with pytest.raises(LocalProtocolError):
        session.answer(Verdict.CONTINUE)


ANSWERED = {
    Step.NR_CONN: (CONNECT,),
    Step.NR_HELO: (CONNECT, HELO),
    Step.NR_MAIL: (CONNECT, MAIL),
    Step.NR_RCPT: (CONNECT, MAIL, RCPT),
    Step.NR_DATA: (CONNECT, *MESSAGE[:3]),
    Step.NR_HDR: (CONNECT, *MESSAGE[:4]),
    Step.NR_EOH: (CONNECT, *MESSAGE[:5]),
    Step.NR_BODY: (CONNECT, *MESSAGE[:6]),
    Step.NR_UNKN: (CONNECT, mta.unknown(b"XYZZY")),
}


@pytest.mark.parametrize("granted", [True, False])
@pytest.mark.parametrize("step", ANSWERED)
def test_a_step_without_reply_is_not_answered_if_it_was_granted(step: Step, granted: bool) -> None:
    *before, last = ANSWERED[step]
    session = MilterSession(Terms(wished_steps=step))
    events_of(session, b"".join((mta.offer(steps=step if granted else 0), *before)))
    session.feed(last)
    assert session.next() is not None
    assert session.wants_answer is not granted


def test_all_other_steps_are_answered_when_one_is_not() -> None:
    for step in ANSWERED:
        others = [one for one in ANSWERED if one is not step]
        for wires in (ANSWERED[one] for one in others):
            session = MilterSession(Terms(needed_steps=step))
            events_of(session, b"".join((mta.offer(), *wires[:-1])))
            session.feed(wires[-1])
            session.next()
            assert session.wants_answer


def test_the_end_of_a_message_is_answered_whatever_was_agreed_on() -> None:
    every = Step(sum(ANSWERED))
    session = MilterSession(Terms(needed_steps=every))
    events_of(session, b"".join((mta.offer(), CONNECT, *MESSAGE[:-1])))
    session.feed(END)
    session.next()
    assert session.wants_answer


@pytest.mark.parametrize("count", range(1, 10))
def test_only_a_body_can_be_skipped(count: int) -> None:
    wires = (CONNECT, HELO, *MESSAGE)[:count]
    session = waiting(*wires, terms=CHANGING)
    if wires[-1] is BODY:
        assert session.answer(Verdict.SKIP) == b"\0\0\0\1s"
        return
    with pytest.raises(LocalProtocolError):
        session.answer(Verdict.SKIP)
    assert session.wants_answer


def test_a_body_is_not_skipped_where_the_mta_cannot() -> None:
    session = waiting(CONNECT, *MESSAGE[:6])
    with pytest.raises(LocalProtocolError):
        session.answer(Verdict.SKIP)
    assert session.answer(Verdict.CONTINUE) == b"\0\0\0\1c"


@pytest.mark.parametrize("wires", [(CONNECT,), (CONNECT, HELO)])
def test_without_a_message_there_is_nothing_to_discard(wires: tuple[bytes, ...]) -> None:
    session = waiting(*wires)
    with pytest.raises(LocalProtocolError):
        session.answer(Verdict.DISCARD)
    assert session.answer(Verdict.ACCEPT) == b"\0\0\0\1a"


def test_an_answer_that_cannot_be_built_leaves_room_for_another() -> None:
    session = waiting(CONNECT, *MESSAGE)
    with pytest.raises(LocalProtocolError):
        session.answer(reply(250, "2.0.0", "fine"))
    assert session.answer(Verdict.TEMPFAIL) == b"\0\0\0\1t"


CHANGES = (AddHeader(b"X", b" a"), InsertHeader(0, b"X", b" a"), Quarantine("a"))


def test_a_message_is_changed_at_its_end_and_then_judged() -> None:
    session = waiting(CONNECT, *MESSAGE, terms=CHANGING)
    assert [session.change(change)[4:5] for change in CHANGES] == [b"h", b"i", b"q"]
    assert session.progress() == session.progress() == b"\0\0\0\1p"
    assert session.wants_answer
    assert session.answer(Verdict.CONTINUE) == b"\0\0\0\1c"
    for change in CHANGES:
        with pytest.raises(LocalProtocolError):
            session.change(change)
    with pytest.raises(LocalProtocolError):
        session.progress()


@pytest.mark.parametrize("count", range(1, 9))
def test_nothing_is_changed_before_the_end(count: int) -> None:
    session = waiting(*(CONNECT, HELO, *MESSAGE)[:count], terms=CHANGING)
    for change in CHANGES:
        with pytest.raises(LocalProtocolError):
            session.change(change)
    with pytest.raises(LocalProtocolError):
        session.progress()
    assert session.wants_answer


@pytest.mark.parametrize(
    ("agreed", "possible"),
    [(Action(0), []), (Action.ADDHDRS, [*CHANGES[:2]]), (Action.QUARANTINE, [CHANGES[2]])],
)
def test_a_change_that_was_not_agreed_on_is_not_sent(agreed: Action, possible: list[object]) -> None:
    done = list[object]()
    for change in CHANGES:
        session = waiting(CONNECT, *MESSAGE, terms=Terms(needed_actions=agreed))
        try:
            session.change(change)
        except LocalProtocolError:
            continue
        done.append(change)
    assert done == possible


@pytest.mark.parametrize(
    ("steps", "sent", "told"),
    [(Step.HDR_LEADSPC, b"  two", b"  two"), (Step(0), b" two", b"  two"), (Step(0), b"", b" ")],
)
def test_a_header_has_its_leading_space_either_way(steps: Step, sent: bytes, told: bytes) -> None:
    session = begun(CONNECT, *MESSAGE[:3], terms=Terms(needed_steps=steps))
    assert events_of(session, mta.header(b"Subject", sent)) == [Header(b"Subject", told)]


@pytest.mark.parametrize(("steps", "value"), [(Step.HDR_LEADSPC, b" a"), (Step(0), b"a")])
def test_a_header_of_ours_has_its_leading_space_once(steps: Step, value: bytes) -> None:
    terms = Terms(needed_actions=Action.ADDHDRS, needed_steps=steps)
    session = waiting(CONNECT, *MESSAGE, terms=terms)
    assert session.change(AddHeader(b"X", b" a"))[5:] == b"X\0" + value + b"\0"


def test_macros_of_a_message_end_with_it_and_those_of_the_client_stay() -> None:
    client = (mta.macros(b"C", {b"j": b"mx"}), CONNECT, mta.macros(b"H", {b"{tls_version}": b"1"}), HELO)
    message = (mta.macros(b"M", {b"i": b"4F"}), MAIL, mta.macros(b"R", {b"{rcpt_addr}": b"b"}), RCPT)

    def seen(*wires: bytes) -> list[bytes | None]:
        session = begun(*client, *wires)
        return [session.macro(name) for name in ("j", "tls_version", "i", "rcpt_addr")]

    assert seen(*message) == [b"mx", b"1", b"4F", b"b"]
    assert seen(*message, mta.rcpt(b"<c@x.test>")) == [b"mx", b"1", b"4F", None]
    assert seen(*message, mta.ABORT) == [b"mx", b"1", None, None]
    assert seen(*message, MAIL) == [b"mx", b"1", None, None]
    assert seen(*message, mta.macros(b"M", {b"i": b"50"}), MAIL) == [b"mx", b"1", b"50", None]
    assert seen(*message, mta.macros(b"H", {}), HELO) == [b"mx", None, None, None]
    assert seen(*message, mta.QUIT_NEW_CONNECTION) == [None, None, None, None]


whole = st.sampled_from([*SAMPLES.values(), b"".join(MESSAGE), CONNECT + HELO])
verdicts = st.sampled_from([*Verdict, NO, reply(250, "2.0.0", "fine")])


@given(st.lists(whole | st.binary(max_size=8), max_size=30), st.lists(verdicts, max_size=60))
def test_any_conversation_is_held_or_refused(wires: list[bytes], answers: Iterable[Verdict | Reply]) -> None:
    said = iter(answers)

    def answer(_: Event) -> Verdict | Reply:
        return next(said, Verdict.CONTINUE)

    try:
        events_of(MilterSession(CHANGING), b"".join((mta.offer(), CONNECT, *wires)), answer)
    except (RemoteProtocolError, LocalProtocolError) as error:
        assert str(error).isprintable()
