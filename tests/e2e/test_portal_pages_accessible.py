"""Every page of the portal meets WCAG 2.2 AA as far as axe-core can tell, and fits a width of 320 pixels.

The pages come out of the application itself, in each state that they have words for.
"""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.core.sealing import Unlock
from gateway.portal import reply
from tests.e2e.test_portal_browser import rich_letter
from tests.peers.chromium import Finding, examine
from tests.portal.at_portal import Portal, portal
from tests.portal.caller import form_field
from tests.portal.opened_pages import World
from tests.portal.sealed_mail import Sealed, letter

TEMPLATES = {path.stem for path in (Path(reply.__file__).parent / "templates").glob("*.html")}
INSIDE = {"base", "moment"}
"""Of these others are made."""


async def pages(folder: Path) -> dict[str, str]:
    """By what they are of, and what state they are in."""
    found = dict[str, str]()
    async with portal(folder / "mail") as there:
        found |= await before_opening(there)
        found |= await senders(there)
    async with portal(folder / "verified", Unlock.VERIFIED_MAIL) as there:
        found["landing: verified"] = (await there.browser().get(f"{there.link()}?code=sent")).text
    async with portal(folder / "passphrase", Unlock.PASSPHRASE) as there:
        found["landing: passphrase"] = (await there.browser().get(there.link())).text
    return found | await opened()


async def before_opening(there: Portal) -> dict[str, str]:
    browser = there.browser()
    found = {"landing": (landing := await browser.get(there.link())).text}
    proof = {"proof": landing.field("proof")}
    found["landing: code sent"] = (await browser.get(f"{there.link()}?code=sent")).text
    found["landing: form"] = (await browser.form(f"{there.link()}/code", {"proof": "other"})).text
    found["landing: empty"] = (await browser.form(f"{there.link()}/open", {**proof, "secret": ""})).text
    found["disown"] = (await browser.get(f"{there.link()}/not-for-me")).text
    found["disowned"] = (await browser.form(f"{there.link(5)}/not-for-me", await proof_of(there, 5))).text
    found["gone"] = (await browser.get(there.link(5))).text
    for name in ("landing: wrong", "landing: wrong", "landing: wrong", "landing: last try", "locked"):
        found[name] = (await there.try_secret(browser, "00000000")).text
    found["ended"] = (await browser.get("/read")).text
    found["left"] = (await browser.form("/leave", {})).text
    found["trouble"] = (await browser.get("/leave")).text
    for _ in range(200):
        found["busy"] = (await browser.get("/m/none")).text
    await there.store.restore(there.package, None, there.clock.now(), "the sender")
    return found


async def proof_of(there: Portal, number: int) -> dict[str, str]:
    return {"proof": (await there.browser().get(there.link(number))).field("proof")}


async def senders(there: Portal) -> dict[str, str]:
    """Their page, and what it says of each state."""
    browser, link = there.browser("203.0.113.9"), there.sender_link
    found = {"sent": (page := await browser.get(link)).text}
    form = {"proof": page.field("proof")}
    found["sent: form"] = (await browser.form(link, {"proof": "other"})).text
    found["sent: sure"] = (await browser.form(link, {**form, "action": "erase"})).text
    found["sent: nothing"] = (await browser.form(link, {**form, "action": "restore"})).text
    await there.store.revoke(there.package, 2, there.clock.now(), "the sender")
    await there.store.disown(there.package, 5, there.clock.now(), "")
    found["sent: closed"] = (await browser.get(link)).text
    await there.store.erase(there.package, there.clock.now(), "the sender")
    found["sent: erased"] = (await browser.get(link)).text
    return found


async def opened() -> dict[str, str]:
    message = rich_letter()
    for name, value in letter().items():
        if name not in message:
            message[name] = value
    there = World(Sealed(message.as_bytes()))
    found = {name: (await there.caller.get(url)).text for name, url in OPENED.items()}
    page = await there.caller.get("/reply")
    hidden = [form_field(name, page.field(name)) for name in ("proof", "key")]
    found["reply: empty"] = (await there.caller.post("/reply", [*hidden, form_field("text", "")])).text
    there.limit_downloads(1)
    found["read: few downloads"] = (await there.caller.get("/read")).text
    await there.caller.get("/read/message.eml")
    found["enough"] = (await there.caller.get("/read/message.eml")).text
    bare = World(Sealed(b"From: Sam <worker@council.example>\r\n\r\n"))
    bare.store.reader = replace(bare.store.reader, hand_off=True)
    found["read: bare"] = (await bare.caller.get("/read")).text
    bare.store.session = None
    found["later"] = (await bare.caller.get("/read")).text
    return found


OPENED = {
    "read": "/read",
    "read: plain": "/read?text",
    "frame": "/read/frame/1",
    "frame: alone": "/read/frame/1?alone",
    "reply": "/reply",
    "replied": "/reply/sent",
}


@pytest.mark.peer("chromium")
def test_every_page_of_the_portal_meets_wcag(tmp_path: Path) -> None:
    made = asyncio.run(pages(tmp_path))
    assert {name.partition(":")[0] for name in made} == TEMPLATES - INSIDE
    assert len(set(made.values())) == len(made)

    found = examine(made)

    assert len(found) == len(made)
    assert not {name: findings for name, findings in found.items() if set(findings) - NOT_SEEN}


NOT_SEEN = {Finding("frame-tested", "")}
