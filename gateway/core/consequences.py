"""What rules cause besides their action, filled in for one recipient."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from gateway.core.decision import Decision, Truth
from gateway.core.edits import HeaderEdit
from gateway.core.effects import NOTHING, Effects, Notification, Point
from gateway.core.policy import NO_WISHES, Policy
from gateway.core.search import Candidate


def consequences(candidates: Iterable[Candidate], policy: Policy) -> Effects:
    """The effects of those that certainly match, all together, in their order, each thing once."""
    return _caused(
        [each for each in candidates if each.truth is Truth.MATCH and each.rule.wishes is not NO_WISHES], policy
    )


def possible(candidate: Candidate, policy: Policy) -> Effects:
    """What it causes if it turns out to match, in words that only say in general what a match would know."""
    return _caused([candidate] if candidate.rule.wishes is not NO_WISHES else [], policy)


def _caused(wishing: Sequence[Candidate], policy: Policy) -> Effects:
    if not wishing:
        return NOTHING
    warnings: list[Point] = []
    notifications: list[Notification] = []
    copies: dict[str, None] = {}
    edits: dict[HeaderEdit, None] = {}
    for candidate in wishing:
        rule, wishes = candidate.rule, candidate.rule.wishes
        if wishes.warn is not None:
            text = candidate.fill(wishes.warn, policy.organisation.contact)
            warnings.append(Point(rule.name, candidate.why, text))
        if wishes.notify:
            why = candidate.why
            notifications += [Notification(rule.name, mailbox, why) for mailbox in wishes.notify]
        copies.update(dict.fromkeys(wishes.copies))
        edits.update(dict.fromkeys(wishes.edits))
    reminders = [each.rule.wishes.remind_after for each in wishing]
    return Effects(
        warnings=tuple(warnings),
        notifications=tuple(notifications),
        copies=tuple(copies),
        edits=tuple(edits),
        receipt=any(each.rule.wishes.receipt for each in wishing),
        remind_after=min((after for after in reminders if after is not None), default=None),
    )


def also(effects: Effects, decision: Decision) -> Decision:
    """The decision with these effects in front of its own."""
    return decision if effects is NOTHING else replace(decision, effects=effects.with_more(decision.effects))
