"""A store of sealed messages in memory, a route that seals into it, and our mail about that as it left."""

import email
import email.policy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import cast

from gateway.core.address import parse_address
from gateway.core.outcome import Outcome, Sealed
from gateway.core.policy import Policy, Rule, Send
from gateway.core.record import Kind, QueueId
from gateway.core.route import Declared, Route
from gateway.core.sealed import Access, Happening, OwnMail, PackageId, Reader, ReaderSecret
from gateway.core.sealing import Method, Sealing
from gateway.core.template import Template
from gateway.core.tls import Channel
from gateway.flow.options import PortalOptions
from gateway.flow.ports import Delivery, SealedStore, SealedStoreError, Target
from tests.flow.gate import ROUTES, SENDER, Gate, to, whole, with_rules

PORTAL = PortalOptions(
    url="https://secure.council.example",
    sender=parse_address("secure-mail@council.example"),
    organisation="Council",
    telephone="01629 111111",
    codes_for=frozenset({"controlled"}),
)
ROUTE = Route(name="encrypted", transport="portal", demands=Channel.PLAIN, declared=Declared.SEALING)
POLICY: Policy = with_rules(
    Rule(name="Later", when=to("later.example"), action=Send(("tls", "encrypted")), advice=Template("")),
    Rule(name="Sealed", when=None, action=Send(("encrypted",)), advice=Template("")),
)


@dataclass
class Packages:
    """As much of a store as the flow uses; while ``down`` every method raises. ``hand_off`` and ``agreed`` of all."""

    portal: PortalOptions = PORTAL
    hand_off: bool = False
    agreed: bool = False
    down: bool = False
    packages: dict[PackageId, dict[int, Reader]] = field(default_factory=dict[PackageId, dict[int, Reader]])
    ids: dict[str, PackageId] = field(default_factory=dict[str, PackageId])
    words: dict[str, str] = field(default_factory=dict[str, str])
    waiting: dict[int, OwnMail] = field(default_factory=dict[int, OwnMail])
    off: dict[int, datetime] = field(default_factory=dict[int, datetime])
    notes: list[tuple[PackageId, int | None, Happening]] = field(
        default_factory=list[tuple[PackageId, int | None, Happening]]
    )
    sweeps: list[tuple[datetime, datetime]] = field(default_factory=list[tuple[datetime, datetime]])

    def outcome(self, delivery: Delivery, target: Target, now: datetime) -> Outcome:
        """What a portal's transport makes of it: the same package for the same delivery to the same recipients."""
        numbers = ".".join(str(each.number) for each in delivery.targets)
        package = self.ids.setdefault(f"{delivery.delivery_id}/{numbers}", PackageId(f"package-{len(self.ids) + 1}"))
        unlock = self.portal.unlock_for(delivery.level)
        readers = self.packages.setdefault(package, {})
        readers.setdefault(target.number, self._reader(package, delivery, target, now))
        detail = f"in the portal, opened by {unlock}"
        return Sealed(sealing=Sealing(method=Method.PORTAL, detail=detail, package=package, unlock=unlock))

    def _reader(self, package: PackageId, delivery: Delivery, target: Target, now: datetime) -> Reader:
        return Reader(
            package=package,
            number=target.number,
            address=target.recipient.address,
            unlock=self.portal.unlock_for(delivery.level),
            agreed=self.agreed,
            access=Access.OPEN,
            queue_id=delivery.queue_id,
            sender=SENDER,
            level=delivery.level,
            route=delivery.route.name,
            sealed_at=now,
            expires_at=now + timedelta(days=28),
            lasts=timedelta(days=28),
            size=delivery.size,
            opened=0,
            opened_at=None,
            downloaded=0,
            downloads=None,
            hand_off=self.hand_off,
        )

    def access(self) -> dict[str, Access]:
        """By address."""
        return {str(one.address): one.access for readers in self.packages.values() for one in readers.values()}

    async def secrets(self, package: PackageId) -> Mapping[int, ReaderSecret]:
        self._look()
        return {
            number: ReaderSecret(
                f"token-{package}-{number}",
                f"words for {number}" if reader.unlock.has_passphrase and not reader.agreed else "",
            )
            for number, reader in self.packages.get(package, {}).items()
            if reader.access is not Access.ERASED
        }

    async def readers(self, package: PackageId, now: datetime) -> tuple[Reader, ...]:
        self._look()
        return tuple(self.packages.get(package, {}).values())

    async def revoke(self, package: PackageId, number: int | None, now: datetime, who: str) -> int:
        self._look()
        readers = self.packages[package]
        for each, reader in readers.items():
            if number in (None, each):
                readers[each] = replace(reader, access=Access.REVOKED)
        return 1

    async def known_password(self, name: str, now: datetime) -> str | None:
        self._look()
        return self.words.get(name)

    async def note(
        self, package: PackageId, number: int | None, what: Happening, now: datetime, *, who: str = "", detail: str = ""
    ) -> None:
        self._look()
        self.notes.append((package, number, what))

    async def remindable(self, now: datetime, before: datetime, limit: int) -> tuple[Reader, ...]:
        self._look()
        told = {(package, number) for package, number, _ in self.notes}
        every = [reader for readers in self.packages.values() for reader in readers.values()]
        due = [one for one in every if now < one.expires_at < before and (one.package, one.number) not in told]
        return tuple(due[:limit])

    async def sweep(self, now: datetime, erase_before: datetime) -> int:
        self._look()
        self.sweeps.append((now, erase_before))
        return 0

    async def post(self, mail: OwnMail) -> None:
        self._look()
        self.waiting[len(self.waiting) + 1] = mail

    async def outgoing(self, now: datetime, limit: int) -> Sequence[int]:
        self._look()
        return [number for number in self.waiting if self.off.get(number, now) <= now][:limit]

    async def own_mail(self, number: int) -> OwnMail | None:
        self._look()
        return self.waiting.get(number)

    async def put_off(self, number: int, until: datetime) -> None:
        self._look()
        self.off[number] = until

    async def posted(self, numbers: Sequence[int]) -> None:
        self._look()
        for number in numbers:
            self.waiting.pop(number, None)

    def _look(self) -> None:
        if self.down:
            raise SealedStoreError("the disk is gone")


def sealing_gate(store: Packages | None = None, policy: Policy = POLICY) -> Gate:
    """A gate whose route ``encrypted`` seals into the store."""
    store = store or Packages()
    port = cast("SealedStore", store)
    gate = Gate(policy=policy, routes={**ROUTES, "encrypted": ROUTE}, sealed=port, portal=store.portal)
    gate.transports["encrypted"].script = store.outcome
    return gate


def store_of(gate: Gate) -> Packages:
    """The store behind the gate."""
    return cast("Packages", gate.sealed)


def letters(gate: Gate, route: str = "opportunistic") -> list[EmailMessage]:
    """Our own mail in the order in which that route got it."""
    found = [delivery for _, delivery in gate.transports[route].deliveries]
    ours = [each for each in found if each.queue_id in own_ids(gate)]
    return [_parsed(whole(each.header, each.body.inline or b"", each.body_offset)) for each in ours]


def own_ids(gate: Gate) -> set[QueueId]:
    """Of all mail that was not handed over to us."""
    return {message.queue_id for message, _ in gate.heard.accepted_rows if message.kind is not Kind.RELAY}


def text(mail: EmailMessage) -> str:
    """What it says, with plain line ends."""
    plain = mail.get_body(("plain",))
    assert plain is not None
    return plain.get_content().replace("\r\n", "\n")


def _parsed(mail: bytes) -> EmailMessage:
    parsed = email.message_from_bytes(mail, policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed
