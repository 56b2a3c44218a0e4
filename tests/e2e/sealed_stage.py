"""The stage of the scenarios with the routes that seal: our own portal, protected files, S/MIME and OpenPGP.

Somebody outside reads the portal's pages by plain HTTP here; what a browser makes of them is `test_portal_browser`'s.
"""

import contextlib
import re
import sqlite3
import subprocess
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from zipfile import ZipFile

import aiohttp
import pytest

from gateway.sandbox.arrival import Arrival
from gateway.sandbox.authority import write_secret
from gateway.sealed.keys import new_keyring
from tests.e2e.scenes import Sent, playing
from tests.e2e.stage import Setting, Stage
from tests.fakes.ports import free_port

PORTAL = 'transport = "portal"\nmax_attachments = "13MiB"\n'
ARCHIVE = 'transport = "archive"\ntls = "may"\nmax_attachments = "17MiB"\n'

_TABLES = """
[listen.portal]
address = "127.0.0.1:{port}"
url     = "http://127.0.0.1:{port}"

[portal]
sender             = "secure-mail@{home}"
telephone          = "01632 960001"
officer            = "{officer}"
subject_max        = "{lowest}"
unlock_by_mail_max = "{by_mail}"
"""
_SYSTEM = 'notifications = "opportunistic"\ncodes = "opportunistic"\nreplies = "internal"\n'
_COUNCIL = {
    "home": "derbyshire.gov.uk", "officer": "information-governance", "lowest": "public", "by_mail": "controlled",
}  # fmt: skip
_TRUST = {"home": "kcsp.org.uk", "officer": "dpo", "lowest": "ordinary", "by_mail": "ordinary"}


@contextlib.asynccontextmanager
async def sealing(
    folders: pytest.TempPathFactory, name: str, setting: Setting, **routes: str
) -> AsyncGenerator["SealingStage"]:
    """One gateway for the scenes of a module, with these routes in place of those of that name, or besides."""
    async with playing(folders, name, setting, start=False) as on:
        port = free_port()
        for route, text in routes.items():
            _put_route(on.config, route, text)
        write_secret(on.folder / "sealing.keys", new_keyring().to_bytes())
        tables = _TABLES.format(port=port, **(_TRUST if setting.shipped == "kcsp" else _COUNCIL))
        text = on.config.read_text().replace("[secrets]\n", '[secrets]\nsealing = "file:sealing.keys"\n')
        on.config.write_text(f"{text.rstrip()}\n{_SYSTEM}{tables}")
        await on.start()
        yield SealingStage(on, f"http://127.0.0.1:{port}")


def _put_route(config: Path, name: str, text: str) -> None:
    """Written where the table of that name stands, or else before ``[system]``, which is the last one."""
    head, old = f"[routes.{name}]\n", config.read_text()
    without = re.sub(rf"\[routes\.{name}\]\n(?:[^\[\n].*\n)*\n?", "", old)
    config.write_text(without.replace("[system]\n", f"{head}{text}\n[system]\n"))


@dataclass(frozen=True, slots=True)
class SealingStage:
    """The stage, and where its pages are."""

    on: Stage
    url: str

    async def mail(self, address: str, sent: Sent, subject: str) -> EmailMessage:
        """Waits for the mail of ours to that address about that message whose subject begins so; there is only one."""
        await self.on.until(lambda: bool(self.mails(address, sent, subject)))
        (found,) = self.mails(address, sent, subject)
        return found

    def mails(self, address: str, sent: Sent, subject: str) -> list[EmailMessage]:
        """Those that have come. ``sent`` has an address of its own, which each of them names."""
        found = [parsed(one.content) for one in self.on.world.inbox.to(address)]
        about = [mail for mail in found if sent.writer.address in whole(mail)]
        return [mail for mail in about if str(mail["Subject"]).startswith(subject)]

    async def link(self, address: str, sent: Sent, subject: str = "A protected message for you") -> str:
        """The reader's, out of their notification."""
        mail = await self.mail(address, sent, subject)
        (found,) = set(re.findall(re.escape(self.url) + r"/m/[\w-]+", plain(mail)))
        return str(found)

    def packages(self, sent: Sent) -> list[str]:
        """What lies sealed of that message."""
        store = self.on.spool / "sealed" / "sealed.db"
        with contextlib.closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as db:
            return [row[0] for row in db.execute("SELECT id FROM packages WHERE queue_id = ?", (sent.queue_id,))]

    async def forgotten(self, *secrets: str) -> None:
        """Waits until none of them can be read in any file of the gateway: spool, store and log."""
        await self.on.until(lambda: not self._written(secrets))

    def _written(self, secrets: Sequence[str]) -> bool:
        files = [self.on.folder / "gateway.log", *self.on.spool.rglob("*")]
        contents = [path.read_bytes() for path in files if path.is_file()]
        return any(secret.encode() in content for secret in secrets for content in contents)

    @contextlib.asynccontextmanager
    async def reader(self, link: str) -> AsyncGenerator["Reader"]:
        """Somebody with that link, and no cookie yet."""
        jar = aiohttp.CookieJar(unsafe=True)  # The pages are on an IP address.
        timeout = aiohttp.ClientTimeout(total=60)
        async with aiohttp.ClientSession(cookie_jar=jar, timeout=timeout) as session:
            yield Reader(session, self.url, link)


@dataclass(frozen=True, slots=True)
class Page:
    """What was answered; ``headers`` without those that tell the time."""

    status: int
    headers: tuple[tuple[str, str], ...]
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode()

    @property
    def form(self) -> dict[str, str]:
        """What every form of the page carries."""
        proof = re.search(r'name="proof" value="([^"]+)"', self.text)
        assert proof is not None, self.text
        return {"proof": proof[1]}


@dataclass(slots=True)
class Reader:
    """A browser without scripts; ``home`` is the page of the message, once it is open."""

    session: aiohttp.ClientSession
    url: str
    link: str
    home: str = ""

    async def get(self, path: str) -> Page:
        """A page, or a file."""
        async with self.session.get(path if "://" in path else self.url + path) as answer:
            return await _page(answer)

    async def post(self, url: str, fields: dict[str, str]) -> Page:
        """Sends a form, and follows where it leads."""
        async with self.session.post(url, data=fields) as answer:
            return await _page(answer)

    async def land(self) -> Page:
        """What the link shows."""
        return await self.get(self.link)

    async def ask_code(self) -> Page:
        """Presses the button for a code."""
        return await self.post(f"{self.link}/code", (await self.land()).form)

    async def open(self, secret: str) -> Page:
        """Types a code or a passphrase."""
        page = await self.post(f"{self.link}/open", {**(await self.land()).form, "secret": secret, "who": ""})
        if (found := re.search(r'action="(/read/\w+)/leave"', page.text)) is not None:
            self.home = found[1]
        return page

    async def disown(self) -> Page:
        """Presses "This is not for me", and means it."""
        return await self.post(f"{self.link}/not-for-me", (await self.get(f"{self.link}/not-for-me")).form)

    async def original(self) -> bytes:
        """The message as it was sealed, once it is open."""
        page = await self.get(f"{self.home}/message.eml")
        assert page.status == 200
        return page.content


async def _page(answer: aiohttp.ClientResponse) -> Page:
    headers = tuple(sorted((name.lower(), value) for name, value in answer.headers.items() if name.lower() != "date"))
    return Page(answer.status, headers, await answer.read())


def parsed(content: bytes) -> EmailMessage:
    message = message_from_bytes(content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def plain(mail: EmailMessage) -> str:
    """Its text."""
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def whole(mail: EmailMessage) -> str:
    """Header and both texts."""
    page = mail.get_body(("html",))
    return f"{mail.items()}{plain(mail)}{page.get_content() if page is not None else ''}"


def after(label: str, mail: EmailMessage) -> str:
    """The secret behind that word in a letter to the sender."""
    found = re.search(rf"^{label}: (\S+)\s*$", plain(mail), re.MULTILINE)
    assert found is not None, plain(mail)
    return found[1]


def unpacked(folder: Path, arrival: Arrival, password: str) -> dict[str, bytes]:
    """What 7-Zip finds in the one protected file of a mail, and a reader in the one that lies in that."""
    (file,) = parsed(arrival.content).iter_attachments()
    data = file.get_payload(decode=True)
    assert isinstance(data, bytes)
    folder.mkdir()
    (folder / "x.zip").write_bytes(data)
    command = ["7zz", "x", "-y", f"-p{password}", f"-o{folder}", str(folder / "x.zip")]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    with ZipFile(folder / "message.zip") as inner:
        return {name: inner.read(name) for name in inner.namelist()}
