"""What vouches for a host, through the whole gateway: memory over a restart, stripping, pins, REQUIRETLS, DKIM."""

import asyncio
import smtplib
import ssl
from collections.abc import AsyncGenerator
from hashlib import sha256

import dkim  # pyright: ignore[reportMissingTypeStubs]
import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from gateway.core.grade import Grade, grade_of_evidence
from gateway.core.outcome import Alarm, Deferred, Delivered
from gateway.core.record import QueueId, State
from gateway.sandbox.behaviour import EXTENSIONS, Behaviour, Shown, Starttls
from gateway.sandbox.mx_host import HostSpec
from gateway.signing.keys import load_key
from gateway.signing.record import key_record
from tests.e2e.scenes import Sent, Writer, playing, send, somebody
from tests.e2e.shared_stage import attempted
from tests.e2e.stage import EVERYBODY, Setting, Stage, scenario_cast, wire

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOSTS = (
    HostSpec(name="mx.once.example", address="127.0.25.80", domains=("once.example",)),
    HostSpec(name="mx.mangled.example", address="127.0.25.81", domains=("mangled.example",)),
    HostSpec(
        name="mx.pinned.example",
        address="127.0.25.82",
        domains=("pinned.example",),
        behaviour=Behaviour(shown=Shown.SELF_SIGNED),
    ),
    HostSpec(name="mx.other.example", address="127.0.25.83", domains=("other.example",)),
    HostSpec(
        name="mx.requires.example",
        address="127.0.25.84",
        domains=("requires.example",),
        behaviour=Behaviour(extensions=(*EXTENSIONS, "REQUIRETLS")),
    ),
)
FURTHER = """tls_reports = "opportunistic"

[tlsrpt]
organisation = "Derbyshire County Council"
contact = "postmaster@derbyshire.gov.uk"
sender = "tls-reports@derbyshire.gov.uk"

[[dkim]]
domains = ["derbyshire.gov.uk"]
selector = "s1"
key = "file:dkim.pem"
"""
PIN = """
[[tls.pins]]
name = "{name}"
domains = ["{domain}"]
grade = "pinned"
fingerprints = ["sha256:{fingerprint}"]
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def on(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    setting = Setting(cast=(*scenario_cast(), *HOSTS), partners=EVERYBODY, give_up_after="60s", further=FURTHER)
    async with playing(tmp_path_factory, "trusted", setting, start=False) as built:
        key = generate_private_key(65537, 2048)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (built.folder / "dkim.pem").write_bytes(pem)
        shown = (built.folder / "world" / "mx.pinned.example-self_signed.pem").read_bytes()
        spki = x509.load_pem_x509_certificate(shown).public_key()
        info = spki.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        with built.config.open("a") as file:
            file.write(PIN.format(name="Pinned", domain="pinned.example", fingerprint=sha256(info).hexdigest()))
            file.write(PIN.format(name="Other", domain="other.example", fingerprint="ab" * 32))
        await built.start()
        yield built


async def deferrals(on: Stage, sent: Sent) -> Deferred:
    """The first attempt's outcome."""
    await attempted(on, sent.queue_id)
    (outcome, *_) = [attempt.outcome for attempt in sent.attempts()]
    assert isinstance(outcome, Deferred), outcome
    return outcome


async def delivered(sent: Sent) -> Delivered:
    """The outcome of the attempt that brought it."""
    assert (await sent.only_end())[0] is State.DELIVERED
    outcome = sent.attempts()[-1].outcome
    assert isinstance(outcome, Delivered)
    return outcome


async def test_a_host_that_has_shown_tls_is_waited_for_even_by_a_gateway_that_was_started_since(on: Stage) -> None:
    clerk = somebody()
    host = on.world.hosts["mx.once.example"]
    await delivered(await send(on, clerk, clerk.letter("amy@once.example", level="controlled")))
    await on.until(lambda: "tls/mx.once.example" in on.shared("tls/"))
    await on.process.stop()
    host.behave(Behaviour(starttls=Starttls.NONE))
    await on.start()

    sent = await send(on, clerk, clerk.letter("amy@once.example", level="controlled"))
    outcome = await deferrals(on, sent)
    assert (outcome.cause.value, outcome.alarm) == ("protection", Alarm.TLS_LOST)
    await on.until(lambda: on.metric('sealpost_alerts_total{name="tls-lost"}') > 0)
    assert not sent.in_the_clear()
    host.behave(Behaviour())
    await delivered(sent)


async def test_an_offer_that_was_overwritten_is_called_stripping(on: Stage) -> None:
    clerk = somebody()
    host = on.world.hosts["mx.mangled.example"]
    host.behave(Behaviour(starttls=Starttls.NONE, extensions=("PIPELINING", "XXXXXXXA")))
    sent = await send(on, clerk, clerk.letter("bob@mangled.example", level="restricted"))
    outcome = await deferrals(on, sent)
    assert outcome.alarm is Alarm.STRIPPED and "stripped" in outcome.detail
    await on.until(lambda: on.metric('sealpost_alerts_total{name="starttls-stripped"}') > 0)
    assert not sent.in_the_clear()
    host.behave(Behaviour())
    await delivered(sent)


async def test_a_pinned_key_is_enough_and_any_other_is_not(on: Stage) -> None:
    clerk = somebody()
    good = await send(on, clerk, clerk.letter("cas@pinned.example", level="restricted"))
    evidence = (await delivered(good)).evidence
    assert grade_of_evidence(evidence) is Grade.PINNED and "pin Pinned" in evidence.demanded_by

    # Its certificate is fine for everybody else, but its key is not the pinned one: the rule's next route takes it.
    other = await send(on, clerk, clerk.letter("dot@other.example", level="restricted"))
    assert await other.only_end() == (State.DELIVERED, "encrypted")
    assert not on.world.hosts["mx.other.example"].arrivals


async def test_requiretls_goes_in_inside_tls_and_out_where_it_is_offered(on: Stage) -> None:
    clerk = somebody()
    message = clerk.letter("eve@requires.example")
    queue_id = await asyncio.to_thread(_submit, on, clerk, wire(message), "eve@requires.example")
    await on.ended(queue_id)
    (arrival,) = on.world.hosts["mx.requires.example"].arrivals
    assert "REQUIRETLS" in arrival.mail_params and arrival.tls is not None


def _submit(on: Stage, clerk: Writer, content: bytes, recipient: str) -> QueueId:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(on.folder / "ca.pem")
    context.check_hostname = False
    with smtplib.SMTP("127.0.0.1", on.smtp_port, timeout=30) as client:
        client.ehlo("desk.derbyshire.gov.uk")
        assert not client.has_extn("requiretls")
        assert client.docmd("MAIL", f"FROM:<{clerk.address}> REQUIRETLS")[0] == 530
        client.starttls(context=context)
        client.ehlo("desk.derbyshire.gov.uk")
        assert client.has_extn("requiretls")
        assert client.docmd("MAIL", f"FROM:<{clerk.address}> REQUIRETLS")[0] == 250
        assert client.docmd("RCPT", f"TO:<{recipient}>")[0] == 250
        code, text = client.data(content)
        assert code == 250, text
        return QueueId(text.decode().split()[-1])


async def test_mail_is_signed_as_it_leaves_and_mail_that_stays_is_not(on: Stage) -> None:
    clerk = somebody()
    outside, inside = "fay@tls.example", "gil@derbyshire.gov.uk"
    sent = await send(on, clerk, clerk.letter(outside, inside, level="controlled"))
    await on.ended(sent.queue_id, recipients=2)
    record = key_record(load_key((on.folder / "dkim.pem").read_bytes())).encode()
    content = sent.arrived(outside).content
    assert dkim.verify(
        content, dnsfunc=lambda name, **_: record if name == b"s1._domainkey.derbyshire.gov.uk." else None
    )
    assert not dkim.verify(content.replace(b"Case file", b"Case fire"), dnsfunc=lambda *_, **__: record)
    assert b"DKIM-Signature" not in sent.arrived(inside).content


async def test_sessions_are_counted_and_no_address_of_a_person_is(on: Stage) -> None:
    clerk = somebody()
    await delivered(await send(on, clerk, clerk.letter("hal@tls.example", level="controlled")))
    await on.process.stop()
    kept = on.shared("tlsrpt/")
    assert any("/tls.example/" in key for key in kept)
    everything = b"".join([*kept.values(), *(key.encode() for key in kept)])
    assert b"hal" not in everything and b"@" not in everything
    await on.start()
