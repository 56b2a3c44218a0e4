"""The files beside a policy: its registers and the lists of its groups, by the names that the policy gives them.

A policy means nothing without them, so both are kept, hashed and handed over as one text. A policy that names no files
is that text itself.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gateway.config.page import Page, as_table
from gateway.config.toml import NotToml, read_toml

MOST_BYTES: Final = 24 * 1024 * 1024
"""Of all the files together; the workers get them in one piece (`gateway.app.frames`)."""

# No TOML begins like this, so no policy can be taken for the text of a policy with files, nor the other way round.
_MARK: Final = b"sealpost: a policy and its registers, version 1\n"


@dataclass(frozen=True, slots=True)
class Beside:
    """``files`` by name, ``unreadable`` why a named one is not among them; names are relative to ``folder``."""

    folder: Path = Path()
    files: Mapping[str, bytes] = field(repr=False, default_factory=dict[str, bytes])
    unreadable: Mapping[str, str] = field(default_factory=dict[str, str])

    def take(self, page: Page, key: str, name: str) -> bytes | None:
        """The file that the policy names at ``key``; None, and a problem, if it could not be read."""
        data = self.files.get(name)
        if data is None:
            reason = self.unreadable.get(name, "it was not there when the policy was read")
            page.problem(key, f"the file `{self.path(name)}` cannot be read: {reason}")
        return data

    def path(self, name: str) -> str:
        """The file as the user finds it."""
        return str(self.folder / name)


NOTHING_BESIDE: Final = Beside()
"""Of a policy that names no files."""


def read_beside(policy: Path, data: bytes) -> Beside:
    """Reads every file that the policy's bytes name, from the policy's folder."""
    files: dict[str, bytes] = {}
    unreadable: dict[str, str] = {}
    left = MOST_BYTES
    for name in _named(data):
        try:
            with (policy.parent / name).open("rb") as file:
                read = file.read(left + 1)
        except (OSError, ValueError) as exc:
            unreadable[name] = getattr(exc, "strerror", None) or str(exc)
            continue
        if len(read) > left:
            unreadable[name] = f"the files beside a policy have at most {MOST_BYTES // 1024**2} MiB together"
        else:
            files[name], left = read, left - len(read)
    return Beside(policy.parent, files, unreadable)


def pack_policy(policy: bytes, files: Mapping[str, bytes]) -> bytes:
    """The policy and its files as one text; the same text for the same bytes."""
    if not files:
        return policy
    packed = {
        "policy": base64.b64encode(policy).decode(),
        "files": {name: base64.b64encode(data).decode() for name, data in files.items()},
    }
    return _MARK + json.dumps(packed, sort_keys=True).encode()


def unpack_policy(text: bytes) -> tuple[bytes, Mapping[str, bytes]]:
    """What `pack_policy` made, or a policy alone.

    Raises:
        ValueError: it is neither.
    """
    if not text.startswith(_MARK):
        return text, {}
    packed = as_table(json.loads(text[len(_MARK) :]))
    files = as_table(packed.get("files"))
    return _bytes(packed.get("policy")), {name: _bytes(data) for name, data in files.items()}


def policy_hash(text: bytes) -> str:
    """The name of a policy with its files: SHA-256 of their text, as hex."""
    return hashlib.sha256(text).hexdigest()


def _bytes(value: object) -> bytes:
    if not isinstance(value, str):
        raise ValueError("the text of a policy and its registers is damaged")
    return base64.b64decode(value, validate=True)


def _named(data: bytes) -> list[str]:
    """The files that the policy names; none for bytes that are no TOML, which is said where they are read."""
    try:
        raw = read_toml(data)
    except NotToml:
        return []
    registers = as_table(raw.get("registers"))
    groups = as_table(raw.get("groups"))
    named = [value for key, value in registers.items() if key != "schools_under"]
    named += [as_table(group).get("file") for group in groups.values()]
    return sorted({name for name in named if isinstance(name, str) and name})
