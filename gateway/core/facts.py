"""What is known of a message before the policy looks: the scan's result, its labels, and outside facts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import TypeAlias

from gateway.core.tls import Starttls


class Intent(IntEnum):
    """Which button was pressed; ordered, because intent only raises (R17)."""

    NONE = 0
    SECURE = 1
    ENCRYPTED = 2

    @property
    def label(self) -> str:
        """The word of the configuration, e.g. ``secure``."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Field:
    """One header field as scanned: name as sent, value unfolded with surrounding space removed, bytes undecoded."""

    name: str
    value: bytes


class Lock(StrEnum):
    """Whether a file can be opened without a password, as far as its bytes tell without opening it (R12)."""

    OPEN = "open"
    ARCHIVE = "encrypted archive"
    OFFICE = "password-protected Office file"
    PDF = "password-protected PDF"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """One attached file. ``bytes`` is its decoded size; ``inline`` parts that the HTML shows do not count (M5).

    ``members`` are the names in a ZIP's directory, as far as it was read.
    """

    name: str
    type: str
    bytes: int
    members: tuple[str, ...] = ()
    lock: Lock = Lock.OPEN


@dataclass(frozen=True, slots=True)
class Text:
    """The beginning of one text part, decoded; only while a message is judged, never stored."""

    type: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One MIME part in order of appearance: its type, and a calendar part's ``method`` in upper case (RFC 5546)."""

    type: str
    method: str
    attached: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """The result of one streaming pass. ``header_bytes`` is the offset of the body, behind the empty line.

    ``defects`` name what two readers could read differently, in a header block or between the parts; each makes every
    label garbled. The first of ``parts`` is the message itself. ``eight_bit`` is any byte of 0x80 or above.
    ``texts`` are there only as far as the scan was asked to keep them.
    """

    fields: tuple[Field, ...]
    attachments: tuple[Attachment, ...]
    message_bytes: int
    header_bytes: int
    defects: tuple[str, ...] = ()
    eight_bit: bool = False
    parts: tuple[Part, ...] = ()
    texts: tuple[Text, ...] = ()

    @property
    def attachment_bytes(self) -> int:
        """The sum of the decoded attached files."""
        return sum(attachment.bytes for attachment in self.attachments)

    def values(self, name: str) -> tuple[bytes, ...]:
        """All values of the fields of that name, in order; names compare without case."""
        wanted = name.casefold()
        return tuple(f.value for f in self.fields if f.name.casefold() == wanted)


class LabelResult(StrEnum):
    """What a label source gave: a level, nothing of ours, or something of ours that cannot be read."""

    LEVEL = "level"
    NO_LABEL = "no label"
    GARBLED = "garbled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """One label found. ``raw`` is what stood there (cut, printable); ``level`` is None where it names none."""

    source: str
    raw: str
    result: LabelResult
    level: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Classification:
    """The level that holds, where it came from (a label's source, "default", "garbled"), and all labels found."""

    level: str
    source: str
    labels: tuple[Label, ...] = ()

    @property
    def conflict(self) -> bool:
        """Whether labels name different levels, or one cannot be read beside another that names a level."""
        levels = {label.level for label in self.labels if label.result is LabelResult.LEVEL}
        garbled = any(label.result is LabelResult.GARBLED for label in self.labels)
        return len(levels) + garbled > 1


class Lookup(StrEnum):
    """An outside fact that a condition can read; `flow.accept` looks up what the loaded policy declares.

    Each is asked with a key: STARTTLS with a recipient domain, KNOWN with a recipient's `Address.key`, RESENT with a
    `gateway.core.conditions.history.refusal_id`, which is made of the message's `Facts.fingerprint`.
    """

    STARTTLS = "starttls"
    KNOWN = "known recipient"
    RESENT = "refused before"


@dataclass(frozen=True, slots=True)
class Missing:
    """An outside fact that could not be had; a condition that reads it is Unknown."""

    reason: str


@dataclass(frozen=True, slots=True)
class Answer:
    """An outside fact that is a yes or a no, and what it rests on, as part of a sentence."""

    yes: bool
    why: str


OutsideFact: TypeAlias = Starttls | Answer | Missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that the rules may read; it is stored with the decision, so it holds no text of the message.

    ``at`` is when the message was read. ``looked`` and ``found`` are the ids of the policy's detectors, and of those
    that found something. ``visible`` are the addresses in To and Cc (at most 500, ``visible_more`` counts the others).
    ``reference`` is the disclosure's (R7), ``owner`` whom reports about a machine's mail go to (R1; else empty),
    ``fingerprint`` a keyed hash that is the same when the same sender sends the same files again (R16), ``overridden``
    the rules that a one-time token lets the message pass. ``outside`` maps (lookup, key) to its result.
    """

    at: datetime
    classification: Classification
    intent: Intent
    intent_source: str
    automatic: bool
    automatic_reason: str
    sender: str
    header_from: tuple[str, ...]
    header_sender: tuple[str, ...] = ()
    visible: tuple[str, ...] = ()
    visible_more: int = 0
    listener: str = ""
    attachments: tuple[Attachment, ...]
    attachment_bytes: int
    message_bytes: int
    looked: frozenset[str] = frozenset()
    found: frozenset[str] = frozenset()
    reference: str = ""
    owner: str = ""
    fingerprint: str = ""
    overridden: frozenset[str] = frozenset()
    outside: Mapping[tuple[Lookup, str], OutsideFact] = field(default_factory=lambda: MappingProxyType({}))
