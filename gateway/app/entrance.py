"""The doors of a worker and their listeners: a reload changes what is behind the door, seldom the door itself.

Only a listener whose own settings or certificates changed is replaced; its idle clients hear 421 then, and the others
after their message.
"""

import asyncio
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Final, assert_never

from gateway.core.address import Address, ReversePath
from gateway.core.envelope import Envelope
from gateway.core.reply import Reply
from gateway.flow.accept import Accept, Profile, Submission
from gateway.flow.ports import Events
from gateway.listeners.milter import MilterListener
from gateway.listeners.options import MilterOptions, SmtpOptions
from gateway.listeners.smtp import SmtpListener

PATIENCE: Final = timedelta(minutes=10)
"""How long a client of a replaced listener may take to end the message that it is in."""


class Door(Accept):
    """The `Accept` in force: a message begins under whichever that is, and keeps it."""

    def __init__(self, inside: Accept) -> None:
        self._inside = inside

    def replace(self, inside: Accept) -> None:
        """Messages that begin from now on go there."""
        self._inside = inside

    def sender_allowed(self, reverse_path: ReversePath) -> bool:
        """See `Accept`."""
        return self._inside.sender_allowed(reverse_path)

    def recipient_refused(self, reverse_path: ReversePath, others: Iterable[Address], address: Address) -> Reply | None:
        """See `Accept`."""
        return self._inside.recipient_refused(reverse_path, others, address)

    def begin(self, envelope: Envelope, profile: Profile) -> Submission:
        """See `Accept`."""
        return self._inside.begin(envelope, profile)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """A listener that is ready to serve, and what it was made of."""

    listener: SmtpListener | MilterListener
    made_of: tuple[object, ...]


class Entrance:
    """One socket. ``slots`` is the number of workers that share the limit of connections."""

    def __init__(self, sock: socket.socket, tasks: asyncio.TaskGroup, slots: int) -> None:
        self._sock = sock
        self._tasks = tasks
        self._slots = slots
        self._open: tuple[Opening, asyncio.Task[None]] | None = None
        self._leaving: set[asyncio.Task[None]] = set()

    def prepare(
        self, options: SmtpOptions | MilterOptions, hostname: str, accept: Accept, events: Events
    ) -> Opening | None:
        """What these settings need to be opened; None if it is open. Reads files: raises OSError if they are bad."""
        made_of = (options, *_contents(options))
        if self._open is not None and self._open[0].made_of == made_of:
            return None
        # The kernel spreads connections over the workers; a single address's may all meet one, so its limit is whole.
        part = -(-options.max_connections // self._slots)
        match options:
            case SmtpOptions():
                listener = SmtpListener(replace(options, max_connections=part), hostname, accept, events)
            case MilterOptions():
                listener = MilterListener(replace(options, max_connections=part), accept, events)
            case _:
                assert_never(options)
        return Opening(listener=listener, made_of=made_of)

    def open(self, opening: Opening) -> None:
        """Serves by it from now on, and sees the one before out."""
        self._let_go(PATIENCE)
        # A copy, because a listener closes what it served.
        self._open = opening, self._tasks.create_task(opening.listener.serve(self._sock.dup()))

    def _let_go(self, patience: timedelta) -> None:
        if self._open is not None:
            leaving = self._tasks.create_task(_see_out(*self._open, patience))
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)
            self._open = None

    async def close(self, patience: timedelta) -> None:
        """Takes no more connections; those that are there get so long for the message they are in."""
        self._let_go(patience)
        if self._leaving:
            _, late = await asyncio.wait(self._leaving, timeout=patience.total_seconds())
            for task in late:
                task.cancel()


async def _see_out(opening: Opening, serving: asyncio.Task[None], patience: timedelta) -> None:
    try:
        await opening.listener.drain(patience)
    finally:
        serving.cancel()


def _contents(options: SmtpOptions | MilterOptions) -> Sequence[bytes | None]:
    """The bytes of its files, so that one that was renewed under its name is noticed."""
    if isinstance(options, MilterOptions):
        return ()
    files = (options.certificate, options.private_key, options.client_ca)
    return [file.read_bytes() if isinstance(file, Path) else None for file in files]
