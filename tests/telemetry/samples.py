"""One message with markers planted wherever content could stand, and the pieces that telemetry is told with it."""

from datetime import UTC, datetime, timedelta

from gateway.core.address import Address
from gateway.core.decision import Decision, Routed
from gateway.core.edits import Add
from gateway.core.envelope import Admission, Client, Envelope, Recipient
from gateway.core.facts import Attachment, Classification, Facts, Intent, Label, LabelResult
from gateway.core.outcome import Deferred, Delivered, Outcome, Remote
from gateway.core.record import BodyRef, Kind, Message, QueueId, RecipientRow, State
from gateway.core.reply import Reply, Status
from gateway.core.route import Route
from gateway.core.tls import Channel, Evidence, Protection
from tests.fixtures.build import NOON

MARK = "XYZZY"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ALICE = Address("alice", "tls.example")

FACTS = Facts(
    at=NOON,
    classification=Classification(
        level="restricted",
        source="Sensitivity",
        labels=(Label(source="Sensitivity", raw=f"raw {MARK}", result=LabelResult.LEVEL, level="restricted"),),
    ),
    intent=Intent.SECURE,
    intent_source=f"subject {MARK}",
    automatic=False,
    automatic_reason=MARK,
    sender="officer@council.example",
    header_from=("officer@council.example",),
    attachments=(Attachment(name=f"{MARK}.pdf", type="application/pdf", bytes=10),),
    attachment_bytes=10,
    message_bytes=2000,
)

MESSAGE = Message(
    queue_id=QueueId("000-abc"),
    kind=Kind.RELAY,
    origin=None,
    envelope=Envelope(
        client=Client(identity="10.0.0.9", how=Admission.NETWORK, address="10.0.0.9", helo=MARK, tls=None),
        listener="smtp",
        reverse_path=Address("officer", "council.example"),
        recipients=(Recipient(address=ALICE),),
    ),
    facts=FACTS,
    policy_hash="0123456789abcdef",
    accepted_at=NOW - timedelta(seconds=90),
    header_bytes=100,
    eight_bit=False,
    edits=(Add("Received", MARK),),
    body=BodyRef(size=2000, sha256="00", inline=f"Subject: {MARK}\r\n\r\n{MARK}".encode()),
    message_id="<id@council.example>",
)

ROUTED = Routed(
    rule="Restricted",
    chain=("secure", "encrypted"),
    floor=Protection.VERIFIED,
    original_floor=Protection.VERIFIED,
    reason=f"labelled {MARK}",
    advice=MARK,
)

ROUTE = Route(name="secure", transport="mx", demands=Channel.PKIX)


def evidence(*, tls: str | None = "TLSv1.3", verified: bool = True) -> Evidence:
    return Evidence(
        mx_host="mx.tls.example",
        address="192.0.2.1",
        port=25,
        tls_version=tls,
        cipher="TLS_AES_256_GCM_SHA384" if tls else None,
        subject="CN=mx.tls.example" if tls else None,
        issuer="CN=Authority" if tls else None,
        not_after=NOW + timedelta(days=30) if tls else None,
        spki="ab" * 32 if tls else None,
        channel=Channel.PLAIN if tls is None else Channel.PKIX if verified else Channel.ENCRYPTED,
        how="checked",
        demanded_by="floor verified",
    )


def said(code: int, status: str) -> Remote:
    """A next hop that quotes the message."""
    return Remote(host="mx.tls.example", reply=Reply(code, Status.parse(status), (f"about {MARK}",)))


DELIVERED = Delivered(remote=said(250, "2.0.0"), evidence=evidence())


def deferred(**changes: object) -> Deferred:
    from gateway.core.outcome import Cause

    known: dict[str, object] = {
        "cause": Cause.REPLY_4XX,
        "status": Status(4, 7, 1),
        "detail": f"it said {MARK}",
        "remote": said(451, "4.7.1"),
        "evidence": evidence(verified=False),
    }
    return Deferred(**(known | changes))  # pyright: ignore[reportArgumentType]


def row(
    *, decision: Decision = ROUTED, state: State = State.QUEUED, attempts: int = 0, last: Outcome | None = None
) -> RecipientRow:
    return RecipientRow(
        number=0,
        recipient=Recipient(address=ALICE),
        decision=decision,
        state=state,
        entered_at=NOW,
        deadline=NOW + timedelta(hours=48),
        expires_at=NOW + timedelta(days=5),
        due_at=NOW + timedelta(minutes=5),
        attempts=attempts,
        last=last,
    )
