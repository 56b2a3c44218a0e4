"""Broken and hostile messages over the wire to the real gateway: a clear reply, or delivery at the right level.

Its host has no STARTTLS: a message that is read too low would arrive there in the clear, and show on the tape.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, Callable, Generator
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.core.record import EventKind, QueueId, State
from tests.e2e.shared_stage import Token, module_stage, never_in_clear
from tests.e2e.stage import Setting, Stage, scenario_cast

pytestmark = pytest.mark.asyncio(loop_scope="module")

MIB = 1024 * 1024
MOST_MEMORY = 40 * MIB
# What no reply to a peer may hold: a piece of a traceback, a type, a path of ours.
TELLS = re.compile(r"Traceback|Error\b|Exception|\.py\b|File \"|gateway/|object at 0x")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def on(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    async with module_stage(tmp_path_factory, "bad-input", Setting(cast=scenario_cast())) as built:
        yield built


class Client:
    """Speaks raw SMTP and keeps every reply."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.replies: list[str] = []
        self._reader = reader
        self._writer = writer

    async def reply(self) -> str:
        """The next reply, its lines joined by spaces; empty when the gateway has hung up."""
        lines: list[str] = []
        while (line := (await self._reader.readline()).decode()) and line[3:4] == "-":
            lines.append(line.rstrip("\r\n"))
        self.replies.append(" ".join([*lines, line.rstrip("\r\n")]))
        return self.replies[-1]

    async def ask(self, command: bytes) -> str:
        await self.send(command + b"\r\n")
        return await self.reply()

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def content(self, content: bytes) -> str:
        """DATA, the content as it is (no dots are added), the final dot; the reply to it."""
        assert (await self.ask(b"DATA")).startswith("354 ")
        return await self.ask(content + b"\r\n.")


@contextlib.asynccontextmanager
async def client(on: Stage) -> AsyncGenerator[Client]:
    """A greeted client; at the end the gateway must have kept its temper and its step."""
    reader, writer = await asyncio.open_connection("127.0.0.1", on.smtp_port)
    try:
        async with asyncio.timeout(20):
            talk = Client(reader, writer)
            await talk.reply()
            await talk.ask(b"EHLO desk.derbyshire.gov.uk")
            yield talk
            assert (await talk.ask(b"NOOP")).startswith("250 ")
        assert [reply for reply in talk.replies if TELLS.search(reply)] == []
        assert on.metric("sealpost_broken_total") == 0
    finally:
        writer.close()


async def envelope(talk: Client, token: Token, *domains: str) -> None:
    assert (await talk.ask(f"MAIL FROM:<{token.sender}>".encode())).startswith("250 ")
    for domain in domains:
        assert (await talk.ask(f"RCPT TO:<{token.at(domain)}>".encode())).startswith("250 ")


async def offer(on: Stage, token: Token, content: bytes, domain: str = "plain.example") -> str:
    """Sends one message; the reply to it."""
    async with client(on) as talk:
        await envelope(talk, token, domain)
        return await talk.content(content)


def queue_id(reply: str) -> QueueId:
    assert reply.startswith("250 "), reply
    return QueueId(reply.split()[-1])


def message(token: Token, header: bytes, body: bytes = b"") -> bytes:
    """A message with the ordinary fields and then ``header``; both end without a line end."""
    top = f"From: Officer <{token.sender}>\r\nTo: x@plain.example\r\nMessage-ID: <{token.word}@desk.example>\r\n"
    return top.encode() + header + b"\r\n\r\n" + (body or token.word.encode())


def level(on: Stage, id: QueueId) -> str:
    (accepted,) = on.events(id, EventKind.ACCEPTED)
    assert accepted.facts is not None
    return accepted.facts.classification.level


LEVELS = [
    (b"Subject: none", "controlled"),
    (b"Sensitivity: private", "restricted"),
    (b"Sensitivity: Company-Confidential", "restricted"),
    (b"Sensitivity: normal", "controlled"),
    (b"Sensitivity: normal\r\nSensitivity: personal", "restricted"),
    (b"Sensitivity: private\r\nSensitivity: normal", "restricted"),
    (b"Sensitivity: =?utf-8?q?Private?=", "restricted"),
    (b"Sensitivity: =?utf-8?b?UGVyc29uYWw=?=", "controlled"),
    (b"Sensitivity: =?utf-8?b?UGVyc29!?=", "restricted"),
    (b"Sensitivity: =?utf-8?q?nor?=\r\n =?utf-8?q?mal?=", "controlled"),
    (b"Sensitivity:\r\n\tprivate", "restricted"),
    (b"Sensitivity:", "controlled"),
    (b"X-Classification:\r\n restricted", "restricted"),
    (b"X-Classification: controlled\r\nX-Classification: public", "controlled"),
    (b"X-CLASSIFICATION:controlled", "controlled"),
    (b"Subject: caf\xc3\xa9 \xff\r\nX-Classification: controlled", "controlled"),
    (b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64", "controlled"),
]


@pytest.mark.parametrize(("header", "expected"), LEVELS)
async def test_odd_labels_are_read_for_what_they_are(on: Stage, header: bytes, expected: str) -> None:
    token = Token()
    content = message(token, header)
    id = queue_id(await offer(on, token, content))
    assert level(on, id) == expected
    (end,) = (await on.ended(id)).values()
    assert (end.state, end.route) == (State.DELIVERED, "encrypted")
    (arrival,) = on.world.inbox.to(token.at("plain.example"))
    assert arrival.content.endswith(content + b"\r\n")
    never_in_clear(on, token)


PUBLIC = b"X-Classification: public"
SMUGGLED = [
    b"this line has no colon\r\n" + PUBLIC,
    PUBLIC + b"\r\nthis line has no colon",
    PUBLIC + b"\r\nthis line has no colon\r\nSensitivity: private",
    b"X-Classification : public",
    b"X-Classification\t: public",
    b"X-Classi\x00fication: public\r\n" + PUBLIC,
    PUBLIC + b"\x00",
    PUBLIC + b"\x0b",
    PUBLIC + b"\xff",
    "X-Classification: pub\u200blic".encode(),
    "X-Classification: pub\N{CYRILLIC SMALL LETTER I}ic".encode(),
    b": nobody\r\n" + PUBLIC,
    b"caf\xc3\xa9: yes\r\n" + PUBLIC,
    b"Subject: x\r\n \t\r\n" + PUBLIC,
    b"From officer Sun Nov  1 09:00:00 2026\r\n" + PUBLIC,
    b">From officer\r\n" + PUBLIC,
    b"From: other@derbyshire.gov.uk\r\n" + PUBLIC,
    b"Subject: one\r\nSubject: two\r\n" + PUBLIC,
    b"X-Classification: pub\r\n lic",
    b"X-Classification: public\r\n restricted",
    b"X-Classification: public, restricted",
    b"X-Classification: public (restricted)",
    b"X-Classification: public;restricted",
    b"X-Classification: secret-of-another-house",
    b"X-Classification: =?utf-8?q?pub=00lic?=",
    b"X-Classification: =?utf-8?q?public",
    PUBLIC + b"\r\nX-Classification: restricted",
    PUBLIC + b"\r\nSensitivity: =?utf-8?q?private?=",
    PUBLIC + b"\r\nSubject: =?utf-8?b?W1JFU1RSSUNURURd?=",
    PUBLIC + b"\r\nX-Sealpost-Intent: secure",
    PUBLIC + b"\r\nX-Sealpost-Intent: whatever",
    PUBLIC + b"\r\nContent-Type: multipart/mixed",
    PUBLIC + b"\r\nContent-Type: message/partial; id=x; number=1; total=2",
]


@pytest.mark.parametrize("header", SMUGGLED)
async def test_a_public_label_behind_something_malformed_never_lowers_the_level(on: Stage, header: bytes) -> None:
    token = Token()
    id = queue_id(await offer(on, token, message(token, header)))
    (end,) = (await on.ended(id)).values()
    assert (end.state, end.route) == (State.DELIVERED, "encrypted")
    never_in_clear(on, token)


SHAPES = [
    (b"\r\n" + PUBLIC + b"\r\n\r\n%s\r\n", "the first line is empty"),
    (b" folded from nothing\r\n" + PUBLIC + b"\r\n\r\n%s\r\n", "it begins with a continuation"),
    (PUBLIC + b"\r\nX-Last: %s", "the block has no end"),
    (b"%s", "there is no field at all"),
    (b"", "there is nothing"),
    (b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + PUBLIC + b"\r\n\r\n%s\r\n--b--", "it is in a part"),
    (b"Content-Type: message/rfc822\r\n\r\n" + PUBLIC + b"\r\n\r\n%s\r\n", "it is in an attached message"),
    (b"Subject: %s\r\n\r\n" + PUBLIC + b"\r\n\r\n", "it is in the text"),
]


@pytest.mark.parametrize("shape", [shape for shape, _ in SHAPES], ids=[name for _, name in SHAPES])
async def test_a_public_label_that_does_not_stand_in_a_proper_header_is_none(on: Stage, shape: bytes) -> None:
    token = Token()
    id = queue_id(await offer(on, token, shape.replace(b"%s", token.word.encode())))
    assert level(on, id) in ("controlled", "restricted")
    (end,) = (await on.ended(id)).values()
    assert (end.state, end.route) == (State.DELIVERED, "encrypted")
    never_in_clear(on, token)


async def test_a_public_label_in_good_order_is_one(on: Stage) -> None:
    token = Token()
    id = queue_id(await offer(on, token, message(token, PUBLIC)))
    (end,) = (await on.ended(id)).values()
    assert (end.state, end.route) == (State.DELIVERED, "opportunistic")
    assert token.word.encode() in on.clear_bytes()


async def test_missing_from_keeps_the_label(on: Stage) -> None:
    token = Token()
    id = queue_id(await offer(on, token, b"X-Classification: restricted\r\n\r\n" + token.word.encode()))
    assert level(on, id) == "restricted"
    await on.ended(id)
    never_in_clear(on, token)


@pytest.mark.parametrize(
    "from_", [b"", b"From: x@elsewhere.example\r\n", b"From: a@derbyshire.gov.uk, b@x.example\r\n"]
)
async def test_null_sender_needs_a_from_of_ours(on: Stage, from_: bytes) -> None:
    async with client(on) as talk:
        await talk.ask(b"MAIL FROM:<>")
        await talk.ask(b"RCPT TO:<x@tls.example>")
        assert (await talk.content(from_ + b"Subject: x\r\n\r\nx")).startswith("550 5.7.1 ")


# Line ends: no server behind us may find another end of the message than we did.


@pytest.mark.parametrize(
    "smuggled",
    [
        b"x\n.\nMAIL FROM:<a@derbyshire.gov.uk>\r\n",
        b"x\n.\r\nMAIL FROM:<a@derbyshire.gov.uk>\r\n",
        b"x\r.\rMAIL FROM:<a@derbyshire.gov.uk>\r\n",
        b"x\r\n.\nRCPT TO:<z@tls.example>\r\n",
        b"x\r\n\x00.\r\n\n",
        b"one\ntwo",
        b"one\rtwo",
        b"Subject: x\nX-Classification: public",
    ],
)
@pytest.mark.parametrize("where", ["header", "body"])
async def test_bare_line_ends_are_refused_and_end_nothing(on: Stage, smuggled: bytes, where: str) -> None:
    token = Token()
    header, body = (smuggled, b"") if where == "header" else (b"Subject: x", smuggled)
    async with client(on) as talk:
        await envelope(talk, token, "plain.example")
        replies = len(talk.replies)
        assert (await talk.content(message(token, header, body))).startswith("550 5.5.2 ")
        assert len(talk.replies) == replies + 2
    assert on.world.inbox.to(token.at("plain.example")) == ()


async def test_nul_and_eight_bit_text_arrive_to_the_byte(on: Stage) -> None:
    token = Token()
    body = b"\x00\x01 caf\xe9 \xff\x00" * 100 + b"\r\n..two dots\r\n" + token.word.encode()
    id = queue_id(await offer(on, token, message(token, b"X-Classification: controlled", body), "tls.example"))
    (end,) = (await on.ended(id)).values()
    assert end.state is State.DELIVERED
    (arrival,) = on.world.inbox.to(token.at("tls.example"))
    # The sender's stuffing was undone and ours done again.
    assert arrival.content.endswith(body.replace(b"\r\n..", b"\r\n.") + b"\r\n")
    assert "BODY=8BITMIME" in arrival.mail_params


async def test_wrong_base64_counts_and_arrives_as_it_is(on: Stage) -> None:
    token = Token()
    part = b'--b\r\nContent-Type: application/pdf; name="x.pdf"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
    body = part + b"QUJD=QUJD!!!\xff\r\n=\r\nQ\r\n--b--"
    header = b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b"
    id = queue_id(await offer(on, token, message(token, header, body), "tls.example"))
    (end,) = (await on.ended(id)).values()
    assert end.state is State.DELIVERED
    (arrival,) = on.world.inbox.to(token.at("tls.example"))
    assert arrival.content.endswith(body + b"\r\n")


# Sizes: refused with a clear text, in bounded time and memory.


def nested(depth: int) -> bytes:
    opened = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d.\r\n\r\n--b%d.\r\n" % (number, number) for number in range(depth)
    )
    return opened + b"\r\ntext\r\n" + b"".join(b"--b%d.--\r\n" % number for number in reversed(range(depth)))


def parts(count: int) -> bytes:
    return b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * count + b"--b--"


HUGE = [
    ("one field of 10 MB", lambda: b"Subject: " + b"x" * 10 * MIB + b"\r\n\r\nx", "header"),
    ("a fold of 10 MB", lambda: b"Subject: x\r\n" + b" y\r\n" * (10 * MIB // 4) + b"\r\nx", "header"),
    ("10 MB of fields", lambda: b"X-Y: z\r\n" * (10 * MIB // 8) + b"\r\nx", "header"),
    ("10 MB without a field", lambda: b"x" * 10 * MIB, "header"),
    ("10,000 parts", lambda: parts(10_000), "parts"),
    ("500 nested multiparts", lambda: nested(500), "nested"),
    ("a part's header of 10 MB", lambda: parts(1)[:-10] + b"X-Y: " + b"z" * 10 * MIB + b"\r\n\r\nx\r\n--b--", "header"),
]


@pytest.mark.parametrize(("make", "word"), [row[1:] for row in HUGE], ids=[row[0] for row in HUGE])
async def test_what_is_past_a_limit_is_refused_with_a_clear_text(
    on: Stage, make: Callable[[], bytes], word: str
) -> None:
    content = make()
    with memory_bounded(on):
        reply = await offer(on, Token(), content)
    assert reply.startswith("554 5.6.0 The message has" if word == "parts" else "554 5.6.0 "), reply
    assert word in reply


async def test_a_message_at_the_limits_passes(on: Stage) -> None:
    token = Token()
    content = f"From: {token.sender}\r\nSubject: {token.word}\r\n".encode() + parts(900)
    id = queue_id(await offer(on, token, content, "tls.example"))
    assert level(on, id) == "controlled"
    (end,) = (await on.ended(id)).values()
    assert end.state is State.DELIVERED


async def test_25_mib_of_empty_lines_pass_in_bounded_memory(on: Stage) -> None:
    token = Token()
    with memory_bounded(on):
        id = queue_id(await offer(on, token, message(token, b"Subject: x", b"\r\n" * (25 * MIB // 2)), "tls.example"))
        (end,) = (await on.ended(id)).values()
    assert end.state is State.DELIVERED


@contextlib.contextmanager
def memory_bounded(on: Stage) -> Generator[None]:
    """The worker's highest memory rises by less than a message may add."""
    pid = int((on.spool / "shard-000" / "lock").read_text())
    Path(f"/proc/{pid}/clear_refs").write_text("5")  # The high-water mark begins anew (proc(5)).
    before = _peak(pid)
    yield
    assert _peak(pid) - before < MOST_MEMORY


def _peak(pid: int) -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


# Addresses and parameters (protocols: what lenient parsers make of them).

PATHS = [
    b"<a@=?utf-8?q?evil.com=2C?=>",
    b'<"a\x00b"@tls.example>',
    b'<"a\r\nRCPT TO:<z@tls.example>"@tls.example>',
    b'<"a\rb"@tls.example>',
    b'<"a\nb"@tls.example>',
    b"<a@tls.example",
    b"<a(x)@tls.example>",
    b"<a..b@tls.example>",
    b"<a@-tls.example>",
    b"<a@[127.0.25.10\x00]>",
    b"<a@tls.example>\x00",
    b"<a@tls.example> ORCPT=rfc822;a\r",
    b"<@tls.example:a@derbyshire.gov.uk>",
]


@pytest.mark.parametrize("path", PATHS)
async def test_an_address_that_could_be_read_two_ways_is_refused(on: Stage, path: bytes) -> None:
    token = Token()
    async with client(on) as talk:
        await envelope(talk, token)
        reply = await talk.ask(b"RCPT TO:" + path)
        # Line ends inside make further lines, each of which has its own refusal.
        more = [await talk.reply() for _ in range(path.count(b"\n"))]
        assert [each for each in (reply, *more) if each[:1] != "5"] == []
        assert (await talk.ask(b"DATA")).startswith("554 5.5.1 ")
        await talk.ask(b"RSET")
        assert (await talk.ask(b"MAIL FROM:" + path)).startswith("5")
        for _ in range(path.count(b"\n")):
            assert (await talk.reply())[:1] == "5"


async def test_an_encoded_word_in_an_address_is_sent_on_to_the_letter(on: Stage) -> None:
    token = Token()
    address = "=?utf-8?q?a=0D=0ARCPT_TO=3A=3Cz=40z=3E?=" + token.at("tls.example")
    async with client(on) as talk:
        await envelope(talk, token)
        assert (await talk.ask(f"RCPT TO:<{address}>".encode())).startswith("250 ")
        id = queue_id(await talk.content(message(token, b"X-Classification: restricted")))
    (end,) = (await on.ended(id)).values()
    assert end.state is State.DELIVERED
    (arrival,) = on.world.inbox.to(address)
    assert arrival.rcpt_to == (address,)


async def test_encoded_line_ends_in_dsn_parameters_are_refused_and_the_session_goes_on(on: Stage) -> None:
    token = Token()
    hidden = "+0D+0AX-Injected:+20yes"
    async with client(on) as talk:
        mail = f"MAIL FROM:<{token.sender}> ENVID="
        assert (await talk.ask(f"{mail}id{hidden}".encode())).startswith("501 5.5.4 ")
        assert (await talk.ask(f"{mail}id+2Bplus".encode())).startswith("250 ")
        rcpt = f"RCPT TO:<{token.at('refuses.example')}> ORCPT=rfc822;"
        assert (await talk.ask(f"{rcpt}a{hidden}@x.example".encode())).startswith("501 5.5.4 ")
        assert (await talk.ask(f"{rcpt}a+2Bb@x.example".encode())).startswith("250 ")
        id = queue_id(await talk.content(message(token, b"X-Classification: controlled")))
    (end,) = (await on.ended(id)).values()
    assert end.state is State.REPORTED
    await on.until(lambda: bool(on.world.inbox.to(token.sender)))
    (report,) = on.world.inbox.to(token.sender)
    # RFC 3464 section 2.2.1: the identifier is decoded in the report.
    assert b"\r\nOriginal-Envelope-Id: id+plus\r\n" in report.content
    assert b"\r\nOriginal-Recipient: rfc822;a+b@x.example\r\n" in report.content


async def test_too_many_errors_end_a_session_politely(on: Stage) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", on.smtp_port)
    writer.write(b"EHLO x\r\n" + b"\x00\xff\x80\r\n" * 100)
    replies = (await reader.read(1 << 20)).decode()
    while more := (await reader.read(1 << 20)).decode():
        replies += more
    writer.close()
    assert replies.splitlines()[-1].startswith("421 4.7.0 ")
    assert TELLS.search(replies) is None
    assert on.metric("sealpost_broken_total") == 0


async def test_nothing_of_this_was_a_fault_of_ours(on: Stage) -> None:
    assert "Traceback" not in on.log()
    assert [line for line in on.log().splitlines() if '"event":"broken"' in line] == []
    assert on.metric("sealpost_unprotected_total") == 0
