from dataclasses import replace

import pytest

from gateway.core.address import parse_address
from gateway.core.outcome import Cause, Deferred, Failed, Outcome
from gateway.core.progress import Ending
from gateway.core.reply import Status
from gateway.core.report import Identity, Item, Purpose, Report, item_of
from gateway.core.report_text import explanation, markup, next_step, paragraphs, plain, subject
from tests.core.queued import DECLINED, DELIVERED, FAILED, HOUR, MESSAGE, NOW, ROW, deferred, recipient

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


@pytest.mark.parametrize(
    ("ending", "outcome", "words"),
    [
        (Ending.REFUSED, None, "the level is controlled (default)"),
        (Ending.FAILED, FAILED, "mx.x.example answered: 550 5.1.1 no such user / really"),
        (Ending.FAILED, SILENT, "The domain x.example does not exist."),
        (Ending.DECLINED, DECLINED, "cannot take it as protected as it must be. No host offers STARTTLS."),
        (Ending.UNPROTECTED, deferred(Cause.PROTECTION), "It was protection."),
        (Ending.EXPIRED, deferred(Cause.DNS), "before the time was over. It was dns."),
        (Ending.EXPIRED, MAYBE, "No answer came. It may have arrived all the same."),
        (Ending.EXPIRED, None, "what the rule asks for could not be found out"),
        (Ending.NOT_RELEASED, None, "nobody released it in time"),
        (None, deferred(Cause.DNS), "It was dns."),
        (None, DELIVERED, "mx.x.example took it."),
    ],
)
def test_explanation_names_the_cause(ending: Ending | None, outcome: Outcome | None, words: str) -> None:
    assert words in explanation(item(ending, outcome))


def test_several_recipients_with_one_step_share_it() -> None:
    shown = text(Purpose.FAILED, item(Ending.REFUSED), item(Ending.REFUSED, recipient=recipient("b@y.example")))
    assert shown.startswith("What to do: Ask the Service Desk for a transfer.\r\n")
    assert "to gp@x.example and 1 more was not delivered" in shown
    assert shown.index("gp@x.example\r\nWhy") < shown.index("b@y.example\r\nWhy")


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


@pytest.mark.parametrize("purpose", [Purpose.RELAYED, Purpose.MOVED])
def test_good_news_names_the_route(purpose: Purpose) -> None:
    shown = text(purpose, item(None, DELIVERED, route="encrypted"))
    assert shown.startswith("You need not do anything.")
    assert "Sent by: encrypted" in shown


def test_policy_without_marks_has_no_line_about_them() -> None:
    assert "in the subject" not in text(Purpose.FAILED, item(Ending.REFUSED), identity=replace(IDENTITY, marks=()))


def test_page_says_the_same_and_escapes_every_word() -> None:
    hostile = item(Ending.REFUSED, reason="<script>alert(1)</script> & more", advice="<b>now</b>")
    parts = paragraphs(Report(purpose=Purpose.FAILED, message=MESSAGE, items=(hostile,), header=b""), IDENTITY)
    page = markup(parts)
    assert "<script>" not in page and "<b>now</b>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more" in page
    assert "<p><b>What to do: &lt;b&gt;now&lt;/b&gt;</b></p>" in page
    assert "<h3>gp@x.example</h3>" in page


@pytest.mark.parametrize("purpose", list(Purpose))
def test_subject_holds_nothing_of_the_message(purpose: Purpose) -> None:
    about = Report(purpose=purpose, message=MESSAGE, items=(item(None),), header=b"Subject: planted\r\n\r\n")
    assert subject(about).endswith(": your message of 2 March 2026, 09:05 UTC")


def test_only_a_server_that_answered_is_said_to_have_refused() -> None:
    nobody = Failed(status=Status(5, 1, 2), detail="The domain does not exist.")
    assert explanation(item(Ending.FAILED, nobody)) == "It cannot be delivered. The domain does not exist."
    assert explanation(item(Ending.FAILED, FAILED)).startswith("The recipient's mail system refused it for good. ")
