"""What a report says to a person: what to do first, then who, why and which rule (mission R4 and R13).

Plain words only; the wire's words stand in `core.dsn`. Left out on purpose: other languages, and any word of the
message itself.
"""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, assert_never

from gateway.core.outcome import Cause, Declined, Deferred, Delivered, Failed, Outcome
from gateway.core.progress import Ending
from gateway.core.reply import Status
from gateway.core.report import Identity, Item, Purpose, Report

# What a tired reader takes in, and what a mail system that went mad may say in our name.
_LONGEST_REMOTE: Final = 300


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A heading (may be empty) and lines of text, as both the plain and the HTML part show them."""

    heading: str
    lines: tuple[str, ...]


def paragraphs(report: Report, identity: Identity) -> tuple[Paragraph, ...]:
    """The whole text. What to do stands in its first 120 characters."""
    first = Paragraph("", (_what_to_do(report, identity), _headline(report)))
    each = tuple(_about(report.purpose, item, identity) for item in report.items)
    whole = (first, *each, _closing(report, identity))
    return tuple(Paragraph(_one_line(part.heading), tuple(map(_one_line, part.lines))) for part in whole)


def _one_line(text: str) -> str:
    """An advice may be written over several lines, and a remote server may say anything."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def plain(parts: Sequence[Paragraph]) -> str:
    """Text with CRLF line ends."""
    blocks = ("\r\n".join(([part.heading] if part.heading else []) + list(part.lines)) for part in parts)
    return "\r\n\r\n".join(blocks) + "\r\n"


def markup(parts: Sequence[Paragraph]) -> str:
    """A small HTML page without style, script or outside resource; the first line is the bold one."""
    (first, *rest), *others = [part.lines for part in parts]
    body = [f"<p><b>{html.escape(first)}</b></p>", *(f"<p>{html.escape(line)}</p>" for line in rest)]
    for part, lines in zip(parts[1:], others, strict=True):
        if part.heading:
            body.append(f"<h3>{html.escape(part.heading)}</h3>")
        body.append("<p>" + "<br>\r\n".join(html.escape(line) for line in lines) + "</p>")
    return '<!DOCTYPE html>\r\n<html lang="en"><body>\r\n' + "\r\n".join(body) + "\r\n</body></html>\r\n"


def subject(report: Report) -> str:
    """A subject that says what happened and when; the original's stays out of it."""
    words = {
        Purpose.FAILED: "Not delivered",
        Purpose.DELAYED: "Not yet delivered",
        Purpose.RELAYED: "Passed on",
        Purpose.MOVED: "Sent another way",
    }
    return f"{words[report.purpose]}: your message of {when(report.message.accepted_at)}"


def when(moment: datetime) -> str:
    """``22 November 2026, 15:41 UTC``."""
    return f"{moment.day} {_MONTHS[moment.month - 1]} {moment.year}, {moment.hour:02}:{moment.minute:02} UTC"


_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July",
    "August", "September", "October", "November", "December",
)  # fmt: skip


def next_step(item: Item, identity: Identity) -> str:
    """What the sender of a message that came back does now."""
    call = f"Call {identity.contact}."
    match item.ending:
        case Ending.REFUSED | Ending.DECLINED | Ending.UNPROTECTED:
            return item.advice or call
        case Ending.FAILED:
            return _after_failure(item.status) or call
        case Ending.EXPIRED:
            return f"Send it again later, or reach the recipient another way. {call}"
        case Ending.NOT_RELEASED:
            return item.advice or f"Ask for its release, then send it again. {call}"
        case None:
            return "Nothing."
        case _:  # pragma: no cover - the type checker proves that there is no other.
            assert_never(item.ending)


def explanation(item: Item) -> str:
    """Why it came back, in one or two sentences."""
    match item.ending:
        case Ending.REFUSED:
            return item.reason
        case Ending.FAILED:
            refused = isinstance(item.outcome, Failed) and item.outcome.remote is not None
            who = "The recipient's mail system refused it for good." if refused else "It cannot be delivered."
            return f"{who} {cause(item.outcome)}"
        case Ending.DECLINED:
            return f"The recipient's mail system cannot take it as protected as it must be. {cause(item.outcome)}"
        case Ending.UNPROTECTED:
            return f"It could not be sent protected before the time was over. {cause(item.outcome)}"
        case Ending.EXPIRED:
            return f"It could not be delivered before the time was over. {cause(item.outcome)}"
        case Ending.NOT_RELEASED:
            return f"It was held for a check, and nobody released it in time. {item.reason}"
        case None:
            return cause(item.outcome)
        case _:  # pragma: no cover - the type checker proves that there is no other.
            assert_never(item.ending)


def cause(outcome: Outcome | None) -> str:
    """What the last attempt met."""
    match outcome:
        case None:
            return "It could not be decided how to send it: what the rule asks for could not be found out."
        case Delivered():
            return f"{outcome.remote.host} took it."
        case Declined():
            return outcome.detail
        case Deferred() | Failed():
            if outcome.remote is not None:
                return f"{outcome.remote.host} answered: {str(outcome.remote.reply)[:_LONGEST_REMOTE]}"
            maybe = isinstance(outcome, Deferred) and outcome.cause is Cause.MAYBE
            return f"{outcome.detail} It may have arrived all the same." if maybe else outcome.detail
        case _:  # pragma: no cover - the type checker proves that there is no other.
            assert_never(outcome)


def _after_failure(status: Status) -> str:
    if status.subject == 1:
        return "Check the recipient's address and send the message again."
    if (status.subject, status.detail) in ((2, 3), (3, 4)):
        return "Send less at once: the message is too large for the recipient."
    if (status.subject, status.detail) == (2, 2):
        return "The recipient's mailbox is full: reach them another way."
    return ""


def _what_to_do(report: Report, identity: Identity) -> str:
    if report.purpose is not Purpose.FAILED:
        return "You need not do anything."
    step = next_step(report.items[0], identity)
    if all(next_step(item, identity) == step for item in report.items):
        return f"What to do: {step}"
    return f"What to do: see the next step of each of the {len(report.items)} recipients below."


def _headline(report: Report) -> str:
    to = ", ".join(str(item.recipient.address) for item in report.items[:1])
    more = f" and {len(report.items) - 1} more" if len(report.items) > 1 else ""
    sent = f"Your message of {when(report.message.accepted_at)} to {to}{more}"
    words = {
        Purpose.FAILED: "was not delivered.",
        Purpose.DELAYED: "is not delivered yet. We keep trying, and tell you if it does not succeed.",
        Purpose.RELAYED: "was handed to the next mail system, which does not tell us of its delivery.",
        Purpose.MOVED: "was delivered, but by another way than the first: that one could not protect it.",
    }
    return f"{sent} {words[report.purpose]}"


def _about(purpose: Purpose, item: Item, identity: Identity) -> Paragraph:
    match purpose:
        case Purpose.FAILED:
            lines = (f"Why: {explanation(item)}", f"Rule: {item.rule}", f"Next step: {next_step(item, identity)}")
        case Purpose.DELAYED:
            until = (f"We try until: {when(item.until)}",) if item.until is not None else ()
            lines = (f"Why: {explanation(item)}", *until)
        case Purpose.RELAYED | Purpose.MOVED:
            lines = (f"Sent by: {item.route}", f"Rule: {item.rule}")
        case _:  # pragma: no cover - the type checker proves that there is no other.
            assert_never(purpose)
    return Paragraph(str(item.recipient.address), lines)


def _closing(report: Report, identity: Identity) -> Paragraph:
    lines = [f"Questions: {identity.contact}. Please name the number {report.message.queue_id}."]
    if report.purpose is Purpose.FAILED and identity.marks:
        marks = " or ".join(identity.marks)
        lines.append(f"Without the buttons, on a telephone for example, write {marks} in the subject.")
    lines.append(f"Sent to the wrong person? Report it now: {identity.contact}.")
    return Paragraph("", tuple(lines))
