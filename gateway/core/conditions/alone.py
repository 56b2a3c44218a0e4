"""A condition's value when only level, button and automatic are known; anything else may or may not hold."""

from typing import TypeAlias

from gateway.core.conditions.base import Condition, certain
from gateway.core.conditions.logic import All, AnyOf, Not, opposite
from gateway.core.conditions.message import AutomaticIs, ClassificationIs, IntentIs
from gateway.core.decision import Truth
from gateway.core.facts import Intent

Kind: TypeAlias = tuple[str, Intent, bool]
"""Level, button and automatic: one kind of mail."""


def alone(condition: Condition | None, kind: Kind) -> Truth:
    """Match or no match where these three settle it, whatever the rest of the message is; no condition matches."""
    level, intent, automatic = kind
    match condition:
        case None:
            return Truth.MATCH
        case ClassificationIs(levels):
            return certain(level in levels)
        case IntentIs(intents):
            return certain(intent in intents)
        case AutomaticIs(wanted):
            return certain(automatic is wanted)
        case Not(part):
            return opposite(alone(part, kind))
        case All(parts):
            return _first((Truth.NO_MATCH, Truth.UNKNOWN, Truth.MATCH), parts, kind)
        case AnyOf(parts):
            return _first((Truth.MATCH, Truth.UNKNOWN, Truth.NO_MATCH), parts, kind)
        case _:
            return Truth.UNKNOWN


def _first(order: tuple[Truth, Truth, Truth], parts: tuple[Condition, ...], kind: Kind) -> Truth:
    """The value among the parts' that comes first in ``order``: all and any differ in nothing else."""
    values = {alone(part, kind) for part in parts}
    return next(value for value in order if value in values)
