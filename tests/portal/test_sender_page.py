"""The sender's page: who opened the message, closing and opening it again, and nothing by mistake."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from gateway.core.sealed import Access, Happening, Reader
from gateway.core.sealing import Unlock
from gateway.core.sender_link import SenderLink
from tests.portal.at_portal import DAYS_28, KEY, Browser, Portal, portal
from tests.portal.caller import Answer
from tests.portal.sealed_mail import NOW

OTHER = "https://elsewhere.example"


@dataclass
class Page:
    """One sender's browser at it."""

    there: Portal
    browser: Browser

    async def look(self) -> Answer:
        return await self.browser.get(self.there.sender_link)

    async def press(self, action: str, number: str = "", **more: str) -> Answer:
        proof = (await self.look()).field("proof")
        return await self.browser.form(
            self.there.sender_link, {"proof": proof, "action": action, "number": number, **more}
        )

    async def access(self) -> list[Access]:
        readers = await self.there.store.readers(self.there.package, self.there.clock.now())
        return [reader.access for reader in readers]


def at(there: Portal) -> Page:
    return Page(there, there.browser())


async def test_what_the_sender_sees(tmp_path: Path) -> None:
    async with portal(tmp_path, Unlock.VERIFIED_MAIL) as there:
        await there.open()
        await there.browser().get(there.link(5))
        page = await at(there).look()
        assert page.status == 200
        for seen in ("jo@firm.example", "kim@firm.example", "once, on 22 November 2026, 15:41 UTC", "not yet"):
            assert seen in page.text
        for secret in (*there.passphrases.values(), *there.tokens.values(), "Café"):
            assert secret and secret not in page.text


async def test_looking_changes_nothing(tmp_path: Path) -> None:
    async with portal(tmp_path) as there:
        await at(there).look()
        assert await there.happened() == [Happening.SEALED]


async def test_closing_for_one_and_for_all_and_opening_again(tmp_path: Path) -> None:
    async with portal(tmp_path) as there:
        page, reading = at(there), await there.open(5)
        done = await page.press("revoke", "2")
        assert (done.status, done.headers["location"]) == (303, there.sender_link)
        assert await page.access() == [Access.REVOKED, Access.OPEN]
        assert "closed by you" in (await page.look()).text
        assert (await page.press("revoke")).status == 303
        assert await page.access() == [Access.REVOKED, Access.REVOKED]
        assert (await reading.get(".")).status == 401
        assert (await page.press("restore", "5")).status == 303
        assert await page.access() == [Access.REVOKED, Access.OPEN]
        assert (await page.press("restore")).status == 303
        assert await page.access() == [Access.OPEN, Access.OPEN]
        history = await there.store.history(there.package)
        assert {one.who for one in history if one.what is Happening.REVOKED} == {"the sender, by their link"}


async def test_what_is_so_already_is_said(tmp_path: Path) -> None:
    async with portal(tmp_path) as there:
        again = await at(there).press("restore", "2")
        assert again.status == 422 and "Nothing was changed" in again.text


@pytest.mark.parametrize("number", ["9", "two", "-2", "02", "2 ", "²", "9" * 400])
async def test_a_number_that_is_no_reader_closes_it_for_nobody(tmp_path: Path, number: str) -> None:
    async with portal(tmp_path) as there:
        page = at(there)
        assert (await page.press("revoke", number)).status == 422
        assert await page.access() == [Access.OPEN, Access.OPEN]


async def test_extending_opens_what_has_expired_and_never_shortens(tmp_path: Path) -> None:
    async with portal(tmp_path) as there:
        page = at(there)
        assert (await page.press("extend")).status == 422
        await there.clock.advance(DAYS_28)
        assert await page.access() == [Access.EXPIRED, Access.EXPIRED]
        assert (await page.press("extend")).status == 303
        [jo, _] = await there.store.readers(there.package, there.clock.now())
        assert (jo.access, jo.expires_at) == (Access.OPEN, NOW + 2 * DAYS_28)


async def test_it_is_extended_by_what_its_route_gave_it(tmp_path: Path) -> None:
    async with portal(tmp_path, lasts=timedelta(days=7)) as there:
        page = at(there)
        await there.clock.advance(timedelta(days=2))
        assert "for 7 days from now" in (await page.look()).text
        for days in (2, 5):
            assert (await page.press("extend")).status == 303
            [jo, _] = await there.store.readers(there.package, there.clock.now())
            assert jo.expires_at == NOW + timedelta(days=days + 7)
            await there.clock.advance(timedelta(days=3))


async def test_erasing_asks_whether_one_is_sure(tmp_path: Path) -> None:
    async with portal(tmp_path) as there:
        page = at(there)
        asked = await page.press("erase")
        assert asked.status == 422 and "tick the box" in asked.text
        assert await page.access() == [Access.OPEN, Access.OPEN]
        assert (await page.press("erase", sure="yes")).status == 303
        assert await page.access() == [Access.ERASED, Access.ERASED]
        after = await page.look()
        assert after.status == 200 and "<button" not in after.text


async def test_an_action_that_is_none_does_nothing(tmp_path: Path) -> None:
    async with portal(tmp_path) as there:
        assert (await at(there).press("destroy")).status == 422
        assert await there.happened() == [Happening.SEALED]


@pytest.mark.parametrize("headers", [{"Origin": OTHER}, {"Origin": "null"}, {"Sec_Fetch_Site": "cross-site"}])
async def test_a_form_from_elsewhere_does_nothing(tmp_path: Path, headers: dict[str, str]) -> None:
    async with portal(tmp_path) as there:
        page = at(there)
        fields = {"proof": (await page.look()).field("proof"), "action": "revoke"}
        assert (await page.browser.form(there.sender_link, fields, **headers)).status == 403
        assert await page.access() == [Access.OPEN, Access.OPEN]


async def test_a_form_without_our_proof_does_nothing(tmp_path: Path) -> None:
    async with portal(tmp_path) as there:
        page = at(there)
        readers = (await page.browser.get(there.link())).field("proof")
        for proof in ("", readers, "é"):
            fields = {"proof": proof, "action": "erase", "sure": "yes"}
            assert (await page.browser.form(there.sender_link, fields)).status == 403
        assert await page.access() == [Access.OPEN, Access.OPEN]


Forge = Callable[[Portal], str]
FORGED: dict[str, Forge] = {
    "another key": lambda there: SenderLink(there.package, NOW + DAYS_28).path(b"x" * 32),
    "has run out": lambda there: SenderLink(there.package, NOW - timedelta(seconds=1)).path(KEY),
    "of another package": lambda there: there.sender_link.replace(there.package, "q" * 22),
    "a later end": lambda there: there.sender_link.replace("/1", "/2"),
    "a reader's token": lambda there: f"/sent/{there.package}/{there.tokens[2]}",
    "of no package": lambda there: SenderLink(type(there.package)("q" * 22), NOW + DAYS_28).path(KEY),
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
async def test_other_links_show_what_unknown_ones_do(tmp_path: Path, forge: Forge) -> None:
    async with portal(tmp_path) as there:
        asked: list[str] = []
        readers = there.store.readers

        async def counted(package: str, now: datetime) -> tuple[Reader, ...]:
            asked.append(package)
            return await readers(type(there.package)(package), now)

        there.store.readers = counted  # type: ignore[method-assign]
        browser, link = there.browser(), forge(there)
        assert link != there.sender_link
        answer, nothing = await browser.get(link), await browser.get("/m/unknown")
        assert (answer.status, answer.body, answer.headers) == (404, nothing.body, nothing.headers)
        assert (await browser.form(link, {"action": "revoke"})).body == nothing.body
        assert len(asked) == 2
        assert await there.happened() == [Happening.SEALED]
