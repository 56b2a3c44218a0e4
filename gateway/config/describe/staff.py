"""The page for the staff: what happens to their mail, and what they do."""

from collections.abc import Iterator
from typing import assert_never

from gateway.config.describe.condition_words import in_words
from gateway.config.describe.document import Bullets, Paragraph, Section
from gateway.config.describe.rule_words import PROTECTION, fill, way
from gateway.core.labels import SubjectSource
from gateway.core.policy import GoOn, Hold, Policy, Reject, Rule, Send


def staff_page(policy: Policy) -> Iterator[Section]:
    """Its sections."""
    levels = tuple(f"{level.capitalize()}: {PROTECTION[policy.floors[level]]}." for level in policy.reading.levels)
    default = (
        f"Email without a label counts as {policy.reading.default}, unless it comes from a machine with its own level."
    )
    yield Section("The levels", (Bullets(levels), Paragraph(default)))
    marks = sorted(
        {mark for source in policy.reading.sources if isinstance(source, SubjectSource) for mark in source.marks}
    )
    yield Section("How you ask for more", tuple(_buttons(policy, marks)))
    acting = [rule for rule in policy.rules if not isinstance(rule.action, GoOn)]
    for rule in acting:
        yield Section(
            rule.name,
            (Paragraph(f"If {in_words(rule.when)}: {_becomes(rule, policy)}"), Paragraph(_advice(rule, policy))),
        )
    remarks = [
        f"If {in_words(rule.when)}: {fill(rule.wishes.warn, policy)}" for rule in policy.rules if rule.wishes.warn
    ]
    if remarks:
        yield Section("What you may be told", (Bullets(tuple(remarks)),))


def _buttons(policy: Policy, marks: list[str]) -> Iterator[Paragraph | Bullets]:
    yield Paragraph("Press a button in Outlook, or write a mark into the subject. Neither ever lowers the protection.")
    wanted = [
        f"{mark.upper()} does what the {intent.label.capitalize()} button does."
        for mark, intent in policy.reading.intent_marks.items()
    ]
    wanted += [f"{mark.upper()} in the subject labels the message." for mark in marks]
    if wanted:
        yield Bullets(tuple(sorted(wanted)))


def _becomes(rule: Rule, policy: Policy) -> str:
    match rule.action:
        case Send(chain):
            ways = [way(policy.routes[name]) for name in chain if name in policy.routes]
            return f"it goes as {'; if that is certainly impossible, as '.join(ways)}."
        case Reject():
            return "it comes back to you."
        case Hold(role):
            return f"it waits for {role or 'an operator'}, who releases it or gives it back to you."
        case GoOn():
            return "it goes on."
        case _:
            assert_never(rule.action)


def _advice(rule: Rule, policy: Policy) -> str:
    token = (
        " You can send it all the same with the one-time word in the answer that you get." if rule.overridable else ""
    )
    when = "If it comes back" if isinstance(rule.action, Send) else "What you do"
    return f"{when}: {fill(rule.advice, policy)}{token}"
