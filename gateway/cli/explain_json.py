"""`sealpost explain --json`: keys that scripts rely on; new ones may be added, none renamed."""

from typing import TypedDict

from gateway.config.what_if import Explained, describe, likely_route
from gateway.core.address import Address
from gateway.core.decide import Ruling


class LabelJson(TypedDict):
    """One label found; ``level`` is null for no label and for a garbled one, ``result`` tells them apart."""

    source: str
    raw: str
    level: str | None
    result: str


class AttachmentJson(TypedDict):
    """One attached file; ``bytes`` is decoded."""

    name: str
    type: str
    bytes: int


class TriedJson(TypedDict):
    """One rule that was looked at."""

    rule: str
    result: str
    why: str


class RecipientJson(TypedDict):
    """One recipient's decision."""

    recipient: str
    rule: str
    action: str
    route: list[str]
    floor: str
    reason: str
    advice: str
    likely_route: str | None
    tried: list[TriedJson]


class ExplainJson(TypedDict):
    """The whole answer; ``door`` is the sentence of a refusal before any rule, else null."""

    classification: str
    classification_source: str
    labels: list[LabelJson]
    defects: list[str]
    intent: str
    intent_source: str
    automatic: bool
    door: str | None
    attachments: list[AttachmentJson]
    attachment_bytes: int
    message_bytes: int
    recipients: list[RecipientJson]
    policy: str
    policy_hash: str


def as_json(explained: Explained) -> ExplainJson:
    """The answer as plain values."""
    facts, found = explained.facts, explained.facts.classification
    return {
        "classification": found.level,
        "classification_source": found.source,
        "labels": [
            {"source": label.source, "raw": label.raw, "level": label.level, "result": label.result.value}
            for label in found.labels
        ],
        "defects": list(explained.scan.defects),
        "intent": facts.intent.label,
        "intent_source": facts.intent_source,
        "automatic": facts.automatic,
        "door": explained.door,
        "attachments": [{"name": file.name, "type": file.type, "bytes": file.bytes} for file in facts.attachments],
        "attachment_bytes": facts.attachment_bytes,
        "message_bytes": facts.message_bytes,
        "recipients": [_recipient(explained, address, ruling) for address, ruling in explained.rulings],
        "policy": explained.policy_file,
        "policy_hash": explained.policy.hash,
    }


def _recipient(explained: Explained, address: Address, ruling: Ruling) -> RecipientJson:
    told = describe(ruling.decision)
    return {
        "recipient": str(address),
        "rule": told.rule,
        "action": told.action,
        "route": list(told.route),
        "floor": told.floor,
        "reason": told.reason,
        "advice": told.advice,
        "likely_route": likely_route(ruling.decision, explained.policy.routes, explained.tls),
        "tried": [{"rule": tried.rule, "result": tried.result.value, "why": tried.why} for tried in ruling.tried],
    }
