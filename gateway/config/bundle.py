"""All bytes that a configuration is made of, read once: what was checked is what every worker gets.

Certificates are not in it; the TLS library reads them by path.
"""

import base64
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gateway.config.beside import NOTHING_BESIDE, Beside, pack_policy, read_beside
from gateway.config.page import as_list, as_table
from gateway.config.problems import ConfigError, Problem
from gateway.config.toml import NotToml, read_toml
from gateway.config.units import ENVIRONMENT, FILE

PLACES: Final = (Path("sealpost.toml"), Path("/etc/sealpost/sealpost.toml"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """``secrets`` maps each name behind ``file:`` to its bytes, and each ``env:NAME`` to that variable's.

    ``unreadable`` says why a named file, or variable, is not there.

    ``policy_error`` says so of the policy; it is empty if ``policy_bytes`` were read. ``beside`` are the files that the
    policy names.
    """

    config: Path
    policy: Path
    config_bytes: bytes = field(repr=False)
    policy_bytes: bytes = field(repr=False)
    policy_error: str = ""
    beside: Beside = NOTHING_BESIDE
    secrets: Mapping[str, bytes] = field(repr=False, default_factory=dict[str, bytes])
    unreadable: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def base(self) -> Path:
        """The folder that relative names in the configuration start from."""
        return self.config.absolute().parent

    @property
    def paths(self) -> tuple[Path, ...]:
        """Every file that was read, or should have been, but for certificates."""
        beside = [self.policy.parent / name for name in (*self.beside.files, *self.beside.unreadable)]
        names = (*self.secrets, *self.unreadable)
        secrets = [self.base / name for name in names if not name.startswith(ENVIRONMENT)]
        return (self.config, self.policy, *sorted(beside), *sorted(secrets))

    @property
    def hash(self) -> str:
        """SHA-256 over all bytes, as hex."""
        digest = hashlib.sha256()
        parts = [("config", self.config_bytes), ("policy", self.policy_text), *sorted(self.secrets.items())]
        for name, data in parts:
            digest.update(f"{len(name.encode())}:{name}{len(data)}:".encode() + data)
        return digest.hexdigest()

    @property
    def policy_text(self) -> bytes:
        """The policy with its registers: what is kept with the mail that it decides, and what its hash is of."""
        return pack_policy(self.policy_bytes, self.beside.files)

    def to_bytes(self) -> bytes:
        """For the pipe to a worker."""
        return json.dumps(
            {
                "config": str(self.config.absolute()),
                "policy": str(self.policy.absolute()),
                "config_bytes": _b64(self.config_bytes),
                "policy_bytes": _b64(self.policy_bytes),
                "policy_error": self.policy_error,
                "beside": {name: _b64(data) for name, data in self.beside.files.items()},
                "beside_unreadable": dict(self.beside.unreadable),
                "secrets": {name: _b64(data) for name, data in self.secrets.items()},
                "unreadable": dict(self.unreadable),
            }
        ).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Bundle":
        """What `to_bytes` made."""
        raw = json.loads(data)
        return cls(
            config=Path(raw["config"]),
            policy=Path(raw["policy"]),
            config_bytes=base64.b64decode(raw["config_bytes"]),
            policy_bytes=base64.b64decode(raw["policy_bytes"]),
            policy_error=raw["policy_error"],
            beside=Beside(Path(raw["policy"]).parent, _bytes(raw["beside"]), raw["beside_unreadable"]),
            secrets=_bytes(raw["secrets"]),
            unreadable=raw["unreadable"],
        )


def find_config(option: Path | None) -> Path:
    """The configuration that was asked for, else the first that exists.

    Raises:
        ConfigError: there is none.
    """
    if option is not None:
        return option
    found = next((place for place in PLACES if place.is_file()), None)
    if found is None:
        text = f"there is none, nor {PLACES[1]}; name one with --config"
        raise ConfigError((Problem(file=f"./{PLACES[0]}", key="", text=text),))
    return found


def read_bundle(config: Path, policy: Path | None = None) -> Bundle:
    """Reads the configuration and every file that it names; ``policy`` replaces the one that it names.

    Raises:
        ConfigError: the configuration itself is unreadable or not TOML in UTF-8. Other files that are missing are found
            by `gateway.config.load.load`, with the key that names them.
    """
    config_bytes, error = _read(config)
    if error:
        raise ConfigError((Problem(file=str(config), key="", text=f"the file cannot be read: {error}"),))
    table = _table(config, config_bytes)
    named = table.get("policy")
    policy_path = policy or config.parent / (named if isinstance(named, str) else "")
    policy_bytes, policy_error = _read(policy_path)
    names = sorted({text.removeprefix(FILE) for text in _texts(table) if text.startswith(FILE)})
    files = {name: _read(config.parent / name) for name in names}
    files |= {text: _variable(text) for text in _texts(table) if text.startswith(ENVIRONMENT)}
    return Bundle(
        config=config,
        policy=policy_path,
        config_bytes=config_bytes,
        policy_bytes=policy_bytes,
        policy_error=policy_error,
        beside=read_beside(policy_path, policy_bytes),
        secrets={name: data for name, (data, error) in files.items() if not error},
        unreadable={name: error for name, (_, error) in files.items() if error},
    )


def _read(path: Path) -> tuple[bytes, str]:
    """The file's bytes, or why they cannot be had."""
    try:
        return path.read_bytes(), ""
    except (OSError, ValueError) as exc:
        # No file can have a zero byte in its name.
        return b"", getattr(exc, "strerror", None) or str(exc)


def _variable(text: str) -> tuple[bytes, str]:
    """The variable's value, or why it cannot be had. It may hold several lines."""
    value = os.environ.get(text.removeprefix(ENVIRONMENT))
    return (b"", "the variable is not set") if value is None else (value.encode(), "")


def _table(config: Path, data: bytes) -> dict[str, object]:
    try:
        return read_toml(data)
    except NotToml as exc:
        raise ConfigError((Problem(file=str(config), key="", text=str(exc)),)) from exc


def _texts(value: object) -> Iterator[str]:
    """Every text in the table, however deep."""
    if isinstance(value, str):
        yield value
    for item in (*as_table(value).values(), *as_list(value)):
        yield from _texts(item)


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(texts: Mapping[str, str]) -> dict[str, bytes]:
    return {name: base64.b64decode(text) for name, text in texts.items()}
