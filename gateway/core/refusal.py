"""The reply of a refusal in the session: which rule, which recipient, what to do, whom to call (mission R13).

A reply line has at most 512 bytes with its code and CRLF (RFC 5321 section 4.5.3.1.5) and is ASCII, because the client
need not have asked for SMTPUTF8.
"""

from collections.abc import Iterable
from typing import Final

from gateway.core.decision import Refused
from gateway.core.envelope import Recipient
from gateway.core.reply import Reply, Status

_LONGEST_LINE: Final = 480
# Some servers and people see only the start; a client may also limit how many lines it takes.
_MOST_RECIPIENTS: Final = 10


def refusal(refused: Iterable[tuple[Recipient, Refused]], contact: str) -> Reply:
    """550 5.7.1: the advice on top if it is one for all, then each recipient with its rule, then whom to call."""
    pairs = tuple(refused)
    advices = {decision.advice for _, decision in pairs}
    lines = [pairs[0][1].advice] if len(advices) == 1 and pairs[0][1].advice else []
    for recipient, decision in pairs[:_MOST_RECIPIENTS]:
        own = f" {decision.advice}" if len(advices) > 1 and decision.advice else ""
        lines.append(f"{recipient.address}: {decision.reason}{own} (rule: {decision.rule})")
    if len(pairs) > _MOST_RECIPIENTS:
        lines.append(f"and {len(pairs) - _MOST_RECIPIENTS} more recipients")
    lines.append(f"Questions, or sent to the wrong person? Report it now: {contact}")
    return Reply(550, Status(5, 7, 1), tuple(_line(line) for line in lines))


def _line(text: str) -> str:
    printable = "".join(char if " " <= char <= "~" else "?" for char in " ".join(text.split()))
    return printable[:_LONGEST_LINE] or "-"
