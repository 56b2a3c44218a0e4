"""A whole gateway in memory, between a client that hands over bytes and transports that do as they are told."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType

from gateway.core.address import NullPath, ReversePath, parse_address
from gateway.core.conditions.logic import All
from gateway.core.conditions.message import ClassificationIs
from gateway.core.conditions.outside import StarttlsIs
from gateway.core.conditions.party import PartyIs
from gateway.core.domains import parse_party
from gateway.core.envelope import Admission, Client, Envelope, Notify, Recipient, Ret
from gateway.core.facts import Intent
from gateway.core.labels import HeaderSource
from gateway.core.policy import Hold, Organisation, Policy, Reject, Rule, Send
from gateway.core.reading import Reading
from gateway.core.record import Event, EventKind, Kind, State
from gateway.core.reply import Reply
from gateway.core.route import Declared, Route
from gateway.core.template import Template
from gateway.core.tls import Channel, Protection, Starttls
from gateway.flow.accept import Accept, Profile, Submission
from gateway.flow.carriers import Carrier, Carriers
from gateway.flow.dispatch import Dispatch
from gateway.flow.history import History
from gateway.flow.options import PortalOptions, QueueOptions, Refusals, SystemOptions
from gateway.flow.policies import Edition, PolicyBook
from gateway.flow.ports import SealedStore
from gateway.flow.shared import Shared
from gateway.flow.traffic import Traffic
from gateway.spool.memory import MemorySpool
from tests.fakes.carrying import FixedJitter, Ids, ScriptedTransport, TableLookups
from tests.fakes.clock import SteppedClock, settle
from tests.fakes.events import Heard
from tests.fakes.state import MemoryState

SENDER = parse_address("officer@council.example")
KEY = b"k" * 32
CLIENT = Client(identity="10.0.0.1", how=Admission.NETWORK, address="10.0.0.1", helo="exchange", tls=None)
ADVICE = "Ask the Service Desk for a Cryptshare transfer."
HOUR = timedelta(hours=1)

ROUTES: Mapping[str, Route] = MappingProxyType(
    {
        "internal": Route(
            name="internal", transport="smarthost", demands=Channel.ENCRYPTED, declared=Declared.INTERNAL
        ),
        "opportunistic": Route(name="opportunistic", transport="mx", demands=Channel.PLAIN),
        "tls": Route(name="tls", transport="mx", demands=Channel.ENCRYPTED, give_up_after=48 * HOUR),
        "encrypted": Route(
            name="encrypted",
            transport="smarthost",
            demands=Channel.PKIX,
            declared=Declared.SEALED,
            add_header=(("X-Encrypt", "yes"),),
        ),
    }
)


def to(text: str) -> PartyIs:
    """A condition on the recipient's domain."""
    return PartyIs("recipient", (parse_party(text),))


RULES = (
    Rule(name="Inside", when=to("council.example"), action=Send(("internal",)), advice=Template("")),
    Rule(name="Forbidden", when=to("forbidden.example"), action=Reject(), advice=Template(ADVICE)),
    Rule(name="Checked", when=to("held.example"), action=Hold(), advice=Template("Wait for the officer.")),
    Rule(
        name="Only with TLS",
        when=All((to("asks.example"), StarttlsIs(Starttls.NO))),
        action=Reject(),
        advice=Template(ADVICE),
    ),
    Rule(
        name="Public",
        when=ClassificationIs(frozenset({"public"})),
        action=Send(("opportunistic",)),
        advice=Template(""),
    ),
    Rule(name="Controlled", when=None, action=Send(("tls", "encrypted")), advice=Template(ADVICE)),
)

POLICY = Policy(
    organisation=Organisation(
        name="Council",
        domains=frozenset({"council.example"}),
        contact="Service Desk, 01629 000000",
        postmaster=parse_address("postmaster@council.example"),
    ),
    reading=Reading(
        levels=("public", "controlled"),
        default="controlled",
        sources=(HeaderSource("X-Classification", {"public": "public", "controlled": "controlled"}),),
        intent_marks={"[SECURE]": Intent.SECURE},
    ),
    floors={"public": Protection.NONE, "controlled": Protection.ENCRYPTED},
    groups={},
    rules=RULES,
    routes=ROUTES,
    hash="policy-1",
)

MESSAGE = (
    b"From: An Officer <officer@council.example>\r\n"
    b"To: gp@tls.example\r\n"
    b"Subject: the planted subject\r\n"
    b"Message-ID: <original@council.example>\r\n"
    b"\r\n"
    b"The body.\r\n"
)


def with_fields(*fields: bytes) -> bytes:
    """The message with more fields on top."""
    return b"".join(line + b"\r\n" for line in fields) + MESSAGE


@dataclass
class Gate:
    """Everything between the two ends; `hand_over` is the client, ``carried`` by route the other side."""

    clock: SteppedClock = field(default_factory=SteppedClock)
    heard: Heard = field(default_factory=Heard)
    lookups: TableLookups = field(default_factory=TableLookups)
    queue: QueueOptions = field(default_factory=QueueOptions)
    policy: Policy = POLICY
    routes: dict[str, Route] = field(default_factory=lambda: dict(ROUTES))
    sealed: SealedStore | None = None
    portal: PortalOptions | None = None

    def __post_init__(self) -> None:
        self.spool = MemorySpool(clock=self.clock)
        self.transports = {name: ScriptedTransport(self.clock) for name in self.routes}
        for name in ("internal", "encrypted"):
            if name in self.transports:
                self.transports[name].host = f"{name}.host"
        self.policies = {self.policy.hash.encode(): self.policy}
        self.book = PolicyBook(Edition(self.policy, self.policy.hash.encode()), self.policies.__getitem__)
        self.state = MemoryState(self.clock)
        self.shared = Shared(
            book=self.book,
            carriers=Carriers(self.table()),
            lookups=self.lookups,
            history=History(self.state, self.clock, KEY, self.heard),
            state=self.state,
            system=SystemOptions(
                hostname="gw.council.example",
                routes={
                    Kind.REPORT: "internal",
                    Kind.NOTICE: "internal",
                    Kind.NOTIFICATION: "opportunistic",
                    Kind.CODE: "opportunistic",
                    Kind.REPLY: "internal",
                },
                hop_key=KEY,
            ),
            queue=self.queue,
            clock=self.clock,
            ids=Ids(),
            jitter=FixedJitter(),
            events=self.heard,
            sealed=self.sealed,
            portal=self.portal,
        )
        self.restart()

    def restart(self) -> None:
        """A new door and a new dispatcher on the same spool, as after a crash or a reload."""
        self.traffic = Traffic(self.queue)
        self.dispatch = Dispatch(self.spool, self.shared, self.traffic)
        self.accept = Accept(self.spool, self.shared, lambda entries: self.dispatch.committed(entries))

    def reload(self, policy: Policy | None = None, routes: Mapping[str, Route] | None = None) -> None:
        """Puts another policy or other routes in force, as a reload does: beside what is in hand."""
        edition = Edition(policy, policy.hash.encode()) if policy is not None else self.book.edition
        self.routes = dict(routes) if routes is not None else self.routes
        self.book = PolicyBook(edition, self.policies.__getitem__)
        self.shared = replace(self.shared, book=self.book, carriers=Carriers(self.table()))
        self.restart()

    def table(self) -> dict[str, Carrier]:
        """A carrier for each route as it is now."""
        return {name: Carrier(route, self.transports[name]) for name, route in self.routes.items()}

    def begin(
        self,
        *recipients: str | Recipient,
        sender: ReversePath = SENDER,
        profile: Profile | None = None,
        ret: Ret | None = None,
        envid: str | None = None,
        require_tls: bool = False,
    ) -> Submission:
        """A submission for the recipients."""
        envelope = Envelope(
            client=CLIENT,
            listener="smtp",
            reverse_path=sender,
            recipients=tuple(Recipient(address=parse_address(r)) if isinstance(r, str) else r for r in recipients),
            ret=ret,
            envid=envid,
            require_tls=require_tls,
        )
        return self.accept.begin(envelope, profile or Profile("smtp", Refusals.REPORT))

    async def hand_over(
        self,
        *recipients: str | Recipient,
        message: bytes = MESSAGE,
        sender: ReversePath = SENDER,
        profile: Profile | None = None,
        ret: Ret | None = None,
    ) -> Reply:
        """Sends a message in, as a listener would."""
        submission = self.begin(*recipients, sender=sender, profile=profile, ret=ret)
        submission.write(message)
        return await submission.finish()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """With its dispatcher; at the end everything that is under way comes to an end."""
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(self.dispatch.run())
            await settle()
            try:
                yield
                self.dispatch.stop()
                await settle()
            finally:
                if not task.done():
                    task.cancel()

    async def audit(self, *kinds: EventKind) -> list[Event]:
        """The audit events of those kinds (all if none is named), in order."""
        found = await self.spool.events(None, 0, 100_000)
        return [event for _, event in found if not kinds or event.kind in kinds]

    async def ends(self) -> dict[str, State]:
        """By address, the end of each recipient of relayed mail; two ends of one are an error."""
        ends: dict[str, State] = {}
        ours = {m.queue_id for m, _ in self.heard.accepted_rows if m.kind is not Kind.RELAY}
        for event in await self.audit(EventKind.ENDED):
            if event.queue_id not in ours:
                assert event.address not in ends and event.state is not None
                ends[event.address] = event.state
        return ends

    def reports(self) -> list[tuple[datetime, bytes]]:
        """Our own mail as the internal host got it, with the time of its delivery."""
        return [
            (at, whole(delivery.header, delivery.body.inline or b"", delivery.body_offset))
            for at, delivery in self.transports["internal"].deliveries
            if delivery.reverse_path is NullPath.NULL
        ]


def whole(header: bytes, body: bytes, offset: int) -> bytes:
    """The message as it goes out."""
    return header + body[offset:]


def recipient(address: str, *notify: Notify) -> Recipient:
    """A recipient with its NOTIFY wishes."""
    return Recipient(address=parse_address(address), notify=frozenset(notify))


def with_rules(*rules: Rule) -> Policy:
    """The policy with other rules."""
    return replace(POLICY, rules=rules)
