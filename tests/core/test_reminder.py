"""The reminder says first what to do, names who is missing, and repeats nothing of the message."""

import email
import email.policy
from datetime import UTC, datetime, timedelta

from gateway.core.address import parse_address
from gateway.core.record import QueueId
from gateway.core.reminder import Outstanding, Reminder, build_reminder
from gateway.core.report import Identity, Stamp

SENT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
IDENTITY = Identity(
    hostname="gw.council.example", contact="Service Desk", postmaster=parse_address("postmaster@council.example")
)


def texts(count: int) -> tuple[str, str, str]:
    """Subject, plain text and HTML of the reminder about that many recipients."""
    reminder = Reminder(
        queue_id=QueueId("000-1"),
        sender="officer@council.example",
        accepted_at=SENT,
        outstanding=[Outstanding(f"gp{number}@x.example", SENT + timedelta(minutes=number)) for number in range(count)],
    )
    stamp = Stamp(now=SENT + timedelta(days=5), message_id="m", boundary="b")
    mail = email.message_from_bytes(build_reminder(reminder, IDENTITY, stamp), policy=email.policy.default)
    assert (mail["To"], mail["Auto-Submitted"]) == ("officer@council.example", "auto-generated")
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None
    assert html is not None
    return mail["Subject"], plain.get_content(), html.get_content()


def test_it_says_first_what_to_do() -> None:
    subject, plain, html = texts(2)
    assert subject == "No receipt yet for your message of 2 March 2026, 09:00 UTC"
    first = plain.splitlines()[0]
    assert len(first) <= 120
    assert first.startswith("What to do: ask the recipients below")
    for text in (plain, html):
        assert "gp0@x.example, handed on 2 March 2026, 09:00 UTC" in text
        assert "gp1@x.example, handed on 2 March 2026, 09:01 UTC" in text
        assert "000-1" in text and "Report it now: Service Desk" in text
        assert "more" not in text


def test_many_recipients_are_counted() -> None:
    _, plain, _ = texts(53)
    assert plain.count("@x.example, handed on") == 50
    assert "and 3 more" in plain
