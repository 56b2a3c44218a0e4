"""The letter with the password of an archive, to the sender alone, in the transaction that records its delivery.

It goes to whoever sent the message, also where they wish to hear nothing: nobody else can pass the password on. Left
out on purpose: the archive, and how its password is made and kept (`gateway.sealed`).
"""

from collections.abc import Sequence
from typing import Final

from gateway.core.address import Address
from gateway.core.outcome import Delivered
from gateway.core.record import Entry, Kind, Message, Origin
from gateway.core.report import owner_of
from gateway.core.sealed_mail import build_password
from gateway.core.sealing import Method
from gateway.core.sender_words import Locked, Passwords
from gateway.core.tls import Protection
from gateway.flow.ports import SealedStoreError
from gateway.flow.post import Letter, Post
from gateway.flow.settling import Change
from gateway.flow.shared import Shared

OPENS_AT: Final = Protection.VERIFIED
"""What a letter that opens something may not be sent below, should the way of notices not be an internal one."""
UNTOLD: Final = "password-untold"


def hearer_of(message: Message) -> Address | None:
    """Who can pass a password on, automatic mail included: our letters cannot loop. None if nobody reads them."""
    path = message.envelope.reverse_path
    if message.kind is not Kind.RELAY or not isinstance(path, Address) or path.local.casefold() == "mailer-daemon":
        return None
    return owner_of(message) or path


def archive_of(change: Change) -> str:
    """What the password of an archive that has just left is kept under; empty if it is none."""
    outcome = change.outcome
    sealing = outcome.sealing if isinstance(outcome, Delivered) else None
    return sealing.package if sealing is not None and sealing.method is Method.ARCHIVE else ""


async def password_letters(
    post: Post, shared: Shared, message: Message, changes: Sequence[Change]
) -> tuple[Entry, ...]:
    """At most one, ready to commit. Raises SpoolError, SealedStoreError."""
    archives: dict[str, list[Address]] = {}
    for change in changes:
        if name := archive_of(change):
            archives.setdefault(name, []).append(change.after.address)
    if not archives:
        return ()
    to, sender = hearer_of(message), message.envelope.reverse_path
    if to is None or not isinstance(sender, Address):
        shared.events.alert(UNTOLD, message.queue_id, "nobody can be told the password of an archive")
        return ()
    files = [Locked(await _password(shared, name), readers) for name, readers in archives.items()]
    letter = Passwords(to=to, sender=sender, accepted_at=message.accepted_at, queue_id=message.queue_id, files=files)
    return (await _entry(post, shared, letter),)


async def _password(shared: Shared, name: str) -> str:
    word = await shared.sealed.known_password(name, shared.clock.now()) if shared.sealed is not None else None
    if word is None:
        raise SealedStoreError("the password of an archive is not there")
    return word


async def _entry(post: Post, shared: Shared, letter: Passwords) -> Entry:
    stamp = post.stamp()
    return await post.letter(
        Letter(
            kind=Kind.NOTICE,
            to=letter.to,
            text=build_password(letter, shared.identity, stamp),
            stamp=stamp,
            reason=f"the password of a protected file about {letter.queue_id}",
            origin=Origin(letter.queue_id, -1, Kind.NOTICE),
            floor=OPENS_AT,
        )
    )
