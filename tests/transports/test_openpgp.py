"""The route `openpgp`: opened with gpg it is the message byte for byte, and without a usable key it is declined."""

import asyncio
import os
import subprocess
from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import cast

import pytest

from gateway.core.outcome import Cause, Declined, Deferred, Delivered, Outcome, Proof
from gateway.core.record import BodyRef
from gateway.core.route import Declared, Route
from gateway.core.sealing import Method
from gateway.core.tls import Channel
from gateway.flow.ports import Delivery
from gateway.transports.openpgp import MOST, OpenPgp
from tests.fakes.mail_world import a_delivery, world
from tests.fakes.mx import FakeMx, Script

MX = "mx.example"
DOMAIN = f"{MX}.test"
ROUTE = Route(name="openpgp", transport="openpgp", demands=Channel.PLAIN, declared=Declared.SEALING)
HEADER = (
    b"From: anna@council.example\r\nTo: one@mx.example.test\r\nSubject: MARKER subject\r\nMessage-ID: <1@x>\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
)
BODY = "MARKER grüße\r\n.dot\r\n".encode() + b"x" * 3000 + b"\r\n"


class Gpg:
    """A key ring of its own; keys without a passphrase."""

    def __init__(self, home: Path) -> None:
        home.mkdir(mode=0o700)
        self._env = {**os.environ, "GNUPGHOME": str(home)}

    async def run(self, *words: str, data: bytes = b"") -> bytes:
        def go() -> bytes:
            done = subprocess.run(
                ["gpg", "--batch", "--pinentry-mode=loopback", "--passphrase=", *words],
                input=data, capture_output=True, env=self._env, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr.decode()
            return done.stdout

        return await asyncio.to_thread(go)

    async def make(self, address: str, *how: str) -> bytes:
        await self.run("--quick-generate-key", f"Somebody <{address}>", *(how or ("future-default", "default", "1y")))
        return await self.run("--armor", "--export", address)

    async def end(self) -> None:
        await asyncio.to_thread(subprocess.run, ["gpgconf", "--kill", "gpg-agent"], env=self._env, check=False)


@pytest.fixture
async def gpg(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Gpg]:
    # The agent's socket has a short path, or it cannot be made.
    made = Gpg(tmp_path_factory.mktemp("g") / "h")
    yield made
    await made.end()


def delivery(body: bytes = BODY) -> Delivery:
    return a_delivery(ROUTE, DOMAIN, recipients=("one", "two"), header=HEADER, body=body)


async def sent(tmp_path: Path, keys: Path, subject: str | None = None) -> tuple[Mapping[int, Outcome], FakeMx]:
    async with world(tmp_path, {MX: Script()}) as at:
        transport = OpenPgp(ROUTE, OpenPgp.Options(keys=keys, subject=subject), at.network)
        outcomes = await transport.deliver(delivery())
        await transport.aclose()
        return outcomes, at.hosts[MX]


def sealed(data: bytes) -> bytes:
    outer = message_from_bytes(data, policy=policy.default)
    assert outer.get_content_type() == "multipart/encrypted"
    assert outer.get_param("protocol") == "application/pgp-encrypted"
    version, content = cast("list[EmailMessage]", outer.get_payload())
    assert version.get_content_type() == "application/pgp-encrypted"
    return cast("bytes", content.get_payload(decode=True))


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    folder = tmp_path / "keys"
    folder.mkdir()
    return folder


@pytest.mark.peer("gpg")
async def test_gpg_opens_it_and_finds_every_byte(gpg: Gpg, keys: Path, tmp_path: Path) -> None:
    (keys / "both.asc").write_bytes(await gpg.make(f"one@{DOMAIN}") + await gpg.make(f"Two@{DOMAIN.upper()}"))
    (keys / "broken.asc").write_bytes(b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nnonsense\n")
    outcomes, host = await sent(tmp_path, keys)
    for outcome in outcomes.values():
        assert isinstance(outcome, Delivered) and outcome.sealing is not None
        assert outcome.sealing.method is Method.OPENPGP
    assert [len(arrived.rcpts) for arrived in host.received] == [1, 1], "no key tells of another recipient"
    for arrived in host.received:
        assert b"MARKER gr" not in arrived.data and b"Subject: MARKER subject\r\n" in arrived.data
        opened = await gpg.run("--decrypt", data=sealed(arrived.data))
        assert opened == b"".join(HEADER.splitlines(keepends=True)[-3:]) + BODY


@pytest.mark.peer("gpg")
async def test_a_neutral_subject_hides_the_own_one_inside(gpg: Gpg, keys: Path, tmp_path: Path) -> None:
    (keys / "one.asc").write_bytes(await gpg.make(f"one@{DOMAIN}"))
    outcomes, host = await sent(tmp_path, keys, "Encrypted")
    assert isinstance(outcomes[3], Delivered)
    [arrived] = host.received
    assert b"MARKER" not in arrived.data and b"Subject: Encrypted\r\n" in arrived.data
    assert b"Subject: MARKER subject\r\n" in await gpg.run("--decrypt", data=sealed(arrived.data))


@pytest.mark.peer("gpg")
async def test_who_has_no_usable_key_is_declined_and_nothing_leaves(gpg: Gpg, keys: Path, tmp_path: Path) -> None:
    (keys / "sign.asc").write_bytes(await gpg.make(f"one@{DOMAIN}", "ed25519", "sign", "1y"))
    outcomes, host = await sent(tmp_path, keys)
    for outcome in outcomes.values():
        assert isinstance(outcome, Declined) and outcome.proof is Proof.NO_KEY
    assert host.received == []


@pytest.mark.peer("gpg")
async def test_an_expired_key_is_none(gpg: Gpg, keys: Path, tmp_path: Path) -> None:
    (keys / "one.asc").write_bytes(await gpg.make(f"one@{DOMAIN}"))
    async with world(tmp_path, {MX: Script()}) as at:
        transport = OpenPgp(ROUTE, OpenPgp.Options(keys=keys), at.network)
        assert isinstance((await transport.deliver(delivery()))[3], Delivered)
        await at.clock.advance(timedelta(days=367))
        outcome = (await transport.deliver(delivery()))[3]
        assert isinstance(outcome, Declined) and "expired" in outcome.detail


async def test_too_large_is_for_another_route_and_a_folder_that_is_gone_waits(keys: Path, tmp_path: Path) -> None:
    async with world(tmp_path, {MX: Script()}) as at:
        transport = OpenPgp(ROUTE, OpenPgp.Options(keys=keys), at.network)
        large = replace(delivery(), body=BodyRef(size=MOST + 1, sha256="", path="x"))
        for outcome in (await transport.deliver(large)).values():
            assert isinstance(outcome, Declined) and outcome.proof is Proof.SIZE
        await asyncio.to_thread(keys.rmdir)
        for outcome in (await transport.deliver(delivery())).values():
            assert isinstance(outcome, Deferred) and outcome.cause is Cause.LOCAL


def test_a_subject_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="one line"):
        OpenPgp.Options(keys=tmp_path, subject="a\nb")
