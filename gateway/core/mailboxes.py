"""The mailboxes of a From field, for ownership of mail without reverse-path (RFC 5322 sections 3.4 and 3.6.2).

Read only where all programs read the same: names, quoted strings, one level of comments, ``name <address>`` and plain
addresses. Groups, source routes, nested comments and anything left over give no address at all.
"""

import re
from typing import Final

from gateway.core.address import BadAddress, parse_address

# A From field names one author, seldom two; more than this is no letter's head.
_MAX_MAILBOXES: Final = 20
_MAX_FIELD: Final = 2048

_QUOTED: Final = r'"(?:[^"\\]|\\.)*+"'
_COMMENT = re.compile(rf"({_QUOTED})|\((?:[^()\\\"]|\\.)*+\)")
# mailbox = [phrase] "<" addr-spec ">" / addr-spec
_MAILBOX = re.compile(
    rf"(?P<phrase>(?:{_QUOTED}|[^\"<>,;:@()\\])*+)<(?P<angle>(?:{_QUOTED}|[^\"<>\s])++)>|(?P<bare>(?:{_QUOTED}|[^\"<>,;:\s()\\])++)"
)


class _Unreadable(Exception):
    """The field could be read in more than one way."""


def read_mailboxes(values: tuple[bytes, ...]) -> tuple[str, ...]:
    """The addr-specs of all the fields' values, domains normalised; empty when one of them is not certain."""
    try:
        return tuple(address for value in values for address in _read_field(value))
    except (_Unreadable, BadAddress, UnicodeDecodeError):
        return ()


def _read_field(value: bytes) -> list[str]:
    if len(value) > _MAX_FIELD:
        raise _Unreadable
    text = _COMMENT.sub(lambda match: match[1] or " ", value.decode("utf-8")).strip()
    found: list[str] = []
    position = 0
    while len(found) < _MAX_MAILBOXES:
        match = _MAILBOX.match(text, position)
        if match is None:
            raise _Unreadable
        found.append(str(parse_address(match["angle"] or match["bare"])))
        rest = text[match.end() :].lstrip()
        if not rest:
            return found
        if not rest.startswith(","):
            raise _Unreadable
        position = len(text) - len(rest[1:].lstrip())
    raise _Unreadable
