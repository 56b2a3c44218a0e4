"""Every policy that came into force, kept with who, when and why: the audit of changes, and the way back.

One file each in ``spool/policies/``, readable by us alone, the last fifty. What it tells is as old as the spool.
"""

import base64
import difflib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from gateway.config.beside import policy_hash, unpack_policy

FOLDER: Final = "policies"
KEPT: Final = 50

_LONGEST: Final = 256 * 1024
"""Characters of a difference; the texts themselves are kept whole."""

_TIME: Final = "%Y%m%dT%H%M%S%f"
_SHORT: Final = 12
_CUT: Final = "… and more\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """A policy that came into force ``at`` a time, in the place of the one of the hash ``before`` (empty: the first).

    ``text`` is the policy with its registers, as base64 of `gateway.config.beside.pack_policy`; ``difference`` shows
    both, file by file.
    """

    version: int = 1
    at: datetime
    operator: str
    reference: str
    hash: str
    before: str
    configuration: str
    policy: str
    difference: str
    text: str

    @property
    def policy_text(self) -> bytes:
        """The text as it was."""
        return base64.b64decode(self.text)


_STORED: Final = TypeAdapter(Edition)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPolicy:
    """What came into force: the policy's file, its text with the registers, and the hash of the whole configuration."""

    at: datetime
    operator: str
    reference: str
    configuration: str
    policy: str
    text: bytes


class Editions:
    """The folder of one spool. All methods block."""

    def __init__(self, spool: Path) -> None:
        self._folder = spool / FOLDER

    def add(self, new: NewPolicy) -> Edition | None:
        """Keeps what came into force; None if it is what was in force before. Raises OSError."""
        last = next(iter(self.all()), None)
        name = policy_hash(new.text)
        if last is not None and last.hash == name:
            return None
        edition = Edition(
            at=new.at,
            operator=new.operator,
            reference=new.reference,
            hash=name,
            before=last.hash if last else "",
            configuration=new.configuration,
            policy=new.policy,
            difference=difference(last.policy_text if last else b"", new.text, Path(new.policy).name),
            text=base64.b64encode(new.text).decode(),
        )
        self._write(edition)
        return edition

    def all(self) -> Iterator[Edition]:
        """Those that are kept and can be read, the latest first."""
        for path in sorted(self._files(), reverse=True):
            try:
                yield _STORED.validate_json(path.read_bytes())
            except (OSError, ValidationError):
                continue

    def find(self, prefix: str) -> tuple[Edition, ...]:
        """Those whose hash begins so, each hash once, the latest first."""
        found: dict[str, Edition] = {}
        for edition in self.all():
            if prefix and edition.hash.startswith(prefix):
                found.setdefault(edition.hash, edition)
        return tuple(found.values())

    def _files(self) -> list[Path]:
        return list(self._folder.glob("*-*.json"))

    def _write(self, edition: Edition) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        path = self._folder / f"{edition.at.strftime(_TIME)}-{edition.hash[:_SHORT]}.json"
        new = path.with_suffix(".new")
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(_STORED.dump_json(edition))
            file.flush()
            os.fsync(file.fileno())
        new.rename(path)
        for old in sorted(self._files(), reverse=True)[KEPT:]:
            old.unlink(missing_ok=True)


def difference(before: bytes, after: bytes, policy: str) -> str:
    """What changed between two texts, for people: the policy, then its registers; empty for the first of all."""
    if not before:
        return ""
    old, new = _files(before, policy), _files(after, policy)
    lines = (
        line for name in sorted({*old, *new}, key=lambda name: (name != policy, name)) for line in _of(name, old, new)
    )
    text = "".join(lines)
    return text if len(text) <= _LONGEST else text[: _LONGEST - len(_CUT)] + _CUT


def _of(name: str, old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    before, after = (texts.get(name, "").splitlines(keepends=True) for texts in (old, new))
    for line in difflib.unified_diff(before, after, f"{name} (before)", name):
        yield line if line.endswith("\n") else f"{line}\n"


def _files(text: bytes, policy: str) -> dict[str, str]:
    """The files of a text by name; one that cannot be read any more has none."""
    try:
        data, beside = unpack_policy(text)
    except ValueError:
        return {}
    return {name: part.decode(errors="replace") for name, part in {**beside, policy: data}.items()}
