"""A stage for the portal in a browser: a real gateway, letters sent over SMTP, and a real Chromium that visits.

The gateway stands behind a proxy as far as it knows, so that each visitor can have an address of their own.
"""

import asyncio
import contextlib
import re
import secrets
import smtplib
import sqlite3
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from gateway.core.record import QueueId
from gateway.sandbox.gateway_process import GatewayProcess, run_command
from tests.app.house import SOON, House, house
from tests.e2e.pseudo_locale import write_pseudo_locale
from tests.peers.chromium import program

OUTSIDE = "plain.example"
"""A domain whose mail host has no TLS."""
OFFICER = "information.governance@council.example"
WIDE, PHONE, NARROW = 1280, 390, 320
_HIGH = 900
_PATIENCE = 15_000


@dataclass(frozen=True)
class Sent:
    """A letter that was sealed. ``word`` is in its addresses, and in no other letter's."""

    word: str
    sender: str
    recipients: tuple[str, ...]
    subject: str
    content: bytes
    queue_id: QueueId


@dataclass
class PortalWorld:
    """``here`` has the files and the hosts; ``browser`` is there once `browsing` was entered."""

    here: House
    process: GatewayProcess
    browser: Browser | None = None
    _visitors: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.here.portal}"

    @property
    def store(self) -> Path:
        return self.here.household.spool / "sealed"

    async def start(self) -> None:
        await self.process.start(self.here.admin)

    async def send(
        self,
        *names: str,
        level: str = "controlled",
        message: EmailMessage | None = None,
        word: str = "",
        subject: str = "",
        button: str = "encrypted",
    ) -> Sent:
        """Sends a letter with a button to somebody outside, or to several, by their names."""
        word = word or f"w{secrets.token_hex(6)}"
        sender = f"{word}@council.example"
        recipients = tuple(f"{name}.{word}@{OUTSIDE}" for name in names or ("carol",))
        subject = subject or f"Case {word}"
        message = message if message is not None else plain_letter()
        for name, value in (
            ("From", f"Sam Worker <{sender}>"),
            ("To", ", ".join(recipients)),
            ("Subject", subject),
            ("Message-ID", f"<{word}@council.example>"),
            ("X-Classification", level),
            ("X-Sealpost-Intent", button),
        ):
            if value:
                message[name] = value
        content = message.as_bytes(policy=message.policy.clone(linesep="\r\n"))
        queue_id = await asyncio.to_thread(self._submit, sender, recipients, content)
        return Sent(word, sender, recipients, subject, content, queue_id)

    def _submit(self, sender: str, recipients: Sequence[str], content: bytes) -> QueueId:
        with smtplib.SMTP("127.0.0.1", self.here.smtp, timeout=30) as client:
            client.ehlo("desk.council.example")
            assert client.docmd("MAIL", f"FROM:<{sender}>")[0] == 250
            for recipient in recipients:
                assert client.docmd("RCPT", f"TO:<{recipient}>")[0] == 250
            code, text = client.data(content)
            assert code == 250, text
            return QueueId(text.decode().split()[-1])

    async def mail_to(self, address: str, subject: str) -> EmailMessage:
        """Waits for mail whose subject begins so; the newest such."""
        await self.here.world.inbox.wait(lambda _: bool(self.matching(address, subject)), SOON)
        return self.matching(address, subject)[0]

    def matching(self, address: str, subject: str) -> list[EmailMessage]:
        return [mail for mail in self.mails(address) if str(mail["Subject"]).startswith(subject)]

    def mails(self, address: str) -> list[EmailMessage]:
        """All that has arrived for an address, the newest first."""
        return [parsed(arrival.content) for arrival in self.here.world.inbox.to(address)]

    async def link(self, address: str) -> str:
        """The reader's link, out of the notification."""
        return self._link_in(await self.mail_to(address, "A protected message for you"), "/m/")

    async def sender_link(self, sent: Sent) -> str:
        """The sender's, out of the confirmation."""
        return self._link_in(await self.mail_to(sent.sender, "Sealed"), "/sent/")

    def _link_in(self, mail: EmailMessage, path: str) -> str:
        found = re.findall(re.escape(self.url + path) + r"[\w/-]+", plain_text(mail))
        assert found, plain_text(mail)
        return found[0]

    async def code(self, address: str, had: int = 0) -> str:
        """The code out of the next mail with one, beyond those that had come already."""
        subject = "Your code"
        await self.here.world.inbox.wait(lambda _: len(self.matching(address, subject)) > had, SOON)
        found = re.search(r"^\s*(\d{8})\s*$", plain_text(self.matching(address, subject)[0]), re.MULTILINE)
        assert found is not None
        return found[1]

    def packages(self) -> list[tuple[str, str]]:
        """Queue id and package of all that lies sealed."""
        with contextlib.closing(sqlite3.connect(f"file:{self.store / 'sealed.db'}?mode=ro", uri=True)) as db:
            return [(row[0], row[1]) for row in db.execute("SELECT queue_id, id FROM packages")]

    @contextlib.asynccontextmanager
    async def visitor(
        self, *, width: int = WIDE, scripts: bool = False, locale: str = "en-GB"
    ) -> AsyncGenerator["Visitor"]:
        """Somebody with a browser and an address of their own."""
        assert self.browser is not None
        self._visitors += 1
        context = await self.browser.new_context(
            java_script_enabled=scripts,
            locale=locale,
            viewport={"width": width, "height": _HIGH},
            extra_http_headers={"X-Forwarded-For": f"198.51.{self._visitors // 250}.{self._visitors % 250 + 1}"},
        )
        context.set_default_timeout(_PATIENCE)
        visitor = Visitor(self, context, await context.new_page())
        context.on("request", lambda request: visitor.asked.append(request.url))
        try:
            yield visitor
        finally:
            await context.close()


@dataclass
class Visitor:
    """One browser window; ``asked`` are the addresses that it fetched."""

    world: PortalWorld
    context: BrowserContext
    tab: Page
    asked: list[str] = field(default_factory=list)

    async def land(self, address: str) -> None:
        await self.tab.goto(await self.world.link(address))

    async def ask_code(self, address: str) -> str:
        """Asks on the landing page, and reads the mailbox."""
        had = len(self.world.matching(address, "Your code"))
        await self.tab.get_by_role("button", name="Send me a code").click()
        await self.tab.get_by_text("A code is on its way").wait_for()
        return await self.world.code(address, had)

    async def type_secret(self, secret: str, who: str = "") -> None:
        await self.tab.get_by_label(re.compile("^The (code|passphrase)")).fill(secret)
        await self.tab.get_by_label(re.compile("^Your name")).fill(who)
        await self.tab.get_by_role("button", name="Open", exact=True).click()

    async def read(self, address: str, who: str = "") -> None:
        """All the way to the message."""
        await self.land(address)
        await self.type_secret(await self.ask_code(address), who)
        await self.tab.wait_for_url("**/read/*")

    async def heading(self) -> str:
        return await self.tab.locator("h1").inner_text()

    async def is_too_wide(self) -> bool:
        """Whether it has to be scrolled sideways, as the browser lays it out."""
        whole = await self.tab.locator("body").bounding_box()
        size = self.tab.viewport_size
        assert whole is not None and size is not None
        parts = await self.tab.locator("body *:visible").all()
        boxes = [await part.bounding_box() for part in parts]
        return max(box["x"] + box["width"] for box in [whole, *boxes] if box is not None) > size["width"] + 0.5


def plain_letter() -> EmailMessage:
    message = EmailMessage()
    message.set_content("Plain words of the letter.\n")
    return message


def parsed(content: bytes) -> EmailMessage:
    message = message_from_bytes(content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def plain_text(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return body.get_content()


@contextlib.asynccontextmanager
async def portal_world(folder: Path, *, retry_min: str = "1s") -> AsyncGenerator[PortalWorld]:
    """A running gateway whose route `encrypted` is the portal."""
    async with house(folder, portal=True) as here:
        config = here.household.config
        here.edit(config, 'retry_min    = "30s"', f'retry_min    = "{retry_min}"')
        listening = f'url     = "http://127.0.0.1:{here.portal}"\n'
        here.edit(config, listening, f'{listening}proxies = ["127.0.0.1/32"]\n')
        officer = 'officer            = "information-governance"\n'
        here.edit(config, officer, f'{officer}languages          = "locale"\n')
        assert write_pseudo_locale(here.household.root / "locale") > 100
        world = PortalWorld(here, GatewayProcess(run_command(config), here.household.log))
        try:
            await world.start()
            yield world
        finally:
            await world.process.stop()


@contextlib.asynccontextmanager
async def browsing(world: PortalWorld) -> AsyncGenerator[PortalWorld]:
    """With a Chromium beside it."""
    async with async_playwright() as playwright:
        # Chromium's own sandbox is not there for root; the pages are ours, and nothing else is reached.
        world.browser = await playwright.chromium.launch(executable_path=program(), chromium_sandbox=False)
        try:
            yield world
        finally:
            await world.browser.close()
            world.browser = None
