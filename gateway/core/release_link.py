"""The link in the letter about a held message, and the proof that a form came from our own page.

Both are HMAC-SHA-256 with keys derived from the hop key (HKDF, RFC 5869, one block). Left out on purpose: single use,
which is the held recipients' own state, and who somebody is, which is `gateway.desk.login`'s.
"""

import base64
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from gateway.core.record import QueueId

_LINK: Final = b"sealpost release link v1"
_FORM: Final = b"sealpost release form v1"
_TOKEN = re.compile(r"([A-Za-z0-9_-]{1,600})\.([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class Link:
    """Decides on the recipients of one message that are held for one role; good until then."""

    queue_id: QueueId
    role: str
    until: datetime

    def path(self, key: bytes) -> str:
        """The path below the desk's URL; ``key`` is the hop key."""
        content = _encode(f"{int(self.until.timestamp())}\n{self.role}".encode())
        return f"/held/{self.queue_id}/{content}.{_seal(key, _LINK, self.queue_id, content)}"

    def form_token(self, user: str, key: bytes) -> str:
        """What a form of that user's page about that message holds, and nobody else can know."""
        return _seal(key, _FORM, self.path(key), user)

    def came_from_us(self, token: str, user: str, key: bytes) -> bool:
        """Whether that form was ours, and that user's."""
        return hmac.compare_digest(token.encode(), self.form_token(user, key).encode())


def read_link(queue_id: str, token: str, key: bytes, now: datetime) -> Link | None:
    """The link that a path stands for; None for one that we did not make, or that has run out."""
    match = _TOKEN.fullmatch(token)
    if match is None or not hmac.compare_digest(_seal(key, _LINK, queue_id, match[1]), match[2]):
        return None
    # We made it, so it can be read.
    seconds, _, role = _decode(match[1]).decode().partition("\n")
    until = datetime.fromtimestamp(int(seconds), UTC)
    return Link(QueueId(queue_id), role, until) if now < until else None


def _seal(key: bytes, label: bytes, *content: str) -> str:
    own = hmac.digest(hmac.digest(bytes(32), key, "sha256"), label + b"\x01", "sha256")
    return _encode(hmac.digest(own, "\n".join(content).encode(), "sha256"))


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
