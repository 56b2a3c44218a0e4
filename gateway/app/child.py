"""A process that the supervisor executes: its arguments, its two pipes, its log, and how it ends when it breaks."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable

import uvloop

from gateway.app.link import Link, open_link
from gateway.telemetry.log import Level, Log, LogFile, describe


def run_child(name: str, work: Callable[[int, Link, LogFile], Awaitable[None]]) -> None:
    """Runs ``work`` for the slot that the arguments name; a fault is logged as ``name``'s, and exits with 1."""
    # systemd signals every process of the unit; the supervisor decides, and tells us by our pipe.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    parser = argparse.ArgumentParser()
    parser.add_argument("--slot", type=int, required=True)
    parser.add_argument("--answers", type=int, required=True)
    given = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_guarded(name, given.slot, given.answers, work))


async def _guarded(name: str, slot: int, answers: int, work: Callable[[int, Link, LogFile], Awaitable[None]]) -> None:
    log = LogFile(sys.stdout.fileno())
    try:
        async with open_link(sys.stdin.fileno(), answers) as link:
            await work(slot, link, log)
    except Exception as error:
        Log(log, Level.INFO, slot=slot).error("broken", where=name, error=describe(error))
        raise SystemExit(1) from None
