"""Reports, read back by two parsers that are not ours: Python's email package and flufl.bounce."""

from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage, Message

import pytest
from flufl.bounce import all_failures
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.address import parse_address
from gateway.core.dsn import build
from gateway.core.effects import Point
from gateway.core.envelope import Client, Ret
from gateway.core.outcome import Cause, Declined, Failed, Outcome, Remote
from gateway.core.progress import Ending
from gateway.core.reply import Reply, Status, reply
from gateway.core.report import Identity, Item, Purpose, Report, Stamp, item_of
from gateway.core.tls import Protection
from tests.core.queued import (
    CLIENT,
    DECLINED,
    DELIVERED,
    FACTS,
    FAILED,
    HOUR,
    MESSAGE,
    NOW,
    ROW,
    deferred,
    recipient,
    with_envelope,
)

IDENTITY = Identity(
    hostname="gw.council.example",
    contact="Service Desk, 01629 000000",
    postmaster=parse_address("postmaster@council.example"),
    marks=("[SECURE]", "[ENCRYPT]"),
)
POINT = Point("Many in view", "12 addresses are in To", "Put them in Bcc.")
STAMP = Stamp(now=NOW + 48 * HOUR, message_id="unique", boundary="=_mark")
HEADER = (
    b"From: officer@council.example\r\nSubject: planted\r\n secret\r\nThread-Topic: planted\r\nTo: gp@x.example\r\n\r\n"
)


def item(outcome: Outcome | None = FAILED, ending: Ending | None = Ending.FAILED, **changes: object) -> Item:
    """One failed recipient."""
    row = replace(ROW, last=outcome)
    made = replace(item_of(row, Status(5, 1, 1)), ending=ending, attempted_at=NOW + HOUR, route="tls")
    return replace(made, **changes)  # pyright: ignore[reportArgumentType]


def report(*items: Item, purpose: Purpose = Purpose.FAILED, **changes: object) -> Report:
    """A report about the sample message."""
    made = Report(purpose=purpose, message=MESSAGE, items=items or (item(),), header=HEADER)
    return replace(made, **changes)  # pyright: ignore[reportArgumentType]


def parsed(about: Report, identity: Identity = IDENTITY) -> EmailMessage:
    """Built, checked for what must hold for every report, and parsed."""
    data = build(about, identity, STAMP)
    assert all(len(line) <= 998 for line in data.split(b"\r\n"))
    assert b"\n" not in data.replace(b"\r\n", b"") and b"\r" not in data.replace(b"\r\n", b"")
    message = message_from_bytes(data, policy=policy.default)
    assert isinstance(message, EmailMessage) and not message.defects
    return message


def groups(message: EmailMessage) -> list[Message]:
    """The field groups of the delivery-status part."""
    part = next(part for part in message.walk() if part.get_content_type() == "message/delivery-status")
    payload = part.get_payload()
    assert isinstance(payload, list)
    return [group for group in payload if isinstance(group, Message)]


def text_of(message: EmailMessage, kind: str = "plain") -> str:
    """The text for a person."""
    return next(part for part in message.walk() if part.get_content_type() == f"text/{kind}").get_content()


def returned(message: EmailMessage) -> tuple[str, bytes]:
    """Type and content of the last part."""
    part = list(message.iter_parts())[-1]
    payload = part.get_payload(decode=True)
    return part.get_content_type(), payload if isinstance(payload, bytes) else b""


def test_container_is_that_of_rfc_6522() -> None:
    message = parsed(report())
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "delivery-status"
    assert [part.get_content_type() for part in message.iter_parts()] == [
        "multipart/alternative",
        "message/delivery-status",
        "text/rfc822-headers",
    ]


def test_header_marks_it_as_automatic_and_threads_it() -> None:
    message = parsed(report())
    assert message["To"] == "officer@council.example"
    assert message["From"] == "Mail Delivery System <postmaster@council.example>"
    assert message["Auto-Submitted"] == "auto-replied"
    assert message["X-Auto-Response-Suppress"] == "All"
    assert message["Message-ID"] == "<unique@gw.council.example>"
    assert message["In-Reply-To"] == message["References"] == "<original@council.example>"
    assert message["Date"] == "Wed, 04 Mar 2026 09:05:07 +0000"


@pytest.mark.parametrize("bad", ["", "no brackets", "<a b@c>", "<a@b>\r\nBcc: x@y", "<" + "a" * 300 + "@b>"])
def test_message_id_that_is_none_is_not_repeated(bad: str) -> None:
    message = parsed(report(message=replace(MESSAGE, message_id=bad)))
    assert message["In-Reply-To"] is None and message["Bcc"] is None


def test_postmaster_that_needs_utf8_is_replaced_by_the_daemon() -> None:
    message = parsed(report(), replace(IDENTITY, postmaster=parse_address("é@council.example")))
    assert message["From"] == "Mail Delivery System <MAILER-DAEMON@gw.council.example>"


def test_groups_hold_the_message_and_each_recipient() -> None:
    second = item(DECLINED, Ending.DECLINED, recipient=recipient("b@y.example"), status=Status(5, 7, 4))
    about, first, other = groups(parsed(report(item(), second)))
    assert dict(about.items()) == {
        "Reporting-MTA": "dns; gw.council.example",
        "Received-From-MTA": "dns; exchange.local",
        "Arrival-Date": "Mon, 2 Mar 2026 09:05:07 +0000",
    }
    assert dict(first.items()) == {
        "Final-Recipient": "rfc822; gp@x.example",
        "Action": "failed",
        "Status": "5.1.1",
        "Remote-MTA": "dns; mx.x.example",
        "Diagnostic-Code": "smtp; 550 5.1.1 no such user really",
        "Last-Attempt-Date": "Mon, 2 Mar 2026 10:05:07 +0000",
        "Final-Log-ID": "000-abc",
    }
    assert other["Status"] == "5.7.4"
    assert other["Remote-MTA"] is None
    assert other["Diagnostic-Code"] == "x-sealpost; 5.7.4 No host offers STARTTLS."


def test_flufl_bounce_finds_every_failed_recipient_and_no_other() -> None:
    two = report(item(), item(recipient=recipient("b@y.example")))
    temporary, permanent = all_failures(message_from_bytes(build(two, IDENTITY, STAMP)))
    assert (set(temporary), set(permanent)) == (set(), {b"gp@x.example", b"b@y.example"})


def test_flufl_bounce_takes_a_delay_for_no_failure() -> None:
    delayed = report(item(deferred(Cause.DNS), None, until=NOW), purpose=Purpose.DELAYED)
    temporary, permanent = all_failures(message_from_bytes(build(delayed, IDENTITY, STAMP)))
    assert not permanent
    assert set(temporary) <= {b"gp@x.example"}


def test_delay_names_action_and_last_retry() -> None:
    delayed = item(deferred(Cause.PROTECTION), None, status=Status(4, 7, 5), until=NOW + 48 * HOUR)
    group = groups(parsed(report(delayed, purpose=Purpose.DELAYED)))[1]
    assert (group["Action"], group["Status"]) == ("delayed", "4.7.5")
    assert group["Will-Retry-Until"] == "Wed, 4 Mar 2026 09:05:07 +0000"


def test_relayed_names_the_host_and_its_reply() -> None:
    relayed = item(DELIVERED, None, status=Status(2, 0, 0))
    group = groups(parsed(report(relayed, purpose=Purpose.RELAYED)))[1]
    assert (group["Action"], group["Status"], group["Diagnostic-Code"]) == ("relayed", "2.0.0", "smtp; 250 2.0.0 ok")


@pytest.mark.parametrize(
    ("purpose", "words"),
    [
        (Purpose.MOVED, "Sent by: encrypted"),
        (Purpose.WARNED, "What to do: Put them in Bcc."),
        (Purpose.HELD, "Also: Put them in Bcc."),
    ],
)
def test_notice_is_no_delivery_status_and_repeats_nothing(purpose: Purpose, words: str) -> None:
    message = parsed(report(item(DELIVERED, None, route="encrypted", warnings=(POINT,)), purpose=purpose))
    assert message.get_content_type() == "multipart/alternative"
    assert words in text_of(message) and words in text_of(message, "html")
    assert "planted" not in message.as_string()


def test_report_about_mail_of_a_system_goes_to_its_owner() -> None:
    machine = replace(MESSAGE, facts=replace(FACTS, owner="owner@council.example"))
    assert parsed(report(message=machine))["To"] == "owner@council.example"
    assert parsed(report())["To"] == "officer@council.example"


def test_recipient_that_was_never_attempted_has_no_diagnostic() -> None:
    group = groups(parsed(report(item(None, Ending.REFUSED, attempted_at=None))))[1]
    assert group["Diagnostic-Code"] is None and group["Last-Attempt-Date"] is None


def test_reply_without_enhanced_status_is_repeated_without_one() -> None:
    remote = Remote(host="mx", reply=Reply(550, None, ("no",)))
    group = groups(parsed(report(item(Failed(status=Status(5, 0, 0), detail="no", remote=remote)))))[1]
    assert group["Diagnostic-Code"] == "smtp; 550 no"


def test_envid_and_orcpt_come_back_decoded_and_clean() -> None:
    wishes = recipient("gp@x.example", orcpt="rfc822;g+2Bp+0D+0ABcc:+20x@x.example")
    about = report(item(recipient=wishes), message=with_envelope(envid="id+3D7"))
    message_group, group = groups(parsed(about))
    assert message_group["Original-Envelope-Id"] == "id=7"
    assert group["Original-Recipient"] == "rfc822;g+p??Bcc: x@x.example"
    assert group["Bcc"] is None


def test_address_that_is_not_ascii_is_written_so_that_it_is() -> None:
    group = groups(parsed(report(item(recipient=recipient("jé+x@x.example")))))[1]
    assert group["Final-Recipient"] == r"utf-8; j\x{E9}\x{2B}x@x.example"


def test_client_without_a_name_is_left_out() -> None:
    nameless: Client = replace(CLIENT, helo="")
    assert groups(parsed(report(message=with_envelope(client=nameless))))[0]["Received-From-MTA"] is None


@given(st.text(alphabet=st.characters(exclude_characters="\r\n", exclude_categories=("Cc", "Cs")), max_size=900))
def test_no_words_of_a_remote_server_can_leave_their_field(words: str) -> None:
    remote = Remote(host="mx.x.example", reply=Reply(550, None, (words,)))
    about, group = groups(parsed(report(item(Failed(status=Status(5, 0, 0), detail="", remote=remote)))))
    assert set(group.keys()) <= {
        "Final-Recipient", "Action", "Status", "Remote-MTA", "Diagnostic-Code", "Last-Attempt-Date", "Final-Log-ID",
    }  # fmt: skip
    assert about["Reporting-MTA"] == "dns; gw.council.example"


def test_long_diagnostic_is_folded_between_words() -> None:
    remote = Remote(host="mx", reply=reply(550, "5.7.1", *["many words " * 10] * 3))
    data = build(report(item(Failed(status=Status(5, 7, 1), detail="", remote=remote))), IDENTITY, STAMP)
    field = data[data.index(b"Diagnostic-Code") : data.index(b"Last-Attempt")]
    assert field.count(b"\r\n ") >= 3
    assert all(len(line) <= 76 for line in field.split(b"\r\n"))


def test_subject_of_protected_mail_is_nowhere_in_its_report() -> None:
    data = build(report(), IDENTITY, STAMP)
    assert b"planted" not in data and b"secret" not in data
    message = parsed(report())
    assert message["Subject"] == "Not delivered: your message of 2 March 2026, 09:05 UTC"
    kind, header = returned(message)
    assert kind == "text/rfc822-headers"
    assert header == (b"From: officer@council.example\r\nSubject: (not repeated here)\r\nTo: gp@x.example\r\n")


def test_protected_mail_is_never_returned_whole() -> None:
    data = build(report(full=HEADER + b"the body\r\n"), IDENTITY, STAMP)
    assert b"the body" not in data


@pytest.mark.parametrize("ret", list(Ret))
def test_mail_that_came_with_requiretls_is_never_returned_whole_nor_in_its_own_words(ret: Ret) -> None:
    public = item(floor=Protection.NONE)
    about = report(public, message=with_envelope(require_tls=True, ret=ret), full=HEADER + b"the body\r\n")
    data = build(about, IDENTITY, STAMP)
    assert not any(word in data for word in (b"planted", b"secret", b"the body"))
    kind, header = returned(parsed(about))
    assert kind == "text/rfc822-headers"
    assert header == b"From: officer@council.example\r\nSubject: (not repeated here)\r\nTo: gp@x.example\r\n"


def test_public_mail_keeps_its_subject_and_may_come_back_whole() -> None:
    public = item(floor=Protection.NONE)
    message = parsed(report(public, full=HEADER + b"the body\r\n"))
    assert message["Subject"] == "Not delivered: your message of 2 March 2026, 09:05 UTC (planted secret)"
    part = list(message.iter_parts())[-1]
    assert part.get_content_type() == "message/rfc822"
    assert "the body" in part.as_string()
    assert returned(parsed(report(public)))[1] == HEADER[:-2]


@pytest.mark.parametrize(
    ("subject", "shown"),
    [
        (b"=?utf-8?q?caf=C3=A9?=", " =?utf-8?q?caf=C3=A9?="),
        (b"short", " (short)"),
        (b"", ""),
        (b"x" * 201, ""),
        ("rohé".encode(), ""),
        (b"bell \x07", ""),
    ],
)
def test_subject_is_repeated_only_as_it_stood_and_if_it_is_harmless(subject: bytes, shown: str) -> None:
    about = report(item(floor=Protection.NONE), header=b"Subject: " + subject + b"\r\n\r\n")
    data = build(about, IDENTITY, STAMP)
    line = data[data.index(b"Subject: ") : data.index(b"\r\nDate:")].replace(b"\r\n ", b" ")
    assert line.decode() == f"Subject: Not delivered: your message of 2 March 2026, 09:05 UTC{shown}"


def test_message_without_subject_is_reported_all_the_same() -> None:
    message = parsed(report(item(floor=Protection.NONE), header=b"To: a@b\r\n\r\n"))
    assert message["Subject"] == "Not delivered: your message of 2 March 2026, 09:05 UTC"


@pytest.mark.parametrize(
    "line", ["X: é".encode(), b"X: " + b"a" * 2000, b"X: nul \x00 here"], ids=["8 bit", "long", "NUL"]
)
def test_header_that_is_not_seven_bit_text_is_encoded(line: bytes) -> None:
    message = parsed(report(item(floor=Protection.NONE), header=b"From: a@b\r\n" + line + b"\r\n\r\n"))
    part = list(message.iter_parts())[-1]
    assert part["Content-Transfer-Encoding"] == "quoted-printable"
    assert returned(message)[1].startswith(b"From: a@b\r\n" + line)


@pytest.mark.parametrize("floor", [Protection.NONE, Protection.ENCRYPTED])
def test_endless_header_is_cut_at_the_end_of_a_line(floor: Protection) -> None:
    header = returned(parsed(report(item(floor=floor), header=b"To: y@z\r\n" * 100_000)))[1]
    assert header == b"To: y@z\r\n" * (64 * 1024 // 9)


@pytest.mark.parametrize(
    "field",
    [
        b"Subject\x0b: planted",
        b"Subject : planted",
        b"Resent-Subject: planted",
        b"X-Original-Subject: planted",
        b"X-Own: a\r\n planted\r\n\tplanted",
        b"Content-Description: planted",
        b'Content-Type: application/pdf; name="planted"',
        b'Content-Disposition: attachment;\r\n filename="planted"',
        b"Comments: planted",
        b"From: a@b\rSubject: planted",
        b"To: a@b\n planted",
        b"X-Own: a\nSubject: planted",
        b"Received: from a\r\n by b\x00\r\n planted\x01",
        b"planted",
        b"Subject: " + b"planted " * 10_000,
        b"X: " + b"y" * 65_000 + b"\r\nSubject: planted\r\n " + b"planted " * 1_000,
    ],
)
def test_no_field_that_may_hold_words_of_a_protected_message_comes_back(field: bytes) -> None:
    header = b"From: officer@council.example\r\n" + field + b"\r\nDate: Mon, 2 Mar 2026 09:05:07 +0000\r\n\r\n"
    data = build(report(header=header), IDENTITY, STAMP)
    assert b"planted" not in data
    shown = returned(parsed(report(header=header)))[1]
    assert shown.startswith(b"From: officer@council.example\r\n")
    assert shown.endswith(b"\r\nDate: Mon, 2 Mar 2026 09:05:07 +0000\r\n")


def test_who_when_and_which_of_a_protected_message_come_back_as_they_stood() -> None:
    kept = (
        b"Received: from a ([192.0.2.1])\r\n\tby b; Mon, 2 Mar 2026 09:05:07 +0000\r\nfrom: a@b\r\nTo: c@d,\r\n e@f\r\n"
        b"Cc: g@h\r\nMessage-ID: <i@j>\r\nIn-Reply-To: <k@l>\r\nReferences: <m@n>\r\nSensitivity: Private\r\n"
    )
    assert returned(parsed(report(header=kept + b"\r\n")))[1] == kept


def test_no_boundary_begins_with_another() -> None:
    boundaries = [part.get_boundary() for part in parsed(report()).walk() if part.is_multipart()]
    named = [boundary for boundary in boundaries if boundary is not None]
    assert len(named) == 2
    assert not any(one != other and one.startswith(other) for one in named for other in named)


@given(st.text(min_size=1, max_size=200))
def test_any_advice_is_read_again_in_both_texts(advice: str) -> None:
    about = report(item(None, Ending.REFUSED, advice=advice, reason="because"))
    message = parsed(about)
    shown = "".join(char if char.isprintable() else " " for char in f"What to do: {advice}")
    assert " ".join(shown.split()) in " ".join(text_of(message).split())
    assert "because" in text_of(message, "html")


def test_sender_that_is_not_ascii_is_addressed_as_it_is() -> None:
    about = report(message=with_envelope(reverse_path=parse_address("jürgen@council.example")))
    assert "To: <jürgen@council.example>\r\n".encode() in build(about, IDENTITY, STAMP)


def test_declined_item_names_no_remote_host() -> None:
    outcome: Declined = DECLINED
    assert groups(parsed(report(item(outcome, Ending.DECLINED))))[1]["Remote-MTA"] is None
