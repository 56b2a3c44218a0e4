"""Letters about sealed messages: each says first what to do, names nobody else, and holds what it may and no more."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.core.address import parse_address
from gateway.core.sealed_mail import (
    build_code,
    build_disowned,
    build_locked,
    build_notification,
    build_receipt,
    build_reminder,
)
from gateway.core.sealed_words import Invitation
from gateway.core.sealing import Unlock
from tests.core.queued import NOW
from tests.core.sealed_samples import IDENTITY, OFFICE, READER, STAMP, read

INVITATION = Invitation(reader=READER, token="the-token", author="An Officer")
LINK = "https://secure.council.example/m/the-token"
PAGE = "https://secure.council.example/sent/package-1/1-x"


def notification(invitation: Invitation = INVITATION) -> bytes:
    return build_notification(invitation, OFFICE, IDENTITY, STAMP)


def test_a_notification_says_who_wrote_where_it_waits_until_when_and_how_it_is_checked() -> None:
    mail, plain, html = read(notification())
    assert mail["From"] == "An Officer via Council <secure-mail@council.example>"
    assert (mail["To"], mail["Reply-To"]) == ("gp@x.example", "officer@council.example")
    assert mail["Subject"] == "A protected message for you from Council"
    assert plain.startswith("What to do: open the link below")
    assert plain.count(LINK) == html.count(LINK) == 1
    for said in (
        "An Officer (officer@council.example) of Council has sent you a protected message.",
        "With a code: the page sends it to this mailbox when you ask for it.",
        "It can be opened until 30 March 2026, 09:05 UTC.",
        "Our guide is on the council's home page.",
        "Keep this letter.",
        "call Council on 01629 111111 before you open anything.",
        "Sent to the wrong person?",
    ):
        assert said in plain and said in html.replace("&#x27;", "'")


def test_an_office_without_wording_has_no_paragraph_for_it() -> None:
    _, plain, _ = read(build_notification(INVITATION, replace(OFFICE, wording=()), IDENTITY, STAMP))
    assert "\nCouncil\n" not in plain and "\n\n\n" not in plain
    assert "\nCouncil\n" in read(notification())[1]


@pytest.mark.parametrize(
    ("unlock", "agreed", "said"),
    [
        (Unlock.VERIFIED_MAIL, False, "Otherwise with the passphrase that officer@council.example gives you by tele"),
        (Unlock.VERIFIED_MAIL, True, "Otherwise with the passphrase that was agreed with you."),
        (Unlock.PASSPHRASE, False, "\nWith the passphrase that officer@council.example gives you by telephone or in"),
        (Unlock.PASSPHRASE, True, "\nWith the passphrase that was agreed with you."),
    ],
)
def test_a_notification_says_what_opens_the_message(unlock: Unlock, agreed: bool, said: str) -> None:
    reader = replace(READER, unlock=unlock, agreed=agreed)
    _, plain, _ = read(notification(replace(INVITATION, reader=reader)))
    assert said in plain
    assert ("With a code" in plain) is (unlock is not Unlock.PASSPHRASE)


def test_a_sender_without_a_name_is_named_by_the_address() -> None:
    mail, plain, _ = read(notification(replace(INVITATION, author="")))
    assert mail["From"] == '"officer@council.example via Council" <secure-mail@council.example>'
    assert "\nofficer@council.example of Council has sent" in plain


def test_a_subject_stands_in_it_only_where_it_was_given_and_never_as_a_field_more() -> None:
    mail, _, html = read(notification(replace(INVITATION, subject="Grüße\r\nBcc: x@y.example")))
    assert mail["Subject"] == "Grüße Bcc: x@y.example" and "Bcc" not in mail
    assert "<title>Grüße Bcc: x@y.example</title>" in html


def test_an_address_beyond_ascii_asks_nothing_of_a_mail_system_that_does_not_know_it() -> None:
    sender = parse_address("pröv@council.example")
    mail = notification(replace(INVITATION, reader=replace(READER, sender=sender), author=""))
    assert mail.partition(b"\r\n\r\n")[0].isascii() and "Reply-To" not in read(mail)[0]
    assert "pröv@council.example" in read(mail)[1]
    reader = replace(READER, sender=sender, address=parse_address("grün@x.example"))
    assert "Reply-To: <pröv@council.example>".encode() in notification(replace(INVITATION, reader=reader))


def test_a_text_that_is_handed_over_stands_in_it_as_it_was_written() -> None:
    lines = ("Dear Ann,", "", "  a    <b>", "regards")
    mail, plain, html = read(notification(replace(INVITATION, subject="the  subject", lines=lines)))
    assert mail["Subject"] == "the subject"
    assert "\nThe message: the subject\nDear Ann,\n\n  a    <b>\nregards\n" in plain
    assert "a    &lt;b&gt;" in html
    assert plain.startswith("What to do: read the message below; its files wait") and plain.count(LINK) == 1
    _, plain, _ = read(notification(replace(INVITATION, lines=lines)))
    assert "\nThe message\nDear Ann," in plain


def test_a_reminder_says_when_its_time_is_over() -> None:
    mail, plain, _ = read(build_reminder(replace(INVITATION, author=""), OFFICE, IDENTITY, STAMP))
    assert mail["Subject"] == "Not opened yet: a protected message for you from Council"
    assert plain.startswith("What to do: open the link below before 30 March 2026, 09:05 UTC.")
    assert "officer@council.example of Council sent you a protected message on 2 March 2026" in plain
    assert plain.count(LINK) == 1


def test_a_code_stands_in_the_text_and_not_in_the_subject() -> None:
    mail, plain, html = read(build_code("12345678", READER, OFFICE, IDENTITY, STAMP))
    assert (mail["From"], mail["To"]) == ("Council <secure-mail@council.example>", "gp@x.example")
    assert "12345678" not in mail["Subject"] and "Reply-To" not in mail
    assert plain.startswith("What to do: type 12345678 into the page") and "12345678" in html
    assert "If you did not ask for a code, do nothing" in plain and "/m/" not in plain
    assert "12345678" not in html.partition("</head>")[0]


def test_a_receipt_says_when_and_by_whom_it_was_opened() -> None:
    at = NOW + timedelta(hours=2)
    mail, plain, html = read(build_receipt(READER, at, "Dr. <Ann>\r\nhttps://evil.example/", PAGE, IDENTITY, STAMP))
    assert (mail["To"], mail["Subject"]) == (
        "officer@council.example",
        "Opened: your message of 2 March 2026, 09:05 UTC",
    )
    assert (
        'to gp@x.example was opened on 2 March 2026, 11:05 UTC. Whoever did gave the name "Dr. Ann https evil example".'
        in plain
    )
    assert plain.count(PAGE) == html.count(PAGE) == 1 and "number 000-abc" in plain
    assert plain.count("https://") == plain.count(PAGE)
    for nothing in ("", '"://"'):
        _, plain, _ = read(build_receipt(READER, at, nothing, PAGE, IDENTITY, STAMP))
        assert "gave the name" not in plain


def test_a_lock_is_told_to_the_sender_with_whom_to_call() -> None:
    mail, plain, _ = read(build_locked(READER, PAGE, IDENTITY, STAMP))
    assert mail["To"] == "officer@council.example"
    assert plain.startswith("What to do: call gp@x.example.") and PAGE in plain


def test_not_for_me_is_told_with_whether_it_was_seen_and_without_a_link_to_who_may_not_change_it() -> None:
    officer = parse_address("dpo@council.example")
    mail, plain, _ = read(build_disowned(READER, "", officer, "", IDENTITY, STAMP))
    assert mail["To"] == "dpo@council.example"
    assert "It was not opened." in plain and "/sent/" not in plain and "gave the name" not in plain
    _, plain, _ = read(
        build_disowned(replace(READER, opened=2), 'Bob" https://x.example', READER.sender, PAGE, IDENTITY, STAMP)
    )
    assert "It had been opened before." in plain and 'gave the name "Bob https x example"' in plain and PAGE in plain
