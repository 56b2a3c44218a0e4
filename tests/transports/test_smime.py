"""The transport `smime` from end to end: what the mail host gets, what its recipient opens, and who gets nothing."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.core.outcome import Cause, Declined, Deferred, Delivered, Outcome, Proof
from gateway.core.record import BodyRef
from gateway.core.reply import Status
from gateway.flow.ports import Delivery
from gateway.sealed.cms.certificates import names
from gateway.signing.dkim import Dkim
from gateway.transports import TRANSPORTS
from gateway.transports.smime import Smime
from tests.fakes import certificates
from tests.fakes.clock import SteppedClock
from tests.fakes.mail_world import World, a_delivery, a_route, world
from tests.fakes.mx import Script
from tests.flow.test_signing import Failing
from tests.sealed.cms import people
from tests.sealed.cms.people import (
    NOW,
    YEAR,
    Person,
    authority,
    curve_key,
    opened,
    person,
    revocations,
    rsa_key,
    verified,
)
from tests.sealed.recipients.test_trust import put
from tests.signing.keys import RSA as SELECTOR
from tests.signing.keys import dkim_key, records
from tests.signing.verifying import verdicts

MX = "mx.example"
DOMAIN = f"{MX}.test"
CA = authority()
BOB = person(f"bob@{DOMAIN}", key=rsa_key(), extensions=[people.GCM])
CAROL = person(f"carol@{DOMAIN}", key=curve_key())
ORGANISATION = person("secure@council.example", key=rsa_key(1), by=CA)
HEADER = (
    b"Received: from exchange by gateway;\r\n\tMon, 02 Mar 2026 09:00:00 +0000\r\n"
    b"From: An Officer <officer@council.example>\r\n"
    b"To: bob@mx.example.test\r\n"
    b"Subject: about the planted case\r\n"
    b"Message-ID: <original@council.example>\r\n"
    b"MIME-Version: 1.0\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: 8bit\r\n"
    b"\r\n"
)
INNER = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
BODY = "The planted secret, für Jürgen.\r\n.\r\n".encode()
"""What stands in a message that the mail host must not be able to read."""


@asynccontextmanager
async def mail_world(folder: Path) -> AsyncGenerator[World]:
    """With a mail host; certificates are judged at `NOW`."""
    async with world(folder, {MX: Script(tls=certificates.good(MX))}) as at:
        clock = SteppedClock(NOW)
        tools = replace(at.network.sealing, clock=clock, signer=Dkim([dkim_key(SELECTOR)], clock))
        yield replace(at, network=replace(at.network, sealing=tools))


def certificates_of(folder: Path, *whom: Person) -> Path:
    """A folder with them, each in a file that is named for them."""
    path = folder / "recipients"
    path.mkdir(exist_ok=True)
    for each in whom:
        (name,) = names(each.certificate)
        (path / f"{name}.pem").write_bytes(each.pem)
    return path


def a_message(*recipients: str, header: bytes = HEADER, body: bytes = BODY) -> Delivery:
    return replace(
        a_delivery(a_route(), DOMAIN, recipients=recipients, header=header, body=body),
        trace=b"X-Sealpost-Hop: v1; r\r\n",
    )


async def deliver(at: World, options: Smime.Options, delivery: Delivery) -> dict[str, Outcome]:
    """The outcomes by local part."""
    smime = Smime(delivery.route, options, at.network)
    try:
        outcomes = await smime.deliver(delivery)
    finally:
        await smime.aclose()
    # The folder is made with the first thing that is wrapped.
    assert list(at.network.sealing.folder.glob("*")) == []
    return {target.recipient.address.local: outcomes[target.number] for target in delivery.targets}


async def received(at: World, options: Smime.Options, delivery: Delivery) -> bytes:
    """The one message that the mail host got."""
    (outcome,) = (await deliver(at, options, delivery)).values()
    assert isinstance(outcome, Delivered)
    return at.hosts[MX].received[-1].data


# What leaves.


@pytest.mark.peer("openssl")
async def test_only_the_recipient_reads_what_the_mail_host_got(tmp_path: Path) -> None:
    async with mail_world(tmp_path) as at:
        outcomes = await deliver(at, Smime.Options(certificates=certificates_of(tmp_path, BOB)), a_message("bob"))
        (message,) = at.hosts[MX].received
    assert b"planted secret" not in message.data
    assert b"text/plain" not in message.data
    assert opened(tmp_path, BOB, message.data) == INNER + BODY
    assert message.data.isascii()
    outcome = outcomes["bob"]
    assert isinstance(outcome, Delivered)
    assert outcome.sealing is not None
    digest = BOB.certificate.fingerprint(people.hashes.SHA256()).hex()[:16]
    detail = f"S/MIME, AES-256-GCM, to the certificate {digest} (until 2027-03-02) of bob@{DOMAIN}"
    assert (outcome.sealing.detail, outcome.sealing.grade) == (detail, "sealed, S/MIME")


async def test_the_header_outside_carries_the_mail_and_nothing_of_the_content(tmp_path: Path) -> None:
    async with mail_world(tmp_path) as at:
        data = await received(at, Smime.Options(certificates=certificates_of(tmp_path, BOB)), a_message("bob"))
    found = message_from_bytes(data, policy=policy.SMTP)
    assert found.defects == []
    assert [name for name in found if name != "DKIM-Signature"] == [
        "X-Sealpost-Hop", "Received", "From", "To", "Subject", "Message-ID",
        "MIME-Version", "Content-Type", "Content-Transfer-Encoding", "Content-Disposition",
    ]  # fmt: skip
    assert found["Subject"] == "about the planted case"
    assert found["Content-Type"] == 'application/pkcs7-mime; smime-type="authEnveloped-data"; name="smime.p7m"'
    assert max(map(len, data.partition(b"\r\n\r\n")[2].split(b"\r\n"))) == 76


async def test_the_outer_message_is_signed_for_our_domain(tmp_path: Path) -> None:
    async with mail_world(tmp_path) as at:
        data = await received(at, Smime.Options(certificates=certificates_of(tmp_path, BOB)), a_message("bob"))
    known = records(dkim_key(SELECTOR))
    assert verdicts(data, known) == {SELECTOR: True}
    assert verdicts(data.replace(b"smime.p7m", b"smime.p7x"), known) == {SELECTOR: False}


async def test_a_signature_that_fails_keeps_nothing_from_going(tmp_path: Path) -> None:
    error = ValueError("a bug")
    async with mail_world(tmp_path) as at:
        tools = replace(at.network.sealing, signer=Failing(error))
        unsigned = replace(at, network=replace(at.network, sealing=tools))
        data = await received(unsigned, Smime.Options(certificates=certificates_of(tmp_path, BOB)), a_message("bob"))
        assert data.startswith(b"X-Sealpost-Hop: v1; r\r\n") and b"DKIM-Signature" not in data
        assert at.heard.faults == [("dkim", "000-1", error)]


@pytest.mark.peer("openssl")
async def test_with_a_neutral_subject_the_real_one_is_inside(tmp_path: Path) -> None:
    async with mail_world(tmp_path) as at:
        options = Smime.Options(certificates=certificates_of(tmp_path, BOB), subject="Secure message")
        data = await received(at, options, a_message("bob"))
    assert b"planted" not in data
    assert b"\r\nSubject: Secure message\r\n" in data
    inside = message_from_bytes(opened(tmp_path, BOB, data), policy=policy.SMTP)
    assert inside["Subject"] == "about the planted case"
    assert inside.get_param("hp") == "cipher"
    assert inside.get_payload(decode=True) == BODY


@pytest.mark.peer("openssl")
async def test_the_organisation_signs_inside(tmp_path: Path) -> None:
    ours = tmp_path / "organisation.pem"
    ours.write_bytes(ORGANISATION.pem + ORGANISATION.key_pem)
    async with mail_world(tmp_path) as at:
        options = Smime.Options(certificates=certificates_of(tmp_path, BOB), sign_certificate=ours)
        data = await received(at, options, a_message("bob"))
    inside = opened(tmp_path, BOB, data)
    assert inside.startswith(b"Content-Type: multipart/signed;")
    assert INNER + BODY in inside
    assert verified(tmp_path, CA, inside) == INNER + BODY


# Every byte of every message.

SLOW = (HealthCheck.function_scoped_fixture, HealthCheck.too_slow)
LINE = st.binary(max_size=1500)
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30)
FILES = st.lists(st.tuples(NAMES, st.binary(max_size=200)), max_size=2)


@st.composite
def messages(draw: st.DrawFn, depth: int = 1) -> EmailMessage:
    """Text in any encoding, perhaps HTML with an image in it, files, a message in it."""
    made = EmailMessage(policy=policy.SMTP.clone(cte_type="8bit", raise_on_defect=False))
    made["From"] = "officer@council.example"
    made["Subject"] = draw(NAMES)
    text = draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=1200))
    made.set_content(text, cte=draw(st.sampled_from(["8bit", "base64", "quoted-printable"])))
    if draw(st.booleans()):
        made.add_alternative('<img src="cid:x@council.example">', subtype="html")
        html = made.get_body(("html",))
        assert isinstance(html, EmailMessage)
        html.add_related(draw(st.binary(max_size=100)), "image", "png", cid="<x@council.example>")
    for name, data in draw(FILES):
        made.add_attachment(data, "application", "octet-stream", filename=name or "file")
    if depth and draw(st.booleans()):
        made.add_attachment(draw(messages(depth - 1)))
    return made


@pytest.mark.peer("openssl")
@settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None
)
@given(made=messages(), who=st.sampled_from([BOB, CAROL]), gcm=st.sampled_from(["always", "never"]), line=LINE)
async def test_every_byte_of_every_message_arrives(
    made: EmailMessage, who: Person, gcm: Literal["always", "never"], line: bytes, tmp_path: Path
) -> None:
    header, _, body = made.as_bytes().partition(b"\r\n\r\n")
    # Long lines and bytes that no encoding has, as they were received.
    body += line.replace(b"\r", b"").replace(b"\n", b"") + b"\r\n"
    async with mail_world(tmp_path) as at:
        options = Smime.Options(certificates=certificates_of(tmp_path, BOB, CAROL), gcm=gcm)
        message = a_message("bob" if who is BOB else "carol", header=header + b"\r\n\r\n", body=body)
        data = await received(at, options, message)
    assert (b"authEnveloped-data" in data) is (gcm == "always")
    fields = message_from_bytes(header + b"\r\n\r\n", policy=policy.compat32).items()
    content = "".join(f"{name}: {value}\r\n" for name, value in fields if name.startswith("Content-"))
    assert opened(tmp_path, who, data) == content.encode() + b"\r\n" + body
    outside = message_from_bytes(data, policy=policy.compat32).items()
    assert all(field in outside for field in fields if not field[0].startswith("Content-"))


@pytest.mark.peer("openssl")
async def test_a_signed_message_goes_inside_as_it_is(tmp_path: Path) -> None:
    signed = (
        b"--s\r\nContent-Type: text/plain\r\n\r\ntrailing space \r\n--s\r\n"
        b"Content-Type: application/pgp-signature\r\n\r\n-----BEGIN PGP SIGNATURE-----\r\n--s--\r\n"
    )
    header = b"From: a@council.example\r\nContent-Type: multipart/signed;\r\n boundary=s\r\n\r\n"
    async with mail_world(tmp_path) as at:
        options = Smime.Options(certificates=certificates_of(tmp_path, BOB))
        data = await received(at, options, a_message("bob", header=header, body=signed))
    assert opened(tmp_path, BOB, data) == b"Content-Type: multipart/signed;\r\n boundary=s\r\n\r\n" + signed


# Who gets what.


@pytest.mark.peer("openssl")
async def test_each_recipient_has_a_message_of_their_own_that_names_nobody_else(tmp_path: Path) -> None:
    async with mail_world(tmp_path) as at:
        options = Smime.Options(certificates=certificates_of(tmp_path, BOB, CAROL))
        outcomes = await deliver(at, options, a_message("bob", "carol", "dave"))
        got = {message.rcpts: message.data for message in at.hosts[MX].received}
    assert {local: type(outcome) for local, outcome in outcomes.items()} == {
        "bob": Delivered, "carol": Delivered, "dave": Declined,
    }  # fmt: skip
    assert len(got) == 2
    assert all(len(rcpts) == 1 for rcpts in got)
    bob, carol = (got[rcpts] for rcpts in sorted(got))
    assert opened(tmp_path, BOB, bob) == opened(tmp_path, CAROL, carol) == INNER + BODY
    with pytest.raises(AssertionError):
        opened(tmp_path, CAROL, bob)
    # Carol's certificate does not say that she can open GCM.
    assert b"authEnveloped-data" in bob
    assert b"smime-type=enveloped-data" in carol


async def test_those_who_share_their_domains_certificate_share_a_message(tmp_path: Path) -> None:
    folder = certificates_of(tmp_path)
    (folder / f"@{DOMAIN}.pem").write_bytes(person("gateway@partner.example").pem)
    async with mail_world(tmp_path) as at:
        outcomes = await deliver(at, Smime.Options(certificates=folder), a_message("bob", "carol"))
        (message,) = at.hosts[MX].received
    assert len(message.rcpts) == 2
    for outcome in outcomes.values():
        assert isinstance(outcome, Delivered)
        assert outcome.sealing is not None
        assert outcome.sealing.detail.endswith(f" of @{DOMAIN}")


async def test_nobody_without_a_usable_certificate_gets_anything(tmp_path: Path) -> None:
    expired = person(f"bob@{DOMAIN}", valid=(NOW - YEAR, NOW - timedelta(days=1)))
    async with mail_world(tmp_path) as at:
        outcomes = await deliver(
            at, Smime.Options(certificates=certificates_of(tmp_path, expired)), a_message("bob", "x")
        )
        assert at.hosts[MX].received == []
    assert outcomes == {
        "bob": declined(f"The certificate of bob@{DOMAIN} cannot be used: it expired on 2026-03-01."),
        "x": declined(f"There is no certificate for x@{DOMAIN}."),
    }


async def test_who_only_names_themselves_gets_nothing_without_an_authority(tmp_path: Path) -> None:
    folder = certificates_of(tmp_path, CAROL)
    (folder / "0.pem").write_bytes(person(f"bob@{DOMAIN}", f"carol@{DOMAIN}", valid=(NOW, NOW + 9 * YEAR)).pem)
    async with mail_world(tmp_path) as at:
        outcomes = await deliver(at, Smime.Options(certificates=folder), a_message("bob", "carol"))
    assert outcomes["bob"] == declined(
        f"The certificate of bob@{DOMAIN} cannot be used: no authority vouches for it, and no file is named for them."
    )
    theirs = outcomes["carol"]
    assert isinstance(theirs, Delivered) and theirs.sealing is not None
    assert CAROL.certificate.fingerprint(people.hashes.SHA256()).hex()[:16] in theirs.sealing.detail


def declined(detail: str) -> Declined:
    return Declined(proof=Proof.NO_KEY, status=Status(5, 7, 5), detail=detail)


async def test_a_revoked_certificate_is_declined_and_an_old_list_waits(tmp_path: Path) -> None:
    theirs = person(f"bob@{DOMAIN}", by=CA)
    (tmp_path / "authorities.pem").write_bytes(CA.pem)
    options = Smime.Options(
        certificates=certificates_of(tmp_path, theirs), ca=tmp_path / "authorities.pem", crl=tmp_path / "lists"
    )
    async with mail_world(tmp_path) as at:
        put(tmp_path, revocations(CA, theirs))
        assert isinstance((await deliver(at, options, a_message("bob")))["bob"], Declined)
        put(tmp_path, revocations(CA, until=NOW - timedelta(hours=1)))
        old = (await deliver(at, options, a_message("bob")))["bob"]
        assert isinstance(old, Deferred)
        assert (old.cause, old.detail) == (
            Cause.LOCAL, "The list of revoked certificates of CN=Test Authority is too old.",
        )  # fmt: skip
        put(tmp_path, revocations(CA))
        assert isinstance((await deliver(at, options, a_message("bob")))["bob"], Delivered)


async def test_a_directory_that_is_dead_defers_and_spares_those_in_the_folder(tmp_path: Path) -> None:
    (tmp_path / "authorities.pem").write_bytes(CA.pem)
    options = Smime.Options(
        certificates=certificates_of(tmp_path, BOB), ldap="ldap://127.0.0.1:1/dc=x", ca=tmp_path / "authorities.pem"
    )
    async with mail_world(tmp_path) as at:
        outcomes = await deliver(at, options, a_message("bob", "carol"))
    assert isinstance(outcomes["bob"], Delivered)
    assert isinstance(outcomes["carol"], Deferred)
    assert outcomes["carol"].cause is Cause.LOCAL


async def test_it_can_be_closed_twice_and_used_after_that(tmp_path: Path) -> None:
    (tmp_path / "authorities.pem").write_bytes(CA.pem)
    options = Smime.Options(ldap="ldap://127.0.0.1:1/dc=x", ca=tmp_path / "authorities.pem")
    delivery = a_message("bob")
    async with mail_world(tmp_path) as at:
        smime = Smime(delivery.route, options, at.network)
        for _ in range(2):
            (outcome,) = (await smime.deliver(delivery)).values()
            assert isinstance(outcome, Deferred)
            assert "directory" in outcome.detail
            await smime.aclose()
            await smime.aclose()


async def test_collected_certificates_are_used_only_where_that_was_said(tmp_path: Path) -> None:
    (tmp_path / "authorities.pem").write_bytes(CA.pem)
    folder = certificates_of(tmp_path)
    (folder / "harvested").mkdir()
    (folder / "harvested" / "a.pem").write_bytes(person(f"bob@{DOMAIN}", by=CA).pem)
    plain = Smime.Options(certificates=folder, ca=tmp_path / "authorities.pem")
    async with mail_world(tmp_path) as at:
        assert isinstance((await deliver(at, plain, a_message("bob")))["bob"], Declined)
        both = replace(plain, harvested=True)
        assert isinstance((await deliver(at, both, a_message("bob")))["bob"], Delivered)


# What goes wrong.


async def test_a_store_that_breaks_leaves_nothing_behind(tmp_path: Path) -> None:
    async with mail_world(tmp_path) as at:
        at.bodies.bodies["a"] = b"x" * 200_000
        options = Smime.Options(certificates=certificates_of(tmp_path, BOB))
        whole = replace(a_message("bob"), body=BodyRef(size=200_000, sha256="", path="a"), body_offset=0)
        at.bodies.fails_after = 2
        assert isinstance((await deliver(at, options, whole))["bob"], Deferred)
        at.bodies.fails_after = None
        short = replace(whole, body=BodyRef(size=200_001, sha256="", path="a"))
        outcome = (await deliver(at, options, short))["bob"]
        assert isinstance(outcome, Deferred)
        assert outcome.detail == "The message could not be sealed: there is less content than was said."
        assert at.hosts[MX].received == []
        assert isinstance((await deliver(at, options, whole))["bob"], Delivered)


@pytest.mark.parametrize(
    ("given_options", "sentence"),
    [
        ({}, "certificates come from"),
        ({"ldap": "ldaps://x.example/dc=x"}, "ldap needs ca"),
        ({"ldap": "https://x.example", "ca": Path("ca")}, "a directory is ldaps://"),
        (
            {"ldap": "ldap://x.example/dc=x", "ca": Path("ca"), "bind_dn": "cn=x", "bind_password": "p"},
            "only sent by TLS",
        ),
        ({"ldap": "ldaps://x.example/dc=x", "ca": Path("ca"), "bind_password": "p"}, "go together"),
        ({"ldap": "ldaps://x.example/dc=x", "ca": Path("ca"), "bind_dn": "cn=x"}, "go together"),
        ({"certificates": Path("c"), "ldap_ca": Path("ca")}, "need ldap"),
        ({"certificates": Path("c"), "harvested": True}, "harvested needs"),
        ({"certificates": Path("c"), "crl": Path("crl")}, "crl needs ca"),
        ({"certificates": Path("c"), "private_key": Path("k")}, "private_key needs"),
        ({"certificates": Path("c"), "subject": "a\nb"}, "one line"),
    ],
)
def test_settings_that_cannot_work_are_refused(given_options: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Smime.Options(**given_options)  # pyright: ignore[reportArgumentType]


def test_the_password_is_not_shown() -> None:
    options = Smime.Options(
        ldap="ldaps://x.example/dc=x", ca=Path("ca"), bind_dn="cn=x", bind_password="the-bind-password"
    )
    assert "the-bind-password" not in repr(options)


def test_it_is_in_the_table() -> None:
    assert TRANSPORTS["smime"] is Smime
    assert Smime.seals
