"""The marks in a subject that leave it on the way out: buttons, labels, the disclosure's reference, overrides (R6, R7).

They are for the gateway, and a recipient who answers must not press a button by it.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

from gateway.core.facts import Scan
from gateway.core.policy import Policy
from gateway.core.reading import Reading
from gateway.core.subject import cut, fold_mark, subjects, titles

MAX_MARKS: Final = 50
"""Different marks that are taken out of one message's subject; they are kept with it.

An override or a reference behind it stays there and so is not read; a label or a button asks for protection and holds.
"""
LONGEST_MARK: Final = 600
"""Characters of a mark that is taken out; the longest, a statement with an override, stay far below."""
MAX_REFERENCE: Final = 80

OVERRIDE: Final = "override"


def read_reference(scan: Scan, reading: Reading) -> str:
    """What the first readable ``[ref: …]`` of the subject says, or nothing; one that stays there is not read."""
    leaving = frozenset(_marks(subjects(scan), reading))
    for title in titles(scan):
        for mark in _bracketed(reading.disclosure_mark).finditer(title):
            reference = " ".join(mark[1].split())
            readable = len(reference) <= MAX_REFERENCE and reference.isprintable()
            if reference and readable and fold_mark(mark[0]) in leaving:
                return reference
    return ""


def marks_to_remove(policy: Policy, scan: Scan) -> tuple[str, ...]:
    """The marks that stand in the subject and leave it, as `fold_mark` has them; at most `MAX_MARKS`."""
    return _marks(subjects(scan), policy.reading)


def without_marks(subject: str, reading: Reading) -> str:
    """A folded subject without all its marks, whether they leave or not: what stays when a label is changed."""
    found = [*_ours(subject, reading), *(mark for source in reading.sources for mark in source.marks_in(subject))]
    return cut(subject, tuple(dict.fromkeys(found))[:MAX_MARKS])


def _marks(folded: Sequence[str], reading: Reading) -> tuple[str, ...]:
    """Overrides first: no others in front of them may keep a token and its reason in the subject."""
    overrides = [mark for title in folded for mark in _named(OVERRIDE, title)]
    found = [*overrides, *(mark for title in folded for mark in _leaving(title, reading))]
    return tuple(dict.fromkeys(mark for mark in found if len(mark) <= LONGEST_MARK))[:MAX_MARKS]


def _leaving(subject: str, reading: Reading) -> Iterator[str]:
    yield from _ours(subject, reading, buttons=reading.intent_remove)
    for source in reading.sources:
        yield from source.leaving(subject)


def _ours(subject: str, reading: Reading, *, buttons: bool = True) -> Iterator[str]:
    for name in (OVERRIDE, reading.disclosure_mark):
        yield from _named(name, subject)
    if buttons:
        yield from (mark for mark in reading.intent_marks if mark in subject)


def _named(name: str, subject: str) -> Iterator[str]:
    return (mark[0] for mark in _bracketed(name).finditer(subject) if mark[0].isprintable())


@lru_cache(maxsize=16)
def _bracketed(name: str) -> re.Pattern[str]:
    """``[name: …]``. What stands in it has a limit, so that many beginnings without an end cost no square of time."""
    return re.compile(rf"\[\s*+{re.escape(name)}\s*+:([^\]]{{0,500}}+)\]", re.IGNORECASE)
