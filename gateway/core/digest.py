"""What a mailbox hears besides reports (mission R8): that a rule matched, and which ends nobody could be told of.

A line names when, which, who, to whom and why; no word of a message, its subject or its files is ever in it. The mail
has text and HTML and is auto-generated (RFC 3834 section 5). Left out on purpose: when it is sent (`flow.digests`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from itertools import chain
from typing import Final

from gateway.core.letter import build_letter
from gateway.core.paragraph import Paragraph, when
from gateway.core.report import Identity, Stamp

MOST_LINES: Final = 200
"""Lines that one mail lists; what is beyond them is in its number, and in the audit."""
_LONGEST_WHY: Final = 160
_LONGEST_ADDRESS: Final = 320
_LONGEST_NAME: Final = 60


class About(StrEnum):
    """What a mailbox is told of."""

    RULE = "rule"
    UNREPORTABLE = "unreportable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One thing that one mailbox is told of; ``rule`` is empty for ends that nobody was told of."""

    about: About
    rule: str
    mailbox: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One recipient of one message."""

    at: datetime
    queue_id: str
    sender: str
    recipient: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What there is to tell of a topic since some time: ``count`` of all, and the first lines."""

    topic: Topic
    since: datetime
    count: int = 0
    lines: tuple[Line, ...] = ()

    def with_more(self, lines: Sequence[Line]) -> "Batch":
        """All of them counted, each cut to its size, and no more listed than there is room for."""
        listed = (*self.lines, *map(_cut, lines[: MOST_LINES - len(self.lines)]))
        return replace(self, count=self.count + len(lines), lines=listed)


def joined(batches: Iterable[Batch]) -> Batch:
    """The batches of one topic as one, in order of time."""
    first, *others = batches
    lines = sorted(chain(first.lines, *(one.lines for one in others)), key=lambda line: line.at)
    count = first.count + sum(one.count for one in others)
    since = min([first.since, *(one.since for one in others)])
    return Batch(topic=first.topic, since=since, count=count, lines=tuple(lines[:MOST_LINES]))


def _cut(line: Line) -> Line:
    return replace(
        line,
        sender=line.sender[:_LONGEST_ADDRESS],
        recipient=line.recipient[:_LONGEST_ADDRESS],
        why=line.why[:_LONGEST_WHY],
    )


def build_alert(batch: Batch, identity: Identity, stamp: Stamp) -> bytes:
    """The mail that tells of a topic's first match at once."""
    first = (
        "What to do: see whether you have to act on the mail below, for example because it should not have gone.",
        f"A rule that names you has matched: {_one_line(batch.topic.rule)}.",
    )
    more = "Further matches within 24 hours come together in one mail."
    return _mail(batch, identity, stamp, title="A rule has matched", first=first, last=(more,))


def build_digest(batch: Batch, identity: Identity, stamp: Stamp) -> bytes:
    """The mail that tells of all that was gathered."""
    if batch.topic.about is About.UNREPORTABLE:
        task = "What to do: see whether somebody has to be told that the mail below did not arrive."
        what = f"No report to its sender was possible. Recipients since {when(batch.since)}: {batch.count}."
        return _mail(batch, identity, stamp, title="Mail that nobody was told of", first=(task, what), last=())
    task = "What to do: see whether you have to act on the mail below. You were told of the first match at once."
    what = f"Further matches of the rule {_one_line(batch.topic.rule)} since {when(batch.since)}: {batch.count}."
    return _mail(batch, identity, stamp, title="A rule has matched again", first=(task, what), last=())


def _mail(
    batch: Batch, identity: Identity, stamp: Stamp, *, title: str, first: tuple[str, ...], last: tuple[str, ...]
) -> bytes:
    listed = [_line(line) for line in batch.lines]
    if batch.count > len(listed):
        listed.append(f"And {batch.count - len(listed)} more, which the audit trail holds.")
    closing = (
        *last,
        f"Questions: {identity.contact}. The numbers name the messages in the audit trail; nothing of them is here.",
        f"Sent to the wrong person? Report it now: {identity.contact}.",
    )
    parts = (Paragraph("", first), Paragraph("Messages", tuple(listed)), Paragraph("", closing))
    subject = _subject(title, batch.topic)
    return build_letter(batch.topic.mailbox, subject, parts, identity, stamp, heading=title)


def _line(line: Line) -> str:
    sender = line.sender or "the null reverse-path"
    return _one_line(f"{when(line.at)}, {line.queue_id}: from {sender} to {line.recipient}. Why: {line.why}")


def _one_line(text: str) -> str:
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _subject(title: str, topic: Topic) -> str:
    """With the rule's name where it can stand in a field as it is."""
    name = _one_line(topic.rule)[:_LONGEST_NAME]
    return f"{title}: {name}" if name and name.isascii() else title
