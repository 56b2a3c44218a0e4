from dataclasses import replace

import pytest

from gateway.core.address import parse_address
from gateway.core.effects import Point
from gateway.core.outcome import Alarm, Cause, Deferred, Failed, Outcome, Sealed
from gateway.core.paragraph import markup, plain
from gateway.core.progress import Ending
from gateway.core.reply import Status
from gateway.core.report import Identity, Item, Purpose, Report, item_of
from gateway.core.report_text import explanation, happened, next_step, paragraphs, subject
from gateway.core.sealing import Method, Sealing, Unlock
from tests.core.queued import DECLINED, DELIVERED, FACTS, FAILED, HELD, HOUR, MESSAGE, NOW, ROW, deferred, recipient

IDENTITY = Identity(
    hostname="gw.council.example",
    contact="Service Desk, 01629 000000",
    postmaster=parse_address("postmaster@council.example"),
    marks=("[SECURE]", "[ENCRYPT]"),
)
CALL = "Call Service Desk, 01629 000000."


def item(ending: Ending | None, outcome: Outcome | None = None, **changes: object) -> Item:
    """One recipient."""
    made = replace(item_of(replace(ROW, last=outcome), Status(5, 7, 1)), ending=ending)
    return replace(made, **changes)  # pyright: ignore[reportArgumentType]


def text(purpose: Purpose, *items: Item, identity: Identity = IDENTITY) -> str:
    """The plain text."""
    return plain(paragraphs(Report(purpose=purpose, message=MESSAGE, items=items, header=b""), identity))


@pytest.mark.parametrize("ending", list(Ending))
def test_every_report_says_first_what_to_do_and_then_all_that_a_refusal_owes(ending: Ending) -> None:
    shown = text(Purpose.FAILED, item(ending, FAILED))
    assert shown.startswith("What to do: ")
    assert next_step(item(ending, FAILED), IDENTITY)[:100] in shown[:120]
    for owed in (
        "gp@x.example",
        "Rule: Controlled",
        "Why: ",
        "Next step: ",
        "Questions: Service Desk, 01629 000000.",
        "000-abc",
        "Sent to the wrong person? Report it now: Service Desk, 01629 000000.",
        "write [SECURE] or [ENCRYPT] in the subject",
    ):
        assert owed in shown


@pytest.mark.parametrize(
    ("ending", "advice", "step"),
    [
        (Ending.REFUSED, "Use the portal.", "Use the portal."),
        (Ending.REFUSED, "", CALL),
        (Ending.DECLINED, "Use the portal.", "Use the portal."),
        (Ending.UNPROTECTED, "", CALL),
        (Ending.EXPIRED, "Use the portal.", f"Send it again later, or reach the recipient another way. {CALL}"),
        (Ending.NOT_RELEASED, "Ask the officer.", "Ask the officer."),
        (Ending.BOUNCED, "Use the portal.", " (This is the note of the person who looked at it.)"),
        (Ending.NOT_RELEASED, "", f"Ask for its release, then send it again. {CALL}"),
        (None, "Use the portal.", "Nothing."),
    ],
)
def test_next_step_fits_the_ending(ending: Ending | None, advice: str, step: str) -> None:
    assert next_step(item(ending, advice=advice), IDENTITY) == step


@pytest.mark.parametrize(
    ("status", "step"),
    [
        (Status(5, 1, 1), "Check the recipient's address and send the message again."),
        (Status(5, 1, 10), "Check the recipient's address and send the message again."),
        (Status(5, 2, 2), "The recipient's mailbox is full: reach them another way."),
        (Status(5, 2, 3), "Send less at once: the message is too large for the recipient."),
        (Status(5, 3, 4), "Send less at once: the message is too large for the recipient."),
        (Status(5, 7, 1), CALL),
    ],
)
def test_next_step_after_a_refusal_of_the_next_hop_fits_its_status(status: Status, step: str) -> None:
    assert next_step(item(Ending.FAILED, FAILED, status=status), IDENTITY) == step


MAYBE = Deferred(cause=Cause.MAYBE, status=Status(4, 4, 2), detail="No answer came.")
SILENT = Failed(status=Status(5, 1, 2), detail="The domain x.example does not exist.")
SEALED = Sealed(sealing=Sealing(method=Method.PORTAL, detail="in the portal", package="p", unlock=Unlock.MAIL))


@pytest.mark.parametrize(
    ("ending", "outcome", "words"),
    [
        (Ending.REFUSED, None, "the level is controlled (default)"),
        (Ending.FAILED, FAILED, "mx.x.example answered: 550 5.1.1 no such user / really"),
        (Ending.FAILED, SILENT, "The domain x.example does not exist."),
        (
            Ending.DECLINED,
            DECLINED,
            "cannot take it as protected as it must be. It does not encrypt the mail that it gets. No host offers",
        ),
        (
            Ending.UNPROTECTED,
            deferred(Cause.PROTECTION),
            "before the time was over. The recipient's mail system could not be reached protected, or could not prove"
            " that it is the right one. That is mostly a fault on its side. It was protection.",
        ),
        (Ending.EXPIRED, deferred(Cause.DNS), "before the time was over. It was dns."),
        (Ending.EXPIRED, MAYBE, "No answer came. It may have arrived all the same."),
        (Ending.EXPIRED, None, "what the rule asks for could not be found out"),
        (Ending.NOT_RELEASED, None, "nobody released it in time"),
        (Ending.RETURNED, None, "a person gave it back. The level is controlled (default)"),
        (None, deferred(Cause.DNS), "It was dns."),
        (None, DELIVERED, "mx.x.example took it."),
        (None, SEALED, "It was sealed, and nothing is known of its notification."),
    ],
)
def test_explanation_names_the_cause(ending: Ending | None, outcome: Outcome | None, words: str) -> None:
    assert words in explanation(item(ending, outcome))


def test_several_recipients_with_one_step_share_it() -> None:
    shown = text(Purpose.FAILED, item(Ending.REFUSED), item(Ending.REFUSED, recipient=recipient("b@y.example")))
    assert shown.startswith("What to do: Ask the Service Desk for a transfer.\r\n")
    assert "to gp@x.example and 1 more was not delivered" in shown
    assert "\r\ngp@x.example, b@y.example\r\nWhy" in shown and shown.count("Why: ") == 1


def test_recipients_of_whom_other_things_are_to_be_said_stand_apart() -> None:
    other = item(Ending.REFUSED, recipient=recipient("b@y.example"), reason="another reason")
    shown = text(Purpose.FAILED, item(Ending.REFUSED), other)
    assert shown.index("\r\ngp@x.example\r\nWhy") < shown.index("\r\nb@y.example\r\nWhy: another reason")


def test_ways_that_were_out_from_the_start_are_named() -> None:
    without = ("It cannot go by encrypted: the attached files come to 18.0 MiB, the limit is 13 MiB.",)
    for ending in (Ending.DECLINED, Ending.UNPROTECTED):
        assert without[0] in text(Purpose.FAILED, item(ending, without=without))
    assert without[0] not in text(Purpose.FAILED, item(Ending.FAILED, without=without))


def test_several_recipients_with_different_steps_are_sent_to_their_own() -> None:
    other = item(Ending.REFUSED, advice="Use the portal.")
    shown = text(Purpose.FAILED, item(Ending.REFUSED), other)
    assert shown.startswith("What to do: see the next step of each of the 2 recipients below.")
    assert "Next step: Use the portal." in shown


def test_delay_says_until_when() -> None:
    shown = text(Purpose.DELAYED, item(None, deferred(Cause.DNS), until=NOW + 48 * HOUR))
    assert shown.startswith("You need not do anything.")
    assert "We try until: 4 March 2026, 09:05 UTC" in shown
    assert "We try until" not in text(Purpose.DELAYED, item(None, deferred(Cause.DNS)))
    assert "in the subject" not in shown


def test_delay_for_want_of_protection_says_whom_to_call() -> None:
    urgent = "If it is urgent: call Service Desk, 01629 000000."
    lost = replace(deferred(Cause.PROTECTION), alarm=Alarm.TLS_LOST)
    shown = text(Purpose.DELAYED, item(None, lost, until=NOW + 48 * HOUR))
    assert shown.startswith("You need not do anything.")
    assert "Why: The recipient's mail system has encrypted mail before and does not now. " in shown
    assert shown.index("It was protection.") < shown.index("We try until: ") < shown.index(urgent)
    assert urgent not in text(Purpose.DELAYED, item(None, deferred(Cause.DNS)))
    assert urgent not in text(Purpose.DELAYED, item(None, DECLINED))


@pytest.mark.parametrize("purpose", [Purpose.RELAYED, Purpose.MOVED])
def test_good_news_names_the_route(purpose: Purpose) -> None:
    shown = text(purpose, item(None, DELIVERED, route="encrypted"))
    assert shown.startswith("You need not do anything.")
    assert "Sent by: encrypted" in shown


def test_policy_without_marks_has_no_line_about_them() -> None:
    assert "in the subject" not in text(Purpose.FAILED, item(Ending.REFUSED), identity=replace(IDENTITY, marks=()))


def test_buttons_are_not_spoken_of_where_no_rule_listens_to_them() -> None:
    deaf = replace(IDENTITY, buttonless=frozenset({"CJSM needs an account"}))
    one = item(Ending.REFUSED, rule="CJSM needs an account")
    assert "in the subject" not in text(Purpose.FAILED, one, one, identity=deaf)
    assert "in the subject" in text(Purpose.FAILED, one, item(Ending.REFUSED), identity=deaf)
    assert "in the subject" in text(Purpose.FAILED, one)


def test_page_says_the_same_and_escapes_every_word() -> None:
    hostile = item(Ending.REFUSED, reason="<script>alert(1)</script> & more", advice="<b>now</b>")
    parts = paragraphs(Report(purpose=Purpose.FAILED, message=MESSAGE, items=(hostile,), header=b""), IDENTITY)
    page = markup(parts, "A <title>: more", "A <heading>")
    assert "<script>" not in page and "<b>now</b>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more" in page
    assert "<p><b>What to do: &lt;b&gt;now&lt;/b&gt;</b></p>" in page
    assert "<h2>gp@x.example</h2>" in page
    assert page.startswith('<!DOCTYPE html>\r\n<html lang="en"><head>')
    assert "<title>A &lt;title&gt;: more</title>" in page and "<h1>A &lt;heading&gt;</h1>" in page
    assert page.index("<h1>") < page.index("<h2>") and "<style" not in page
    assert "<h1>Only the title</h1>" in markup(parts, "Only the title")


@pytest.mark.parametrize("purpose", list(Purpose))
def test_subject_holds_nothing_of_the_message(purpose: Purpose) -> None:
    about = Report(purpose=purpose, message=MESSAGE, items=(item(None),), header=b"Subject: planted\r\n\r\n")
    assert subject(about).endswith(": your message of 2 March 2026, 09:05 UTC")


def test_only_a_server_that_answered_is_said_to_have_refused() -> None:
    nobody = Failed(status=Status(5, 1, 2), detail="The domain does not exist.")
    assert explanation(item(Ending.FAILED, nobody)) == "It cannot be delivered. The domain does not exist."
    assert explanation(item(Ending.FAILED, FAILED)).startswith("The recipient's mail system refused it for good. ")


MANY = Point("Many in view", "12 outside addresses are in To and Cc", "Put them in Bcc next time.")
SUBJECT = Point("Subject", "a pattern hit the subject", "")


def test_warning_says_first_what_to_do_then_each_point_with_all_that_it_concerns() -> None:
    other = recipient("b@y.example")
    shown = text(Purpose.WARNED, item(None, warnings=(MANY, SUBJECT)), item(None, warnings=(MANY,), recipient=other))
    assert shown.startswith("What to do: Put them in Bcc next time.\r\nYour message of ")
    assert "to gp@x.example and 1 more was accepted." in shown
    assert (
        "Point 1 of 2\r\nWhat to do: Put them in Bcc next time.\r\nWhy: 12 outside addresses are in To and Cc\r\n"
        "Rule: Many in view\r\nRecipients: gp@x.example, b@y.example\r\n"
    ) in shown
    assert "Point 2 of 2\r\nWhat to do: a pattern hit the subject\r\n" in shown
    assert "Recipients: gp@x.example\r\n" in shown
    assert "Report it now" in shown and "in the subject." not in shown


def test_single_warning_is_not_numbered() -> None:
    assert "Point 1" not in text(Purpose.WARNED, item(None, warnings=(MANY,)))


def test_hold_says_who_releases_it_and_when_it_comes_back() -> None:
    held = item(None, advice="Check the address.", role="dpo", until=NOW + 72 * HOUR, warnings=(MANY,))
    shown = text(Purpose.HELD, held)
    assert shown.startswith("What to do: Check the address.\r\n")
    assert "waits for a check, and goes on when it is released." in shown
    assert "Who releases it: the people of dpo (call Service Desk, 01629 000000)" in shown
    assert "If nobody releases it, it comes back to you on 5 March 2026, 09:05 UTC." in shown
    also = "Also: Put them in Bcc next time.\r\nWhy: 12 outside addresses are in To and Cc\r\nRule: Many in view\r\n"
    assert f"{also}Recipients: gp@x.example" in shown


def test_hold_names_the_mailbox_of_the_role_that_releases_it() -> None:
    knows = replace(IDENTITY, roles={"dpo": parse_address("privacy@council.example")})
    shown = text(Purpose.HELD, item(None, role="dpo"), item(None, role="legal"), identity=knows)
    assert "Who releases it: dpo (privacy@council.example)\r\n" in shown
    assert "Who releases it: the people of legal (call Service Desk, 01629 000000)\r\n" in shown


def test_hold_without_advice_or_role_names_whom_to_call() -> None:
    shown = text(Purpose.HELD, item(None, advice=""))
    assert shown.startswith("What to do: Wait for its release; nothing is lost. If it is urgent, call Service Desk")
    assert "Who releases it: Service Desk, 01629 000000" in shown
    assert "comes back to you" not in shown


def test_holds_with_different_steps_are_told_apart() -> None:
    shown = text(Purpose.HELD, item(None, advice="Check it."), item(None, advice="Ask the owner."))
    assert shown.startswith("What to do: see the next step of each of the 2 recipients below.")
    assert "Next step: Ask the owner." in shown


def test_points_stand_in_the_report_of_what_came_back() -> None:
    b = item(Ending.REFUSED, warnings=(SUBJECT,), recipient=recipient("b@y.example"))
    shown = text(Purpose.FAILED, item(Ending.REFUSED, warnings=(SUBJECT,)), b)
    assert shown.startswith("What to do: Ask the Service Desk")
    assert shown.count("Also: a pattern hit the subject\r\n") == 1
    assert "Rule: Subject\r\nRecipients: gp@x.example, b@y.example" in shown


def test_owner_of_a_system_is_told_why_it_is_heard_of() -> None:
    machine = replace(MESSAGE, facts=replace(FACTS, owner="owner@council.example"))
    parts = paragraphs(Report(purpose=Purpose.MOVED, message=machine, items=(item(None),), header=b""), IDENTITY)
    assert "sends as officer@council.example; you are registered as its owner." in plain(parts)
    assert "registered" not in text(Purpose.MOVED, item(None))


@pytest.mark.parametrize("purpose", list(Purpose))
def test_short_heading_begins_the_subject(purpose: Purpose) -> None:
    about = Report(purpose=purpose, message=MESSAGE, items=(item(None, warnings=(MANY,)),), header=b"")
    assert subject(about).startswith(f"{happened(purpose)}: ") and len(happened(purpose)) < 20


def test_who_gave_it_back_is_heard_first_and_offers_no_way_past() -> None:
    row = replace(ROW, decision=replace(HELD, overridable=True), note="Use the portal.")
    returned = replace(item_of(row, Status(5, 7, 1)), ending=Ending.RETURNED)
    assert not returned.overridable and item_of(replace(row, note=""), Status(5, 7, 1)).overridable
    assert text(Purpose.FAILED, returned).startswith("What to do: Use the portal. (This is the note of the person")
