"""The one-time token with which a sender sends one message past one rule: its form, what it is good for, its mark.

The mark stands in the subject, ``[override: K7QF-M2XD-9ABC-HJKM the reason]``; `core.subject` takes it out on the way.
Left out on purpose: keeping tokens, and that each works once, which are `flow.overrides`'s.
"""

import base64
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from gateway.core.address import Address
from gateway.core.decision import Decision, Held, Open, Refused
from gateway.core.facts import Scan
from gateway.core.marks import marks_to_remove
from gateway.core.policy import Policy
from gateway.core.subject import fold_mark, titles

VALID_FOR: Final = timedelta(hours=72)
MOST_MARKS: Final = 5
"""Marks of one subject that are read; a message that more rules stop needs another way."""
MOST_RECIPIENTS: Final = 100
"""Recipients that one token is good for: an override is for a person's message, not for a mailing."""
LONGEST_REASON: Final = 200
SHORTEST_REASON: Final = 3

# 32 signs, upper case: without 0 and O, 1 and I, which people mistake for each other.
_ALPHABET: Final = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789")
_TOKEN_BYTES: Final = 10
# No bracket inside, so that a subject full of beginnings is read in one pass.
_MARK = re.compile(r"\[\s*override\s*:\s*([^\s\[\]]{1,40})(?=[\s\]])([^\[\]]*)\]", re.IGNORECASE)


class OverrideResult(StrEnum):
    """What came of one mark; NOT_USED if it would not have got the message past anything, and may be used yet."""

    GRANTED = "granted"
    NOT_USED = "not used"
    NO_REASON = "no reason"
    UNKNOWN = "unknown"
    OTHER = "other sender or rule"
    USED = "used before"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Mark:
    """One mark of a subject; ``reason`` is the sender's own statement for the audit, cut and printable."""

    token: str
    reason: str

    @property
    def has_reason(self) -> bool:
        """Whether somebody said why."""
        return len(self.reason) >= SHORTEST_REASON


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a token is good for: mail of this sender, past this rule, to these recipients (`Address.key`)."""

    rule: str
    sender: str
    recipients: frozenset[str]
    until: datetime

    def holds(self, sender: str, overridable: frozenset[str], now: datetime) -> bool:
        """Whether it may still be used by that sender, under a policy with those overridable rules."""
        return now < self.until and sender == self.sender and self.rule in overridable


def new_token(key: bytes, seed: str) -> str:
    """80 bits in four groups, for a seed that was never used before and nobody can guess."""
    digest = hmac.digest(key, f"override\n{seed}".encode(), "sha256")[:_TOKEN_BYTES]
    signs = base64.b32encode(digest).translate(_ALPHABET).decode()
    return "-".join(signs[at : at + 4] for at in range(0, len(signs), 4))


def token_id(key: bytes, token: str) -> str:
    """The name under which a token is kept: who reads what is kept cannot use it. Case and hyphens are alike."""
    return hmac.digest(key, f"token\n{token.replace('-', '').upper()}".encode(), "sha256").hex()[:40]


def read_marks(scan: Scan, policy: Policy) -> tuple[Mark, ...]:
    """The marks of the subject, at most `MOST_MARKS`, each token once; none that stays in it on the way out."""
    leaving = frozenset(marks_to_remove(policy, scan))
    marks: dict[str, Mark] = {}
    for match in (match for title in titles(scan) for match in _MARK.finditer(title)):
        if fold_mark(match[0]) in leaving:
            marks.setdefault(match[1], Mark(match[1], " ".join(match[2].split())[:LONGEST_REASON]))
    return tuple(marks.values())[:MOST_MARKS]


def stops(decision: Decision) -> bool:
    """Whether the sender may be given a token for it."""
    return isinstance(decision, Refused | Held) and decision.overridable


def named_by(grants: Iterable[Grant]) -> Mapping[str, frozenset[str]]:
    """By rule, whom its tokens name (`Address.key`)."""
    named: dict[str, frozenset[str]] = {}
    for grant in grants:
        named[grant.rule] = named.get(grant.rule, frozenset()) | grant.recipients
    return named


def lifted(named: Mapping[str, frozenset[str]], decided: Mapping[Address, Decision]) -> frozenset[str]:
    """The rules that the message may pass: each stops somebody, and nobody whom no token for it names.

    Facts hold for a whole message, so a recipient without a token keeps the rule in force for all. Whom a rule would
    stop behind another that is lifted too does not show here; that is to be asked when both are (`may_stop`).
    """
    stopped = {rule: {address.key for address, one in decided.items() if may_stop(one, rule)} for rule in named}
    return frozenset(rule for rule, keys in stopped.items() if keys and keys <= named[rule])


def may_stop(decision: Decision, rule: str) -> bool:
    """Whether it is that rule's, for which there may be a token; an open one may turn out to be any rule's."""
    return isinstance(decision, Open) or (stops(decision) and decision.rule == rule)


def serves(grant: Grant, decided: Mapping[Address, Decision]) -> bool:
    """Whether, once decided again, the token has got the message past its rule for somebody: then it is used up."""
    return any(address.key in grant.recipients and not isinstance(one, Refused) for address, one in decided.items())


def token_lines(token: str) -> tuple[str, str]:
    """How to use it, for the person who reads why the message did not go."""
    return (
        f"If it has to go all the same: send it again to the same people with [override: {token} your reason]"
        " in the subject, beside any such mark that is already there.",
        "That works once, within 72 hours. Your reason is recorded; the recipients do not see it.",
    )
