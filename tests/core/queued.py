"""Rows, messages and decisions for the tests of what happens to them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from gateway.core.address import parse_address
from gateway.core.decision import Held, Open, Refused, Routed
from gateway.core.envelope import Admission, Client, Envelope, Notify, Recipient
from gateway.core.facts import Classification, Facts, Intent
from gateway.core.outcome import Cause, Declined, Deferred, Delivered, Failed, Proof, Remote
from gateway.core.record import BodyRef, Kind, Message, QueueId, RecipientRow, State
from gateway.core.reply import Status, reply
from gateway.core.tls import Channel, Evidence, Protection
from tests.fixtures.build import NOON

NOW = datetime(2026, 3, 2, 9, 5, 7, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
SENDER = parse_address("officer@council.example")
CLIENT = Client(identity="10.0.0.1", how=Admission.NETWORK, address="10.0.0.1", helo="exchange.local", tls=None)

ROUTED = Routed(
    rule="Controlled",
    chain=("tls", "secure", "encrypted"),
    floor=Protection.ENCRYPTED,
    original_floor=Protection.ENCRYPTED,
    reason="the level is controlled (default)",
    advice="Ask the Service Desk for a transfer.",
)
REFUSED = Refused(rule="Files", floor=Protection.NONE, reason="the files are too large", advice="Make them smaller.")
HELD = Held(
    rule="Check", chain=("tls",), floor=Protection.VERIFIED, reason="a first contact", advice="Ask the officer."
)
OPEN = Open(
    rule="TLS", missing=("starttls of x.example",), floor=Protection.ENCRYPTED, reason="not known", advice="Wait."
)

EVIDENCE = Evidence(
    mx_host="mx.x.example",
    address="192.0.2.1",
    port=25,
    tls_version="TLSv1.3",
    cipher="TLS_AES_256_GCM_SHA384",
    chain_digest="ab" * 32,
    channel=Channel.PKIX,
    how="checked",
    demanded_by="test",
)
REMOTE = Remote(host="mx.x.example", reply=reply(550, "5.1.1", "no such user", "really"))
DELIVERED = Delivered(remote=Remote(host="mx.x.example", reply=reply(250, "2.0.0", "ok")), evidence=EVIDENCE)
DECLINED = Declined(proof=Proof.NO_STARTTLS, status=Status(5, 7, 4), detail="No host offers STARTTLS.")
FAILED = Failed(status=Status(5, 1, 1), detail="Refused.", remote=REMOTE)


def deferred(cause: Cause) -> Deferred:
    """A deferral with a status of its own."""
    return Deferred(cause=cause, status=Status(4, 7, 5), detail=f"It was {cause}.")


def recipient(address: str = "gp@x.example", *notify: Notify, orcpt: str | None = None) -> Recipient:
    """A recipient with its DSN wishes."""
    return Recipient(address=parse_address(address), notify=frozenset(notify), orcpt=orcpt)


ROW = RecipientRow(
    number=3,
    recipient=recipient(),
    decision=ROUTED,
    state=State.QUEUED,
    next_hop="tls:x.example",
    entered_at=NOW,
    deadline=NOW + 2 * DAY,
    expires_at=NOW + 5 * DAY,
    due_at=NOW,
)

FACTS = Facts(
    at=NOON,
    classification=Classification(level="controlled", source="default"),
    intent=Intent.NONE,
    intent_source="",
    automatic=False,
    automatic_reason="",
    sender=str(SENDER),
    header_from=(str(SENDER),),
    attachments=(),
    attachment_bytes=0,
    message_bytes=100,
)

MESSAGE = Message(
    queue_id=QueueId("000-abc"),
    kind=Kind.RELAY,
    origin=None,
    envelope=Envelope(client=CLIENT, listener="smtp", reverse_path=SENDER, recipients=(recipient(),)),
    facts=FACTS,
    policy_hash="policy",
    accepted_at=NOW,
    header_bytes=10,
    eight_bit=False,
    edits=(),
    body=BodyRef(size=1, sha256="00", inline=b"x"),
    message_id="<original@council.example>",
)


def with_envelope(**changes: object) -> Message:
    """The message with another envelope."""
    return replace(MESSAGE, envelope=replace(MESSAGE.envelope, **changes))  # pyright: ignore[reportArgumentType]
