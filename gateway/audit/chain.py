"""The end of one shard's chain, where lines are added: written in groups, on the disk when `flush` returns.

Whoever opens it holds the folder's lock. After any error it is opened anew: what was half written is cut off then, and
what was not written comes again from the spool.
"""

import os
import secrets
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path

from gateway.audit.files import alone, end_of, file_name, files_in, last_line, link_of
from gateway.audit.keys import Signer
from gateway.core.audit_line import (
    GENESIS,
    SALT_BYTES,
    Anchor,
    Content,
    Line,
    Mark,
    Removed,
    event_text,
    personal_of,
)
from gateway.core.audit_link import signed_text
from gateway.core.audit_record import PERSONAL, Persons
from gateway.spool.disk import SystemDisk

_NOBODY = Persons()


class Chain:
    """``seq`` is the number of the last event in it, 0 for a chain that has not begun (``begun``)."""

    def __init__(self, folder: Path, shard: int, signer: Signer) -> None:
        """Mends what a crash left. Raises ChainError, OSError."""
        self._folder = folder
        self._shard = shard
        self._signer = signer
        self._disk = SystemDisk()
        self._pending: list[bytes] = []
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._disk.sync_folder(folder.parent)
        self._mend()
        end = end_of(folder)
        self._flushed = end.seq if end is not None else 0
        self._head = end.hash if end is not None else GENESIS
        self.begun = end is not None
        self.seq = end.seq if end is not None else 0
        # What an earlier process wrote without an anchor is signed with the next one.
        self.unsigned = end is not None and end.kind != Mark.ANCHOR
        self.anchored: datetime | None = end.at if end is not None and end.kind == Mark.ANCHOR else None

    def add(self, content: Content, persons: Persons = _NOBODY, *, seq: int) -> None:
        """One line more; it counts only after `flush`."""
        salts = [secrets.token_hex(SALT_BYTES) for _ in PERSONAL] if persons is not _NOBODY else ()
        event = event_text(self._shard, seq, content)
        self._put(Line(prev=self._head, personal=personal_of(persons, salts), event=event))
        self.seq, self.unsigned, self.begun = seq, True, True

    def anchor(self, now: datetime) -> None:
        """Signs all that was added."""
        event = event_text(self._shard, self.seq, Anchor(at=now.isoformat(), key=self._signer.mark))
        bare = Line(prev=self._head, personal=(), event=event)
        signature = self._signer.sign(signed_text(bare.hash)).hex()
        self._put(Line(prev=self._head, personal=(), event=event, signature=signature))
        self.unsigned, self.anchored = False, now

    def flush(self, now: datetime) -> None:
        """Writes what was added, to the newest file or, behind a `turn`, to a new one. Raises OSError."""
        if not self._pending:
            return
        if self._file is None:
            self._file = self._folder / file_name(self._flushed + 1, now.date())
        with alone(self._folder):
            self._append(self._file, b"".join(self._pending))
        self._flushed = self.seq
        self._pending.clear()

    def turn(self, now: datetime, file_size: int) -> None:
        """Ends the newest file, signed, if it is another day's or has that many bytes. Raises OSError."""
        files = files_in(self._folder)
        if self._file is None or not files:
            return
        if files[-1].day == now.date() and self._file.stat().st_size < file_size:
            return
        if self.unsigned:
            self.anchor(now)
            self.flush(now)
        self._file = None

    def remove_old(self, before: date, now: datetime) -> int:
        """Removes files all of whose days are before that, once the chain says so and that is signed; how many.

        Raises ChainError, OSError.
        """
        files = files_in(self._folder)
        old = [file for file, later in pairwise(files) if later.day < before]
        if not old:
            return 0
        line, _ = last_line(old[-1].path)
        self.add(Removed(at=now.isoformat(), through=link_of(line, old[-1].path).hash, files=len(old)), seq=self.seq)
        self.anchor(now)
        self.flush(now)
        for file in old:
            self._disk.unlink(file.path)
        return len(old)

    def _append(self, file: Path, lines: bytes) -> None:
        # Opened anew each time: who takes persons out of the chain replaces the file.
        descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._disk.write(descriptor, lines)
            self._disk.sync(descriptor)
        finally:
            os.close(descriptor)
        self._disk.sync_folder(self._folder)

    def _put(self, line: Line) -> None:
        self._head = line.hash
        self._pending.append(line.to_bytes())

    def _mend(self) -> None:
        """Cuts off what stands behind the last line end; a power cut may also leave zeros there."""
        files = files_in(self._folder)
        self._file = files[-1].path if files else None
        if self._file is None:
            return
        _, whole = last_line(self._file)
        if whole < self._file.stat().st_size:
            os.truncate(self._file, whole)
