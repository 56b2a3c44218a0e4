"""What a rule causes besides its action: points for the sender, words to roles, copies, header edits, receipts."""

import re
from collections.abc import Iterator
from typing import Final

from gateway.config.page import Page, dotted
from gateway.config.policy_tables import RuleTable
from gateway.config.roles import Roles
from gateway.core.edits import Add, HeaderEdit, Remove, Retitle
from gateway.core.policy import NO_WISHES, Wishes
from gateway.core.template import WORDS, Template, unknown_words

# A field name of RFC 5322 section 2.2, and a value that stays one line in ASCII.
_NAME: Final = re.compile(r"[!-9;-~]{1,76}")
_MOST_VALUE: Final = 900
# Fields that say who, whom and when, trace fields, our own, and those that tell how the body is to be read.
_NOT_OURS: Final = frozenset(
    {
        "from",
        "sender",
        "to",
        "cc",
        "bcc",
        "subject",
        "date",
        "message-id",
        "received",
        "return-path",
        "mime-version",
        "dkim-signature",
    }
)
_NOT_OURS_BEGIN: Final = ("x-sealpost-", "content-", "resent-")


def read_wishes(page: Page, key: str, table: RuleTable, levels: tuple[str, ...], roles: Roles) -> Wishes:
    """The wishes of a rule, without those that cannot be."""
    warn = None if table.warn is None else read_template(page, f"{key}.warn", table.warn)
    notify = [roles.mailbox(page, f"{key}.notify", role) for role in table.notify or ()]
    copy = None if table.copy_to is None else roles.archive(page, f"{key}.copy_to", table.copy_to)
    if table.raises is not None and table.raises not in levels:
        page.unknown(f"{key}.raise", "level", table.raises, levels)
    wishes = Wishes(
        warn=warn,
        notify=tuple(mailbox for mailbox in notify if mailbox is not None),
        copies=() if copy is None else (copy,),
        edits=tuple(_edits(page, key, table)),
        receipt=bool(table.receipt),
        remind_after=table.remind_after,
        raises=table.raises,
    )
    return NO_WISHES if wishes == NO_WISHES else wishes


def read_template(page: Page, key: str, text: str) -> Template:
    """A sentence with places in braces; a place that is no word of ours is a problem."""
    unknown = unknown_words(text)
    for word in unknown:
        page.unknown(key, "word", word, WORDS)
    return Template("" if unknown else text)


def _edits(page: Page, key: str, table: RuleTable) -> Iterator[HeaderEdit]:
    """Removals first, so that a field can be replaced by another of its name."""
    for at, name in enumerate(table.remove_header or ()):
        if _may_change(page, dotted(key, "remove_header", at), name):
            yield Remove(name)
    for name, value in (table.add_header or {}).items():
        place = f"{key}.add_header.{name}"
        if not value.isascii() or len(value) > _MOST_VALUE:
            page.problem(place, f"the value of a header field is plain ASCII of at most {_MOST_VALUE} characters")
        elif _may_change(page, place, name):
            yield Add(name, value)
    if table.tag_subject is not None:
        yield Retitle(tag=table.tag_subject)


def _may_change(page: Page, key: str, name: str) -> bool:
    folded = name.casefold()
    if _NAME.fullmatch(name) is None:
        page.problem(key, f"`{name}` is not the name of a header field")
        return False
    if folded in _NOT_OURS or folded.startswith(_NOT_OURS_BEGIN):
        page.problem(key, f"a rule never changes the field `{name}`")
        return False
    return True
