"""How a message was protected by us rather than by a connection: the words for it, in every outcome and its evidence.

Left out on purpose: how it is done, which is `gateway.sealed`'s and the transports', and every secret.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Method(StrEnum):
    """By what the message itself is protected."""

    PORTAL = "portal"
    SMIME = "smime"
    OPENPGP = "openpgp"
    ARCHIVE = "archive"


class Unlock(StrEnum):
    """What a recipient shows to open a message in the portal.

    A code by mail travels the way that the message could not: by any mail only up to ``unlock_by_mail_max``, above it
    only over verified TLS, or not at all and a passphrase instead.
    """

    MAIL = "code by mail"
    VERIFIED_MAIL = "code by verified mail"
    PASSPHRASE = "passphrase"  # noqa: S105  the word for it

    @property
    def has_passphrase(self) -> bool:
        """Whether the sender is shown one, to be passed on by another way."""
        return self is not Unlock.MAIL


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealing:
    """``detail`` is one plain sentence without any secret; ``unlock`` is the portal's.

    ``package`` names the portal's package, or what an archive's password is kept under.
    """

    method: Method
    detail: str
    package: str = ""
    unlock: Unlock | None = None

    @property
    def grade(self) -> str:
        """The name for it in tables, logs and evidence."""
        return f"sealed, {self.unlock}" if self.unlock is not None else f"sealed, {_NAMES[self.method]}"


def archive_secret_name(queue_id: str, number: int) -> str:
    """What the password of an archive is kept under; ``number`` is the smallest of the recipients that share it."""
    return f"{archive_secret_names(queue_id)}{number}"


def archive_secret_names(queue_id: str) -> str:
    """How the names of all of them begin, for one message; the number follows."""
    return f"archive/{queue_id}/"


_NAMES: Final = {
    Method.PORTAL: "portal",
    Method.SMIME: "S/MIME",
    Method.OPENPGP: "OpenPGP",
    Method.ARCHIVE: "protected archive",
}
