"""The interpreter of a worker, set for many small messages, and how many files it may open.

Left out on purpose: an event loop of another kind, which gains least where the time goes into decisions.
"""

import gc
import resource
import sys
from typing import Final

_YOUNG: Final = 20_000
"""New objects between two looks for cycles. A message in work has some thousands, nearly all freed by counting."""

_TURN: Final = 0.0005
"""Seconds after which a thread asks for the interpreter: the spool's thread returns from each statement to ask."""


_FILES: Final = 65_536


def allow_files() -> None:
    """Lets the process and its children open as many files as it may, within reason; systems begin with 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def tune() -> None:
    """Call it once, when all is loaded: what is there by then is never looked at again for cycles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, 20, 100)
    sys.setswitchinterval(_TURN)
