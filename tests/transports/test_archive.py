"""The route `archive`: opened by other programs it is the whole message, and nothing of that stands outside."""

import asyncio
import io
import os
import subprocess
import tracemalloc
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from subprocess import CompletedProcess
from typing import Literal, cast
from zipfile import ZipFile

import pikepdf
import pytest
import pyzipper
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.core.address import NullPath
from gateway.core.outcome import Cause, Declined, Deferred, Delivered, Outcome, Proof
from gateway.core.record import BodyRef
from gateway.core.route import Declared, Route
from gateway.core.sealing import Method, archive_secret_name
from gateway.core.tls import Channel, Protection
from gateway.flow.ports import Delivery, SealedStore
from gateway.sealed.archives.inside import Item
from gateway.sealed.archives.zip import write_zip
from gateway.transports.archive import Archive
from tests.fakes.mail_world import World, a_delivery, world
from tests.fakes.mx import Script
from tests.fakes.sealed import KeptPackages
from tests.sealed.archives.test_pdf import shown

DOMAIN = "plain.example"
MX = "mx.example"
ROUTE = Route(name="archive", transport="archive", demands=Channel.PLAIN, declared=Declared.SEALING)
PASSWORD = f"words-for-{archive_secret_name('000-1', 3)}"
_KINDS: st.SearchStrategy[Literal["zip", "pdf"]] = st.sampled_from(("zip", "pdf"))
PICTURE = b"\x89PNG" + bytes(range(256)) * 9


def message() -> bytes:
    made = EmailMessage(policy=policy.SMTP)
    made["From"] = "Anna Öhm <anna@council.example>"
    made["To"] = "one@mx.example.test"
    made["Subject"] = "MARKER subject"
    made["Date"] = "Mon, 23 Nov 2026 09:00:00 +0000"
    made["Message-ID"] = "<1@council.example>"
    made.set_content("MARKER text €\r\n")
    made.add_alternative("<p>MARKER <img src='cid:a@b'></p>", subtype="html")
    cast("list[EmailMessage]", made.get_payload())[1].add_related(PICTURE, "image", "png", cid="<a@b>")
    made.add_attachment(PICTURE * 40, "application", "x-thing", filename="MARKER größe.bin")
    made.add_attachment(b"again", "application", "x-thing", filename="MARKER größe.bin")
    made.add_attachment(message_from_bytes(b"Subject: MARKER inner\r\n\r\nnested\r\n", policy=policy.default))
    return made.as_bytes()


def delivery(raw: bytes, destination: str) -> Delivery:
    end = raw.index(b"\r\n\r\n") + 4
    made = a_delivery(
        ROUTE, destination, floor=Protection.SEALED, recipients=("one", "two"), header=raw[:end], body=raw[end:]
    )
    return replace(made, trace=b"X-Trace: ours\r\n")


class Office:
    def __init__(self, at: World, options: Archive.Options) -> None:
        self.store = KeptPackages()
        tools = replace(at.network.sealing, store=cast("SealedStore", self.store))
        self.folder = tools.folder
        self.transport = Archive(ROUTE, options, replace(at.network, sealing=tools))

    async def send(self, mail: Delivery) -> list[Outcome]:
        outcomes = await self.transport.deliver(mail)
        assert sorted(outcomes) == [3, 4]
        assert list(self.folder.glob("*")) == [], "nothing is left of it"
        return list(outcomes.values())


async def run(*words: str) -> CompletedProcess[bytes]:
    return await asyncio.to_thread(subprocess.run, words, capture_output=True, check=False)


async def sent(tmp_path: Path, options: Archive.Options, raw: bytes) -> bytes:
    """The attached file."""
    async with world(tmp_path, {MX: Script()}) as at:
        await Office(at, options).send(delivery(raw, f"{MX}.test"))
        [arrived] = at.hosts[MX].received
        outer = message_from_bytes(arrived.data, policy=policy.default)
        assert isinstance(outer, EmailMessage)
        [file] = outer.iter_attachments()
        return cast("bytes", file.get_payload(decode=True))


async def carried(tmp_path: Path, options: Archive.Options, raw: bytes) -> bytes:
    """The attached file, after a look at everything that stands outside."""
    async with world(tmp_path, {MX: Script()}) as at:
        office = Office(at, options)
        for outcome in await office.send(delivery(raw, f"{MX}.test")):
            assert isinstance(outcome, Delivered) and outcome.sealing is not None
            assert (outcome.sealing.method, outcome.sealing.package) == (
                Method.ARCHIVE,
                archive_secret_name("000-1", 3),
            )
        [arrived] = at.hosts[MX].received
        assert len(arrived.rcpts) == 2
        assert b"MARKER" not in arrived.data and PASSWORD.encode() not in arrived.data
        assert PICTURE not in arrived.data and arrived.data.startswith(b"X-Trace: ours\r\n")
        outer = message_from_bytes(arrived.data, policy=policy.default)
        assert isinstance(outer, EmailMessage)
        message_id = message_from_bytes(raw, policy=policy.default)["Message-ID"]
        assert (outer["Subject"], outer["Message-ID"]) == (options.subject, message_id)
        assert outer["From"] == message_from_bytes(raw, policy=policy.default)["From"]
        body = outer.get_body(("plain",))
        assert body is not None and "password" in body.get_content() and options.wording in body.get_content()
        [file] = outer.iter_attachments()
        return cast("bytes", file.get_payload(decode=True))


@pytest.mark.peer("7zz")
async def test_a_zip_opened_by_another_program_is_the_whole_message(tmp_path: Path) -> None:
    raw = message()
    data = await carried(tmp_path, Archive.Options(subject="For you", wording="Call us."), raw)
    file = tmp_path / "x.zip"
    file.write_bytes(data)
    shown = (await run("7zz", "l", "-slt", str(file))).stdout.decode()
    assert "Method = AES-256" in shown and "Path = message.zip" in shown and "MARKER" not in shown
    assert (await run("7zz", "x", "-y", "-pwrong", f"-o{tmp_path}/no", str(file))).returncode != 0
    assert (await run("7zz", "x", "-y", f"-p{PASSWORD}", f"-o{tmp_path}/out", str(file))).returncode == 0
    with ZipFile(tmp_path / "out/message.zip") as inner:
        assert inner.testzip() is None
        files = {name: inner.read(name) for name in inner.namelist()}
    assert files["original.eml"] == raw
    assert files["message.txt"].decode() == "MARKER text €\r\n"
    page = files["message.html"].decode("utf-8-sig")
    assert "MARKER <img src='part-" in page and files[page.partition("src='")[2].partition("'")[0]] == PICTURE
    assert files["MARKER größe.bin"] == PICTURE * 40 and files["MARKER größe (2).bin"] == b"again"
    assert PICTURE in files.values() and any(b"nested" in content for name, content in files.items() if "part" in name)
    assert "Subject: MARKER subject\r\n" in files["headers.txt"].decode()


@pytest.mark.peer("qpdf")
async def test_a_pdf_opened_by_another_program_holds_the_files(tmp_path: Path) -> None:
    raw = message()
    file = tmp_path / "x.pdf"
    file.write_bytes(await carried(tmp_path, Archive.Options(format="pdf"), raw))

    async def qpdf(*words: str, password: str = PASSWORD) -> CompletedProcess[bytes]:
        return await run("qpdf", f"--password={password}", *words)

    assert (await qpdf("--show-attachment=original.eml", str(file), password="wrong")).returncode != 0
    assert b"R = 6" in (await qpdf("--show-encryption", str(file))).stdout
    assert (await qpdf("--show-attachment=original.eml", str(file))).stdout == raw
    assert (await qpdf("--show-attachment=MARKER größe.bin", str(file))).stdout == PICTURE * 40
    assert b"MARKER" not in file.read_bytes()


async def test_the_pages_of_a_pdf_show_a_text_that_is_html_only(tmp_path: Path) -> None:
    made = EmailMessage(policy=policy.SMTP)
    made["From"], made["Subject"], made["Message-ID"] = "anna@council.example", "Two words", "<1@council.example>"
    made.set_content("<p>MARKER and <b>more</b></p>", subtype="html")
    text = shown(await sent(tmp_path, Archive.Options(format="pdf"), made.as_bytes()), PASSWORD)
    assert "From: anna@council.example\nSubject: Two words\n" in text
    assert "MARKER and more" in text


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.lists(st.binary(max_size=200) | st.just(b"."), max_size=30).map(b"\r\n".join), kind=_KINDS)
def test_what_is_opened_is_what_was_sent(tmp_path: Path, body: bytes, kind: Literal["zip", "pdf"]) -> None:
    raw = b"From: anna@council.example\r\nTo: x@y.example\r\nMessage-ID: <1@council.example>\r\n\r\n" + body
    data = asyncio.run(sent(tmp_path, Archive.Options(format=kind), raw))
    assert original(data, kind) == raw


def original(data: bytes, kind: str) -> bytes:
    if kind == "pdf":
        with pikepdf.open(io.BytesIO(data), password=PASSWORD) as pdf:
            return pdf.attachments["original.eml"].get_file().read_bytes()
    with pyzipper.AESZipFile(io.BytesIO(data)) as outer:
        outer.setpassword(PASSWORD.encode())
        with ZipFile(io.BytesIO(outer.read("message.zip"))) as inner:
            return inner.read("original.eml")


async def test_without_a_sender_nobody_could_pass_the_password_on(tmp_path: Path) -> None:
    async with world(tmp_path, {MX: Script()}) as at:
        office = Office(at, Archive.Options())
        for outcome in await office.send(replace(delivery(message(), f"{MX}.test"), reverse_path=NullPath.NULL)):
            assert isinstance(outcome, Declined) and outcome.proof is Proof.NO_KEY
        assert office.store.names == {}


async def test_a_repeat_has_the_same_password_and_a_store_that_is_down_waits(tmp_path: Path) -> None:
    async with world(tmp_path, {MX: Script()}) as at:
        office = Office(at, Archive.Options(password_for=timedelta(days=9)))
        mail = delivery(message(), f"{MX}.test")
        await office.send(mail)
        await office.send(mail)
        assert office.store.names == {archive_secret_name("000-1", 3): at.clock.now() + timedelta(days=9)}
        office.store.down = True
        for outcome in await office.send(mail):
            assert isinstance(outcome, Deferred) and outcome.cause is Cause.LOCAL
        assert len(at.hosts[MX].received) == 2


async def test_without_a_key_and_with_a_broken_body_it_waits(tmp_path: Path) -> None:
    async with world(tmp_path, {MX: Script()}) as at:
        keyless = Archive(ROUTE, Archive.Options(), at.network)
        mail = delivery(message(), f"{MX}.test")
        for outcome in (await keyless.deliver(mail)).values():
            assert isinstance(outcome, Deferred) and "secrets.sealing" in outcome.detail
        at.bodies.bodies["x"] = b"y" * 300_000
        at.bodies.fails_after = 2
        office = Office(at, Archive.Options())
        for outcome in await office.send(replace(mail, body=BodyRef(size=300_000, sha256="", path="x"))):
            assert isinstance(outcome, Deferred) and outcome.cause is Cause.LOCAL
        assert at.hosts[MX].received == []


async def test_a_pdf_is_not_for_large_messages(tmp_path: Path) -> None:
    async with world(tmp_path, {MX: Script()}) as at:
        office = Office(at, Archive.Options(format="pdf"))
        large = replace(delivery(message(), f"{MX}.test"), body=BodyRef(size=51 * 2**20, sha256="", path="x"))
        for outcome in await office.send(large):
            assert isinstance(outcome, Declined) and outcome.proof is Proof.SIZE


async def test_memory_does_not_grow_with_the_message(tmp_path: Path) -> None:
    block = os.urandom(256 * 1024)

    async def content() -> AsyncIterator[bytes]:
        for _ in range(256):
            yield block

    tracemalloc.start()
    try:
        item = Item("large.bin", content)  # pyright: ignore[reportArgumentType]
        await write_zip(tmp_path / "x.zip", "acid-acorn", [item])
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    finally:
        tracemalloc.stop()
    assert (tmp_path / "x.zip").stat().st_size > 64 * 2**20


@pytest.mark.parametrize(
    "wrong", [{"password_for": timedelta(days=5)}, {"subject": ""}, {"subject": "a\nb"}, {"wording": "a\tb"}]
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"6d|one line"):
        Archive.Options(**wrong)  # pyright: ignore[reportArgumentType]
