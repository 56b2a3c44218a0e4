"""A key for what is asked once for a message, however many recipients it has: the very same object, unread.

Comparing five hundred addresses anew for each of a thousand recipients would take longer than what is asked of them.
"""

from dataclasses import dataclass
from typing import Generic, TypeVar

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, eq=False)
class Same(Generic[_T]):
    """Equal only to one with the same ``value``, not with an equal one; a cache that holds it keeps the value alive."""

    value: _T

    def __eq__(self, other: object) -> bool:
        # Both are alive here, so their ids are the same only if the objects are.
        return type(other) is type(self) and hash(other) == hash(self)

    def __hash__(self) -> int:
        return id(self.value)
