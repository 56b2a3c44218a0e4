"""Talks to a milter session as an MTA does, and the pieces of such talks."""

from collections.abc import Callable

from gateway.core.reply import Reply, reply
from gateway.wire.milter.answers import Verdict
from gateway.wire.milter.events import Event
from gateway.wire.milter.negotiation import Action, Offer, Step, Terms
from gateway.wire.milter.session import MilterSession
from tests.fakes import milter_packets as mta

Answer = Callable[[Event], Verdict | Reply]

PLAIN = Terms(needed_steps=Step.HDR_LEADSPC)
CHANGING = Terms(needed_actions=Action.ADDHDRS | Action.QUARANTINE, needed_steps=Step.HDR_LEADSPC | Step.SKIP)
NO = reply(550, "5.7.1", "no")


def go_on(_: Event) -> Verdict:
    return Verdict.CONTINUE


def events_of(session: MilterSession, wire: bytes, answer: Answer = go_on) -> list[Event]:
    """What the session tells of the bytes, with everything answered that wants an answer."""
    session.feed(wire)
    events = list[Event]()
    while (event := session.next()) is not None:
        events.append(event)
        if session.wants_answer:
            _ = session.agree() if isinstance(event, Offer) else session.answer(answer(event))
    return events


def begun(*wires: bytes, terms: Terms = PLAIN, answer: Answer = go_on) -> MilterSession:
    """A session that has agreed and heard these."""
    session = MilterSession(terms)
    events_of(session, b"".join((mta.offer(), *wires)), answer)
    return session


def waiting(*wires: bytes, terms: Terms = PLAIN) -> MilterSession:
    """The same, with an answer due to the last."""
    session = begun(*wires[:-1], terms=terms)
    session.feed(wires[-1])
    session.next()
    assert session.wants_answer
    return session


CONNECT = mta.connect(b"pc.test", b"4", 12345, b"192.0.2.1")
HELO = mta.helo(b"pc.test")
MAIL = mta.mail(b"<a@x.test>", b"SIZE=9")
RCPT = mta.rcpt(b"<b@x.test>")
HEADER = mta.header(b"Subject", b"  two")
(BODY,) = mta.body(b"text\r\n")
END = mta.end_of_message()
MESSAGE = (MAIL, RCPT, mta.DATA, HEADER, mta.END_OF_HEADERS, BODY, END)

SAMPLES = {
    "O": mta.offer(),
    "D": mta.macros(b"M", {}),
    "C": CONNECT,
    "H": HELO,
    "M": MAIL,
    "R": RCPT,
    "T": mta.DATA,
    "L": HEADER,
    "N": mta.END_OF_HEADERS,
    "B": BODY,
    "E": END,
    "U": mta.unknown(b"XYZZY"),
    "A": mta.ABORT,
    "Q": mta.QUIT,
    "K": mta.QUIT_NEW_CONNECTION,
}
