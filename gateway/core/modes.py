"""Roll-out modes: whether a policy, rule or group of senders is enforced, softened or only observed, and until when.

A mode always ends by itself. What it makes of a decision is `gateway.core.observing`'s.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway.core.address import Address
from gateway.core.domains import Group


class Mode(StrEnum):
    """ENFORCE is what holds without any; SOFT turns refusals for good into waiting; OBSERVE only records."""

    ENFORCE = "enforce"
    SOFT = "soft"
    OBSERVE = "observe"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """One mode with its scope: ``rule`` (empty: every rule) and ``senders`` (None: all). It ends at ``until``.

    ``baseline`` is the route by which observed mail leaves; empty for the other modes.
    """

    mode: Mode
    until: datetime
    rule: str = ""
    senders: Group | None = None
    baseline: str = ""
    reason: str = ""
    reference: str = ""


def in_force(rollouts: Sequence[Rollout], at: datetime, rule: str, sender: Address | None) -> Rollout | None:
    """The one that holds for mail of this sender that this rule decides; None where the policy is enforced.

    The most specific wins, a rule's before a group's, and the last of these. One of mode ENFORCE is never given: it
    ends what stands before it with its scope, for good.
    """
    covering = [
        rollout
        for number, rollout in enumerate(rollouts)
        if rollout.rule in ("", rule)
        and (rollout.senders is None or (sender is not None and sender in rollout.senders))
        and stands(rollouts, number, at)
    ]
    # Turned round, so that the last wins among equals.
    found = max(reversed(covering), key=_specific, default=None)
    return None if found is None or found.mode is Mode.ENFORCE else found


def stands(rollouts: Sequence[Rollout], number: int, at: datetime) -> bool:
    """Whether the one of that number is neither over nor ended by one behind it."""
    rollout = rollouts[number]
    return at < rollout.until and not any(_ends(later, rollout) for later in rollouts[number + 1 :])


def overrules(later: Rollout, rollout: Rollout) -> bool:
    """Whether ``later``, behind ``rollout``, holds in its place for all of its mail or for some of it."""
    return (
        rollout.rule in ("", later.rule)
        and _specific(rollout) <= _specific(later)
        and (later.senders is None or rollout.senders is None or _meet(later.senders, rollout.senders))
    )


def _meet(one: Group, other: Group) -> bool:
    """Whether somebody is in both."""
    return one == other or _some_in(one, other) or _some_in(other, one)


def _some_in(one: Group, other: Group) -> bool:
    if any(key in other.addresses or key.rpartition("@")[2] in other.domains for key in one.addresses):
        return True
    # Any name below stands for all of them.
    names = (*one.domains.exact, *(f"any.{name}" for name in one.domains.below))
    return any(name in other.domains for name in names)


def _ends(later: Rollout, rollout: Rollout) -> bool:
    return later.mode is Mode.ENFORCE and (later.rule, later.senders) == (rollout.rule, rollout.senders)


def _specific(rollout: Rollout) -> tuple[bool, bool]:
    return rollout.rule != "", rollout.senders is not None
