"""The marks in a subject that leave it on the way out: buttons, labels, the disclosure's reference, overrides (R6, R7).

They are for the gateway, and a recipient who answers must not press a button by it.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from gateway.core.facts import Scan
from gateway.core.policy import Policy
from gateway.core.reading import Reading
from gateway.core.subject import cut, subjects
from gateway.core.words import to_text

MAX_MARKS: Final = 50
"""Different marks that are taken out of one message's subject; they are kept with it."""
LONGEST_MARK: Final = 600
"""Characters of a mark that is taken out; the longest, a statement with an override, stay far below."""
MAX_REFERENCE: Final = 80

OVERRIDE: Final = "override"


def read_reference(scan: Scan, reading: Reading) -> str:
    """What the first readable ``[ref: …]`` of the subject says, or nothing."""
    for value in scan.values("Subject"):
        for mark in _bracketed(reading.disclosure_mark).finditer(to_text(value)):
            reference = " ".join(mark[1].split())
            if reference and len(reference) <= MAX_REFERENCE and reference.isprintable():
                return reference
    return ""


def marks_to_remove(policy: Policy, scan: Scan) -> tuple[str, ...]:
    """The marks that stand in the subject and leave it, as `fold_mark` has them; at most `MAX_MARKS`."""
    reading = policy.reading
    found = [mark for subject in subjects(scan) for mark in _leaving(subject, reading) if len(mark) <= LONGEST_MARK]
    return tuple(dict.fromkeys(found))[:MAX_MARKS]


def without_marks(subject: str, reading: Reading) -> str:
    """A folded subject without all its marks, whether they leave or not: what stays when a label is changed."""
    found = [*_ours(subject, reading), *(mark for source in reading.sources for mark in source.marks_in(subject))]
    return cut(subject, tuple(dict.fromkeys(found))[:MAX_MARKS])


def _leaving(subject: str, reading: Reading) -> Iterator[str]:
    yield from _ours(subject, reading, buttons=reading.intent_remove)
    for source in reading.sources:
        yield from source.leaving(subject)


def _ours(subject: str, reading: Reading, *, buttons: bool = True) -> Iterator[str]:
    for name in (reading.disclosure_mark, OVERRIDE):
        yield from (mark[0] for mark in _bracketed(name).finditer(subject) if mark[0].isprintable())
    if buttons:
        yield from (mark for mark in reading.intent_marks if mark in subject)


@lru_cache(maxsize=16)
def _bracketed(name: str) -> re.Pattern[str]:
    """``[name: …]``. What stands in it has a limit, so that many beginnings without an end cost no square of time."""
    return re.compile(rf"\[\s*+{re.escape(name)}\s*+:([^\]]{{0,500}}+)\]", re.IGNORECASE)
