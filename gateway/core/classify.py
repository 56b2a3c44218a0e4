"""From the scan and the envelope to the facts that rules read: level, intent, automatic mail (mission R1, R17, R18).

What is looked up outside is not here. A calendar part's method is taken from its Content-Type alone, as RFC 6047 wants
it, never from the calendar's text.
"""

from datetime import datetime
from types import MappingProxyType
from typing import Final

from gateway.core.address import NullPath
from gateway.core.defaults import default_level, origin_of, system_of
from gateway.core.defect import Defect
from gateway.core.envelope import Envelope
from gateway.core.facts import Classification, Facts, Intent, Label, LabelResult, Scan
from gateway.core.fingerprint import fingerprint
from gateway.core.labels.base import fold_value, read_labels
from gateway.core.mailboxes import read_mailboxes
from gateway.core.marks import read_reference
from gateway.core.policy import Policy
from gateway.core.reading import Reading
from gateway.core.subject import subjects
from gateway.core.visible import read_visible
from gateway.core.words import to_text

# What an invited person's calendar answers by itself (RFC 5546 section 1.4); a REQUEST is a person's message.
_CALENDAR_REPLIES: Final = frozenset({"REPLY", "COUNTER", "REFRESH", "DECLINECOUNTER"})
_REPORTS: Final = frozenset({"multipart/report", "message/disposition-notification", "message/delivery-status"})
_INTENTS: Final = MappingProxyType({intent.label: intent for intent in Intent})


def gather(scan: Scan, envelope: Envelope, policy: Policy, at: datetime, key: bytes = b"") -> Facts:
    """All facts that the message and its envelope give; ``outside`` stays empty.

    Without a ``key`` there is no fingerprint.

    Raises:
        TooComplex: To and Cc are past a limit.
    """
    reading, origin = policy.reading, origin_of(envelope)
    intent, intent_source = _intent(scan, reading)
    reason = _automatic_reason(scan, envelope)
    system = system_of(policy.registers.systems, origin)
    listed = policy.registers.mailboxes.addresses
    visible, visible_more = read_visible((*scan.values("To"), *scan.values("Cc")), listed)
    return Facts(
        at=at,
        listener=envelope.listener,
        looked=frozenset(detector.id for detector in policy.detectors),
        found=frozenset(detector.id for detector in policy.detectors if detector.detect(scan)),
        classification=_classify(scan, reading, default_level(reading.defaults, system, reading.default, origin)),
        intent=intent,
        intent_source=intent_source,
        automatic=bool(reason),
        automatic_reason=reason,
        sender=str(envelope.reverse_path),
        header_from=read_mailboxes(scan.values("From")),
        header_sender=read_mailboxes(scan.values("Sender")),
        visible=visible,
        visible_more=visible_more,
        attachments=scan.attachments,
        attachment_bytes=scan.attachment_bytes,
        message_bytes=scan.message_bytes,
        reference=read_reference(scan, reading),
        owner=system.owner if system is not None else "",
        fingerprint=fingerprint(scan, envelope.reverse_path, reading, key),
    )


def _classify(scan: Scan, reading: Reading, default: tuple[str, str]) -> Classification:
    """The highest level wins; what cannot be read for certain is the highest level there is."""
    labels = read_labels(scan, reading.sources, reading.levels)
    garbled = next((label.source for label in labels if label.result is LabelResult.GARBLED), None)
    if scan.defects:
        garbled = "malformed header"
    if garbled is not None:
        return Classification(level=reading.levels[-1], source=f"garbled: {garbled}", labels=labels)
    level, source = _highest(labels, reading.levels) or default
    # A register can name a level that this policy does not have.
    return Classification(level=level if level in reading.levels else reading.levels[-1], source=source, labels=labels)


def _highest(labels: tuple[Label, ...], levels: tuple[str, ...]) -> tuple[str, str] | None:
    """The highest level and the first source that names it; None without a label."""
    found = ((level, label.source) for level in reversed(levels) for label in labels if label.level == level)
    return next(found, None)


def _intent(scan: Scan, reading: Reading) -> tuple[Intent, str]:
    """The highest intent, and the first place that says so; an unknown word of ours can only mean more protection."""
    best, source = Intent.NONE, ""
    header = f"header {reading.intent_header}"
    for value in scan.values(reading.intent_header):
        intent = _INTENTS.get(fold_value(to_text(value))) if value else Intent.NONE
        if intent is None and best < Intent.ENCRYPTED:
            best, source = Intent.ENCRYPTED, f"{header}: unknown value"
        elif intent is not None and best < intent:
            best, source = intent, header
    for subject in subjects(scan):
        for mark, intent in reading.intent_marks.items():
            if mark in subject and best < intent:
                best, source = intent, f"subject {mark}"
    if Defect.SUBJECT_LONG in scan.defects and reading.intent_marks and best < Intent.ENCRYPTED:
        best, source = Intent.ENCRYPTED, "subject: too long to be read"
    return best, source


def _automatic_reason(scan: Scan, envelope: Envelope) -> str:
    """Why the message is automatic, or nothing."""
    if envelope.reverse_path is NullPath.NULL:
        return "null reverse-path"
    if any(_auto_submitted(value) for value in scan.values("Auto-Submitted")):
        return "Auto-Submitted"
    if scan.parts and scan.parts[0].type in _REPORTS:
        return "report or receipt"
    methods = {part.method for part in scan.parts if part.type == "text/calendar" and not part.attached}
    if methods and methods <= _CALENDAR_REPLIES:
        return "calendar reply"
    return ""


def _auto_submitted(value: bytes) -> bool:
    """Whether the keyword, which comments and parameters may follow, is other than ``no`` (RFC 3834 section 5)."""
    keyword = value.split(b";")[0].split(b"(")[0].strip().lower()
    return keyword not in (b"", b"no")
