"""The milter session with a real Postfix as its MTA: what it says comes as it was sent, and it does what we say."""

import asyncio
import contextlib
import smtplib
import subprocess
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import pytest

from gateway.core.reply import Reply, reply
from gateway.wire.milter.answers import AddHeader, InsertHeader, Quarantine, Verdict
from gateway.wire.milter.events import (
    Abort,
    Body,
    Connect,
    Data,
    EndOfMessage,
    Event,
    Header,
    Helo,
    Macros,
    MailFrom,
    Quit,
    Recipient,
    Unknown,
)
from gateway.wire.milter.negotiation import Offer
from tests.fakes.milter_filter import Filter, listening
from tests.fakes.ports import free_port
from tests.peers.postfix import Postfix, Service, postfix

pytestmark = [pytest.mark.peer("postfix"), pytest.mark.peer("root")]

HEAD = (
    b"From: a@council.example\r\nTo: b@x.example\r\nDate: Mon, 1 Jun 2026 10:00:00 +0000\r\n"
    b"Message-ID: <1@council.example>\r\nSubject:  two spaces\r\n\tand a fold\r\nX-Tight:none\r\nX-Empty:\r\n"
)
NO = reply(550, "5.7.1", "not this one")
TEXT = b"0123456789 \r\n..dots\r\n" * 8000


Told: TypeAlias = tuple[int, bytes | str]


@contextlib.asynccontextmanager
async def running(milter: Filter) -> AsyncGenerator[Postfix]:
    port = free_port()
    async with listening(milter.serve) as milter_port:
        extra = [
            f"smtpd_milters = inet:127.0.0.1:{milter_port}",
            f"non_smtpd_milters = inet:127.0.0.1:{milter_port}",
            "milter_default_action = tempfail",
            "default_transport = record",
        ]
        with postfix("mx.council.example", [Service(port=port)], extra) as instance:
            yield instance


def submit(port: int, recipients: Sequence[str]) -> Mapping[str, Told]:
    """Hands a message over, behind all that may come before one; the replies that refuse, by recipient or step."""
    with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
        client.ehlo()
        client.docmd("XYZZY")
        client.ehlo()
        client.mail("first@council.example")
        client.rcpt("first@x.example")
        client.rset()
        try:
            return client.sendmail("a@council.example", list(recipients), HEAD + b"\r\n" + TEXT)
        except smtplib.SMTPDataError as error:
            return {"DATA": (error.smtp_code, error.smtp_error)}


@dataclass(frozen=True)
class Sent:
    """What the client was told of a refusal, what arrived in the end, and what Postfix said of it all."""

    told: Mapping[str, Told]
    arrived: list[bytes]
    log: str


def logged(instance: Postfix, ends: str) -> str:
    """The log once it says how it ended."""
    until = time.monotonic() + 20
    while ends not in (log := instance.log()):
        assert time.monotonic() < until, log
        time.sleep(0.05)
    return log


async def send(milter: Filter, *recipients: str, ends: str = "status=sent") -> Sent:
    """Hands one message over; ``ends`` is what the log says when all has been done."""
    async with running(milter) as instance:
        told = await asyncio.to_thread(submit, instance.services[0].port, recipients or ("b@x.example",))
        log = await asyncio.to_thread(logged, instance, ends)
        assert "warning: milter" not in log, log
        assert milter.faults == []
        return Sent(told, instance.mail(), log)


def on(kind: type[Event], verdict: Verdict | Reply) -> Filter:
    return Filter(verdict=lambda event: verdict if isinstance(event, kind) else Verdict.CONTINUE)


async def test_a_message_comes_as_it_was_sent() -> None:
    milter = Filter(progress=3)
    sent = await send(milter)
    assert sent.told == {}
    assert milter.message() == HEAD + b"\r\n" + TEXT
    assert milter.count(Body) == 3
    assert milter.queue_ids[0] is None
    assert f"{(milter.queue_ids[-1] or b'none').decode()}: removed" in sent.log


async def test_header_fields_of_ours_stand_where_they_were_put() -> None:
    changes = [
        InsertHeader(0, b"X-Top", b" 100%\n\tfolded"),
        AddHeader(b"X-Last", b"  two"),
        AddHeader(b"X-Tight", b"1"),
    ]
    (arrived,) = (await send(Filter(changes=changes))).arrived
    lines = arrived.partition(b"\n\n")[0].split(b"\n")
    assert lines.index(b"X-Top: 100%") < lines.index(b"From: a@council.example")
    assert lines[lines.index(b"X-Top: 100%") + 1] == b"\tfolded"
    assert lines[-2:] == [b"X-Last:  two", b"X-Tight:1"]


async def test_a_quarantined_message_is_kept() -> None:
    milter = Filter(changes=[Quarantine("looked at by people")])
    sent = await send(milter, ends="milter-hold")
    assert sent.told == {}
    assert sent.arrived == []
    assert "milter triggers HOLD action" in sent.log


async def test_a_refusal_in_our_words_reaches_the_client_as_it_is() -> None:
    refusal = reply(550, "5.7.1", "100% no: %s %%", "", "call 01629 580000")
    sent = await send(on(EndOfMessage, refusal), ends="disconnect from unknown[127.0.0.1] ehlo=2")
    assert sent.told == {"DATA": (550, b"5.7.1 100% no: %s %%\n5.7.1\n5.7.1 call 01629 580000")}
    assert sent.arrived == []


@pytest.mark.parametrize("kind", [Header, Body])
async def test_a_refusal_before_the_end_spares_the_rest(kind: type[Event]) -> None:
    milter = on(kind, Verdict.TEMPFAIL)
    sent = await send(milter, ends="disconnect from unknown[127.0.0.1] ehlo=2")
    assert sent.told["DATA"][0] == 451
    assert milter.count(kind) == 1
    assert milter.count(EndOfMessage) == 0


async def test_a_refused_recipient_does_not_stop_the_others() -> None:
    milter = Filter(verdict=lambda event: NO if event == Recipient(b"<No@x.example>", ()) else Verdict.CONTINUE)
    sent = await send(milter, "No@x.example", "b@x.example")
    assert sent.told == {"No@x.example": (550, b"5.7.1 not this one")}
    assert milter.count(EndOfMessage) == 1
    assert len(sent.arrived) == 1


async def test_a_discarded_message_is_taken_and_goes_nowhere() -> None:
    sent = await send(on(EndOfMessage, Verdict.DISCARD), ends="milter-discard")
    assert sent.told == {}
    assert sent.arrived == []


async def test_the_rest_of_a_body_is_skipped() -> None:
    milter = on(Body, Verdict.SKIP)
    sent = await send(milter)
    assert milter.count(Body) == 1
    assert milter.count(EndOfMessage) == 1
    assert sent.arrived[0].endswith(TEXT.replace(b"\r\n", b"\n"))


@pytest.mark.parametrize("kind", [MailFrom, Data])
async def test_a_message_that_is_accepted_early_is_seen_no_more(kind: type[Event]) -> None:
    milter = on(kind, Verdict.ACCEPT)
    sent = await send(milter)
    assert len(sent.arrived) == 1
    assert milter.count(Header) == 0
    assert milter.count(EndOfMessage) == 0


DETOURS: Sequence[bytes] = (
    b"EHLO one",
    b"MAIL FROM:<a@council.example>",
    b"RCPT TO:<a@x.example>",
    b"EHLO two",
    b"MAIL FROM:<b@council.example>",
    b"MAIL FROM:<nested@council.example>",
    b"DATA",
    b"RCPT TO:<b@x.example>",
    b"XYZZY",
    b"DATA",
    b"DATA",
    b"RCPT TO:<c@x.example>",
    b"DATA",
    b"RSET",
    b"MAIL FROM:<c@council.example>",
    b"RCPT TO:<d@x.example>",
    b"BDAT 1 LAST\r\nx",
    b"QUIT",
)


async def test_whatever_way_a_client_takes_is_told_in_order() -> None:
    milter = on(Data, NO)
    async with running(milter) as instance:
        milter.events.clear()

        def client() -> None:
            with smtplib.SMTP("127.0.0.1", instance.services[0].port, timeout=20) as connection:
                for line in DETOURS:
                    connection.send(line + b"\r\n")
                    connection.getreply()

        await asyncio.to_thread(client)
    assert milter.faults == []
    silent = Offer | Connect | Macros | Abort | Quit
    assert [event for event in milter.events if not isinstance(event, silent)] == [
        Helo(b"one"),
        MailFrom(b"<a@council.example>", ()),
        Recipient(b"<a@x.example>", ()),
        Helo(b"two"),
        MailFrom(b"<b@council.example>", ()),
        Recipient(b"<b@x.example>", ()),
        Unknown(b"XYZZY"),
        Data(),
        Data(),
        Recipient(b"<c@x.example>", ()),
        Data(),
        MailFrom(b"<c@council.example>", ()),
        Recipient(b"<d@x.example>", ()),
        Data(),
    ]


async def test_mail_that_did_not_come_by_smtp_has_paths_without_brackets() -> None:
    milter = Filter()
    async with running(milter) as instance:
        command = ["/usr/sbin/sendmail", "-C", instance.root / "etc", "-f", "a@council.example", "b@x.example"]
        await asyncio.to_thread(subprocess.run, command, input=HEAD + b"\r\n" + TEXT, check=True, timeout=20)
        await asyncio.to_thread(logged, instance, "status=sent")
    assert milter.faults == []
    assert MailFrom(b"a@council.example", ()) in milter.events
    assert Recipient(b"b@x.example", ()) in milter.events
    assert milter.count(EndOfMessage) == 1
