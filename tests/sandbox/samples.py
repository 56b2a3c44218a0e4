"""Values for tests of the sandbox: arrivals, and the gateway's own records about them."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from gateway.core.address import Address, parse_address
from gateway.core.decision import Routed
from gateway.core.envelope import Recipient
from gateway.core.outcome import Delivered, Remote
from gateway.core.record import Event, EventKind, QueueId, RecipientRow, State
from gateway.core.reply import reply
from gateway.core.tls import Channel, Evidence, Protection
from gateway.sandbox.arrival import Accepted, Arrival, TlsSeen

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
QUEUE_ID = QueueId("000-abc_DEF-1")
TLS = TlsSeen(version="TLSv1.3", cipher="TLS_AES_256_GCM_SHA384", client_name=None)
ROUTED = Routed(
    rule="Controlled",
    chain=("tls", "encrypted"),
    floor=Protection.ENCRYPTED,
    original_floor=Protection.ENCRYPTED,
    reason="",
    advice="",
)


def content(subject: str = "hello", received: str = f"by gateway.council.example id {QUEUE_ID}; today") -> bytes:
    """A small message as a host would receive it."""
    return (
        f"Received: from desk (desk [127.0.0.1])\r\n {received}\r\nReceived: from x id 001-older; then\r\n"
        f"Message-ID: <1@council.example>\r\nFrom: officer@council.example\r\nSubject: {subject}\r\n\r\nText.\r\n"
    ).encode()


def arrival(id: str = "000001", to: str = "alice@tls.example", tls: TlsSeen | None = TLS, data: bytes = b"") -> Arrival:
    """One arrival at mx.tls.example."""
    return Arrival(
        id=id,
        time=NOW,
        mx="mx.tls.example",
        ehlo="gateway.council.example",
        mail_from="officer@council.example",
        mail_params=(),
        recipients=(Accepted(to),),
        tls=tls,
        content=data or content(),
    )


def evidence(*, verified: bool = True, tls_version: str | None = "TLSv1.3") -> Evidence:
    """What the gateway saw of the connection."""
    return Evidence(
        mx_host="mx.tls.example",
        address="127.0.25.10",
        port=2526,
        tls_version=tls_version,
        cipher="TLS_AES_256_GCM_SHA384" if tls_version else None,
        channel=Channel.PKIX if verified else Channel.ENCRYPTED if tls_version else Channel.PLAIN,
        how="certificate checked" if verified else "certificate not checked",
        demanded_by="route tls",
    )


def delivered(*, verified: bool = True, tls_version: str | None = "TLSv1.3") -> Delivered:
    """A delivery to mx.tls.example."""
    remote = Remote(host="mx.tls.example", reply=reply(250, "2.0.0", "kept"))
    return Delivered(remote=remote, evidence=evidence(verified=verified, tls_version=tls_version))


def event(kind: EventKind, address: str = "alice@tls.example", **more: object) -> Event:
    """An event of the sample message."""
    return Event(kind=kind, at=NOW, queue_id=QUEUE_ID, recipient=0, address=address, **more)  # pyright: ignore[reportArgumentType]


def row(address: str = "alice@tls.example", due_in: timedelta = timedelta()) -> RecipientRow:
    """A recipient that waits."""
    later = NOW + timedelta(days=1)
    mailbox: Address = parse_address(address)
    return RecipientRow(
        number=0,
        recipient=Recipient(address=mailbox),
        decision=ROUTED,
        state=State.QUEUED,
        entered_at=NOW,
        deadline=later,
        expires_at=later,
        due_at=NOW + due_in,
    )


class FakeRecords:
    """Plays the gateway: each look finds what the next step has, and what was asked is remembered."""

    def __init__(self, *steps: tuple[tuple[RecipientRow, ...], tuple[Event, ...]]) -> None:
        self.steps = list(steps)
        self.all: list[Event] = []
        self.asked: list[tuple[QueueId, int]] = []

    def waiting(self, queue_id: QueueId) -> tuple[RecipientRow, ...]:
        assert queue_id == QUEUE_ID
        rows, events = self.steps.pop(0)
        self.all += events
        return rows

    def events_of(self, message_id: str) -> Iterable[Event]:
        return [event for event in self.all if event.message_id == message_id]

    def events(self, queue_id: QueueId, after: int) -> Iterable[tuple[int, Event]]:
        self.asked.append((queue_id, after))
        numbered = enumerate(self.all, start=1)
        return [(number, event) for number, event in numbered if number > after and event.queue_id == queue_id]
