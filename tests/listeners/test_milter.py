"""What an MTA hears of the fate of its messages, and what of them comes to the flow."""

from dataclasses import replace
from pathlib import Path

import pytest

from gateway.core.edits import Add
from gateway.core.envelope import InboundTls
from gateway.core.reply import Reply, reply
from gateway.flow.custody import Custody, Fate, Left, Quarantined, Taken, TurnedAway
from gateway.flow.ports import SpoolError, SpoolFull
from gateway.listeners.options import LocalSocket
from tests.fakes import milter_packets as wire
from tests.listeners.milter_rig import HEAD, MESSAGE, OPTIONS, SENDER, TO, listening

GATE = replace(OPTIONS, custody=Custody.GATE)
TAG = replace(OPTIONS, custody=Custody.TAG)
FIELD = Add("X-Sealpost-Result", "v1; ours")
ON_TOP = (b"i", b"\0\0\0\0X-Sealpost-Result\0 v1; ours\0")


async def test_a_message_comes_to_the_flow_as_it_was_sent_and_is_discarded_when_it_is_ours() -> None:
    async with listening() as rig, rig.mta() as mta:
        answer = await mta.message(SENDER, TO, MESSAGE)
        await mta.quit()
    assert (answer.verdict, answer.changes) == (b"d", ())
    assert rig.accept.messages == [MESSAGE]
    envelope, profile = rig.accept.last.envelope, rig.accept.last.profile
    assert [str(one.address) for one in envelope.recipients] == ["b@x.example"]
    assert (envelope.client.address, envelope.client.helo) == ("192.0.2.1", "pc.test")
    assert (profile.custody, profile.known_as) == (Custody.TAKEOVER, "4F1")
    assert rig.events.refusals == [] and rig.events.faults == []


async def test_an_mta_that_knows_few_steps_hears_an_answer_to_each_command() -> None:
    async with listening() as rig, rig.mta((6, 0, 0x100000)) as mta:
        await mta.unknown(b"XYZZY")
        assert (await mta.message(SENDER, TO, MESSAGE)).verdict == b"d"
    assert rig.accept.messages == [MESSAGE]


@pytest.mark.parametrize(
    ("fate", "verdict", "changes", "text"),
    [
        (Taken(reply(250, "2.0.0", "queued")), b"d", (), ""),
        (Left(), b"a", (), ""),
        (Left((FIELD,)), b"a", (ON_TOP,), ""),
        (Quarantined("a rüle", (FIELD,)), b"a", (ON_TOP, (b"q", b"a r?le\0")), ""),
        (TurnedAway(reply(550, "5.7.1", "100% no", "call ü")), b"y", (), "550-5.7.1 100% no\r\n550 5.7.1 call ?\0"),
        (TurnedAway(Reply(451, None, ("later",))), b"y", (), "451 4.0.0 later"),
    ],
)
async def test_each_fate_has_one_answer(
    fate: Fate, verdict: bytes, changes: tuple[tuple[bytes, bytes], ...], text: str
) -> None:
    async with listening(GATE) as rig, rig.mta() as mta:
        rig.accept.fate = fate
        answer = await mta.message(SENDER, TO, MESSAGE)
    assert (answer.verdict, answer.changes) == (verdict, changes)
    assert answer.text == text.rstrip("\0")


async def test_a_refusal_of_many_lines_is_cut_to_what_an_mta_reads_and_keeps_its_last() -> None:
    async with listening() as rig, rig.mta() as mta:
        rig.accept.answer = reply(550, "5.7.1", *(f"line {number} {'x%' * 600}" for number in range(40)), "call us")
        answer = await mta.message(SENDER, TO, MESSAGE)
    lines = answer.text.split("\r\n")
    assert len(lines) == 32
    assert lines[-1] == "550 5.7.1 call us"


@pytest.mark.parametrize("options", [OPTIONS, GATE, TAG])
async def test_a_fault_of_ours_is_never_more_than_a_delay(options: object) -> None:
    assert isinstance(options, type(OPTIONS))
    async with listening(options) as rig, rig.mta() as mta:
        for error in (SpoolError("the disk broke"), RuntimeError("a fault")):
            rig.accept.answer = error
            assert (await mta.message(SENDER, TO, MESSAGE)).text.startswith("451 4.3.0")
        rig.accept.write_error = SpoolFull("no room")
        assert (await mta.message(SENDER, TO, MESSAGE)).text.startswith("452 4.3.1")
        rig.accept.begin_error = SpoolFull("no room")
        assert (await mta.message(SENDER, TO, MESSAGE)).text.startswith("452 4.3.1")
        rig.accept.write_error = rig.accept.begin_error = None
        rig.accept.answer = reply(250, "2.0.0", "queued")
        assert (await mta.message(SENDER, TO, MESSAGE)).verdict == b"d"


async def test_who_only_tags_lets_pass_what_would_be_refused_for_good() -> None:
    small = replace(TAG, max_message=1000)
    async with listening(small) as rig, rig.mta() as mta:
        rig.accept.answer = reply(554, "5.6.0", "too complex")
        assert (await mta.message(SENDER, TO, HEAD + b"\r\n")).verdict == b"a"
        assert (await mta.message(SENDER, TO, MESSAGE)).verdict == b"a"
        assert (await mta.message(b"<x@other.example>", TO, MESSAGE)).verdict == b"a"
        assert (await mta.message(SENDER, [b"<b@refused.example>"], MESSAGE)).verdict == b"a"
    assert rig.events.alerts == [
        ("not-tagged", "office: the message is larger than this server takes"),
        ("not-tagged", "office: unknown to a@council.example"),
    ]


async def test_senders_and_recipients_are_refused_where_they_are_named() -> None:
    async with listening() as rig, rig.mta() as mta:
        assert (await mta.message(b"<x@other.example>", TO, MESSAGE)).text.startswith("550 5.7.1 mail of this sender")
        await mta.mail(SENDER)
        assert (await mta.rcpt(b"<b@refused.example>")).text.startswith("550 5.1.1 unknown")
        assert (await mta.rcpt(b"<a%y.example@x.example>")).text.startswith("550 5.7.1")
        assert (await mta.rcpt(*TO, b"NOTIFY=NEVER", b"XFOO=1")).verdict == b"c"
        assert (await mta.rcpt(b"<b@refused.example>")).text.startswith("452 4.5.3")
        await mta.data()
        assert (await mta.content(MESSAGE)).verdict == b"d"
    assert [str(one.address) for one in rig.accept.last.envelope.recipients] == ["b@x.example"]
    assert [code for _, _, code in rig.events.refusals] == [550, 550, 550, 452]


async def test_too_many_recipients_and_too_large_messages_are_turned_away() -> None:
    async with listening(replace(OPTIONS, max_recipients=100, max_message=1000)) as rig, rig.mta() as mta:
        assert (await mta.mail(SENDER, b"SIZE=1001")).text.startswith("552 5.3.4")
        await mta.mail(SENDER, b"SIZE=1000", b"AUTH=<>")
        for number in range(100):
            assert (await mta.rcpt(b"<b%d@x.example>" % number)).verdict == b"c"
        assert (await mta.rcpt(b"<b0@x.example>")).verdict == b"c"
        assert (await mta.rcpt(b"<more@x.example>")).text.startswith("452 4.5.3")
        await mta.data()
        assert (await mta.content(MESSAGE)).text.startswith("552 5.3.4")
        assert rig.accept.last.discarded


@pytest.mark.parametrize("content", [b"A: b\r\n\r\nx\ry\r\n", b"A: b\r\n\r\nx\ny\r\n", b"A: b\rc\r\n\r\nx\r\n"])
async def test_a_bare_line_end_is_refused_as_by_smtp(content: bytes) -> None:
    async with listening() as rig, rig.mta() as mta:
        assert (await mta.message(SENDER, TO, content)).text.startswith("550 5.5.2")
    assert rig.accept.messages == []


async def test_a_last_line_without_its_end_gets_it() -> None:
    async with listening() as rig, rig.mta() as mta:
        await mta.message(SENDER, TO, HEAD + b"\r\nno end")
    assert rig.accept.messages == [HEAD + b"\r\nno end\r\n"]


async def test_local_mail_has_no_brackets_and_may_name_people_of_the_mta() -> None:
    async with listening() as rig, rig.mta() as mta:
        await mta.mail(b"a@council.example")
        await mta.rcpt(b"root")
        await mta.rcpt("jörg@x.example".encode())
        await mta.data()
        await mta.content(MESSAGE)
    envelope = rig.accept.last.envelope
    assert [str(one.address) for one in envelope.recipients] == ["root@mx.test", "jörg@x.example"]
    assert envelope.smtputf8


@pytest.mark.parametrize(
    ("path", "recipient", "host", "utf8"),
    [
        ("<jörg@council.example>".encode(), b"<b@x.example>", b"mx.test", True),
        (b"<a@council.example>", b"<b@x.example>", b"mx.test", False),
        (b"<a@council.example>", b"<root@mx.test>", b"mx test<", False),
    ],
)
async def test_what_an_mta_leaves_out_is_filled_in_and_nothing_else(
    path: bytes, recipient: bytes, host: bytes, *, utf8: bool
) -> None:
    async with listening() as rig, rig.mta() as mta:
        assert (await mta.mail(path, macros={b"j": host})).goes_on
        assert (await mta.rcpt(recipient)).goes_on
        await mta.data()
        await mta.content(MESSAGE)
        # A name that is none is nobody's domain.
        assert (await mta.mail(b"<a@council.example>", macros={b"j": b"mx test<"})).goes_on
        assert not (await mta.rcpt(b"root")).goes_on
    assert rig.accept.last.envelope.smtputf8 is utf8


async def test_a_client_is_known_by_what_the_mta_says_of_it() -> None:
    tls = {b"{tls_version}": b"TLSv1.3", b"{cipher}": b"TLS_AES_256_GCM_SHA384", b"{cipher_bits}": b"256"}
    async with listening() as rig, rig.mta() as mta:
        await mta.helo(b"pc(evil", tls)
        await mta.message(SENDER, TO, MESSAGE)
        inside = rig.accept.last.envelope.client
        await mta.new_client()
        await mta.client(address=b"2001:db8::1")
        await mta.message(SENDER, TO, MESSAGE)
    assert inside.tls == InboundTls("TLSv1.3", "TLS_AES_256_GCM_SHA384", 256)
    assert inside.helo == "pc?evil"
    other = rig.accept.last.envelope.client
    assert (other.address, other.tls, other.helo) == ("2001:db8::1", None, "")


async def test_a_message_that_is_broken_off_is_forgotten_and_the_next_one_comes() -> None:
    async with listening() as rig, rig.mta() as mta:
        await mta.mail(SENDER)
        await mta.rcpt(b"<first@x.example>")
        await mta.helo()
        assert (await mta.message(SENDER, TO, MESSAGE)).verdict == b"d"
        await mta.mail(SENDER)
        await mta.rcpt(*TO)
        await mta.data()
        await mta.ask(wire.header(b"A", b" b"), {})
        await mta.abort()
        assert (await mta.message(SENDER, TO, MESSAGE)).verdict == b"d"
    assert [len(one.envelope.recipients) for one in rig.accept.submissions] == [1, 1, 1]
    assert rig.accept.messages == [MESSAGE, MESSAGE]
    assert [one.discarded for one in rig.accept.submissions if not one.finished] == [1]


async def test_a_local_socket_is_served_too(tmp_path: Path) -> None:
    path = tmp_path / "milter"
    async with listening(replace(OPTIONS, where=LocalSocket(path)), path=path) as rig, rig.mta() as mta:
        assert (await mta.message(SENDER, TO, MESSAGE)).verdict == b"d"
