"""What the sender hears of a message just sealed: what to pass on, then who, how, until when, and why."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.core.address import parse_address
from gateway.core.outcome import Cause
from gateway.core.record import RecipientRow
from gateway.core.sealed import PackageId, Reader
from gateway.core.sealed_mail import build_confirmation, build_password
from gateway.core.sealing import Unlock
from gateway.core.sender_link import read_sender_link
from gateway.core.sender_words import (
    LINK_AFTER,
    Confirmation,
    Confirmed,
    Locked,
    Passwords,
    sender_page,
    why_this_way,
)
from tests.core.queued import DECLINED, HELD, NOW, OPEN, ROUTED, ROW, SENDER, deferred
from tests.core.sealed_samples import IDENTITY, OFFICE, PHRASE, READER, STAMP, read

KEY = b"k" * 32
LINKS = {READER.package: sender_page(READER, OFFICE, KEY)}


def reader(address: str, unlock: Unlock = Unlock.MAIL, *, agreed: bool = False) -> Reader:
    return replace(READER, address=parse_address(address), unlock=unlock, agreed=agreed)


def confirmation(*recipients: Confirmed) -> Confirmation:
    return Confirmation(to=SENDER, accepted_at=NOW, recipients=recipients, links=LINKS)


def test_the_senders_page_can_be_found_for_as_long_as_there_is_something_to_do() -> None:
    base, _, path = sender_page(READER, OFFICE, KEY).partition("/sent/")
    package, _, token = path.partition("/")
    end = READER.expires_at + LINK_AFTER
    assert (base, package) == (OFFICE.url, READER.package)
    assert read_sender_link(package, token, KEY, end - timedelta(seconds=1)) is not None
    assert read_sender_link(package, token, KEY, end) is None


def test_without_a_passphrase_there_is_nothing_to_do_and_equal_recipients_share_a_paragraph() -> None:
    letter = confirmation(Confirmed(reader("a@x.example"), ""), Confirmed(reader("b@y.example"), ""))
    mail, plain, html = read(build_confirmation(letter, IDENTITY, STAMP))
    assert (mail["To"], mail["Subject"]) == (
        "officer@council.example",
        "Sealed: your message of 2 March 2026, 09:05 UTC",
    )
    assert plain.startswith(
        "You need not do anything.\nYour message of 2 March 2026, 09:05 UTC waits protected for 2 rec"
    )
    assert (
        "\na@x.example, b@y.example\nOpened with: a code that is sent to their mailbox when they ask for it.\n"
        "Open until: 30 March 2026, 09:05 UTC\n\nSee who has opened it"
    ) in plain
    assert plain.count("/sent/package-1/") == html.count("/sent/package-1/") == 1
    assert "Passphrase" not in plain and "Why this way" not in plain


@pytest.mark.parametrize(
    ("unlock", "begins"),
    [
        (Unlock.PASSPHRASE, "Opened with: the passphrase that you tell them."),
        (
            Unlock.VERIFIED_MAIL,
            "Opened with: a code, if their mailbox can be reached over a protected connection; else",
        ),
    ],
)
def test_a_passphrase_stands_in_it_with_a_line_to_pass_on(unlock: Unlock, begins: str) -> None:
    letter = confirmation(Confirmed(reader("a@x.example", unlock), PHRASE), Confirmed(reader("b@x.example"), ""))
    _, plain, _ = read(build_confirmation(letter, IDENTITY, STAMP))
    assert plain.startswith("What to do: tell each passphrase below by telephone, not by mail.")
    assert begins in plain
    assert f"\nPassphrase: {PHRASE}\n" in plain
    assert f"\nTo pass on: The passphrase for the message from officer@council.example is: {PHRASE}\n" in plain


def test_an_agreed_passphrase_is_named_and_not_shown() -> None:
    letter = confirmation(Confirmed(reader("a@x.example", Unlock.PASSPHRASE, agreed=True), ""))
    _, plain, _ = read(build_confirmation(letter, IDENTITY, STAMP))
    assert "waits protected for 1 recipient, who" in plain
    assert "Opened with: the passphrase that was agreed with them." in plain and "Passphrase:" not in plain


def test_why_it_went_this_way_is_said() -> None:
    letter = confirmation(Confirmed(READER, "", ("No host offers STARTTLS.", "It cannot go by tls: too large.")))
    _, plain, _ = read(build_confirmation(letter, IDENTITY, STAMP))
    assert "\nWhy this way: No host offers STARTTLS. It cannot go by tls: too large.\n" in plain


def test_of_several_packages_each_link_says_for_whom_it_is() -> None:
    other = PackageId("package-2")
    recipients = [Confirmed(replace(reader(f"r{number}@y.example"), package=other), "") for number in range(12)]
    links = LINKS | {other: "https://other.example/sent/package-2/x"}
    letter = replace(confirmation(Confirmed(READER, ""), *recipients), links=links)
    _, plain, _ = read(build_confirmation(letter, IDENTITY, STAMP))
    assert f"\nFor gp@x.example:\n{LINKS[READER.package]}\n" in plain
    assert "r9@y.example and 2 more:\nhttps://other.example/sent/package-2/x\n" in plain
    assert "r8@y.example, r9@y.example and" in plain


def test_a_password_letter_has_each_password_once_with_who_got_the_file() -> None:
    files = [Locked(PHRASE, [parse_address("a@x.example"), parse_address("b@x.example")]), Locked("other words", [])]
    letter = Passwords(to=SENDER, sender=SENDER, accepted_at=NOW, queue_id=READER.queue_id, files=files)
    mail, plain, _ = read(build_password(letter, IDENTITY, STAMP))
    assert (mail["To"], mail["Subject"]) == (str(SENDER), "Password for your message of 2 March 2026, 09:05 UTC")
    assert plain.startswith("What to do: tell the password below by telephone or by a text message, not by mail.")
    assert f"\na@x.example, b@x.example\nPassword: {PHRASE}\nTo pass on: The password for the file from" in plain
    assert "Password: other words" in plain and "number 000-abc" in plain


LATER = replace(ROW, route_index=1)
OUT = ("It cannot go by tls: the files are too large.",)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (ROW, ()),
        (replace(ROW, last=DECLINED), ()),
        (replace(ROW, decision=replace(ROUTED, without=OUT)), OUT),
        (replace(ROW, decision=replace(HELD, without=OUT)), OUT),
        (replace(ROW, decision=OPEN), ()),
        (replace(LATER, last=deferred(Cause.LOCAL)), ("An earlier way could not carry it protected in time.",)),
        (LATER, ("An earlier way could not carry it protected in time.",)),
    ],
)
def test_why_is_what_the_routes_before_met(row: RecipientRow, why: tuple[str, ...]) -> None:
    assert why_this_way(row) == why


def test_what_a_route_proved_and_what_it_never_gave_are_said_in_its_words() -> None:
    (declined,) = why_this_way(replace(LATER, last=DECLINED))
    assert "No host offers STARTTLS." in declined
    late, left = why_this_way(replace(LATER, last=deferred(Cause.PROTECTION), decision=replace(ROUTED, without=OUT)))
    assert "It was protection." in late and left == OUT[0]
