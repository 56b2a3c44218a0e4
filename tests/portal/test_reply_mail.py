"""The reply as mail: everything arrives, nobody takes it for ours, and nothing that is typed becomes a header field."""

import email
import email.policy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.address import Address, parse_address
from gateway.core.record import QueueId
from gateway.core.sealed import Access, PackageId, Reader
from gateway.core.sealing import Unlock
from gateway.portal.reply_mail import Headline, Reply, ReplyFile, build_reply, message_id_of, room

NOW = datetime(2026, 11, 22, 15, 41, tzinfo=UTC)
READER = Reader(
    package=PackageId("p" * 22),
    number=2,
    address=parse_address("jo@firm.example"),
    unlock=Unlock.MAIL,
    agreed=False,
    access=Access.OPEN,
    queue_id=QueueId("001-abc"),
    sender=parse_address("worker@council.example"),
    level="controlled",
    route="secure",
    sealed_at=NOW,
    expires_at=NOW + timedelta(days=28),
    lasts=timedelta(days=28),
    size=1000,
    opened=1,
    opened_at=NOW,
    downloaded=0,
    downloads=None,
    hand_off=False,
)
HEAD = Headline(
    reader=READER,
    who="Jo Miller",
    sender=Address("secure", "council.example"),
    subject="Case 12: Café",
    message_id="abc@gateway.council.example",
    answers="<original@council.example>",
    now=NOW,
)


def parsed(head: Headline, reply: Reply) -> EmailMessage:
    whole = build_reply(head, reply)
    assert whole.replace(b"\r\n", b"").count(b"\n") == 0
    assert whole.replace(b"\r\n", b"").count(b"\r") == 0
    assert max(map(len, whole.split(b"\r\n"))) <= 998
    message = email.message_from_bytes(whole, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def body(message: EmailMessage) -> str:
    part = message.get_body()
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def text(words: str = "Thank you.", *files: ReplyFile, scanned: bool = True) -> Reply:
    return Reply(text=words, files=files, scanned=scanned)


def test_it_says_from_whom_it_is_and_whom_it_answers() -> None:
    message = parsed(HEAD, text())
    assert message["From"] == '"jo@firm.example (outside, by portal)" <secure@council.example>'
    assert message["To"] == "worker@council.example"
    assert message["Reply-To"] == "jo@firm.example"
    assert message["Subject"] == "Re: Case 12: Café"
    assert message["Message-ID"] == "<abc@gateway.council.example>"
    assert message["In-Reply-To"] == message["References"] == "<original@council.example>"
    assert message["Date"] == "Sun, 22 Nov 2026 15:41:00 +0000"
    assert message["X-Sealpost-External"] == "reply from the portal"
    assert message["Auto-Submitted"] is None
    assert message["X-Sealpost-Scan"] is None
    lines = body(message).splitlines()
    assert lines[0].startswith("[From outside: written on the portal by whoever opened the message to jo@firm.example")
    assert lines[-1] == "Thank you."


@pytest.mark.parametrize(
    ("who", "named"),
    [
        ("", ""),
        ("IT Service Desk", ' and gave the name "IT Service Desk"'),
        ("boss@council.example", ' and gave the name "boss council example"'),
        ("=?utf-8?q?CEO_=3Cceo=40council.example=3E?=", ' and gave the name "utf- q CEO Cceo council example E"'),
        ("Jo\r\nBcc: x@y.example", ' and gave the name "Jo Bcc x y example"'),
        ('Jo" .] https://evil.example', ' and gave the name "Jo . https evil example"'),
        ("@@@", ""),
    ],
)
def test_the_name_that_was_given_stands_in_the_text_alone(who: str, named: str) -> None:
    message = parsed(replace(HEAD, who=who), text())
    assert message["From"] == '"jo@firm.example (outside, by portal)" <secure@council.example>'
    assert message["Bcc"] is None
    first = "[From outside: written on the portal by whoever opened the message to jo@firm.example"
    assert body(message).splitlines()[0] == f"{first}{named}.]"
    assert not who or who not in str(message.items())


_LONG = "x" * 64 + "@" + ".".join(["y" * 60] * 3) + ".example"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ('"jo, miller"@firm.example', '"jo, miller"@firm.example'),
        (r'"jo\"m"@firm.example', r'"jo\"m"@firm.example'),
        ("jö@firm.example", "jö@firm.example"),
        ("=?utf-8?q?ceo?=@firm.example", "=?utf-8?q?ceo?=@firm.example"),
        ("x" * 60 + "@" + "y" * 60 + ".example", "x" * 60 + "@" + "y" * 60 + ".example"),
        (_LONG, f"...{_LONG[-150:]}"),
    ],
)
def test_the_name_beside_our_address_is_the_readers_own(address: str, shown: str) -> None:
    head = replace(HEAD, reader=replace(READER, address=parse_address(address)))
    message = parsed(head, text())
    [mailbox] = message["From"].addresses
    # The parser of Python puts a space between two encoded words (RFC 2047 section 6.2 has none).
    assert mailbox.display_name.replace(" ", "") == f"{shown} (outside, by portal)".replace(" ", "")
    assert mailbox.addr_spec == "secure@council.example"
    assert f"\r\nReply-To: {address}\r\n".encode() in build_reply(head, text())


@pytest.mark.parametrize(
    ("subject", "answer"),
    [
        ("Hello", "Re: Hello"),
        ("RE: Hello", "RE: Hello"),
        ("AW : Hallo", "AW : Hallo"),
        ("", "Re:"),
        ("a\r\nBcc: x@y.example", "Re: a Bcc: x@y.example"),
        ("Report", "Re: Report"),
        ("x" * 900, "Re: " + "x" * 400),
        ("=?utf-8?q?=42oss?=", "Re: = ?utf-8?q?=42oss?="),
    ],
)
def test_subjects(subject: str, answer: str) -> None:
    assert parsed(replace(HEAD, subject=subject), text())["Subject"] == answer


def test_without_an_original_id_it_answers_none() -> None:
    message = parsed(replace(HEAD, answers=""), text())
    assert message["In-Reply-To"] is None
    assert message["References"] is None


_contents = st.lists(
    st.tuples(st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp", "Co", "Cn"]), min_size=1,
                      max_size=60), st.binary(max_size=300)), max_size=4)  # fmt: skip


@given(_contents)
def test_every_byte_of_the_files_arrives(files: list[tuple[str, bytes]]) -> None:
    message = parsed(HEAD, text("x", *(ReplyFile(name, content) for name, content in files), scanned=False))
    found = list(message.iter_attachments()) if files else []
    assert [one.get_payload(decode=True) for one in found] == [content for _, content in files]
    assert all(one.get_content_type() == "application/octet-stream" for one in found)
    assert message["X-Sealpost-Scan"] == ("not scanned" if files else None)
    assert ("were not scanned" in body(message)) == bool(files)


def test_file_names_arrive() -> None:
    names = ["plain.txt", "Übersicht ä.pdf", "日本.docx", "x" * 116 + ".pdf"]
    message = parsed(HEAD, text("x", *(ReplyFile(name, b"1") for name in names)))
    assert [one.get_filename() for one in message.iter_attachments()] == names
    assert message["X-Sealpost-Scan"] == "clean"


@given(st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp"]), max_size=2000))
def test_the_text_arrives(words: str) -> None:
    assert body(parsed(HEAD, text(words))).endswith(f"\n\n{words}\n")


def test_controls_in_the_text_do_not() -> None:
    assert body(parsed(HEAD, text("a\r\nb\x00c\u202e\r.\r\n"))).endswith("\n\na\nb\ufffdc\n.\n")


def test_addresses_beyond_ascii_are_sent_as_they_are() -> None:
    reader = replace(READER, address=parse_address("jö@firm.example"))
    assert "\r\nReply-To: jö@firm.example\r\n".encode() in build_reply(replace(HEAD, reader=reader), text())


@pytest.mark.parametrize("address", ['"jo miller"@firm.example', r'"jo\"m"@firm.example', "jo.m@[192.0.2.1]"])
def test_unusual_addresses_stay_the_same(address: str) -> None:
    reader = replace(READER, address=parse_address(address))
    assert parsed(replace(HEAD, reader=reader), text())["Reply-To"] == address


@pytest.mark.parametrize("most", [100_000, 1_000_000, 5_000_000])
def test_what_has_room_fits(most: int) -> None:
    size = room(most) // 20
    files = [ReplyFile("ü" * 116 + ".pdf", bytes(size)) for _ in range(19)]
    mail = build_reply(HEAD, text("ä" * (size // 2), *files, scanned=False))
    assert len(mail) <= most
    assert len(mail) > most * 0.9 - 60_000


def test_no_room() -> None:
    assert room(0) == 0


@pytest.mark.parametrize(
    ("beginning", "found"),
    [
        (b"From: a\r\nMessage-ID: <a.b@c.example>\r\n\r\nMessage-ID: <x@y>", "<a.b@c.example>"),
        (b"MESSAGE-id:\r\n <a@c.example>\r\n\r\n", "<a@c.example>"),
        (b"Message-ID: a@c.example\r\n\r\n", ""),
        (b"Message-ID: <a@c.example> <b@c.example>\r\n\r\n", ""),
        (b"Message-ID: <a b@c.example>\r\n\r\n", ""),
        (b"Message-ID: <" + b"a" * 300 + b"@c.example>\r\n\r\n", ""),
        (b"From: a\r\n\r\n", ""),
        (b"", ""),
    ],
)
def test_the_original_id(beginning: bytes, found: str) -> None:
    assert message_id_of(beginning) == found
