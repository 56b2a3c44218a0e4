"""The store's own key, wrapped by the keyring: what it seals beside messages, and the pepper of codes and passphrases.

It is random and stays the same when keys are rotated, so that what was hashed with it can still be compared. Each
message has a key of its own besides.
"""

import hmac
import secrets
import sqlite3

from gateway.sealed.keys import KEY_BYTES, Keyring
from gateway.sealed.stream import open_bytes, seal_bytes

_ABOUT = b"the store's own key"


class Box:
    """Seals small values."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.pepper = hmac.digest(key, b"pepper", "sha256")

    def seal(self, text: str, about: str) -> bytes | None:
        """The text, which opens for the same ``about``; None for an empty one."""
        return seal_bytes(self._key, text.encode("utf-8", "backslashreplace"), about.encode()) if text else None

    def open(self, sealed: bytes | None, about: str) -> str:
        """What was sealed. Raises Damaged."""
        return open_bytes(self._key, sealed, about.encode()).decode() if sealed is not None else ""

    def seal_bytes(self, data: bytes, about: str) -> bytes:
        """The same for bytes."""
        return seal_bytes(self._key, data, about.encode())

    def open_bytes(self, sealed: bytes, about: str) -> bytes:
        """What was sealed. Raises Damaged."""
        return open_bytes(self._key, sealed, about.encode())


def own_key(db: sqlite3.Connection, keyring: Keyring) -> bytes:
    """The store's key, made the first time. Raises UnknownKey, Damaged."""
    row = db.execute("SELECT name, wrapped FROM own_key").fetchone()
    if row is not None:
        return keyring.unwrap(row["name"], row["wrapped"], _ABOUT)
    key = secrets.token_bytes(KEY_BYTES)
    db.execute("INSERT INTO own_key VALUES (1, ?, ?)", keyring.wrap(key, _ABOUT))
    return key


def rewrap_own_key(db: sqlite3.Connection, keyring: Keyring) -> int:
    """Wraps it with the current key; 1 if it was not before."""
    row = db.execute("SELECT name, wrapped FROM own_key").fetchone()
    if row is None or row["name"] == keyring.current:
        return 0
    key = keyring.unwrap(row["name"], row["wrapped"], _ABOUT)
    db.execute("UPDATE own_key SET name = ?, wrapped = ?", keyring.wrap(key, _ABOUT))
    return 1
