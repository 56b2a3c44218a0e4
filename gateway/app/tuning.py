"""The interpreter of a worker, set for many small messages; docs/performance.md has what each line is worth.

Left out on purpose: an event loop of another kind, which gains least where the time goes into decisions.
"""

import gc
import sys
from typing import Final

_YOUNG: Final = 20_000
"""New objects between two looks for cycles. A message in work has some thousands, nearly all freed by counting."""

_TURN: Final = 0.0005
"""Seconds after which a thread asks for the interpreter: the spool's thread returns from each statement to ask."""


def tune() -> None:
    """Call it once, when all is loaded: what is there by then is never looked at again for cycles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, 20, 100)
    sys.setswitchinterval(_TURN)
