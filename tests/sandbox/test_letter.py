"""A letter is an ordinary message, sent as any mail program would, and the replies are kept as they came."""

import asyncio
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from gateway.core.outcome import Failed
from gateway.core.record import EventKind, State
from gateway.core.reply import Status
from gateway.sandbox.account import account
from gateway.sandbox.behaviour import Behaviour, Fault, Stage, Starttls
from gateway.sandbox.letter import CLIENT, Letter, Said, Submission, submit
from gateway.sandbox.mx_host import HostSpec
from gateway.sandbox.watch import Unfinished
from gateway.sandbox.world import World, WorldOptions
from tests.sandbox.samples import NOW, QUEUE_ID, ROUTED, delivered, event, row

LETTER = Letter(sender="officer@council.example", recipients=("alice@tls.example", "bob@plain.example"))


def test_a_letter_has_its_marks_and_attachments_of_exactly_the_size_asked_for() -> None:
    letter = Letter(
        sender="officer@council.example",
        recipients=("alice@tls.example", "bob@plain.example"),
        classification="restricted",
        intent="secure",
        subject="Budget",
        text="Hello.\n",
        attachments=(2 * 1024 * 1024, 7),
        headers=(("X-One", "1"), ("X-One", "2")),
    )
    data = letter.compose(NOW)
    assert b"\n" not in data.replace(b"\r\n", b"")
    message = message_from_bytes(data, policy=policy.default)
    assert (message["To"], message["From"]) == ("alice@tls.example, bob@plain.example", "officer@council.example")
    assert (message["X-Classification"], message["X-Sealpost-Intent"], message["Subject"]) == (
        "restricted",
        "secure",
        "Budget",
    )
    assert message.get_all("X-One") == ["1", "2"]
    sizes = [len(part.get_payload(decode=True) or b"") for part in message.iter_attachments()]
    assert sizes == [2 * 1024 * 1024, 7]


def test_a_letter_without_marks_has_none_of_their_fields() -> None:
    message = message_from_bytes(LETTER.compose(NOW), policy=policy.default)
    assert message["X-Classification"] is None
    assert message["X-Sealpost-Intent"] is None


@pytest.mark.parametrize("field", [("Subject", "a second one"), ("X-Broken", "a\r\nBcc: x@y.example")])
def test_a_field_that_cannot_be_is_refused(field: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match=r"."):
        Letter(sender="a@b.example", recipients=("c@d.example",), headers=(field,)).compose(NOW)


def host(tmp_path: Path, *faults: Fault, starttls: Starttls = Starttls.OFFERED) -> World:
    """A host at the address where `submit` looks for the gateway."""
    behaviour = Behaviour(faults=faults, starttls=starttls)
    spec = HostSpec(name="127.0.0.1", address="127.0.0.1", behaviour=behaviour)
    return World(WorldOptions(directory=tmp_path, cast=(spec,)))


async def send(world: World, letter: Letter) -> Submission:
    return await asyncio.to_thread(submit, letter, letter.compose(NOW), world.mx_port, world.credentials.ca)


async def test_an_accepted_letter_has_a_queue_id_and_travelled_inside_tls(tmp_path: Path) -> None:
    accepted = Fault(stage=Stage.DOT, answer=f"250 2.0.0 queued as {QUEUE_ID}")
    async with host(tmp_path, accepted) as world:
        submission = await send(world, LETTER)
        (seen,) = world.hosts["127.0.0.1"].visits
    assert submission.queue_id == QUEUE_ID
    assert submission.refusals == ()
    assert [said.to for said in submission.said] == [
        "MAIL FROM:<officer@council.example>",
        "RCPT TO:<alice@tls.example>",
        "RCPT TO:<bob@plain.example>",
        "DATA",
    ]
    assert seen.ehlo == [CLIENT, CLIENT]
    assert b"MAIL FROM" not in seen.tape.clear.upper()


async def test_refused_recipients_are_kept_beside_those_that_were_taken(tmp_path: Path) -> None:
    refused = Fault(stage=Stage.RCPT, answer="550 5.7.1 not to them", recipient="bob@plain.example")
    async with host(tmp_path, refused, starttls=Starttls.NONE) as world:
        submission = await send(world, LETTER)
        (arrival,) = world.inbox.newest()
    assert submission.refusals == (Said("RCPT TO:<bob@plain.example>", 550, "5.7.1 not to them"),)
    assert arrival.rcpt_to == ("alice@tls.example",)


@pytest.mark.parametrize(
    ("stage", "last"),
    [
        (Stage.MAIL, "MAIL FROM:<officer@council.example>"),
        (Stage.RCPT, "RCPT TO:<bob@plain.example>"),
        (Stage.DOT, "DATA"),
    ],
)
async def test_a_refusal_has_no_queue_id_even_if_its_text_holds_one(tmp_path: Path, stage: Stage, last: str) -> None:
    async with host(tmp_path, Fault(stage=stage, answer=f"550 5.7.1 see {QUEUE_ID}")) as world:
        submission = await send(world, LETTER)
    assert submission.queue_id is None
    assert submission.said[-1] == Said(last, 550, f"5.7.1 see {QUEUE_ID}")


async def test_an_international_address_is_sent_as_such(tmp_path: Path) -> None:
    async with host(tmp_path) as world:
        await send(world, Letter(sender="officer@council.example", recipients=("jürgen@tls.example",)))
        (arrival,) = world.inbox.newest()
    assert arrival.rcpt_to == ("jürgen@tls.example",)
    assert arrival.mail_params == ("SMTPUTF8", "BODY=8BITMIME")
    assert "To: jürgen@tls.example".encode() in arrival.header


def test_the_account_joins_replies_decisions_attempts_and_ends() -> None:
    submission = Submission(said=(Said("DATA", 250, f"queued as {QUEUE_ID}"),), queue_id=QUEUE_ID)
    seen = [
        event(EventKind.DECIDED, decision=ROUTED),
        event(EventKind.ATTEMPT, outcome=delivered(), route="tls"),
        event(EventKind.ENDED, state=State.DELIVERED),
    ]
    told = account(submission, seen)
    assert told["queue_id"] == QUEUE_ID
    assert told["replies"] == [{"to": "DATA", "code": 250, "text": f"queued as {QUEUE_ID}"}]
    (recipient,) = told["recipients"]  # pyright: ignore[reportGeneralTypeIssues]
    attempt = recipient["attempts"][0]
    assert attempt.pop("text").startswith("tls: delivered to mx.tls.example")
    assert recipient == {
        "recipient": "alice@tls.example",
        "rule": "Controlled",
        "route": ["tls", "encrypted"],
        "floor": "encrypted",
        "attempts": [
            {
                "time": NOW.isoformat(),
                "route": "tls",
                "result": "delivered",
                "tls": {
                    "version": "TLSv1.3",
                    "cipher": "TLS_AES_256_GCM_SHA384",
                    "verified": True,
                    "grade": "verified",
                    "how": "certificate checked",
                    "demanded_by": "route tls",
                },
            }
        ],
        "end": "delivered",
        "next_attempt": None,
    }


def test_the_account_says_when_the_next_attempt_is_and_what_had_no_connection() -> None:
    failed = Failed(status=Status(5, 1, 2), detail="no such domain")
    clear = delivered(tls_version=None)
    seen = [event(EventKind.ATTEMPT, outcome=failed), event(EventKind.ATTEMPT, outcome=clear), Unfinished((row(),))]
    (recipient,) = account(Submission(said=(), queue_id=QUEUE_ID), seen)["recipients"]  # pyright: ignore[reportGeneralTypeIssues]
    assert [(attempt["result"], attempt["tls"]) for attempt in recipient["attempts"]] == [
        ("failed", None),
        ("delivered", None),
    ]
    assert recipient["next_attempt"] == NOW.astimezone(UTC).isoformat()
    assert (recipient["rule"], recipient["end"], recipient["route"]) == (None, None, [])
    assert datetime.fromisoformat(recipient["next_attempt"]).tzinfo is not None
