"""Which command may come when, and what a verdict changes of that."""

import pytest

from gateway.core.reply import Reply
from gateway.wire.errors import RemoteProtocolError
from gateway.wire.milter.answers import Verdict
from gateway.wire.milter.session import MilterSession
from tests.fakes import milter_packets as mta
from tests.wire.milter_talk import CHANGING, CONNECT, HELO, MAIL, MESSAGE, NO, PLAIN, RCPT, SAMPLES, begun, waiting


# What may come: the conversation so far, and the letters of all commands that may follow it.
@pytest.mark.parametrize(
    ("before", "letters"),
    [
        ((), "DCAQK"),
        ((CONNECT,), "DHMUAQK"),
        ((CONNECT, HELO), "DHMUAQK"),
        ((CONNECT, HELO, MAIL), "DHMRUAQK"),
        ((CONNECT, HELO, MAIL, RCPT), "DHMRTUAQK"),
        ((CONNECT, HELO, *MESSAGE[:3]), "DHMRTLNUAQK"),
        ((CONNECT, HELO, *MESSAGE[:4]), "DLNAQK"),
        ((CONNECT, HELO, *MESSAGE[:5]), "DBEAQK"),
        ((CONNECT, HELO, *MESSAGE[:6]), "DBEAQK"),
        ((CONNECT, HELO, *MESSAGE), "DHMUAQK"),
        ((CONNECT, HELO, MAIL, RCPT, mta.ABORT), "DHMUAQK"),
        ((CONNECT, HELO, MAIL, RCPT, HELO), "DHMUAQK"),
        ((CONNECT, HELO, MAIL, RCPT, MAIL), "DHMRUAQK"),
        ((CONNECT, HELO, MAIL, RCPT, mta.unknown(b"XYZZY")), "DHMRTUAQK"),
        ((CONNECT, HELO, *MESSAGE[:5], mta.QUIT_NEW_CONNECTION), "DCAQK"),
        ((mta.QUIT,), ""),
        ((CONNECT, HELO, MAIL, mta.QUIT), ""),
    ],
)
def test_what_may_come_next(before: tuple[bytes, ...], letters: str) -> None:
    assert "".join(letter for letter, wire in SAMPLES.items() if may_follow(begun(*before), wire)) == letters


def may_follow(session: MilterSession, wire: bytes) -> bool:
    session.feed(wire)
    try:
        return session.next() is not None
    except RemoteProtocolError as error:
        assert "where it does not belong" in str(error)
        return False


def test_nothing_but_an_offer_may_come_first() -> None:
    letters = [letter for letter, wire in SAMPLES.items() if may_follow(MilterSession(PLAIN), wire)]
    assert letters == ["O", "Q"]


@pytest.mark.parametrize(
    ("before", "verdict", "letters"),
    [
        # A refused MAIL began no message, a refused RCPT is its recipient's alone.
        ((MAIL,), Verdict.REJECT, "DHMUAQK"),
        ((MAIL,), Verdict.TEMPFAIL, "DHMUAQK"),
        ((MAIL,), NO, "DHMUAQK"),
        ((MAIL,), Verdict.ACCEPT, "DHMUAQK"),
        ((MAIL,), Verdict.DISCARD, "DHMUAQK"),
        ((MAIL, RCPT), Verdict.REJECT, "DHMRTUAQK"),
        ((MAIL, RCPT), Verdict.TEMPFAIL, "DHMRTUAQK"),
        ((MAIL, RCPT), NO, "DHMRTUAQK"),
        ((MAIL, RCPT), Verdict.ACCEPT, "DHMUAQK"),
        ((MAIL, RCPT), Verdict.DISCARD, "DHMUAQK"),
        (MESSAGE[:3], Verdict.REJECT, "DHMRTLNUAQK"),
        (MESSAGE[:3], Verdict.ACCEPT, "DHMUAQK"),
        (MESSAGE[:3], Verdict.DISCARD, "DHMUAQK"),
        (MESSAGE[:4], Verdict.ACCEPT, "DHMUAQK"),
        (MESSAGE[:4], NO, "DHMUAQK"),
        (MESSAGE[:5], Verdict.TEMPFAIL, "DHMUAQK"),
        (MESSAGE[:6], Verdict.REJECT, "DHMUAQK"),
        (MESSAGE[:6], Verdict.SKIP, "DBEAQK"),
        (MESSAGE, Verdict.REJECT, "DHMUAQK"),
        (MESSAGE, Verdict.DISCARD, "DHMUAQK"),
        ((MAIL, mta.unknown(b"XYZZY")), Verdict.REJECT, "DHMRUAQK"),
    ],
)
def test_a_verdict_ends_the_message_or_does_not(
    before: tuple[bytes, ...], verdict: Verdict | Reply, letters: str
) -> None:
    def judged() -> MilterSession:
        session = waiting(CONNECT, HELO, *before, terms=CHANGING)
        session.answer(verdict)
        return session

    assert "".join(letter for letter, wire in SAMPLES.items() if may_follow(judged(), wire)) == letters
