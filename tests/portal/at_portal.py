"""The whole portal over the real store, with two readers of one message, and browsers that visit it."""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

from gateway.core.address import parse_address
from gateway.core.record import Kind, QueueId
from gateway.core.sealed import Happening, NewPackage, NewReader, OwnMail, PackageId
from gateway.core.sealing import Unlock
from gateway.core.sender_link import SenderLink
from gateway.flow.ports import SealedStore
from gateway.portal.application import application
from gateway.portal.context import Context, InForce
from gateway.sealed.keys import Keyring
from gateway.sealed.store import SealedFiles
from tests.fakes.clock import SteppedClock
from tests.portal.caller import HOST, Answer, Caller, cookie_of
from tests.portal.opened_pages import PORTAL, Numbers, World
from tests.portal.sealed_mail import NOW, Sealed, letter

WORKER, JO, KIM = (parse_address(text) for text in ("worker@council.example", "jo@firm.example", "kim@firm.example"))
OFFICER = parse_address("officer@council.example")
KEY = b"k" * 32
DAYS_28 = timedelta(days=28)


@dataclass
class Browser(Caller):
    """One that keeps cookies and sends forms as a browser does; it is at the ``home`` that it opened last."""

    jar: dict[str, str] = field(default_factory=dict)

    def cookies(self) -> str:
        self.jar[self.home] = self.cookie
        return "; ".join(f"{cookie_of(home)}={value}" for home, value in self.jar.items() if value)

    async def form(self, url: str, fields: Mapping[str, str], **headers: str) -> Answer:
        return await self.raw(url, urlencode(fields).encode(), **headers)

    async def raw(self, url: str, body: bytes, **headers: str) -> Answer:
        own = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Content-Length": str(len(body)),
            "Origin": f"https://{HOST}",
            "Sec-Fetch-Site": "same-origin",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        return await self.send("POST", url, [body], own)

    async def send(self, method: str, url: str, blocks: list[bytes], headers: dict[str, str]) -> Answer:  # type: ignore[override]
        answer = await super().send(method, url, blocks, {**self.headers, **headers})
        if (given := re.match(r'__Host-reading-(\w+)="?([^";]*)', answer.headers.get("set-cookie", ""))) is not None:
            self.jar[self.home] = self.cookie
            self.home, self.cookie = f"/read/{given[1]}", given[2]
        return answer


@dataclass
class Portal:
    """``store`` is the real one; ``world`` has what may be changed between requests; browsers want ``language``."""

    store: SealedFiles
    clock: SteppedClock
    package: PackageId = field(init=False)
    unlock: Unlock = Unlock.MAIL
    language: str = ""
    lasts: timedelta = DAYS_28
    tokens: dict[int, str] = field(default_factory=dict)
    passphrases: dict[int, str] = field(default_factory=dict)
    world: World = field(default_factory=lambda: World(Sealed(b"Subject: x\r\n\r\n")))

    def __post_init__(self) -> None:
        self.world.clock = self.clock
        self.world.portal = replace(PORTAL, officer=OFFICER)
        self.app = application(self.context(self.store))

    def context(self, store: SealedStore) -> Context:
        return Context(
            in_force=self.in_force,
            store=store,
            clock=self.clock,
            ids=Numbers(),
            events=lambda name, facts: self.world.events.append((name, facts)),
        )

    def in_force(self) -> InForce:
        return self.world.in_force()

    def browser(self, address: str = "198.51.100.7") -> Browser:
        return Browser(self.app, address=address, headers={"Accept-Language": self.language})

    def link(self, number: int = 2) -> str:
        return f"/m/{self.tokens[number]}"

    @property
    def sender_link(self) -> str:
        return SenderLink(self.package, NOW + 2 * DAYS_28).path(KEY)

    async def mails(self, kind: Kind) -> list[OwnMail]:
        waiting = [await self.store.own_mail(number) for number in await self.store.outgoing(self.clock.now(), 100)]
        return [mail for mail in waiting if mail is not None and mail.kind is kind]

    async def code(self) -> str:
        """What the last letter with a code says."""
        text = (await self.mails(Kind.CODE))[-1].text.decode()
        digits = re.search(r"\b(\d{4}) ?(\d{4})\b", text.partition("\r\n\r\n")[2])
        assert digits is not None
        return digits[1] + digits[2]

    async def happened(self) -> list[Happening]:
        return [one.what for one in await self.store.history(self.package)]

    async def ask_code(self, browser: Browser, number: int = 2) -> str:
        page = await browser.get(self.link(number))
        answer = await browser.form(f"{self.link(number)}/code", {"proof": page.field("proof")})
        assert (answer.status, answer.headers["location"]) == (303, f"{self.link(number)}?code=sent")
        return await self.code()

    async def try_secret(self, browser: Browser, secret: str, *, number: int = 2, who: str = "") -> Answer:
        page = await browser.get(self.link(number))
        proof = page.field("proof") if page.status == 200 else "none"
        return await browser.form(f"{self.link(number)}/open", {"proof": proof, "secret": secret, "who": who})

    async def open(self, number: int = 2, who: str = "") -> Browser:
        """A browser that has unlocked the message."""
        browser = self.browser()
        by_mail = self.unlock is not Unlock.PASSPHRASE
        secret = await self.ask_code(browser, number) if by_mail else self.passphrases[number]
        answer = await self.try_secret(browser, secret, number=number, who=who)
        assert (answer.status, answer.headers["location"]) == (303, browser.home)
        return browser


async def _blocks(data: bytes) -> AsyncIterator[bytes]:
    yield data


@asynccontextmanager
async def portal(folder: Path, unlock: Unlock = Unlock.MAIL, lasts: timedelta = DAYS_28) -> AsyncGenerator[Portal]:
    """A message that was sealed for two people."""
    clock = SteppedClock(NOW)
    store = await SealedFiles.open(folder, Keyring((("first", b"1" * 32),)), clock)
    async with aclosing(store):
        made = Portal(store, clock, lasts=lasts)
        await seal(made, "d-1", unlock)
        yield made


async def seal(there: Portal, delivery: str, unlock: Unlock) -> None:
    """Seals another, which the portal is about from now on."""
    there.unlock = unlock
    message = letter()
    message.set_content("Plain words.\n")
    new = NewPackage(
        delivery_id=delivery,
        queue_id=QueueId("001-abc"),
        sender=WORKER,
        level="controlled",
        route="secure",
        sealed_at=NOW,
        expires_at=NOW + there.lasts,
        readers=tuple(NewReader(number=number, address=who, unlock=unlock) for number, who in ((2, JO), (5, KIM))),
    )
    there.package = await there.store.seal(new, _blocks(message.as_bytes()))
    secrets = await there.store.secrets(there.package)
    there.tokens = {number: secret.token for number, secret in secrets.items()}
    there.passphrases = {number: secret.passphrase for number, secret in secrets.items()}
