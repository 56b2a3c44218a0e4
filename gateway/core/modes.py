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
        if at < rollout.until
        and rollout.rule in ("", rule)
        and (rollout.senders is None or (sender is not None and sender in rollout.senders))
        and not any(_ends(later, rollout) for later in rollouts[number + 1 :])
    ]
    # Turned round, so that the last wins among equals.
    found = max(reversed(covering), key=_specific, default=None)
    return None if found is None or found.mode is Mode.ENFORCE else found


def _ends(later: Rollout, rollout: Rollout) -> bool:
    return later.mode is Mode.ENFORCE and (later.rule, later.senders) == (rollout.rule, rollout.senders)


def _specific(rollout: Rollout) -> tuple[bool, bool]:
    return rollout.rule != "", rollout.senders is not None
