"""Letters that a sealed message causes, in the transaction that records it: notifications, and one confirmation.

What opens a message is told to its sender whatever else they wish to hear, because nobody else can pass it on. Left out
on purpose: reminders, what the portal's pages cause, and passwords of archives (`flow.passwords`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.core.edits import HeaderEdit
from gateway.core.facts import Field
from gateway.core.header import read_header as read_fields
from gateway.core.mail_names import author_name, one_line
from gateway.core.outcome import Sealed
from gateway.core.own_text import MOST_READ, own_lines
from gateway.core.record import Entry, Kind, Message, Origin, State
from gateway.core.report import Purpose, answers, wished
from gateway.core.sealed import PackageId, Reader, ReaderSecret
from gateway.core.sealed_mail import build_confirmation, build_notification
from gateway.core.sealed_words import Invitation
from gateway.core.sender_words import Confirmation, Confirmed, sender_page, why_this_way
from gateway.core.tls import Protection
from gateway.core.words import to_text
from gateway.flow.content import read_beginning, read_header
from gateway.flow.options import PortalOptions
from gateway.flow.passwords import OPENS_AT, UNTOLD, hearer_of
from gateway.flow.ports import Bodies, SealedStore, SealedStoreError
from gateway.flow.post import Letter, Post
from gateway.flow.settling import Change
from gateway.flow.shared import Shared
from gateway.wire.render import render


@dataclass(frozen=True, slots=True)
class _Kept:
    """A change that sealed its recipient, and what the store has of it."""

    change: Change
    reader: Reader
    secret: ReaderSecret


def package_of(change: Change) -> PackageId | None:
    """The package of a recipient that was sealed just now, of which nobody knows before its notification leaves."""
    newly = change.after.state is State.PENDING and change.before.state is not State.PENDING
    sealed = change.outcome
    return PackageId(sealed.sealing.package) if newly and isinstance(sealed, Sealed) else None


class SealedLetters:
    """For one settlement."""

    def __init__(self, post: Post, shared: Shared, bodies: Bodies, message: Message) -> None:
        self._post = post
        self._shared = shared
        self._bodies = bodies
        self._message = message

    async def entries(self, changes: Sequence[Change]) -> tuple[Entry, ...]:
        """Ready to commit. Raises SpoolError, SealedStoreError: then it is to be sealed again, to the same link."""
        sealed = [(change, package) for change in changes if (package := package_of(change)) is not None]
        if not sealed:
            return ()
        store, portal = self._shared.sealed, self._shared.portal
        if store is None or portal is None:
            raise SealedStoreError("there is no portal any more")
        kept = await self._kept(store, sealed)
        return (*await self._notifications(portal, kept), *await self._confirmation(portal, kept))

    async def _kept(self, store: SealedStore, sealed: Sequence[tuple[Change, PackageId]]) -> list[_Kept]:
        readers: dict[tuple[PackageId, int], tuple[Reader, ReaderSecret]] = {}
        for package in dict.fromkeys(package for _, package in sealed):
            secrets = await store.secrets(package)
            for reader in await store.readers(package, self._shared.clock.now()):
                if reader.number in secrets:
                    readers[package, reader.number] = reader, secrets[reader.number]
        if any((package, change.after.number) not in readers for change, package in sealed):
            raise SealedStoreError("what was sealed just now is not there any more")
        return [_Kept(change, *readers[package, change.after.number]) for change, package in sealed]

    async def _notifications(self, portal: PortalOptions, kept: Sequence[_Kept]) -> list[Entry]:
        header = await read_header(self._bodies, self._message)
        lines = await self._lines() if any(self._hands_over(one) for one in kept) else ()
        heads: dict[tuple[HeaderEdit, ...], tuple[Field, ...]] = {}
        entries: list[Entry] = []
        for one in kept:
            edits = (*self._message.edits, *one.change.after.decision.effects.edits)
            if edits not in heads:
                heads[edits] = read_fields(render(header, edits)[:-2]).fields
            entries.append(await self._notification(portal, one, self._invitation(portal, one, heads[edits], lines)))
        return entries

    async def _lines(self) -> tuple[str, ...]:
        return own_lines(await read_beginning(self._bodies, self._message, MOST_READ))

    def _hands_over(self, one: _Kept) -> bool:
        """Whether the text may go with the notification: over what its floor demands, so never where that is sealed."""
        sealed = one.change.after.decision.floor is Protection.SEALED or self._message.envelope.require_tls
        return one.reader.hand_off and not sealed

    def _invitation(
        self, portal: PortalOptions, one: _Kept, fields: Sequence[Field], lines: tuple[str, ...]
    ) -> Invitation:
        handed = self._hands_over(one) and bool(lines)
        return Invitation(
            reader=one.reader,
            token=one.secret.token,
            author=author_name(_values(fields, "from"), one.reader.sender),
            subject=_title(fields) if handed or self._may_name(one.reader.level, portal) else "",
            lines=lines if handed else (),
        )

    def _may_name(self, level: str, portal: PortalOptions) -> bool:
        """What a detector found may stand in the subject itself."""
        facts = self._message.facts
        return level in portal.subject_for and not (facts is not None and facts.found)

    async def _notification(self, portal: PortalOptions, one: _Kept, invitation: Invitation) -> Entry:
        stamp, row, about = self._post.stamp(), one.change.after, self._message.queue_id
        return await self._post.letter(
            Letter(
                kind=Kind.NOTIFICATION,
                to=row.address,
                text=build_notification(invitation, portal, self._shared.identity, stamp),
                stamp=stamp,
                reason=f"a notification about {about}",
                origin=Origin(about, row.number, Kind.NOTIFICATION),
                floor=row.decision.floor if invitation.lines else Protection.NONE,
            )
        )

    async def _confirmation(self, portal: PortalOptions, kept: Sequence[_Kept]) -> tuple[Entry, ...]:
        told = [one for one in kept if one.secret.passphrase or self._wants_to_hear(one)]
        if not told:
            return ()
        secret, to, about = any(one.secret.passphrase for one in told), hearer_of(self._message), self._message.queue_id
        if to is None:
            self._shared.events.alert(UNTOLD, about, "nobody can be told the passphrase of a message")
            return ()
        stamp = self._post.stamp()
        confirmation = Confirmation(
            to=to,
            accepted_at=self._message.accepted_at,
            recipients=[Confirmed(one.reader, one.secret.passphrase, why_this_way(one.change.before)) for one in told],
            links=self._links(portal, told),
        )
        letter = Letter(
            kind=Kind.NOTICE,
            to=to,
            text=build_confirmation(confirmation, self._shared.identity, stamp),
            stamp=stamp,
            reason=f"a confirmation about {about}",
            origin=Origin(about, -1, Kind.NOTICE),
            floor=OPENS_AT if secret else Protection.NONE,
        )
        return (await self._post.letter(letter),)

    def _wants_to_hear(self, one: _Kept) -> bool:
        return answers(self._message) and wished(one.change.after.recipient, Purpose.MOVED)

    def _links(self, portal: PortalOptions, told: Sequence[_Kept]) -> Mapping[PackageId, str]:
        key = self._shared.system.hop_key
        return {one.reader.package: sender_page(one.reader, portal, key) for one in told}


def _values(fields: Sequence[Field], name: str) -> list[bytes]:
    return [field.value for field in fields if field.name.casefold() == name]


def _title(fields: Sequence[Field]) -> str:
    return " ".join(one_line(to_text(value)) for value in _values(fields, "subject")[:1])
