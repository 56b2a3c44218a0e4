"""What mailboxes of roles are told: the whole of it, without one word of a message."""

import email
import email.policy
from dataclasses import replace
from datetime import timedelta
from email.message import EmailMessage

from gateway.core.address import parse_address
from gateway.core.digest import MOST_LINES, About, Batch, Line, Topic, build_alert, build_digest, joined
from gateway.core.report import Identity, Stamp
from tests.fakes.clock import START

IDENTITY = Identity(
    hostname="gw.council.example",
    contact="Service Desk, 01629 000000",
    postmaster=parse_address("postmaster@council.example"),
)
STAMP = Stamp(now=START, message_id="id-1", boundary="id-2")
TOPIC = Topic(about=About.RULE, rule="Cloud links", mailbox="dpo@council.example")
UNREPORTABLE = Topic(about=About.UNREPORTABLE, rule="", mailbox="postmaster@council.example")
LINE = Line(
    at=START,
    queue_id="000-abc",
    sender="officer@council.example",
    recipient="gp@x.example",
    why="it links to a sharing site",
)


def lines(count: int) -> list[Line]:
    return [replace(LINE, at=START + timedelta(seconds=n), queue_id=f"000-{n:04}") for n in range(count)]


def batch(topic: Topic = TOPIC, count: int = 1) -> Batch:
    return Batch(topic=topic, since=START).with_more(lines(count))


def parts(mail: bytes) -> tuple[EmailMessage, str, str]:
    parsed = email.message_from_bytes(mail, policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    plain, html = parsed.get_body(("plain",)), parsed.get_body(("html",))
    assert plain is not None and html is not None
    return parsed, plain.get_content(), html.get_content()


def test_alert_names_rule_and_message_and_says_first_what_to_do() -> None:
    message, plain, html = parts(build_alert(batch(), IDENTITY, STAMP))
    assert message["Subject"] == "A rule has matched: Cloud links"
    assert message["To"] == "dpo@council.example"
    assert message["From"] == "Mail Gateway <postmaster@council.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"] == "<id-1@gw.council.example>"
    assert plain[:120].startswith("What to do: see whether you have to act")
    line = "2 March 2026, 09:00 UTC, 000-0000: from officer@council.example to gp@x.example."
    for text in (plain, html):
        assert f"{line} Why: it links to a sharing site" in " ".join(text.split())
        assert "Cloud links" in text
        assert "Sent to the wrong person? Report it now: Service Desk, 01629 000000." in text
    assert "<title>A rule has matched: Cloud links</title>" in html


def test_digest_lists_all_up_to_its_limit_and_counts_the_rest() -> None:
    _, plain, _ = parts(build_digest(batch(count=MOST_LINES), IDENTITY, STAMP))
    assert plain.count("Why:") == MOST_LINES and "more, which" not in plain
    _, plain, html = parts(build_digest(batch(count=MOST_LINES + 3), IDENTITY, STAMP))
    for text in (plain, html):
        assert text.count("Why:") == MOST_LINES
        assert "And 3 more, which the audit trail holds." in text
    assert f"since 2 March 2026, 09:00 UTC: {MOST_LINES + 3}." in plain


def test_postmasters_summary_tells_of_mail_that_nobody_was_told_of() -> None:
    message, plain, _ = parts(build_digest(batch(UNREPORTABLE, 2), IDENTITY, STAMP))
    assert message["Subject"] == "Mail that nobody was told of"
    assert plain[:120].startswith("What to do: see whether somebody has to be told")
    assert "No report to its sender was possible." in plain
    assert plain.count("000-000") == 2


def test_name_that_cannot_stand_in_a_field_stands_in_the_text_alone() -> None:
    topic = replace(TOPIC, rule="N\u00e4chste\r\nBcc: x@y.example")
    message, plain, _ = parts(build_alert(batch(topic), IDENTITY, STAMP))
    assert message["Subject"] == "A rule has matched" and message["Bcc"] is None
    assert "N\u00e4chste Bcc: x@y.example." in plain
    message, _, _ = parts(build_alert(batch(replace(TOPIC, rule="two\r\nBcc: x@y.example")), IDENTITY, STAMP))
    assert message["Subject"] == "A rule has matched: two Bcc: x@y.example" and message["Bcc"] is None


def test_postmaster_that_is_not_ascii_does_not_stand_in_from() -> None:
    identity = replace(IDENTITY, postmaster=parse_address("p\u00f6st@council.example"))
    message, _, _ = parts(build_alert(batch(), identity, STAMP))
    assert message["From"] == "Mail Gateway <MAILER-DAEMON@gw.council.example>"


def test_null_reverse_path_is_named_and_lines_stay_lines() -> None:
    odd = replace(LINE, sender="", why="one\r\ntwo\x00three")
    _, plain, _ = parts(build_digest(Batch(topic=TOPIC, since=START).with_more([odd]), IDENTITY, STAMP))
    assert "from the null reverse-path to gp@x.example. Why: one two three" in " ".join(plain.split())


def test_batch_counts_everything_and_keeps_the_first_lines() -> None:
    full = batch(count=MOST_LINES - 1).with_more(lines(3))
    assert (full.count, len(full.lines)) == (MOST_LINES + 2, MOST_LINES)
    assert full.lines[: MOST_LINES - 1] == tuple(lines(MOST_LINES - 1))
    more = full.with_more(lines(2))
    assert (more.count, more.lines) == (MOST_LINES + 4, full.lines)


def test_lines_are_cut() -> None:
    long = replace(LINE, sender="s" * 999, recipient="r" * 999, why="w" * 999)
    (line,) = Batch(topic=TOPIC, since=START).with_more([long]).lines
    assert (len(line.sender), len(line.recipient), len(line.why)) == (320, 320, 160)


def test_joined_batches_are_in_order_of_time() -> None:
    one = Batch(topic=TOPIC, since=START).with_more([*lines(3)[1:]])
    other = Batch(topic=TOPIC, since=START - timedelta(hours=1)).with_more(lines(1))
    both = joined([one, other])
    assert both.lines == tuple(lines(3)) and both.count == 3
    assert both.since == START - timedelta(hours=1) and both.topic == TOPIC
    many = joined([batch(count=MOST_LINES), batch(count=MOST_LINES + 1)])
    assert (many.count, len(many.lines)) == (2 * MOST_LINES + 1, MOST_LINES)
