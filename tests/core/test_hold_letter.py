"""What the mailbox of a role is told of held mail: all that it needs to decide where to look, and no word of it."""

import email
import email.policy
from dataclasses import replace
from email.message import EmailMessage

from gateway.core.address import NullPath, parse_address
from gateway.core.hold_letter import Holding, build_hold_letter
from gateway.core.record import RecipientRow, State
from gateway.core.report import Identity, Stamp
from tests.core.queued import DAY, HELD, HOUR, MESSAGE, NOW, ROW, recipient, with_envelope

IDENTITY = Identity(
    hostname="gw.council.example",
    contact="Service Desk, 01629 000000",
    postmaster=parse_address("postmaster@council.example"),
)
STAMP = Stamp(now=NOW, message_id="id-1", boundary="id-2")
LINK = "https://desk.council.example/held/000-abc/token"


def held(address: str, **changes: object) -> RecipientRow:
    decision = replace(HELD, role="ig", **changes)  # pyright: ignore[reportArgumentType]
    row = replace(ROW, recipient=recipient(address), decision=decision, state=State.HELD)
    return replace(row, deadline=NOW + 3 * DAY)


HOLDING = Holding(role="ig", mailbox="ig@council.example", message=MESSAGE, rows=(held("gp@x.example"),), link=LINK)


def read(holding: Holding, identity: Identity = IDENTITY) -> tuple[EmailMessage, str, str]:
    """The mail, its text and its HTML."""
    mail = build_hold_letter(holding, identity, STAMP)
    parsed = email.message_from_bytes(mail, policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    plain, html = parsed.get_body(("plain",)), parsed.get_body(("html",))
    assert plain is not None and html is not None
    return parsed, plain.get_content(), html.get_content()


def test_it_says_first_what_to_do_and_then_who_why_and_until_when() -> None:
    message, plain, html = read(HOLDING)
    assert (message["To"], message["Auto-Submitted"]) == ("ig@council.example", "auto-generated")
    assert message["From"] == "Mail Gateway <postmaster@council.example>"
    assert message["Subject"] == "Held for you to decide: message 000-abc"
    assert plain.startswith("What to do: open the link below and release the message, or give it back with a note.")
    assert plain.count(LINK) == html.count(LINK) == 1
    for said in (
        "A message of 2 March 2026, 09:05 UTC from officer@council.example is held for ig.",
        "it goes back to its sender on 5 March 2026, 09:05 UTC",
        "Rule: Check",
        "Why: a first contact",
        "Recipients: gp@x.example",
        "Questions: Service Desk, 01629 000000. Please name the number 000-abc.",
    ):
        assert said in plain and said in html


def test_each_rule_stands_once_with_its_recipients_and_the_first_time_counts() -> None:
    rows = (
        replace(held("a@x.example"), deadline=NOW + HOUR),
        held("b@x.example", rule="Other <rule>", reason="two\r\nlines"),
        held("c@x.example"),
    )
    _, plain, html = read(replace(HOLDING, rows=rows))
    assert "Recipients: a@x.example, c@x.example\n" in plain.replace("\r\n", "\n")
    assert "Rule: Other <rule>" in plain and "Why: two lines" in plain and "Other &lt;rule&gt;" in html
    assert "on 2 March 2026, 10:05 UTC" in plain


def test_many_recipients_are_counted() -> None:
    _, plain, _ = read(replace(HOLDING, rows=tuple(held(f"r{number}@x.example") for number in range(52))))
    assert "r49@x.example and 2 more" in plain and "r50@x.example" not in plain


def test_without_a_page_it_says_whom_to_ask() -> None:
    _, plain, _ = read(replace(HOLDING, link=""))
    assert plain.startswith("What to do: ask the mail operators (Service Desk, 01629 000000) and release the message")
    assert "Decide here" not in plain


def test_a_null_reverse_path_and_a_postmaster_beyond_ascii_are_named_as_they_can_be() -> None:
    identity = replace(IDENTITY, postmaster=parse_address("pöstmaster@council.example"))
    message, plain, _ = read(replace(HOLDING, message=with_envelope(reverse_path=NullPath.NULL)), identity)
    assert "from the null reverse-path is held" in plain
    assert message["From"] == "Mail Gateway <MAILER-DAEMON@gw.council.example>"
