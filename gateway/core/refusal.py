"""The reply of a refusal in the session: which rule, which recipient, what to do, whom to call (mission R13).

A reply line has at most 512 bytes with its code and CRLF (RFC 5321 section 4.5.3.1.5) and is ASCII, because the client
need not have asked for SMTPUTF8.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, TypeAlias

from gateway.core.decision import Open, Refused
from gateway.core.envelope import Recipient
from gateway.core.notice import also
from gateway.core.observing import SOFT_END
from gateway.core.override import token_lines
from gateway.core.reply import Reply, Status

_LONGEST_LINE: Final = 480
# Some servers and people see only the start; a client may also limit how many lines it takes.
_MOST_RECIPIENTS: Final = 10
_MOST_POINTS: Final = 5

_Pairs: TypeAlias = Sequence[tuple[Recipient, Refused | Open]]


def refusal(
    refused: Iterable[tuple[Recipient, Refused]], contact: str, tokens: Mapping[str, str] = MappingProxyType({})
) -> Reply:
    """550 5.7.1: the advice on top if it is one for all, then each recipient with its rule, then whom to call.

    ``tokens`` are the one-time tokens that the sender gets, by rule.
    """
    return Reply(550, Status(5, 7, 1), _lines(tuple(refused), contact, tokens))


def postponement(softened: Iterable[tuple[Recipient, Open]], contact: str) -> Reply:
    """450 4.7.1 with the same words, for what is refused only when the soft mode ends."""
    return Reply(450, Status(4, 7, 1), _lines(tuple(softened), contact, {}))


def softly_refused(decision: Open) -> bool:
    """Whether it is a refusal that only the soft mode keeps from being one."""
    return SOFT_END in decision.missing


def _lines(pairs: _Pairs, contact: str, tokens: Mapping[str, str]) -> tuple[str, ...]:
    advices = {decision.advice for _, decision in pairs}
    lines = [pairs[0][1].advice] if len(advices) == 1 and pairs[0][1].advice else []
    for recipient, decision in pairs[:_MOST_RECIPIENTS]:
        own = f" {decision.advice}" if len(advices) > 1 and decision.advice else ""
        lines.append(f"{recipient.address}: {decision.reason}{own} (rule: {decision.rule})")
    if len(pairs) > _MOST_RECIPIENTS:
        lines.append(f"and {len(pairs) - _MOST_RECIPIENTS} more recipients")
    points = dict.fromkeys(point for _, decision in pairs for point in decision.effects.warnings)
    lines += [also(point) for point in tuple(points)[:_MOST_POINTS]]
    lines += [line for token in tokens.values() for line in token_lines(token)]
    lines.append(f"Questions, or sent to the wrong person? Report it now: {contact}")
    return tuple(_line(line) for line in lines)


def _line(text: str) -> str:
    printable = "".join(char if " " <= char <= "~" else "?" for char in " ".join(text.split()))
    return printable[:_LONGEST_LINE] or "-"
