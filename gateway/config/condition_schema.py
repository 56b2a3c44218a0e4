"""The JSON Schema of ``when``: one entry for each condition, in the words of `gateway.config.conditions.READERS`.

Names of levels, groups and listeners are the policy's own, so here they are texts; `sealpost check` knows them.
"""

from typing import Final, TypeAlias

from gateway.core.conditions.content import DAYS
from gateway.core.detect.patterns import PATTERNS
from gateway.core.facts import Intent
from gateway.core.registers.mailboxes import MailboxKind
from gateway.core.registers.partners import Standing
from gateway.core.registers.schools import SchoolType

Schema: TypeAlias = "dict[str, object]"

WHEN: Final = "When"
SIZE: Final = r"^\d{1,15} ?(B|KiB|MiB|GiB)$"


def _text(description: str = "") -> Schema:
    return {"type": "string", "minLength": 1, **({"description": description} if description else {})}


def _words(description: str, known: tuple[str, ...] = ()) -> Schema:
    word: Schema = {"enum": list(known)} if known else _text()
    return {"description": description, "anyOf": [word, {"type": "array", "items": word, "minItems": 1}]}


def _scale(description: str, known: tuple[str, ...] = ()) -> Schema:
    word: Schema = {"enum": list(known)} if known else _text()
    at_least = _table("that one or a higher", {"at_least": {**word, "description": "The lowest."}}, ("at_least",))
    return {"description": description, "anyOf": [word, {"type": "array", "items": word, "minItems": 1}, at_least]}


def _table(description: str, keys: Schema, needed: tuple[str, ...] = ()) -> Schema:
    return {
        "type": "object",
        "description": description,
        "properties": keys,
        "required": list(needed),
        "additionalProperties": False,
        "minProperties": 1,
    }


def _flag(description: str) -> Schema:
    return {"type": "boolean", "description": description}


def _true(description: str) -> Schema:
    return {"const": True, "description": description}


def _over(description: str) -> Schema:
    return _table(
        description, {"over": {"type": "string", "pattern": SIZE, "description": "More than that."}}, ("over",)
    )


def _number(description: str) -> Schema:
    return {"type": "integer", "minimum": 0, "description": description}


_PATTERNS: Final = tuple(PATTERNS)
_CLOCK: Final[Schema] = {"type": "string", "pattern": r"^([01]\d|2[0-3]):[0-5]\d$"}
_PARTY = "group:<name>, organisation, an address, a domain, or *.domain"

CONDITIONS: Final[Schema] = {
    "classification": _scale("The message's level."),
    "intent": _scale("The button that was pressed.", tuple(intent.label for intent in Intent)),
    "automatic": _flag("Whether a machine sent it."),
    "recipient": _words(f"The recipient: {_PARTY}."),
    "sender": _words(f"The sender of the envelope: {_PARTY}."),
    "attachment_bytes": _over("The decoded attached files together."),
    "message_bytes": _over("The whole message."),
    "tls": {"enum": ["yes", "no"], "description": "Whether the recipient's mail hosts offer STARTTLS (looked up)."},
    "listener": _words("The listener by which it came."),
    "attachments": _table(
        "Attached files; name, type, ctf and locked are asked of one and the same file.",
        {
            "any": _true("There is one."),
            "count_over": _number("There are more."),
            "name": _words("A pattern such as *.xml, also of names in a ZIP's directory."),
            "type": _words("A MIME type such as application/pdf or image/*."),
            "ctf": _true("Named as a common transfer file."),
            "locked": _true("It needs a password to open."),
        },
    ),
    "links": _table(
        "Links in the sender's own text.",
        {"to": _words("Hosts: domains, or group:<name>."), "except": _words("Hosts that are fine.")},
        ("to",),
    ),
    "subject": _table(
        "The subject.",
        {"pattern": _words("What it seems to hold.", _PATTERNS), "mark": _words("A mark such as [INTERNAL ONLY].")},
    ),
    "text": _table(
        "The beginning of the text.",
        {
            "pattern": _words("What it seems to hold.", _PATTERNS),
            "first": {"type": "string", "pattern": SIZE, "description": "How much of it is read; default 64KiB."},
        },
        ("pattern",),
    ),
    "header": _table(
        "A header field is there or, with value, says one of these.",
        {"name": _text("The field's name."), "value": _words("Compared without case.")},
        ("name",),
    ),
    "visible": _table(
        "Outside addresses in To and Cc, the largest single organisation aside.",
        {"outside_over": _number("More than so many."), "free_mail": _words("Domains that are no organisation.")},
        ("outside_over",),
    ),
    "time": _table(
        "When the message came.",
        {
            "from": {**_CLOCK, "description": "The first moment, such as 08:00."},
            "to": {**_CLOCK, "description": "The first moment after it; a window may go over midnight."},
            "days": _words("Default every day.", tuple(DAYS)),
            "zone": _text("Such as Europe/London."),
        },
        ("from", "to", "zone"),
    ),
    "look_alike": _true("The recipient's domain resembles one that is known, and is not it."),
    "first_contact": _true("Nobody here wrote to the recipient before (looked up)."),
    "resent_lower": _true("Refused a short while ago at a higher level (looked up)."),
    "resembles_sender": _table(
        "A private address that resembles the sender's name.", {"free_mail": _words("Its domains.")}, ("free_mail",)
    ),
    "mailbox": _table(
        "A recipient, or an address in To or Cc, is in the register of mailboxes.",
        {
            "kind": _words("What stands behind it.", tuple(kind.value for kind in MailboxKind)),
            "cleared": _flag("For the message's level."),
        },
    ),
    "school": _table(
        "The recipient is at a school.",
        {"type": _words("Which.", tuple(type.value for type in SchoolType)), "logon": _flag("With a portal logon.")},
    ),
    "agreement": _words("The agreement with the recipient's organisation.", tuple(each.value for each in Standing)),
    "partner": {
        "description": "The recipient's organisation is in the register of partners, or has a CJSM address there.",
        "anyOf": [{"type": "boolean"}, _table("What it has.", {"cjsm_address": _flag("It has one.")})],
    },
}


def when_schema() -> Schema:
    """A ``when`` table: all its keys must hold; all, any and not nest."""
    inner: Schema = {"$ref": f"#/$defs/{WHEN}"}
    several: Schema = {"type": "array", "items": inner, "minItems": 1}
    return _table(
        "All keys must hold.",
        {
            **CONDITIONS,
            "all": {**several, "description": "All of them hold."},
            "any": {**several, "description": "At least one holds."},
            "not": {**inner, "description": "It does not hold."},
        },
    )
