"""What came of TLS in one attempt at a session, for those who count it (RFC 8460 section 4.3)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from gateway.core.tlsrpt import Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """The addresses of the two ends, and why there is no TLS as it was wanted; ``failure`` is None where there is."""

    address: str
    ours: str
    failure: Result | None = None
    detail: str = ""


Tell: TypeAlias = Callable[[Tried], None]


def nobody(tried: Tried) -> None:
    """Hears nothing."""
