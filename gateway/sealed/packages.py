"""Packages: sealing a message into a file and a row, reading it from anywhere, and destroying it.

Everything blocks. Left out on purpose: who may read, which is `readers`'.
"""

import os
import secrets
import sqlite3
from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from gateway.core.sealed import Happening, NewPackage, NewReader, PackageId
from gateway.sealed.decoding import decoded
from gateway.sealed.guesses import hash_secret, token_for, token_hash
from gateway.sealed.keys import KEY_BYTES, Damaged, Keyring
from gateway.sealed.parts import Index, PartsIndex, index_from_bytes, index_to_bytes
from gateway.sealed.schema import micros
from gateway.sealed.secrets_box import Box
from gateway.sealed.stream import SealReader, SealWriter, open_bytes, seal_bytes
from gateway.sealed.trail import add
from gateway.sealed.words import passphrase

FILES: Final = "files"
_INDEXES: Final = 8
_BATCH: Final = 500
_BEHIND_SLASH: Final = chr(ord("/") + 1)
_ERASED: Final = "the message was sealed before, and erased since"


@dataclass(frozen=True, slots=True)
class Keys:
    """Of one package: ``data`` seals its content, ``seed`` makes its links and passphrases."""

    data: bytes
    seed: bytes


class Sealing:
    """One message on its way into a file, which is removed again unless it is kept."""

    def __init__(self, folder: Path) -> None:
        # It is typed behind a command, so that it must not begin like an option.
        self.package = PackageId(secrets.token_hex(16))
        self.keys = Keys(secrets.token_bytes(KEY_BYTES), secrets.token_bytes(KEY_BYTES))
        self.path = folder / secrets.token_hex(16)
        self._file: BinaryIO = os.fdopen(
            os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb"
        )
        self._writer = SealWriter(self._file, self.keys.data, self.package.encode())
        self._index = PartsIndex()

    def write(self, block: bytes) -> None:
        """Takes the next bytes of the message."""
        self._writer.write(block)
        self._index.feed(block)

    def finish(self) -> Index:
        """Makes the file durable, and its name."""
        self._writer.finish()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return self._index.close()

    def discard(self) -> None:
        """Forgets it; harmless at any time, also on a full disk. What cannot be removed now is left to the sweep."""
        # Closing writes what is still in the buffer, for which there may be no room.
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            self.path.unlink()


def known(db: sqlite3.Connection, delivery_id: str) -> PackageId | None:
    """The package of that delivery. Raises Damaged if it was erased."""
    row = db.execute("SELECT id, erased_at FROM packages WHERE delivery_id = ?", (delivery_id,)).fetchone()
    if row is None:
        return None
    if row["erased_at"] is not None:
        raise Damaged(_ERASED)
    return PackageId(row["id"])


def already(db: sqlite3.Connection, delivery_id: str, numbers: Collection[int]) -> dict[int, PackageId]:
    """The packages of those readers whose delivery's id begins so. Raises Damaged if one was erased."""
    rows = db.execute(
        "SELECT readers.number, packages.id, packages.erased_at FROM packages"
        " JOIN readers ON readers.package = packages.id WHERE packages.delivery_id > ? AND packages.delivery_id < ?",
        (f"{delivery_id}/", f"{delivery_id}{_BEHIND_SLASH}"),
    )
    wanted = [row for row in rows.fetchall() if row["number"] in numbers]
    if any(row["erased_at"] is not None for row in wanted):
        raise Damaged(_ERASED)
    return {row["number"]: PackageId(row["id"]) for row in wanted}


def hashes_of(new: NewPackage, keys: Keys, box: Box) -> dict[int, str]:
    """By reader, the hashes of the passphrases that the sender is shown. They take long, so before any transaction."""
    return {
        reader.number: hash_secret(passphrase_of(keys.seed, reader.number), box.pepper)
        for reader in new.readers
        if reader.unlock.has_passphrase
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A message whose file is durable, with what its rows need."""

    new: NewPackage
    sealing: Sealing
    index: Index
    hashes: Mapping[int, str]


def keep(db: sqlite3.Connection, done: Finished, keyring: Keyring, box: Box) -> None:
    """The rows of a package."""
    new, sealing, index = done.new, done.sealing, done.index
    about = sealing.package.encode()
    name, wrapped = keyring.wrap(sealing.keys.data + sealing.keys.seed, about)
    face = seal_bytes(sealing.keys.data, index_to_bytes(index), b"face " + about)
    db.execute(
        "INSERT INTO packages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)",
        (
            sealing.package, new.delivery_id, new.queue_id, str(new.sender), new.level, new.route,
            micros(new.sealed_at), micros(new.expires_at),
            micros(new.expires_at) - micros(new.sealed_at), index.face.size, new.downloads, int(new.hand_off),
            name, wrapped, face, sealing.path.name,
        ),
    )  # fmt: skip
    for reader in new.readers:
        _keep_reader(db, sealing, reader, done.hashes.get(reader.number))
    add(db, box, sealing.package, None, Happening.SEALED, new.sealed_at)


def _keep_reader(db: sqlite3.Connection, sealing: Sealing, reader: NewReader, own: str | None) -> None:
    agreed = db.execute("SELECT passphrase FROM agreed WHERE address_key = ?", (reader.address.key,)).fetchone()
    db.execute(
        "INSERT INTO readers (package, number, address, address_key, unlock, agreed, token, passphrase)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            sealing.package, reader.number, str(reader.address), reader.address.key, reader.unlock.value,
            int(agreed is not None), token_hash(token_for(sealing.keys.seed, reader.number)),
            agreed["passphrase"] if agreed is not None else own,
        ),
    )  # fmt: skip


def passphrase_of(seed: bytes, number: int) -> str:
    """What the sender is shown for a reader; the same each time."""
    return passphrase(seed + number.to_bytes(8, "big"))


@dataclass(frozen=True, slots=True)
class Content:
    """A package that can be read."""

    package: PackageId
    keys: Keys
    path: Path
    face: bytes

    def index(self) -> Index:
        """What a page needs. Raises Damaged."""
        return index_from_bytes(open_bytes(self.keys.data, self.face, b"face " + self.package.encode()))

    def read(self, start: int, end: int | None) -> Iterator[bytes]:
        """The message's bytes. Raises Damaged, OSError."""
        with self.path.open("rb") as file:
            yield from SealReader(file, self.keys.data, self.package.encode()).read(start, end)

    def part(self, index: Index, number: int, start: int, end: int | None) -> Iterator[bytes]:
        """The decoded bytes of a part. Raises Damaged for one that there is not, OSError."""
        if not 0 <= number < len(index.face.parts):
            raise Damaged("the message has no such part")
        place = index.face.parts[number]
        with self.path.open("rb") as file:
            reader = SealReader(file, self.keys.data, self.package.encode())
            last = place.size if end is None else end
            yield from decoded(place, index.marks.get(number, ()), reader.read, start, last)


class Indexes:
    """What the last few packages hold, for a page asks for it once for each of their parts."""

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, Index] = OrderedDict()

    def of(self, content: Content) -> Index:
        """Raises Damaged."""
        found = self._kept.pop(content.face, None) or content.index()
        self._kept[content.face] = found
        while len(self._kept) > _INDEXES:
            self._kept.popitem(last=False)
        return found


def content(db: sqlite3.Connection, package: PackageId, keyring: Keyring, folder: Path) -> Content | None:
    """None for a package that is not there or erased. Raises UnknownKey, Damaged."""
    row = db.execute(
        "SELECT key_name, wrapped, face, file FROM packages WHERE id = ? AND erased_at IS NULL", (package,)
    ).fetchone()
    if row is None:
        return None
    both = keyring.unwrap(row["key_name"], row["wrapped"], package.encode())
    return Content(package, Keys(both[:KEY_BYTES], both[KEY_BYTES:]), folder / row["file"], row["face"])


_OF_READERS: Final = tuple(
    happening.value for happening in (Happening.OPENED, Happening.DOWNLOADED, Happening.REPLIED, Happening.DISOWNED)
)


def erase(db: sqlite3.Connection, package: PackageId, at: int) -> str | None:
    """Overwrites the key and all that opens; the name of the file to remove, None if it was erased before."""
    row = db.execute("SELECT file FROM packages WHERE id = ? AND erased_at IS NULL", (package,)).fetchone()
    if row is None:
        return None
    db.execute(
        "UPDATE packages SET key_name = NULL, wrapped = NULL, face = NULL, file = NULL, erased_at = ? WHERE id = ?",
        (at, package),
    )
    db.execute("UPDATE readers SET passphrase = NULL, code = NULL WHERE package = ?", (package,))
    for table in ("sessions", "asked", "fetched"):
        db.execute(f"DELETE FROM {table} WHERE package = ?", (package,))  # noqa: S608  the names are ours
    marks = ", ".join("?" * len(_OF_READERS))
    db.execute(
        f"UPDATE history SET who = NULL, detail = NULL WHERE package = ? AND what IN ({marks})",  # noqa: S608
        (package, *_OF_READERS),
    )
    return str(row["file"])


def rewrap(db: sqlite3.Connection, keyring: Keyring) -> int:
    """Wraps the keys of some packages with the current one; how many, 0 when none is left."""
    rows = db.execute(
        "SELECT id, key_name, wrapped FROM packages WHERE key_name <> ? LIMIT ?", (keyring.current, _BATCH)
    ).fetchall()
    for row in rows:
        about = str(row["id"]).encode()
        wrapped = keyring.wrap(keyring.unwrap(row["key_name"], row["wrapped"], about), about)
        db.execute("UPDATE packages SET key_name = ?, wrapped = ? WHERE id = ?", (*wrapped, row["id"]))
    return len(rows)


def remove_files(folder: Path, kept: set[str], before: float) -> None:
    """Removes files that belong to nothing and were not written to since ``before`` (seconds since 1970)."""
    for path in folder.iterdir():
        with suppress(FileNotFoundError):
            if path.name not in kept and path.stat().st_mtime < before:
                path.unlink()
