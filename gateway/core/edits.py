"""Changes to a header block; `gateway.wire.render` carries them out."""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Add:
    """Puts a header field on top of the block; ``value`` may hold folds (CRLF plus space), no other control bytes."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Remove:
    """Removes every field of that name (without case)."""

    name: str


@dataclass(frozen=True, slots=True)
class Retitle:
    """Rewrites the Subject: takes every one of ``without`` out of it (as `fold_mark` compares), puts ``tag`` before it.

    A message without Subject gets the tag as its Subject; everything else of the field stays as the sender wrote it.
    """

    tag: str = ""
    without: tuple[str, ...] = ()


HeaderEdit: TypeAlias = Add | Remove | Retitle
