"""The field ``X-Sealpost-Result: v1; id; mode; floor; level; seal`` on mail judged for the MTA that carries it.

For the MTA's own header checks and for people; our relay knows it by its seal, for this message's Message-ID. Forged
ones cannot be removed there, and count for nothing. Left out on purpose: rules and recipients, which are the audit's.
"""

import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from gateway.core.edits import Add
from gateway.core.record import QueueId
from gateway.core.tls import Protection

FIELD: Final = "X-Sealpost-Result"
MOST: Final = 10
"""Fields that are looked at; a message passes few milters of ours."""

_LABEL: Final = b"sealpost result v1"
_VALUE = re.compile(rb"(v1; ([A-Za-z0-9_.-]{1,64}); ([a-z]{1,20}); [a-z]{1,20}; [A-Za-z0-9_.-]{1,100}); ([0-9a-f]{64})")
_NOT_IN_LEVEL = re.compile(r"[^A-Za-z0-9_.-]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """It was judged as ``queue_id`` by a listener of that mode."""

    queue_id: QueueId
    mode: str

    def __str__(self) -> str:
        return f"judged before as {self.queue_id} by a milter in mode {self.mode}"


def result_field(result: Result, floor: Protection, level: str, message_id: str, key: bytes) -> Add:
    """The field; ``floor`` is the highest of all recipients, ``level`` the message's, ``key`` the hop key."""
    shown = _NOT_IN_LEVEL.sub("_", level)[:100] or "_"
    content = f"v1; {result.queue_id}; {result.mode}; {floor.label}; {shown}"
    return Add(FIELD, f"{content}; {_seal(content, message_id, _own_key(key))}")


def read_result(values: Iterable[bytes], message_id: str, key: bytes) -> Result | None:
    """The first that our key made for this Message-ID; None if there is none."""
    own = _own_key(key)
    for value in tuple(values)[:MOST]:
        match = _VALUE.fullmatch(value)
        if match and hmac.compare_digest(_seal(match[1].decode(), message_id, own).encode(), match[4]):
            return Result(queue_id=QueueId(match[2].decode()), mode=match[3].decode())
    return None


def _own_key(key: bytes) -> bytes:
    """The hop key signs other things too; a key of its own keeps them apart (RFC 5869 section 2)."""
    return hmac.digest(hmac.digest(bytes(32), key, "sha256"), _LABEL + b"\x01", "sha256")


def _seal(content: str, message_id: str, key: bytes) -> str:
    return hmac.digest(key, f"{content}\n{message_id}".encode(), "sha256").hex()
