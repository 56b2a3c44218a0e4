"""Processes that tests kill: forked from a server without threads, so that one costs milliseconds."""

import multiprocessing
from multiprocessing.context import ForkServerContext
from typing import Final

LOADED: Final = ["tests.crash.pipeline", "tests.spool.victims"]
"""All that any of them begins with: there is one server, and it loads what it is told before its first process."""


def forked() -> ForkServerContext:
    """How they are started."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(LOADED)
    return context
