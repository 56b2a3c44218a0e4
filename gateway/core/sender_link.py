"""The link in a confirmation, by which the sender of a sealed message looks after it: revokes it, extends it.

An HMAC-SHA-256 with a key derived from the hop key (HKDF, RFC 5869, one block). Left out on purpose: what the link
lets somebody do, which is the portal's affair, and single use: the sender comes back as often as need be.
"""

import base64
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from gateway.core.sealed import PackageId

_LABEL: Final = b"sealpost sender link v1"
_PACKAGE = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TOKEN = re.compile(r"([1-9][0-9]{0,11})-([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class SenderLink:
    """The sender's page of one package; good until then, to the second."""

    package: PackageId
    until: datetime

    def path(self, key: bytes) -> str:
        """The path below the portal's URL; ``key`` is the hop key."""
        seconds = str(int(self.until.timestamp()))
        return f"/sent/{self.package}/{seconds}-{_seal(key, self.package, seconds)}"


def read_sender_link(package: str, token: str, key: bytes, now: datetime) -> SenderLink | None:
    """The link that a path stands for; None for one that we did not make, or that has run out."""
    match = _TOKEN.fullmatch(token)
    if match is None or _PACKAGE.fullmatch(package) is None:
        return None
    if not hmac.compare_digest(_seal(key, package, match[1]), match[2]):
        return None
    # We made it, so the number is a moment.
    until = datetime.fromtimestamp(int(match[1]), UTC)
    return SenderLink(PackageId(package), until) if now < until else None


def _seal(key: bytes, *content: str) -> str:
    own = hmac.digest(hmac.digest(bytes(32), key, "sha256"), _LABEL + b"\x01", "sha256")
    sealed = hmac.digest(own, "\n".join(content).encode(), "sha256")
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")
