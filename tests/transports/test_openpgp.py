"""The route `openpgp`: opened with gpg it is the message byte for byte, and without a usable key it is declined."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from shutil import rmtree
from typing import cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pysequoia import Tsk, decrypt

from gateway.core.outcome import Cause, Declined, Deferred, Delivered, Outcome, Proof
from gateway.core.record import BodyRef
from gateway.core.reply import Status
from gateway.core.route import Declared, Route
from gateway.core.sealing import Method
from gateway.core.tls import Channel
from gateway.flow.ports import Delivery
from gateway.net.wkd_fetch import WkdFetch, places
from gateway.sealed.pgp.mime import Sealer
from gateway.transports.openpgp import OpenPgp
from tests.fakes import certificates
from tests.fakes.https import Answer, PolicyServer, answer
from tests.fakes.mail_world import World, a_delivery, world
from tests.fakes.mx import FakeMx, Script
from tests.sealed.pgp.ring import Gpg, gpg

__all__ = ["gpg"]

MX = "mx.example"
DOMAIN = f"{MX}.test"
ROUTE = Route(name="openpgp", transport="openpgp", demands=Channel.PLAIN, declared=Declared.SEALING)
HEADER = (
    b"From: anna@council.example\r\nTo: one@mx.example.test\r\nSubject: MARKER subject\r\nMessage-ID: <1@x>\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
)
INNER = b"".join(HEADER.splitlines(keepends=True)[-3:])
BODY = "MARKER grüße\r\n.dot\r\n".encode() + b"x" * 3000 + b"\r\n"


def delivery(body: bytes = BODY, *recipients: str) -> Delivery:
    return a_delivery(ROUTE, DOMAIN, recipients=recipients or ("one", "two"), header=HEADER, body=body)


@asynccontextmanager
async def transport(at: World, options: OpenPgp.Options) -> AsyncGenerator[OpenPgp]:
    made = OpenPgp(ROUTE, options, at.network)
    try:
        yield made
    finally:
        await made.aclose()
    assert list(at.network.sealing.folder.glob("*")) == [], "nothing is left of it"


async def sent(
    tmp_path: Path, options: OpenPgp.Options, mail: Delivery | None = None
) -> tuple[Mapping[int, Outcome], FakeMx]:
    async with world(tmp_path, {MX: Script()}) as at, transport(at, options) as made:
        return await made.deliver(mail or delivery()), at.hosts[MX]


def sealed(data: bytes) -> bytes:
    """The encrypted part of what arrived."""
    assert data.isascii()
    outer = message_from_bytes(data, policy=policy.default)
    assert outer.get_content_type() == "multipart/encrypted"
    assert outer.get_param("protocol") == "application/pgp-encrypted"
    version, content = cast("list[EmailMessage]", outer.get_payload())
    assert version.get_content_type() == "application/pgp-encrypted"
    assert [part.defects for part in (outer, version, content)] == [[], [], []]
    return cast("bytes", content.get_payload(decode=True))


def a_key(name: str = "one", seconds: int | None = None) -> Tsk:
    return Tsk.generate(user_id=f"Somebody <{name}@{DOMAIN}>", validity_seconds=seconds)


def put(folder: Path, *keys: Tsk) -> Path:
    for number, key in enumerate(keys):
        (folder / f"{number}.asc").write_text(str(key.extract_certificate()))
    return folder


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    folder = tmp_path / "keys"
    folder.mkdir()
    return folder


def declined(outcome: Outcome) -> str:
    assert isinstance(outcome, Declined)
    assert (outcome.proof, outcome.status) == (Proof.NO_KEY, Status(5, 7, 5))
    return outcome.detail


# What leaves.


@pytest.mark.peer("gpg")
async def test_gpg_opens_it_and_finds_every_byte(gpg: Gpg, keys: Path, tmp_path: Path) -> None:
    (keys / "both.asc").write_bytes(await gpg.make(f"one@{DOMAIN}") + await gpg.make(f"Two@{DOMAIN.upper()}"))
    (keys / "broken.asc").write_bytes(b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nnonsense\n")
    outcomes, host = await sent(tmp_path, OpenPgp.Options(keys=keys))
    for outcome in outcomes.values():
        assert isinstance(outcome, Delivered) and outcome.sealing is not None
        assert outcome.sealing.method is Method.OPENPGP
    assert [len(arrived.rcpts) for arrived in host.received] == [1, 1], "no key tells of another recipient"
    for arrived in host.received:
        assert b"MARKER gr" not in arrived.data and b"Subject: MARKER subject\r\n" in arrived.data
        assert await gpg.run("--decrypt", data=sealed(arrived.data)) == INNER + BODY


@pytest.mark.peer("gpg")
async def test_a_neutral_subject_hides_the_own_one_inside(gpg: Gpg, keys: Path, tmp_path: Path) -> None:
    (keys / "one.asc").write_bytes(await gpg.make(f"one@{DOMAIN}"))
    outcomes, host = await sent(tmp_path, OpenPgp.Options(keys=keys, subject="Encrypted"))
    assert isinstance(outcomes[3], Delivered)
    [arrived] = host.received
    assert b"MARKER" not in arrived.data and b"Subject: Encrypted\r\n" in arrived.data
    assert b"Subject: MARKER subject\r\n" in await gpg.run("--decrypt", data=sealed(arrived.data))


@pytest.mark.peer("gpg")
async def test_it_is_signed_where_there_is_a_key_for_that(gpg: Gpg, keys: Path, tmp_path: Path) -> None:
    (keys / "one.asc").write_bytes(await gpg.make(f"one@{DOMAIN}"))
    ours, secret = Tsk.generate(user_id="Council <secure@council.example>"), tmp_path / "secret.asc"
    secret.write_text(str(ours))
    outcomes, host = await sent(tmp_path, OpenPgp.Options(keys=keys, sign_key=secret), delivery(BODY, "one"))
    [outcome] = outcomes.values()
    assert isinstance(outcome, Delivered) and outcome.sealing is not None
    assert outcome.sealing.detail.startswith("OpenPGP, signed, to the key ")
    data = sealed(host.received[0].data)
    unknown = (await gpg.run("--status-fd=1", "--output=-", "--decrypt", data=data, ends=2)).decode("latin-1")
    assert "[GNUPG:] ERRSIG" in unknown
    await gpg.run("--import", data=str(ours.extract_certificate()).encode())
    known = (await gpg.run("--status-fd=1", "--output=-", "--decrypt", data=data)).decode("latin-1")
    assert "[GNUPG:] VALIDSIG" in known


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.lists(st.binary(max_size=200) | st.just(b"."), max_size=30).map(b"\r\n".join))
def test_what_is_opened_is_what_was_sent(keys: Path, tmp_path: Path, body: bytes) -> None:
    key = a_key()
    put(keys, key)
    outcomes, host = asyncio.run(sent(tmp_path, OpenPgp.Options(keys=keys), delivery(body, "one")))
    assert all(isinstance(outcome, Delivered) for outcome in outcomes.values())
    assert decrypt(sealed(host.received[0].data), decryptor=key.decryptor()).bytes == INNER + body


# Who gets nothing by this route.


@pytest.mark.peer("gpg")
async def test_who_has_no_usable_key_is_declined_and_nothing_leaves(gpg: Gpg, keys: Path, tmp_path: Path) -> None:
    (keys / "sign.asc").write_bytes(await gpg.make(f"one@{DOMAIN}", "ed25519", "sign", "1y"))
    weak = ("Key-Type: RSA", "Key-Length: 1024", "Subkey-Type: RSA", "Subkey-Length: 1024")
    (keys / "weak.asc").write_bytes(await gpg.make_of(f"two@{DOMAIN}", *weak))
    outcomes, host = await sent(tmp_path, OpenPgp.Options(keys=keys))
    for outcome in outcomes.values():
        assert "cannot be used: no part of it encrypts" in declined(outcome)
    assert host.received == []


async def test_a_recipient_without_a_key_keeps_no_other_from_theirs(keys: Path, tmp_path: Path) -> None:
    outcomes, host = await sent(tmp_path, OpenPgp.Options(keys=put(keys, a_key("two"))))
    assert declined(outcomes[3]) == f"There is no OpenPGP key of one@{DOMAIN}."
    assert isinstance(outcomes[4], Delivered)
    assert [arrived.rcpts for arrived in host.received] == [(f"RCPT TO:<two@{DOMAIN}>",)]


async def test_an_expired_key_is_none(keys: Path, tmp_path: Path) -> None:
    async with world(tmp_path, {MX: Script()}) as at:
        async with transport(at, OpenPgp.Options(keys=put(keys, a_key(seconds=86400)))) as made:
            assert isinstance((await made.deliver(delivery()))[3], Delivered)
            await at.clock.advance(timedelta(days=2))
            assert "it expired on " in declined((await made.deliver(delivery()))[3])


async def test_a_folder_that_is_gone_and_a_body_that_breaks_wait(keys: Path, tmp_path: Path) -> None:
    async with world(tmp_path, {MX: Script()}) as at:
        async with transport(at, OpenPgp.Options(keys=put(keys, a_key(), a_key("two")))) as made:
            at.bodies.bodies["x"] = b"y" * 900_000
            at.bodies.fails_after = 5
            broken = replace(delivery(), body=BodyRef(size=900_000, sha256="", path="x"))
            for outcome in (await made.deliver(broken)).values():
                assert isinstance(outcome, Deferred) and outcome.cause is Cause.LOCAL
            await asyncio.to_thread(rmtree, keys)
            for outcome in (await made.deliver(delivery())).values():
                assert isinstance(outcome, Deferred) and outcome.cause is Cause.LOCAL
        assert at.hosts[MX].received == []


async def test_a_signing_key_that_is_gone_later_waits(keys: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.asc"
    secret.write_text(str(a_key("us")))
    async with world(tmp_path, {MX: Script()}) as at:
        async with transport(at, OpenPgp.Options(keys=put(keys, a_key()), sign_key=secret)) as made:
            await asyncio.to_thread(secret.unlink)
            outcome = (await made.deliver(delivery(BODY, "one")))[3]
            assert isinstance(outcome, Deferred) and outcome.cause is Cause.LOCAL
            assert outcome.detail == "The message could not be encrypted with OpenPGP now."
        assert at.hosts[MX].received == []


# The recipient's own domain is asked.


@asynccontextmanager
async def publishing(
    tmp_path: Path, says: Answer, options: OpenPgp.Options, tls: ssl.SSLContext | None = None
) -> AsyncGenerator[tuple[OpenPgp, World, PolicyServer]]:
    """A web server of the domain; it does not listen on the port that the world asks, so the transport is told."""
    host = places(delivery().targets[0].recipient.address)[0].host
    async with PolicyServer(tls or certificates.good(host), says) as server:
        async with world(tmp_path, {MX: Script()}, {host: {"A": ["127.0.0.1"]}}) as at:
            async with transport(at, options) as made:
                tools = at.network.options
                asked = WkdFetch(at.network.resolver, tools.ca, at.clock, tools.mx.allow_networks, server.port)
                made._wkd = asked
                yield made, at, server


async def test_a_published_key_is_used_where_the_folder_has_none(keys: Path, tmp_path: Path) -> None:
    one = a_key()
    says = answer(bytes(one.extract_certificate()), "Content-Type: application/octet-stream")
    options = OpenPgp.Options(keys=put(keys, a_key("two")), wkd=True)
    async with publishing(tmp_path, says, options) as (made, at, server):
        outcomes = await made.deliver(delivery())
        assert all(isinstance(outcome, Delivered) for outcome in outcomes.values())
        assert len(server.requests) == 1, "for whom the folder has a key nobody is asked"
        found = {arrived.rcpts[0]: arrived.data for arrived in at.hosts[MX].received}
        data = decrypt(sealed(found[f"RCPT TO:<one@{DOMAIN}>"]), decryptor=one.decryptor())
        assert data.bytes == INNER + BODY


async def test_a_published_key_of_somebody_else_is_none(tmp_path: Path) -> None:
    says = answer(bytes(a_key("mallory").extract_certificate()))
    async with publishing(tmp_path, says, OpenPgp.Options(wkd=True)) as (made, at, _):
        assert declined((await made.deliver(delivery(BODY, "one")))[3]).startswith("There is no OpenPGP key")
        assert at.hosts[MX].received == []


async def test_a_key_that_the_folder_says_was_revoked_is_not_had_from_elsewhere(keys: Path, tmp_path: Path) -> None:
    key = a_key()
    cert = key.extract_certificate()
    (keys / "one.pgp").write_bytes(bytes(cert) + bytes(cert.revoke(key.certifier())))
    options = OpenPgp.Options(keys=keys, wkd=True)
    async with publishing(tmp_path, answer(bytes(cert)), options) as (made, _, server):
        assert "it was revoked" in declined((await made.deliver(delivery(BODY, "one")))[3])
        assert len(server.requests) == 1


async def test_which_of_two_keys_is_theirs_the_domain_says_or_nobody(keys: Path, tmp_path: Path) -> None:
    theirs = a_key()
    folder = put(keys, theirs, a_key())
    outcomes, host = await sent(tmp_path, OpenPgp.Options(keys=folder), delivery(BODY, "one"))
    assert "several keys name them, and no file does: " in declined(outcomes[3])
    assert host.received == []
    says = answer(bytes(theirs.extract_certificate()))
    async with publishing(tmp_path, says, OpenPgp.Options(keys=folder, wkd=True)) as (made, at, _):
        assert isinstance((await made.deliver(delivery(BODY, "one")))[3], Delivered)
        [arrived] = at.hosts[MX].received
        assert decrypt(sealed(arrived.data), decryptor=theirs.decryptor()).bytes == INNER + BODY


async def test_what_cannot_be_told_is_never_taken_for_no_key(tmp_path: Path) -> None:
    says = answer(b"", status="503 x")
    async with publishing(tmp_path, says, OpenPgp.Options(wkd=True)) as (made, at, _):
        outcome = (await made.deliver(delivery(BODY, "one")))[3]
        assert isinstance(outcome, Deferred)
        assert (outcome.cause, outcome.status) == (Cause.PROTECTION, Status(4, 7, 5))
        assert outcome.detail.endswith("cannot be told: openpgpkey.mx.example.test answered with HTTP status 503.")
        assert at.hosts[MX].received == []


# Settings.


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [({"subject": "a\nb", "wkd": True}, "one line"), ({}, "keys, a folder"), ({"wkd": False}, "wkd")],
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        OpenPgp.Options(**wrong)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("content", [None, "nonsense", str(a_key().extract_certificate())])
async def test_a_key_that_does_not_sign_is_refused_and_not_repeated(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "secret.asc"
    if content is not None:
        path.write_text(content)
    async with world(tmp_path, {MX: None}) as at:
        with pytest.raises(ValueError, match="signs without a passphrase") as found:
            OpenPgp(ROUTE, OpenPgp.Options(wkd=True, sign_key=path), at.network)
    assert str(found.value) == f"sign_key: {path} is no OpenPGP key that signs without a passphrase"


async def test_a_fault_for_one_does_not_carry_it_to_the_others_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    put(keys, a_key("one"), a_key("two"))
    seal, seen = Sealer.seal, list[bytes]()

    async def at_first(
        self: Sealer, key: bytes, entity: AsyncIterator[bytes], take: Callable[[bytes], Awaitable[None]]
    ) -> None:
        seen.append(key)
        if len(seen) > 1:
            raise KeyError("a fault of ours")
        await seal(self, key, entity, take)

    monkeypatch.setattr(Sealer, "seal", at_first)
    async with world(tmp_path, {MX: Script()}) as at, transport(at, OpenPgp.Options(keys=keys)) as made:
        outcomes = await made.deliver(delivery())
        # The flow tries again whoever is left out, alone.
        assert [type(outcome) for outcome in outcomes.values()] == [Delivered]
        assert await made.deliver(delivery(BODY, "one")) == {}
    assert [(where, queue_id, type(error)) for where, queue_id, error in at.heard.faults] == [
        ("wrapping", delivery().queue_id, KeyError)
    ] * 2
