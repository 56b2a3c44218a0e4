"""What two mail programs could read differently in a message; each defect makes every label garbled (R1).

Only what hides a field, a label or an attached file from one of two readers, or from us, is named. Sloppiness that
all readers take alike is left out on purpose: raw 8-bit subjects, long lines, a missing Date or MIME-Version, a
preamble.
"""

from enum import StrEnum


class Defect(StrEnum):
    """The closed list, as a person reads it; a repeated field adds `repeated`'s sentence."""

    NO_FIELDS = "the header block is empty"
    NO_END = "a header block is not ended by an empty line"
    LEADING_CONTINUATION = "a header block begins with a continuation line"
    BLANK_CONTINUATION = "a continuation line holds white space only"
    BARE_LINE_END = "a header block has a CR or LF that is no line end"
    CONTROL = "a header block has control characters"
    NO_COLON = "a header line has no colon"
    NAME_SPACE = "a field name is followed by white space"
    NAME = "a field name is empty or has characters that names may not have"
    SUBJECT_LONG = "the subject is too long to be read"
    CONTENT_TYPE = "the type of a multipart or message cannot be read for certain"
    FRAGMENT = "it is a fragment of a larger message (message/partial)"
    MULTIPART_ENCODING = "a multipart has a transfer encoding"
    BOUNDARY_MISSING = "a multipart has no boundary"
    BOUNDARY_LONG = "a boundary has more than 70 characters"
    BOUNDARY_CHARACTERS = "a boundary has characters that boundaries may not have"
    BOUNDARY_FORM = "a boundary is written in the RFC 2231 form"
    BOUNDARY_PREFIX = "a boundary begins like one around it"
    BOUNDARY_LOOKALIKE = "a line begins like a boundary and is none"
    BEHIND_LAST = "a part stands behind the last boundary"


def repeated(name: str) -> str:
    """The defect of a field that may stand once and stands again."""
    return f"the field {name} stands more than once"
