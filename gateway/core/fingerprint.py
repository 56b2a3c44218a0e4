"""By what a message is known again when it is sent once more under a lower label (mission R16).

A keyed hash: it is kept with decisions, and whoever reads it learns neither the files' names nor the subject.
"""

import hmac
from typing import Final

from gateway.core.address import Address, ReversePath
from gateway.core.facts import Scan
from gateway.core.marks import without_marks
from gateway.core.reading import Reading
from gateway.core.subject import subjects

_DIGITS: Final = 32


def fingerprint(scan: Scan, sender: ReversePath, reading: Reading, key: bytes) -> str:
    """Hex digits that are the same for the same sender and attached files (name and size), else for the same subject.

    Marks in the subject take no part. Empty without a key, and for a message with neither files nor a subject.
    """
    files = sorted((file.name, file.bytes) for file in scan.attachments)
    titles = [] if files else sorted(filter(None, (without_marks(subject, reading) for subject in subjects(scan))))
    if not key or not (files or titles):
        return ""
    author = sender.key if isinstance(sender, Address) else ""
    told = repr(("sent again", author, files, titles))
    return hmac.digest(key, told.encode("utf-8", "backslashreplace"), "sha256").hex()[:_DIGITS]
