"""Fuzz target: what an MTA says to a milter, and all that we say to it."""

import zlib
from collections.abc import Iterable
from typing import Final

from gateway.core.reply import Reply, reply
from gateway.wire.errors import LocalProtocolError, RemoteProtocolError
from gateway.wire.milter.answers import AddHeader, Quarantine, Verdict
from gateway.wire.milter.events import EndOfMessage, Event, Header
from gateway.wire.milter.negotiation import Action, MacroStage, Offer, Step, Terms
from gateway.wire.milter.packets import MAX_HEADER
from gateway.wire.milter.session import MilterSession
from tests.fuzz.target import Target, pieces

_TERMS: Final = Terms(
    needed_actions=Action.ADDHDRS,
    wished_steps=Step.HDR_LEADSPC | Step.SKIP | Step.NR_HDR | Step.NR_CONN,
    macros={MacroStage.MAIL: ("i", "{auth_authen}")},
)
_VERDICTS: Final = (*[Verdict.CONTINUE] * 6, *Verdict, reply(550, "5.7.1", "100% no", "really"))


def one(data: bytes) -> None:
    """The same events are told, the same answers given and the same error ends it, however the bytes are cut."""
    told, said, trouble = _converse([data])
    assert (told, said, trouble) == _converse(pieces(data))
    assert trouble.isprintable()
    for packet in said:
        assert int.from_bytes(packet[:4]) == len(packet) - 4
        assert packet[4:5] in b"Ocartdsyhqp"


def _converse(blocks: Iterable[bytes]) -> tuple[list[Event], list[bytes], str]:
    session, told, said = MilterSession(_TERMS), list[Event](), list[bytes]()
    try:
        for block in blocks:
            session.feed(block)
            while (event := session.next()) is not None:
                told.append(event)
                said += _answers(session, event)
            assert len(session._reader._buffer) < 5 + MAX_HEADER
    except RemoteProtocolError as error:
        return told, said, str(error)
    return told, said, ""


def _answers(session: MilterSession, event: Event) -> list[bytes]:
    """What we say to an event: it follows from the event, so that it is the same each time."""
    if isinstance(event, Header):
        assert event.line().count(b"\n") == event.value.count(b"\n") + 1
    if not session.wants_answer:
        return []
    if isinstance(event, Offer):
        return [session.agree()]
    said = list[bytes]()
    if isinstance(event, EndOfMessage):
        said += [session.progress(), session.change(AddHeader(b"X-Id", b" " + _id(session)))]
        assert not _possible(session)
    return [*said, _judged(session, _VERDICTS[zlib.crc32(repr(event).encode()) % len(_VERDICTS)])]


def _id(session: MilterSession) -> bytes:
    return b"%d" % len(session.macro("i") or b"")


def _possible(session: MilterSession) -> bool:
    """A quarantine was never agreed on."""
    try:
        session.change(Quarantine("no"))
    except LocalProtocolError:
        return False
    return True


def _judged(session: MilterSession, verdict: Verdict | Reply) -> bytes:
    try:
        return session.answer(verdict)
    except LocalProtocolError:
        assert verdict in (Verdict.SKIP, Verdict.DISCARD)
        return session.answer(Verdict.TEMPFAIL)


TARGET: Final = Target(name="milter", one=one)
