"""What a decision causes besides its route, in lines for people."""

from collections.abc import Iterator
from datetime import timedelta
from typing import assert_never

from gateway.config.trial.what_if import Described
from gateway.core.edits import Add, HeaderEdit, Remove, Retitle
from gateway.core.effects import Effects
from gateway.core.policy import Policy


def effect_lines(told: Described, policy: Policy) -> Iterator[str]:
    """Each begins with what it is, in a column of its own."""
    effects = told.effects
    yield from _person(told, policy)
    for point in effects.warnings:
        yield f"Warning    `{point.rule}`: {point.advice} ({point.reason})"
    for each in effects.notifications:
        yield f"Notifies   {each.mailbox} (`{each.rule}`)"
    for mailbox in effects.copies:
        yield f"Copy       to {mailbox}"
    for edit in effects.edits:
        yield f"Header     {edit_line(edit)}"
    yield from _receipt(effects)


def _person(told: Described, policy: Policy) -> Iterator[str]:
    """What a person can do about it."""
    if told.role:
        yield f"Release    by the role {told.role} ({policy.roles.get(told.role, 'which the policy does not name')})"
    if told.overridable:
        yield "Override   the sender gets a one-time token with which it can be sent all the same"
    if told.patience is not None:
        yield f"Patience   no route but the last keeps it longer than {duration(told.patience)}"


def _receipt(effects: Effects) -> Iterator[str]:
    if effects.receipt:
        reminder = f"; a reminder after {duration(effects.remind_after)}" if effects.remind_after else ""
        yield f"Receipt    is asked for{reminder}"


def edit_line(edit: HeaderEdit) -> str:
    """What changes in the header."""
    match edit:
        case Add():
            return f"adds {edit.name}: {edit.value}"
        case Remove():
            return f"removes {edit.name}"
        case Retitle():
            parts = (
                f"puts {edit.tag} before the subject" if edit.tag else "",
                "takes marks out of it" if edit.without else "",
            )
            return ", ".join(filter(None, parts))
        case _:
            assert_never(edit)


def duration(time: timedelta) -> str:
    """In hours, or minutes where it is less."""
    hours = time / timedelta(hours=1)
    return f"{hours:g} h" if hours >= 1 else f"{time / timedelta(minutes=1):g} min"
