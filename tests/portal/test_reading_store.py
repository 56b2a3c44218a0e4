"""The pages over the real store: what is opened is what was sealed, byte for byte, and its history says so."""

import io
import zipfile
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from email.message import EmailMessage
from pathlib import Path

from gateway.core.sealed import Happening, NewPackage, NewReader, Secret
from gateway.portal.application import application
from gateway.portal.context import Context
from gateway.portal.home import name_of, path_of
from gateway.sealed.keys import Keyring
from gateway.sealed.store import SealedFiles
from tests.portal.caller import Caller, form_field, form_file
from tests.portal.opened_pages import Numbers, World
from tests.portal.sealed_mail import NOW, READER, Sealed, letter

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(250))
LARGE = bytes(range(256)) * 8000


def everything() -> EmailMessage:
    """Text, HTML with a picture, files with odd names, and a message in a message."""
    message = letter()
    message.set_content("Plain words.\n")
    message.add_alternative('<p>Rich</p><img src="cid:logo@council.example">', subtype="html")
    html = message.get_payload()[1]  # type: ignore[index]
    assert isinstance(html, EmailMessage)
    html.add_related(PNG, "image", "png", cid="<logo@council.example>")
    message.add_attachment(LARGE, maintype="application", subtype="octet-stream", filename="Übersicht.bin")
    message.add_attachment(b"", maintype="application", subtype="octet-stream", filename="leer.txt")
    message.add_attachment(b"two", maintype="application", subtype="octet-stream", filename="leer.txt")
    inner = letter()
    inner.set_content("inner words")
    message.add_attachment(inner)
    return message


@asynccontextmanager
async def opened(folder: Path, original: bytes) -> AsyncGenerator[tuple[SealedFiles, Caller]]:
    world = World(Sealed(original))
    store = await SealedFiles.open(folder, Keyring((("first", b"1" * 32),)), world.clock)
    async with aclosing(store):
        new = NewPackage(
            delivery_id="d-1",
            queue_id=READER.queue_id,
            sender=READER.sender,
            level=READER.level,
            route=READER.route,
            sealed_at=NOW,
            expires_at=READER.expires_at,
            readers=(NewReader(number=2, address=READER.address, unlock=READER.unlock),),
        )
        package = await store.seal(new, blocks(original))
        opening = await store.open_session(package, 2, "Jo", NOW, Secret.CODE)
        assert opening is not None
        found = await store.session(opening.cookie, NOW)
        assert found is not None
        context = Context(
            in_force=world.in_force,
            store=store,
            clock=world.clock,
            ids=Numbers(),
            events=lambda name, facts: world.events.append((name, facts)),
        )
        yield store, Caller(application(context), opening.cookie, path_of(name_of(found[0])))


async def blocks(data: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(data), 100_000):
        yield data[at : at + 100_000]


async def test_everything_that_was_sealed_is_opened(tmp_path: Path) -> None:
    original = everything().as_bytes()
    async with opened(tmp_path, original) as (store, caller):
        page = await caller.get(".")
        assert (page.status, "Case 12: Café" in page.text) == (200, True)
        assert "data:image/png;base64," in (await caller.get("frame/1")).text
        assert (await caller.get("message.eml")).body == original
        assert (await caller.get("message.eml", Range="bytes=1000-2999")).body == original[1000:3000]
        assert (await caller.get("part/3")).body == LARGE
        assert (await caller.get("part/3", Range="bytes=99999-1234567")).body == LARGE[99999:1234568]
        archive = zipfile.ZipFile(io.BytesIO((await caller.get("all.zip")).body))
        assert archive.testzip() is None
        contents = {one.filename: archive.read(one) for one in archive.infolist()}
        assert contents["Übersicht.bin"] == LARGE
        assert (contents["leer.txt"], contents["leer (2).txt"]) == (b"", b"two")
        assert PNG in contents.values()
        assert any(b"inner words" in content for content in contents.values())
        [sealed] = await store.list(NOW)
        happened = [one.what for one in await store.history(sealed.package)]
        assert happened.count(Happening.DOWNLOADED) == 3
        assert sealed.downloaded == 3


async def test_a_reply_waits_for_a_worker(tmp_path: Path) -> None:
    async with opened(tmp_path, everything().as_bytes()) as (store, caller):
        page = await caller.get("reply")
        hidden = [form_field(name, page.field(name)) for name in ("proof", "key")]
        form = [*hidden, form_field("text", "Thank you."), form_file("a.bin", PNG)]
        for _ in range(2):
            assert (await caller.post("reply", form)).status == 303
        [number] = await store.outgoing(NOW, 10)
        mail = await store.own_mail(number)
        assert mail is not None
        assert b"\r\nX-Sealpost-External: reply from the portal\r\n" in mail.text
        assert b"\r\nIn-Reply-To: <original@council.example>\r\n" in mail.text


async def test_revoked_while_it_is_read(tmp_path: Path) -> None:
    async with opened(tmp_path, everything().as_bytes()) as (store, caller):
        [sealed] = await store.list(NOW)
        await store.revoke(sealed.package, None, NOW, "an operator")
        assert (await caller.get(".")).status == 401
        assert (await caller.get("part/3")).status == 401


async def test_erased_while_it_is_read(tmp_path: Path) -> None:
    async with opened(tmp_path, everything().as_bytes()) as (store, caller):
        [sealed] = await store.list(NOW)
        await store.erase(sealed.package, NOW, "an operator")
        assert (await caller.get(".")).status == 401
