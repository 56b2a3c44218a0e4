"""Roll-out modes: whether a policy, rule or group of senders is enforced, softened or only observed, and until when.

A mode always ends by itself. What it makes of a decision is `apply`'s.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

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
