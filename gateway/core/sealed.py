"""What the store of sealed messages keeps and tells: packages, their readers, and what happens to them.

A package is one message sealed once for up to a hundred recipients; a reader is one of them. Nothing of a message's
content is in these records but in `Face`, which exists in memory only while a page is made.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NewType, TypeAlias

from gateway.core.address import Address
from gateway.core.record import Kind, QueueId
from gateway.core.sealing import Unlock

PackageId = NewType("PackageId", str)
"""22 URL-safe characters of randomness; never in a link."""


IDLE: Final = timedelta(minutes=30)
"""So long after its last page a reader's session ends."""


class Access(StrEnum):
    """Whether a reader may open the package. Only the first lets anything be seen."""

    OPEN = "open"
    LOCKED = "locked"
    REVOKED = "revoked"
    DISOWNED = "not for me"
    EXPIRED = "expired"
    ERASED = "erased"


class Happening(StrEnum):
    """What the history of a package tells; landing is no opening, because link scanners land too."""

    SEALED = "sealed"
    LANDED = "landed"
    CODE_ASKED = "code asked for"
    WRONG = "wrong code"
    LOCKED = "locked"
    OPENED = "opened"
    DOWNLOADED = "downloaded"
    REPLIED = "replied"
    DISOWNED = "not for me"
    REVOKED = "revoked"
    RESTORED = "restored"
    EXTENDED = "extended"
    REMINDED = "reminded"
    EXPIRED = "expired"
    ERASED = "erased"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewReader:
    """One recipient of a message to be sealed; ``number`` is the row's."""

    number: int
    address: Address
    unlock: Unlock


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPackage:
    """A message to be sealed. ``delivery_id`` is the same on every repeat, so that a repeat gives the same package.

    ``downloads`` is how often each reader may fetch each file, or all at once; None is no limit. With ``hand_off``
    the text went with the notification, and the files alone matter.
    """

    delivery_id: str
    queue_id: QueueId
    sender: Address
    level: str
    route: str
    sealed_at: datetime
    expires_at: datetime
    readers: tuple[NewReader, ...]
    downloads: int | None = None
    hand_off: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """One recipient of one package as it stands.

    ``lasts`` is what its route gave it when it was sealed. ``size`` is the message's in bytes, ``opened`` how many
    openings.
    """

    package: PackageId
    number: int
    address: Address
    unlock: Unlock
    agreed: bool
    access: Access
    queue_id: QueueId
    sender: Address
    level: str
    route: str
    sealed_at: datetime
    expires_at: datetime
    lasts: timedelta
    size: int
    opened: int
    opened_at: datetime | None
    downloaded: int
    downloads: int | None
    hand_off: bool


@dataclass(frozen=True, slots=True)
class ReaderSecret:
    """``token`` is the end of the reader's link. ``passphrase`` is empty if none is shown: a code, or an agreed one."""

    token: str
    passphrase: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PartPlace:
    """One leaf of the MIME tree in the order of the message: ``start`` to ``end`` are its encoded bytes.

    ``size`` is decoded bytes. ``encoding`` is casefolded. ``content_id`` has no brackets. ``attached`` says that its
    disposition is attachment; ``inside`` is the type of the multipart around it, empty for a message of one part.
    ``alternative`` numbers the multipart/alternative that it is a choice of, -1 for none.
    """

    number: int
    type: str
    charset: str
    name: str
    content_id: str
    encoding: str
    attached: bool
    start: int
    end: int
    size: int
    inside: str = ""
    alternative: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """What a page says of an opened message: header fields as readable text, and its parts."""

    author: str
    subject: str
    date: str
    to: str
    cc: str
    parts: tuple[PartPlace, ...]
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """One line of a package's history. ``who`` is a name that a reader gave, an operator's, or empty."""

    at: datetime
    number: int | None
    what: Happening
    who: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Opening:
    """A session that has begun: ``cookie`` is its secret; ``first`` says that nobody had opened it before."""

    cookie: str
    first: bool


class Secret(StrEnum):
    """What a reader opens a message with."""

    CODE = "a code"
    PASSPHRASE = "the passphrase"  # noqa: S105  a word for it
    AGREED = "the agreed passphrase"


@dataclass(frozen=True, slots=True)
class Unlocked:
    """The secret was right; ``by`` says which one it was."""

    by: Secret


@dataclass(frozen=True, slots=True)
class Wrong:
    """It was not; ``left`` tries remain. With 0 the reader is locked from now on."""

    left: int


@dataclass(frozen=True, slots=True)
class Closed:
    """Nothing can be tried: locked, revoked, expired or erased; or a right code that another guess has just used up."""


Tried: TypeAlias = Unlocked | Wrong | Closed


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnMail:
    """Mail of ours that the portal causes, waiting in the store for a worker. ``protected`` wants verified TLS.

    ``text`` is the whole message, CRLF line ends, sealed while it waits. ``package`` and ``number`` say what it is
    about. ``until`` ends its delivery.
    """

    kind: Kind
    to: Address
    text: bytes
    reason: str
    message_id: str
    package: PackageId
    number: int
    queue_id: QueueId
    protected: bool = False
    until: datetime | None = None
