"""From the scan and the envelope to the facts that rules read: level, intent, automatic mail (mission R1, R17, R18).

What is looked up outside is not here. A calendar part's method is taken from its Content-Type alone, as RFC 6047 wants
it, never from the calendar's text.
"""

from datetime import datetime
from types import MappingProxyType
from typing import Final

from gateway.core.address import NullPath
from gateway.core.envelope import Envelope
from gateway.core.facts import Classification, Facts, Intent, Label, LabelResult, Scan
from gateway.core.labels import fold_value, read_labels, subjects
from gateway.core.mailboxes import read_mailboxes
from gateway.core.policy import Policy
from gateway.core.reading import Reading
from gateway.core.words import to_text

# What an invited person's calendar answers by itself (RFC 5546 section 1.4); a REQUEST is a person's message.
_CALENDAR_REPLIES: Final = frozenset({"REPLY", "COUNTER", "REFRESH", "DECLINECOUNTER"})
_REPORTS: Final = frozenset({"multipart/report", "message/disposition-notification", "message/delivery-status"})
_INTENTS: Final = MappingProxyType({intent.label: intent for intent in Intent})


def gather(scan: Scan, envelope: Envelope, policy: Policy, at: datetime) -> Facts:
    """All facts that the message and its envelope give; ``outside`` stays empty."""
    reading = policy.reading
    intent, intent_source = _intent(scan, reading)
    reason = _automatic_reason(scan, envelope)
    return Facts(
        at=at,
        listener=envelope.listener,
        looked=frozenset(detector.id for detector in policy.detectors),
        found=frozenset(detector.id for detector in policy.detectors if detector.detect(scan)),
        classification=_classify(scan, reading),
        intent=intent,
        intent_source=intent_source,
        automatic=bool(reason),
        automatic_reason=reason,
        sender=str(envelope.reverse_path),
        header_from=read_mailboxes(scan.values("From")),
        attachments=scan.attachments,
        attachment_bytes=scan.attachment_bytes,
        message_bytes=scan.message_bytes,
    )


def _classify(scan: Scan, reading: Reading) -> Classification:
    """The highest level wins; what cannot be read for certain is the highest level there is."""
    labels = read_labels(scan, reading.sources, reading.levels)
    garbled = next((label.source for label in labels if label.result is LabelResult.GARBLED), None)
    if scan.defects:
        garbled = "malformed header"
    if garbled is not None:
        return Classification(level=reading.levels[-1], source=f"garbled: {garbled}", labels=labels)
    level, source = _highest(labels, reading)
    return Classification(level=level, source=source, labels=labels)


def _highest(labels: tuple[Label, ...], reading: Reading) -> tuple[str, str]:
    """The highest level and the first source that names it; the default takes no part."""
    for level in reversed(reading.levels):
        for label in labels:
            if label.level == level:
                return level, label.source
    return reading.default, "default"


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
