"""The store of sealed messages: what the portal's transport puts into it, and what its pages and letters take out.

Every method is durable on return. All raise SealedStoreError where the store cannot do it, never anything of a database
or file; a package that is not there (any more) is None, or nothing done.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from gateway.core.address import Address
from gateway.core.sealed import (
    Face,
    Happened,
    Happening,
    NewPackage,
    Opening,
    OwnMail,
    PackageId,
    Reader,
    ReaderSecret,
    Secret,
    Tried,
)


class SealedStoreError(Exception):
    """The store could not do what was asked, or what it keeps is damaged; the text names no content."""


class SealedStore(Protocol):
    """Sealed packages and all that happens to them. Several processes use it at once."""

    async def seal(self, new: NewPackage, content: AsyncIterator[bytes]) -> PackageId:
        """Seals a message, in blocks of at most 256 KiB, under a key of its own; memory does not grow with its size.

        For a ``delivery_id`` that is there already it reads nothing and returns the same package, unless that was
        erased: then SealedStoreError.
        """
        ...

    async def already(self, delivery_id: str, numbers: Collection[int]) -> Mapping[int, PackageId]:
        """Which of these readers lie sealed: in any package whose ``delivery_id`` is that one, a slash, and more.

        Raises SealedStoreError if one of those was erased.
        """
        ...

    async def secrets(self, package: PackageId) -> Mapping[int, ReaderSecret]:
        """By reader number; the same each time. Empty once the package is erased."""
        ...

    async def password(self, name: str, until: datetime) -> str:
        """Readable words of at least 60 bits, the same for that name until then, and gone afterwards."""
        ...

    async def known_password(self, name: str, now: datetime) -> str | None:
        """The password of that name, if there is one still."""
        ...

    async def password_names(self, start: str, now: datetime) -> Sequence[str]:
        """The names that begin so of all passwords that there are still, the oldest first."""
        ...

    async def find(self, token: str, now: datetime) -> Reader | None:
        """The reader of a link, whatever its access. It takes as long for a token that is none."""
        ...

    async def reader(self, package: PackageId, number: int, now: datetime) -> Reader | None:
        """One reader."""
        ...

    async def readers(self, package: PackageId, now: datetime) -> tuple[Reader, ...]:
        """All readers of a package, by number."""
        ...

    async def list(
        self, now: datetime, *, text: str = "", after: PackageId | None = None, limit: int = 100
    ) -> tuple[Reader, ...]:
        """Readers of the newest packages first, at most ``limit`` packages, strictly older than ``after``.

        ``text`` selects by a part of an address, sender, queue id or package id.
        """
        ...

    async def ask_code(self, package: PackageId, number: int, now: datetime) -> str | None:
        """A new code of eight digits, good for 15 minutes; the one before is void. None if there were too many."""
        ...

    async def unlock(self, package: PackageId, number: int, secret: str, now: datetime) -> Tried:
        """Tries a code or passphrase. Five wrong ones in a row lock this reader alone, whatever codes came between."""
        ...

    async def open_session(
        self, package: PackageId, number: int, who: str, now: datetime, by: Secret
    ) -> Opening | None:
        """Starts and records a session of a reader unlocked with ``by``; None if its access is not open any more."""
        ...

    async def session(self, cookie: str, now: datetime) -> tuple[Reader, str] | None:
        """The reader, whose access is open, and the name that was given; None once it is over."""
        ...

    async def end_session(self, cookie: str) -> None:
        """Signs out."""
        ...

    async def face(self, package: PackageId) -> Face | None:
        """What a page says of it."""
        ...

    def read(self, package: PackageId, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The original message from byte ``start`` up to ``end``, in blocks of at most 256 KiB."""
        ...

    def part(self, package: PackageId, number: int, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The decoded bytes of one part from ``start`` up to ``end``, likewise."""
        ...

    async def download(self, package: PackageId, number: int, now: datetime, who: str, detail: str) -> bool:
        """Counts and records a download of the file that ``detail`` names; False if the reader had it often enough."""
        ...

    async def note(
        self, package: PackageId, number: int | None, what: Happening, now: datetime, *, who: str = "", detail: str = ""
    ) -> None:
        """Adds to the history."""
        ...

    async def history(
        self, package: PackageId, number: int | None = None, what: Happening | None = None
    ) -> tuple[Happened, ...]:
        """All that happened, or only to that reader, or only of that kind; oldest first. It outlives the erasure."""
        ...

    async def revoke(self, package: PackageId, number: int | None, now: datetime, who: str) -> int:
        """Closes it for a reader, or all of them (None), sessions included. Returns for how many that changed."""
        ...

    async def restore(self, package: PackageId, number: int | None, now: datetime, who: str) -> int:
        """Opens it again: after a revocation, a lock by wrong codes, or "this is not for me"."""
        ...

    async def disown(self, package: PackageId, number: int, now: datetime, who: str) -> bool:
        """The reader says that the message is not for them: locked, sessions included. False if it was so before."""
        ...

    async def extend(self, package: PackageId, until: datetime, now: datetime, who: str) -> bool:
        """Moves the expiry; one that has expired opens again. False if it is erased, or has as long already."""
        ...

    async def erase(self, package: PackageId, now: datetime, who: str) -> bool:
        """Destroys the key, the content and the sessions; the history stays. False if that was done before."""
        ...

    async def agree(self, address: Address, passphrase: str | None) -> None:
        """Remembers a passphrase agreed with an address, as a hash, for what is sealed from now on; None forgets it."""
        ...

    async def remindable(self, now: datetime, before: datetime, limit: int) -> tuple[Reader, ...]:
        """Readers of open packages that end before then, who never opened them and were not reminded."""
        ...

    async def sweep(self, now: datetime, erase_before: datetime) -> int:
        """Erases what expired before ``erase_before``, removes ended sessions, codes and seeds, and files that
        belong to nothing. Returns how many packages were erased."""
        ...

    async def post(self, mail: OwnMail) -> None:
        """Puts mail of ours where a worker finds it."""
        ...

    async def outgoing(self, now: datetime, limit: int) -> Sequence[int]:
        """The numbers of what waits, oldest first, without what was put off."""
        ...

    async def own_mail(self, number: int) -> OwnMail | None:
        """One of them."""
        ...

    async def put_off(self, number: int, until: datetime) -> None:
        """It could not be sent, and is not among the outgoing until then."""
        ...

    async def posted(self, numbers: Sequence[int]) -> None:
        """Those are in the spool now."""
        ...

    async def rewrap(self) -> int:
        """Wraps every key with the current one; how many that were."""
        ...

    async def forget(self) -> bool:
        """Overwrites on the disk what was erased or wrapped anew; False while somebody who reads holds that up.

        `sweep` does it too, so that it is done in the end.
        """
        ...

    async def healthy(self) -> bool:
        """Whether it can be written."""
        ...

    async def aclose(self) -> None:
        """Ends its threads."""
        ...
