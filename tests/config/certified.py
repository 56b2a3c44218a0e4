"""The documented example with certificates that can be loaded, and the parts to spoil them with."""

from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from gateway.sandbox.authority import Credential, Validity, self_signed
from tests.fixtures.council import council


@cache
def credential(name: str) -> Credential:
    """A certificate with its key, the same at each call."""
    return self_signed((name,), Validity.lasting(datetime.now(UTC), timedelta(days=1)))


def certified(folder: Path) -> Path:
    """As `council`; its certificates each hold their key."""
    config = council(folder)
    for name in ("gateway", "cjsm"):
        (folder / f"certs/{name}.pem").write_bytes(credential(f"{name}.example").pem)
    return config
