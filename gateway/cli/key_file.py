"""Files of keys that commands rotate: where the configuration says that they are, read and replaced whole.

Left out on purpose: keys in a variable, which are changed where the variable is set.
"""

import secrets
from datetime import UTC, datetime
from pathlib import Path

from gateway.cli.errors import Usage
from gateway.cli.replace_file import replace_file
from gateway.config.bundle import Bundle
from gateway.config.page import as_table
from gateway.config.toml import read_toml
from gateway.config.units import ENVIRONMENT, FILE
from gateway.sealed.keys import Keyring


def file_of(bundle: Bundle, secret: str) -> Path | None:
    """The file that ``[secrets]`` names; None for a variable, or where nothing is named."""
    text = as_table(read_toml(bundle.config_bytes).get("secrets")).get(secret)
    if not isinstance(text, str) or text.startswith(ENVIRONMENT):
        return None
    return bundle.base / text.removeprefix(FILE)


def with_new_key(keyring: Keyring) -> Keyring:
    """One more in front, named by its day."""
    return keyring.rotated(f"{datetime.now(UTC):%Y-%m-%d}-{secrets.token_hex(4)}")


def write_keys(path: Path, keyring: Keyring) -> None:
    """Replaces the file. Raises Usage, and then nothing has changed."""
    try:
        replace_file(path, keyring.to_bytes())
    except OSError as error:
        raise Usage(f"cannot write {path}: {error.strerror}") from error
