"""The gateway as a process of its own, exactly as `sealpost run` starts it: nothing in it knows of the sandbox."""

import asyncio
import http.client
import sys
import time
from collections import deque
from pathlib import Path
from typing import Final

from gateway.sandbox.sockets import LOOPBACK

START: Final = 30.0
"""Seconds within which it must be ready."""

STOP: Final = 8.0
"""Seconds that it gets to end by itself; what it has not finished is in its spool."""

_LOOK: Final = 0.1
_LAST_LINES: Final = 5


class GatewayDied(Exception):
    """The gateway's process ended by itself, or never became ready; the text ends with its last words."""


def run_command(config: Path) -> tuple[str, ...]:
    """What starts the gateway with that configuration."""
    return (sys.executable, "-m", "gateway", "run", "--config", str(config))


class GatewayProcess:
    """One process; its output goes to ``log``."""

    def __init__(self, command: tuple[str, ...], log: Path) -> None:
        self._command = command
        self._log = log
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, admin_port: int) -> None:
        """Starts it and returns when it is ready. Raises GatewayDied."""
        with self._log.open("wb") as output:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # Ctrl-C reaches the sandbox alone, which then stops the gateway once and in order.
                start_new_session=True,
            )
        deadline = time.monotonic() + START
        while not await asyncio.to_thread(_is_ready, admin_port):
            if self._process.returncode is not None:
                raise GatewayDied(f"the gateway ended with status {self._process.returncode}; {self._last_words()}")
            if time.monotonic() > deadline:
                raise GatewayDied(f"the gateway was not ready within {START:.0f} seconds; {self._last_words()}")
            await asyncio.sleep(_LOOK)

    async def died(self) -> None:
        """Waits for it to end, and raises GatewayDied when it has."""
        if self._process is not None:
            status = await self._process.wait()
            raise GatewayDied(f"the gateway ended with status {status}; {self._last_words()}")

    def _last_words(self) -> str:
        with self._log.open(encoding="utf-8", errors="replace") as lines:
            last = "".join(deque(lines, maxlen=_LAST_LINES)).strip()
        return f"{self._log} ends with:\n{last}" if last else f"{self._log} is empty"

    async def stop(self) -> None:
        """Asks it to end, and makes it end; harmless if it has ended, or never began."""
        if self._process is None or self._process.returncode is not None:
            return
        self._process.terminate()
        try:
            async with asyncio.timeout(STOP):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


def _is_ready(admin_port: int) -> bool:
    connection = http.client.HTTPConnection(LOOPBACK, admin_port, timeout=1)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
