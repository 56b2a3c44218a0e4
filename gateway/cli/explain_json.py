"""`sealpost explain --json`: keys that scripts rely on; new ones may be added, none renamed."""

from typing import TypedDict

from gateway.cli.evidence_view import Json
from gateway.cli.explain_effects import edit_line
from gateway.cli.queue_view import outcome_json
from gateway.config.trial.explained import Explained, Judged, Recorded
from gateway.config.trial.what_if import Described, describe, likely_route


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


class PointJson(TypedDict):
    """A warning for the sender."""

    rule: str
    reason: str
    advice: str


class NotificationJson(TypedDict):
    """A mailbox that hears of it."""

    rule: str
    mailbox: str
    reason: str


class DecidedJson(TypedDict):
    """What was decided when the gateway took the message."""

    rule: str
    action: str
    route: list[str]
    floor: str
    reason: str
    advice: str


class RecordedJson(TypedDict):
    """A message that the gateway took: where it was found, by which policy, and the facts that are not kept there."""

    queue_id: str
    where: str
    policy_hash: str
    not_recorded: list[str]


class EarlierJson(TypedDict):
    """A route that was left, and what the last attempt on it came to, as in `queue show`."""

    route: str
    outcome: dict[str, Json]


class RecipientJson(TypedDict):
    """One recipient's decision. ``level`` is the one that held in the end, ``registers`` what they say of the address.

    ``patience`` and ``remind_after`` are seconds; ``decided`` is null for a message that nobody sent yet, and ``last``
    too until it was tried: what came of it, as in `queue show`; ``earlier`` says the same of the routes before.
    ``opened`` says of each route into the portal how the message would be opened, ``at_mta`` what an MTA in front would
    hear (null if there is none).
    """

    recipient: str
    rule: str
    action: str
    route: list[str]
    floor: str
    reason: str
    advice: str
    likely_route: str | None
    opened: dict[str, str]
    tried: list[TriedJson]
    level: str
    level_source: str
    warnings: list[PointJson]
    notifications: list[NotificationJson]
    copies: list[str]
    edits: list[str]
    receipt: bool
    remind_after: float | None
    release_by: str
    override: bool
    patience: float | None
    registers: list[str]
    decided: DecidedJson | None
    earlier: list[EarlierJson]
    last: dict[str, Json] | None
    at_mta: str | None


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
    conflict: bool
    found: list[str]
    visible: list[str]
    visible_more: int
    listener: str
    reference: str
    owner: str
    recorded: RecordedJson | None


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
        "defects": list(explained.defects),
        "intent": facts.intent.label,
        "intent_source": facts.intent_source,
        "automatic": facts.automatic,
        "door": explained.door,
        "attachments": [{"name": file.name, "type": file.type, "bytes": file.bytes} for file in facts.attachments],
        "attachment_bytes": facts.attachment_bytes,
        "message_bytes": facts.message_bytes,
        "recipients": [_recipient(explained, judged) for judged in explained.judged],
        "policy": explained.policy_file,
        "policy_hash": explained.policy.hash,
        "conflict": found.conflict,
        "found": list(explained.found),
        "visible": list(facts.visible),
        "visible_more": facts.visible_more,
        "listener": facts.listener,
        "reference": facts.reference,
        "owner": facts.owner,
        "recorded": _recorded(explained.recorded) if explained.recorded else None,
    }


def _recorded(recorded: Recorded) -> RecordedJson:
    return {
        "queue_id": recorded.queue_id,
        "where": recorded.where,
        "policy_hash": recorded.policy_hash,
        "not_recorded": list(recorded.lost),
    }


def _recipient(explained: Explained, judged: Judged) -> RecipientJson:
    decision, level = judged.ruling.decision, judged.ruling.classification
    told = describe(decision)
    effects, reminder = told.effects, told.effects.remind_after
    before = explained.recorded.decisions.get(str(judged.address)) if explained.recorded else None
    last = explained.recorded.outcomes.get(str(judged.address)) if explained.recorded else None
    earlier = explained.recorded.earlier.get(str(judged.address), ()) if explained.recorded else ()
    return {
        "recipient": str(judged.address),
        **_decided(told),
        "likely_route": likely_route(decision, explained.policy.routes, explained.tls),
        "opened": {name: words for name in told.route if (words := _opened(explained, name, level.level))},
        "tried": [{"rule": tried.rule, "result": tried.result.value, "why": tried.why} for tried in judged.tried],
        "level": level.level,
        "level_source": level.source,
        "warnings": [
            {"rule": point.rule, "reason": point.reason, "advice": point.advice} for point in effects.warnings
        ],
        "notifications": [
            {"rule": each.rule, "mailbox": each.mailbox, "reason": each.reason} for each in effects.notifications
        ],
        "copies": list(effects.copies),
        "edits": [edit_line(edit) for edit in effects.edits],
        "receipt": effects.receipt,
        "remind_after": reminder.total_seconds() if reminder is not None else None,
        "release_by": told.role,
        "override": told.overridable,
        "patience": told.patience.total_seconds() if told.patience is not None else None,
        "registers": list(judged.entries),
        "decided": _decided(describe(before)) if before is not None else None,
        "earlier": [{"route": route, "outcome": outcome_json(outcome)} for route, outcome in earlier],
        "last": outcome_json(last) if last is not None else None,
        "at_mta": explained.at_mta(judged.address, decision) or None,
    }


def _opened(explained: Explained, route: str, level: str) -> str:
    return explained.opened(route, level) if explained.policy.routes[route].transport == "portal" else ""


def _decided(told: Described) -> DecidedJson:
    return {
        "rule": told.rule,
        "action": told.action,
        "route": list(told.route),
        "floor": told.floor,
        "reason": told.reason,
        "advice": told.advice,
    }
