"""Every kind of mail of ours, as its own builder makes it, by name: for tests of what a person reads."""

from collections.abc import Iterator
from dataclasses import replace

from gateway.core.address import parse_address
from gateway.core.digest import MOST_LINES, About, Batch, Line, Topic, build_alert, build_digest
from gateway.core.dsn import build
from gateway.core.effects import Point
from gateway.core.hold_letter import Holding, build_hold_letter
from gateway.core.outcome import Cause
from gateway.core.progress import Ending
from gateway.core.record import QueueId, State
from gateway.core.release_link import Link
from gateway.core.reminder import Outstanding, Reminder, build_reminder
from gateway.core.reply import Status
from gateway.core.report import Identity, Item, Purpose, Report, Stamp, item_of
from gateway.core.sealed_mail import (
    build_code,
    build_confirmation,
    build_disowned,
    build_locked,
    build_notification,
    build_password,
    build_receipt,
)
from gateway.core.sealed_mail import build_reminder as build_sealed_reminder
from gateway.core.sealed_words import Invitation
from gateway.core.sealing import Unlock
from gateway.core.sender_words import Confirmation, Confirmed, Locked, Passwords
from tests.core.queued import DAY, FACTS, FAILED, HELD, HOUR, MESSAGE, NOW, ROW, deferred, recipient
from tests.core.sealed_samples import OFFICE, PHRASE, READER

CONTACT = "Service Desk, 01629 000000"
KEY = b"k" * 32
ROLE = "information-governance"
LONG = f"{'safeguarding' * 5}@{'children-and-families.' * 5}council.example"
"""An address that no line of a telephone holds."""

_IDENTITY = Identity(
    hostname="gw.council.example",
    contact=CONTACT,
    postmaster=parse_address("postmaster@council.example"),
    marks=("[SECURE]", "[ENCRYPT]"),
)
_STAMP = Stamp(now=NOW + 48 * HOUR, message_id="unique", boundary="=_mark")
_HEADER = b"From: officer@council.example\r\nTo: gp@x.example\r\n\r\n"
_ITEM = replace(
    item_of(replace(ROW, last=FAILED), Status(5, 1, 1)), ending=Ending.FAILED, attempted_at=NOW + HOUR, until=NOW + DAY
)
_POINTS = (
    Point("Many in view", "12 addresses are in To & Cc", "Put them in Bcc.\nAll of them <each>."),
    Point("Look-alike", f"{LONG} resembles a partner's", ""),
)
_MANY = (
    replace(_ITEM, warnings=_POINTS),
    replace(_ITEM, ending=Ending.RETURNED, note='Use "the portal" <b>instead</b> \u2013 today.', overridable=True),
    replace(_ITEM, recipient=recipient(LONG), outcome=deferred(Cause.MAYBE), ending=Ending.EXPIRED),
)


def own_mail() -> dict[str, bytes]:
    """All of it."""
    return dict([*_reports(), *_letters(), *_hold_letters(), *_reminders(), *_sealed_outside(), *_sealed_inside()])


def _reports() -> Iterator[tuple[str, bytes]]:
    for ending in Ending:
        yield f"failed: {ending.value}", _report(Purpose.FAILED, replace(_ITEM, ending=ending, note="Ask first."))
    for purpose in Purpose:
        yield f"{purpose.value}, one", _report(purpose, replace(_ITEM, warnings=_POINTS[:1], route="encrypted"))
        yield f"{purpose.value}, many", _report(purpose, *_MANY)


def _report(purpose: Purpose, *items: Item) -> bytes:
    """With tokens where there are several; then it goes to the owner of the system that wrote, too."""
    several = len(items) > 1
    message = replace(MESSAGE, facts=replace(FACTS, owner="owner@council.example")) if several else MESSAGE
    tokens = {"Controlled": "K7QF-M2XD-9ABC-HJKM", "Files & folders": "M2XD-9ABC-HJKM-K7QF"} if several else {}
    report = Report(purpose=purpose, message=message, items=items, header=_HEADER, tokens=tokens)
    return build(report, _IDENTITY, _STAMP)


def _letters() -> Iterator[tuple[str, bytes]]:
    told = Topic(about=About.RULE, rule="Cloud <links>", mailbox="dpo@council.example")
    untold = Topic(about=About.UNREPORTABLE, rule="", mailbox="postmaster@council.example")
    line = Line(at=NOW, queue_id="000-abc", sender=LONG, recipient="gp@x.example", why="it links to a sharing site")
    for count in (1, MOST_LINES + 3):
        yield f"alert, {count}", build_alert(_batch(told, line, count), _IDENTITY, _STAMP)
        yield f"digest, {count}", build_digest(_batch(told, line, count), _IDENTITY, _STAMP)
        yield f"postmaster's summary, {count}", build_digest(_batch(untold, line, count), _IDENTITY, _STAMP)


def _batch(topic: Topic, line: Line, count: int) -> Batch:
    return Batch(topic=topic, since=NOW).with_more([line] * count)


def _hold_letters() -> Iterator[tuple[str, bytes]]:
    link = f"https://desk.council.example/mail{Link(QueueId('000-abc'), ROLE, NOW + DAY).path(KEY)}"
    held = replace(ROW, decision=replace(HELD, role=ROLE), state=State.HELD)
    other = replace(held, number=4, recipient=recipient(LONG), decision=replace(HELD, rule="Other", role=ROLE))
    for name, url in (("with a link", link), ("without a link", "")):
        holding = Holding(role=ROLE, mailbox="ig@council.example", message=MESSAGE, rows=(held, other), link=url)
        yield f"letter to a role, {name}", build_hold_letter(holding, _IDENTITY, _STAMP)


def _reminders() -> Iterator[tuple[str, bytes]]:
    for count in (1, 60):
        silent = (Outstanding(LONG, NOW + HOUR),) * count
        about = Reminder(
            queue_id=QueueId("000-abc"), sender="officer@council.example", accepted_at=NOW, outstanding=silent
        )
        yield f"reminder, {count}", build_reminder(about, _IDENTITY, _STAMP)


def _sealed_outside() -> Iterator[tuple[str, bytes]]:
    invitation = Invitation(reader=READER, token="a-token", author="An Officer", subject="Files & <folders>")
    phrase = replace(READER, unlock=Unlock.PASSPHRASE)
    for name, each in (
        ("code", invitation),
        ("passphrase", replace(invitation, reader=phrase)),
        ("files handed over", replace(invitation, lines=("Dear all,", "", "if a < b & c: <look>."))),
    ):
        yield f"notification, {name}", build_notification(each, OFFICE, _IDENTITY, _STAMP)
    yield "reminder of a sealed message", build_sealed_reminder(invitation, OFFICE, _IDENTITY, _STAMP)
    yield "code", build_code("12345678", READER, OFFICE, _IDENTITY, _STAMP)


def _sealed_inside() -> Iterator[tuple[str, bytes]]:
    page = "https://secure.council.example/sent/package-1/1-x"
    to, other = READER.sender, replace(READER, address=recipient(LONG).address)
    why = ("No host offers STARTTLS.", "It cannot go by tls: <too large>.")
    for name, each in (
        ("codes", (Confirmed(READER, ""),)),
        ("both", (Confirmed(READER, PHRASE, why), Confirmed(other, ""))),
    ):
        letter = Confirmation(to=to, accepted_at=NOW, recipients=each, links={READER.package: page})
        yield f"sealed, {name}", build_confirmation(letter, _IDENTITY, _STAMP)
    files = (Locked(PHRASE, (READER.address,)), Locked("other-words", (other.address,)))
    passwords = Passwords(to=to, sender=to, accepted_at=NOW, queue_id=QueueId("000-abc"), files=files)
    yield "password", build_password(passwords, _IDENTITY, _STAMP)
    yield "opened", build_receipt(READER, NOW + HOUR, "Dr <Ann>", page, _IDENTITY, _STAMP)
    yield "locked", build_locked(READER, page, _IDENTITY, _STAMP)
    for name, link in (("sender", page), ("officer", "")):
        yield f"not for them, {name}", build_disowned(READER, "", to, link, _IDENTITY, _STAMP)
