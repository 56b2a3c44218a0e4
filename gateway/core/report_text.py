"""What a report says to a person: what to do first, then who, why and which rule (mission R4 and R13).

Plain words only; the wire's words stand in `core.dsn`. Left out on purpose: other languages, and any word of the
message itself.
"""

from typing import Final, assert_never

from gateway.core.notice import note_lines, noted
from gateway.core.outcome import Cause, Declined, Deferred, Delivered, Failed, Outcome, Sealed
from gateway.core.override import token_lines
from gateway.core.paragraph import Paragraph, when
from gateway.core.progress import Ending
from gateway.core.reply import Status
from gateway.core.report import Identity, Item, Purpose, Report, owner_of
from gateway.core.tls_words import meaning

# What a tired reader takes in, and what a mail system that went mad may say in our name.
_LONGEST_REMOTE: Final = 300

_AFTER_HOLD: Final = {
    Ending.NOT_RELEASED: "nobody released it in time",
    Ending.RETURNED: "a person gave it back",
}


def paragraphs(report: Report, identity: Identity) -> tuple[Paragraph, ...]:
    """The whole text. What to do stands in its first 120 characters."""
    first = Paragraph("", (_what_to_do(report, identity), _headline(report), *_owner(report)))
    if report.purpose is Purpose.WARNED:
        each = _points(report)
    else:
        each = (*_each(report, identity), *_points_besides(report))
    whole = (first, *each, *_overrides(report), _closing(report, identity))
    return tuple(part.in_lines() for part in whole)


def subject(report: Report) -> str:
    """A subject that says what happened and when; the original's stays out of it."""
    return f"{happened(report.purpose)}: your message of {when(report.message.accepted_at)}"


def happened(purpose: Purpose) -> str:
    """What happened, in two or three words."""
    words = {
        Purpose.FAILED: "Not delivered",
        Purpose.DELAYED: "Not yet delivered",
        Purpose.RELAYED: "Passed on",
        Purpose.MOVED: "Sent another way",
        Purpose.WARNED: "Please note",
        Purpose.HELD: "Held for a check",
    }
    return words[purpose]


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
        case Ending.RETURNED | Ending.BOUNCED:
            return f"{item.note} (This is the note of the person who looked at it.)"
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
            why = f"The recipient's mail system cannot take it as protected as it must be. {cause(item.outcome)}"
            return " ".join((why, *item.without))
        case Ending.UNPROTECTED:
            return " ".join(
                (f"It could not be sent protected before the time was over. {cause(item.outcome)}", *item.without)
            )
        case Ending.EXPIRED:
            return f"It could not be delivered before the time was over. {cause(item.outcome)}"
        case Ending.NOT_RELEASED | Ending.RETURNED | Ending.BOUNCED:
            return _by_a_person(item, item.ending)
        case None:
            return cause(item.outcome)
        case _:  # pragma: no cover - the type checker proves that there is no other.
            assert_never(item.ending)


def _by_a_person(item: Item, ending: Ending) -> str:
    if ending is not Ending.BOUNCED:
        return f"It was held for a check, and {_AFTER_HOLD[ending]}. {_sentence(item.reason)}"
    met = f" {cause(item.outcome)}" if item.outcome is not None else ""
    return f"An operator of our mail system took it out of the queue.{met}"


def cause(outcome: Outcome | None) -> str:
    """What the last attempt met; what missing protection means stands before its technical words."""
    means = f"{meaning(outcome)} " if outcome is not None and meaning(outcome) else ""
    return f"{means}{_met(outcome)}"


def _met(outcome: Outcome | None) -> str:
    match outcome:
        case None:
            return "It could not be decided how to send it: what the rule asks for could not be found out."
        case Delivered():
            return f"{outcome.remote.host} took it."
        case Sealed():
            return "It was sealed, and nothing is known of its notification."
        case Declined():
            return outcome.detail
        case Deferred() | Failed():
            if outcome.remote is not None:
                return f"{outcome.remote.host} answered: {str(outcome.remote.reply)[:_LONGEST_REMOTE]}"
            maybe = isinstance(outcome, Deferred) and outcome.cause is Cause.MAYBE
            return f"{outcome.detail} It may have arrived all the same." if maybe else outcome.detail
        case _:  # pragma: no cover - the type checker proves that there is no other.
            assert_never(outcome)


def _sentence(reason: str) -> str:
    return f"{reason[:1].upper()}{reason[1:]}"


def _after_failure(status: Status) -> str:
    if status.subject == 1:
        return "Check the recipient's address and send the message again."
    if (status.subject, status.detail) in ((2, 3), (3, 4)):
        return "Send less at once: the message is too large for the recipient."
    if (status.subject, status.detail) == (2, 2):
        return "The recipient's mailbox is full: reach them another way."
    return ""


def _what_to_do(report: Report, identity: Identity) -> str:
    match report.purpose:
        case Purpose.FAILED | Purpose.HELD:
            step = _step(report.purpose, report.items[0], identity)
            if all(_step(report.purpose, item, identity) == step for item in report.items):
                return f"What to do: {step}"
            return f"What to do: see the next step of each of the {len(report.items)} recipients below."
        case Purpose.WARNED:
            return f"What to do: {noted(report.items)[0].to_do}"
        case Purpose.DELAYED | Purpose.RELAYED | Purpose.MOVED:
            return "You need not do anything."
        case _:  # pragma: no cover - the type checker proves that there is no other.
            assert_never(report.purpose)


def _step(purpose: Purpose, item: Item, identity: Identity) -> str:
    if purpose is Purpose.FAILED:
        return next_step(item, identity)
    return item.advice or f"Wait for its release; nothing is lost. If it is urgent, call {identity.contact}."


def _headline(report: Report) -> str:
    to = ", ".join(str(item.recipient.address) for item in report.items[:1])
    more = f" and {len(report.items) - 1} more" if len(report.items) > 1 else ""
    sent = f"Your message of {when(report.message.accepted_at)} to {to}{more}"
    words = {
        Purpose.FAILED: "was not delivered.",
        Purpose.DELAYED: "is not delivered yet. We keep trying, and tell you if it does not succeed.",
        Purpose.RELAYED: "was handed to the next mail system, which does not tell us of its delivery.",
        Purpose.MOVED: "was delivered, but by another way than the first: that one could not carry it protected.",
        Purpose.WARNED: "was accepted. There is something about it that you should know.",
        Purpose.HELD: "waits for a check, and goes on when it is released.",
    }
    return f"{sent} {words[report.purpose]}"


def _about(purpose: Purpose, item: Item, identity: Identity) -> Paragraph:
    match purpose:
        case Purpose.FAILED:
            step = f"Next step: {next_step(item, identity)}"
            lines = (f"Why: {explanation(item)}", f"Rule: {item.rule}", step)
        case Purpose.HELD:
            lines = _hold_lines(item, identity)
        case Purpose.DELAYED:
            until = (f"We try until: {when(item.until)}",) if item.until is not None else ()
            urgent = (f"If it is urgent: call {identity.contact}.",) if _unprotected(item) else ()
            lines = (f"Why: {explanation(item)}", *until, *urgent)
        case Purpose.RELAYED | Purpose.MOVED | Purpose.WARNED:
            lines = (f"Sent by: {item.route}", f"Rule: {item.rule}")
        case _:  # pragma: no cover - the type checker proves that there is no other.
            assert_never(purpose)
    return Paragraph(str(item.recipient.address), lines)


def _unprotected(item: Item) -> bool:
    """Whether it waits for protection, where a person may know another way that is as good."""
    return isinstance(item.outcome, Deferred) and item.outcome.cause is Cause.PROTECTION


def _hold_lines(item: Item, identity: Identity) -> tuple[str, ...]:
    until = (f"If nobody releases it, it comes back to you on {when(item.until)}.",) if item.until is not None else ()
    return (
        f"Why: {item.reason}",
        f"Rule: {item.rule}",
        f"Next step: {_step(Purpose.HELD, item, identity)}",
        f"Who releases it: {_releaser(item.role, identity)}",
        *until,
    )


def _releaser(role: str, identity: Identity) -> str:
    if not role:
        return identity.contact
    mailbox = identity.roles.get(role)
    return f"{role} ({mailbox})" if mailbox is not None else f"the people of {role} (call {identity.contact})"


def _each(report: Report, identity: Identity) -> tuple[Paragraph, ...]:
    """A paragraph for each recipient; those of whom the same is to be said share one."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for item in report.items:
        about = _about(report.purpose, item, identity)
        alike.setdefault(about.lines, []).append(about.heading)
    return tuple(Paragraph(", ".join(who), lines) for lines, who in alike.items())


def _points_besides(report: Report) -> tuple[Paragraph, ...]:
    """Further points of what goes back or waits, each once."""
    if report.purpose not in (Purpose.FAILED, Purpose.HELD):
        return ()
    return tuple(Paragraph("", note_lines(note, "Also")) for note in noted(report.items))


def _points(report: Report) -> tuple[Paragraph, ...]:
    notes = noted(report.items)
    headings = [f"Point {number} of {len(notes)}" if len(notes) > 1 else "" for number in range(1, len(notes) + 1)]
    return tuple(Paragraph(heading, note_lines(note)) for heading, note in zip(headings, notes, strict=True))


def _overrides(report: Report) -> tuple[Paragraph, ...]:
    """How the sender can send it all the same, past each rule that allows that."""
    return tuple(
        Paragraph(f"If it has to go all the same (rule: {rule})", token_lines(token))
        for rule, token in report.tokens.items()
    )


def _owner(report: Report) -> tuple[str, ...]:
    """Who reads of a message that somebody else sent has to be told why (R1)."""
    if owner_of(report.message) is None:
        return ()
    sender = report.message.envelope.reverse_path
    return (f"It is mail of the system that sends as {sender}; you are registered as its owner.",)


def _closing(report: Report, identity: Identity) -> Paragraph:
    lines = [f"Questions: {identity.contact}. Please name the number {report.message.queue_id}."]
    if report.purpose is Purpose.FAILED and identity.marks and _buttons_help(report, identity):
        marks = " or ".join(identity.marks)
        lines.append(f"Without the buttons, on a telephone for example, write {marks} in the subject.")
    lines.append(f"Sent to the wrong person? Report it now: {identity.contact}.")
    return Paragraph("", tuple(lines))


def _buttons_help(report: Report, identity: Identity) -> bool:
    """Whether a button would be heard for any of the recipients: what goes by CJSM, say, does not ask for it (M6)."""
    return any(item.rule not in identity.buttonless for item in report.items)
